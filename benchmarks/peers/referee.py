"""The referee: stops the clock, looks at a method's current answer on fresh noise, and starts the clock again."""

import os
import time

import numpy as np

from numepi.analysis.rnn import class_shares

__all__ = ["Referee", "verdict"]

_DRAWS = 4000
_SPACING = 1.1  # a look each time that the clock has gone on by this factor


class Referee:
    """Follows one run.

    ``trace`` holds a row for each look: wall and CPU seconds of the method alone (all its threads and processes),
    simulations, and how far the answer is from the property.
    """

    def __init__(self, problem, seed, limit):
        self.problem, self.limit = problem, limit
        self.rng = np.random.default_rng([seed, 77])
        self.start()

    def start(self):
        """Start the clock, after what a method loads and compiles."""
        self.trace = []
        self._away = np.zeros(2)
        self._next = 0.0
        self._start = _clocks()

    @property
    def clocks(self):
        """Wall and CPU seconds of the method."""
        return _clocks() - self._start - self._away

    @property
    def expired(self):
        """Whether the method has used up its CPU seconds."""
        return self.clocks[1] > self.limit

    @property
    def due(self):
        """Whether it is time for another look."""
        return self.clocks[1] >= self._next

    def look(self, draw, simulations, clocks=None):
        """Judge ``draw(n)``; with ``clocks`` as if at that time."""
        seconds, cpu = self.clocks if clocks is None else clocks
        before = _clocks()
        self.trace.append({"seconds": seconds, "cpu": cpu, "simulations": int(simulations), **self.judge(draw(_DRAWS))})
        self._next = max(cpu * _SPACING, cpu + 0.02)
        self._away += _clocks() - before

    def judge(self, z):
        """How the statistics at ``z`` (n, D), with fresh noise, compare with the property."""
        return verdict(self.problem, self.statistics(z))

    def statistics(self, z):
        f = self.problem.circuit.statistics(np.asarray(z, float), rng=int(self.rng.integers(2**31)))
        return f[np.isfinite(f).all(axis=1)]


def verdict(problem, f):
    """Means and variances (about the targets) of statistics, and whether they meet the two criteria."""
    mean, variance = f.mean(axis=0), ((f - problem.mu) ** 2).mean(axis=0)
    out = {"mean": mean.tolist(), "variance": variance.tolist(), "distance": float(np.linalg.norm(mean - problem.mu))}
    near = np.abs(mean - problem.mu) < 0.1 * problem.sigma
    right = np.abs(variance / problem.sigma**2 - 1) < 0.2
    out |= {"paper": out["distance"] < 0.5, "fair": bool(near.all() and right.all())}
    if problem.name.startswith("rnn"):
        out["amplified"] = class_shares(f)["stable amplified"]
    return out


def _clocks():
    times = os.times()
    return np.array([time.perf_counter(), times.user + times.system + times.children_user + times.children_system])
