"""Variance and dimension: the rank-2 network's property from few neurons to many, by particles.

``python -m benchmarks.bench_scale --neurons 5 10 25 50 --figure docs/figures/variance-and-dimension.png`` prints
the table of docs/variance_and_dimension.md and draws its figure.
"""

import argparse
import time
from typing import NamedTuple

import numpy as np

import numepi as ne
from numepi.flow.elementwise.support import SupportMap
from numepi.flow.families.composition import ComposedFlow
from numepi.inference.assessment.outside import log_z_outside
from numepi.inference.particles.annealing import ParticleSettings, Stage, begin, go_on
from numepi.inference.particles.density import TemperedDensity
from numepi.inference.particles.evidence import evidence
from numepi.inference.problem import Problem
from numepi.worker_threads import one_blas_thread

WITHIN = 6.0
SETTINGS = ParticleSettings(particles=300)
# Exact values for comparison: importance sampling (N = 10) and sequential Monte Carlo of another author's making.
REFERENCE = {10: 25.88, 25: 44.7, 50: 46.2, 100: -1.7}


class Row(NamedTuple):
    """Of one network: what means alone leave, and the solution with variances in the region."""

    neurons: int
    deviation: np.ndarray  # (2,) of the statistics about their target means, where only means are asked for
    log_z_means: float
    multipliers: np.ndarray  # (4,) in natural scales, at the solution
    log_z: float
    stderr: float
    forward: float
    backward: float
    outside: float
    seconds: float  # of CPU


def measure(neurons, seed=0, settings=SETTINGS):
    """The `Row` of a network of so many ``neurons``."""
    circuit = ne.circuits.RankTwoRNN(n_neurons=neurons)
    prop = ne.EmergentProperty(mean=[0.5, 1.5], variance=[0.25**2, 0.25**2], within=WITHIN)
    problem = Problem(circuit, prop, np.random.SeedSequence(seed))
    constraints = problem.constraints
    line = ComposedFlow(circuit.support, [SupportMap(circuit.support, "gaussian-cdf", "float64")], "float64")
    density = TemperedDensity(problem, line, np.empty(0), constraints.region.contains)
    generator = np.random.default_rng(seed)
    start = time.process_time()
    path, stage = begin(density, settings, generator), Stage("temper")
    deviation, log_z_means = None, np.nan
    while path.failure is None and stage.name != "done":
        stage = go_on(density, path, stage, constraints.is_mean, settings, generator)
        if stage.name == "confine" and deviation is None:
            deviation = np.sqrt(np.mean(path.particles.violation[:, :2] ** 2, axis=0)) * 0.25
            log_z_means = path.log_z
    if path.failure is not None:
        raise RuntimeError(path.failure)
    found = evidence(density, path, settings, generator)
    eta = path.point.eta
    outside = log_z_outside(problem, line, np.empty(0), eta / constraints.scale, constraints.region)
    seconds = time.process_time() - start
    return Row(
        neurons, deviation, log_z_means, eta, found.log_z, found.stderr, found.forward, found.backward, outside, seconds
    )  # fmt: skip


class Particles:
    """Entropies of the exact solution by particles, and what they cost."""

    params = (10, 25, 50)
    param_names = ("neurons",)
    timeout = 600

    def setup_cache(self):
        """Each network once."""
        with one_blas_thread():
            return {n: measure(n) for n in self.params}

    def track_entropy(self, rows, neurons):
        """H* in nats."""
        return rows[neurons].log_z

    def track_miss(self, rows, neurons):
        """Nats from the reference."""
        return abs(rows[neurons].log_z - REFERENCE[neurons])

    def track_forward_backward(self, rows, neurons):
        """Nats between the two ends of the path."""
        return abs(rows[neurons].forward - rows[neurons].backward)

    def track_cpu_seconds(self, rows, neurons):
        """Of one core."""
        return rows[neurons].seconds


def table(rows):
    """Lines of the page's table."""
    head = (
        "| N | s.d. of Re λ₁, λ₁ˢ with means alone | multipliers of the squares | H* in the region | outside | CPU s |"
    )
    yield head
    yield "|---|---|---|---|---|---|"
    for r in rows:
        far = "none found" if np.isneginf(r.outside) else f"{r.outside:.0f}"
        yield (
            f"| {r.neurons} | {r.deviation[0]:.3f}, {r.deviation[1]:.3f} | {r.multipliers[2]:.2f}, "
            f"{r.multipliers[3]:.2f} | {r.log_z:.2f} ± {r.stderr:.2f} ({r.forward:.2f}, {r.backward:.2f}) | {far} | "
            f"{r.seconds:.0f} |"
        )


def draw(rows, path):
    """Spread with means alone, and the sign of the multipliers, against N."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    n = [r.neurons for r in rows]
    for i, name in enumerate(("Re λ₁", "λ₁ˢ")):
        left.plot(n, [r.deviation[i] for r in rows], "o-", label=name)
        right.plot(n, [r.multipliers[2 + i] for r in rows], "o-", label=name)
    left.axhline(0.25, color="k", linestyle="--", label="asked for")
    right.axhline(0.0, color="k", linestyle="--")
    left.set(xscale="log", xlabel="neurons N", ylabel="s.d. with means alone", ylim=(0, None))
    right.set(xscale="log", xlabel="neurons N", ylabel="multiplier of the square")
    left.legend(frameon=False)
    for axes in (left, right):
        axes.set_xticks(n, [str(each) for each in n])
        axes.minorticks_off()
    figure.savefig(path, dpi=120)


def main():
    """See the module's first lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--neurons", type=int, nargs="+", default=[5, 10, 25, 50])
    parser.add_argument("--figure")
    arguments = parser.parse_args()
    rows = []
    with one_blas_thread():
        for neurons in arguments.neurons:
            rows.append(measure(neurons))
            print(list(table(rows[-1:]))[-1], flush=True)
    print("\n".join(table(rows)))
    if arguments.figure:
        draw(rows, arguments.figure)


if __name__ == "__main__":
    main()
