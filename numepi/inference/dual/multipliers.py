"""The multipliers of the dual solver: annealed towards the optimum of the dual on the replay of simulations.

The way starts at eta = 0, the prior p_0.  Where the simulations hold too little of it (without a prior an unbounded
support has no such distribution, and a prior may be far narrower than the start q_0) the way starts at q_0 instead, and
follows a geometric *tempering path*: the reference is p_0^b q_0^(1-b), and b grows from 0 to 1 (Neal 2001).
"""

from dataclasses import dataclass, replace

import numpy as np

from numepi.inference.assessment.pareto import pareto_k
from numepi.inference.dual_problem import effective_sample_size, minimise_dual, normalised_weights

__all__ = [
    "DualPoint",
    "Sample",
    "confined",
    "dual_start",
    "move",
    "out_of_reach",
    "unbounded_after",
    "violation_of",
    "weights_of",
]

_MOVES = 3  # Newton runs in a move along the path
_STALLED_ROUNDS = 5  # annealing rounds in which the distance to the targets must have fallen by _PROGRESS
_PROGRESS = 0.9
_BISECTIONS = 30
_LEAST_LEFT = 0.1  # of 1 - b, that one advance leaves at the least, unless it reaches the end
_UNBOUNDED_LEFT = 1e-6  # of 1 - b: what spreads a thousand times wider than the start has no end
_HEAVY_TAIL = 0.7  # Pareto k from which the weights have no mean to speak of
_ROWS_IN_REGION = 200  # from which the solution is sought among them alone
_UNBOUNDED = (
    "the problem is unbounded: entropy grows without end on this support; bound the support, give a (narrower) prior, "
    "or fix a variance in every direction"
)

_NOT_SEEN = (
    "the rows were spent before the way to the solution ended, if it has an end: on a support without bounds entropy "
    "may grow without end; give a larger max_simulations or a prior, bound the support, or fix a variance in every "
    "direction"
)


@dataclass(frozen=True)
class Sample:
    """What a move rests on: rows with their violation of the targets and their weight at eta = 0.

    Attributes
    ----------
    violation : ndarray (n, m)
        T-bar - mu_opt in natural scales.
    log_base : ndarray (n,)
        log p0 - log g.
    log_tilt : ndarray (n,)
        log q_0 - log p0: the other end of the tempering path.
    """

    violation: np.ndarray
    log_base: np.ndarray
    log_tilt: np.ndarray

    @classmethod
    def of(cls, constraints, replay, T):
        """The valid rows of a ``replay`` with expected ``T`` (n_valid, m); if enough are in the region, only those."""
        inside = constraints.inside(T)
        log_base = np.where(inside | (not confined(inside)), replay.log_base, -np.inf)
        tilt = (replay.log_start - replay.log_prior)[replay.valid]
        return cls(violation_of(constraints, T), log_base, tilt)


def violation_of(constraints, T):
    """T - mu_opt (n, m) in natural scales."""
    return (T - constraints.target) / constraints.scale


def confined(inside):
    """Whether so many rows lie in the property's region, ``inside`` (n,), that the others need no density any more."""
    return bool(inside.sum() >= min(_ROWS_IN_REGION, len(inside)))


@dataclass(frozen=True)
class DualPoint:
    """Multipliers of the scaled constraints, centred on the targets.

    Attributes
    ----------
    eta : ndarray (m,)
    optimal_eta : ndarray (m,)
        Where the last move ended; a refinement may shift ``eta`` from there.
    exponent : float, optional
        b above: 1 at the end of the tempering path, None before the first move.
    optimal : bool
        Whether the last move reached the optimum of the dual, at the end of the path.
    gaps : ndarray
        Largest component of the dual's gradient after each move in which nothing else moved.
    gradient : ndarray (m,)
        Of the dual, after the last move: E_eta[T] - mu_opt.
    """

    eta: np.ndarray
    optimal_eta: np.ndarray
    exponent: float | None
    optimal: bool
    gaps: np.ndarray
    gradient: np.ndarray

    @property
    def stalled(self):
        """Whether the last rounds brought the targets no nearer."""
        recent, before = self.gaps[-_STALLED_ROUNDS:], self.gaps[:-_STALLED_ROUNDS]
        return len(before) > 0 and bool(min(recent) > _PROGRESS * min(before))


def dual_start(n_constraints):
    """At the prior."""
    zero = np.zeros(n_constraints)
    return DualPoint(zero, zero, None, False, np.empty(0), zero)


def weights_of(point, sample, eta=None):
    """Normalised weights (n,) of the sample's rows under p_eta, at the present ``eta`` by default."""
    return normalised_weights(_log_base(point, sample) + sample.violation @ (point.eta if eta is None else eta))


def move(point, sample, floor, proper, is_bound=False):
    """Newton on the dual as far as the effective sample size stays above ``floor``; the new `DualPoint`.

    Parameters
    ----------
    sample : Sample
    proper : bool
        Whether the reference measure is a distribution: a box, or a prior.
    is_bound : ndarray (m,), bool
        Which targets are upper bounds.
    """
    if point.exponent is None:
        point = replace(point, exponent=float(effective_sample_size(normalised_weights(sample.log_base)) >= floor))
    before = point.exponent
    point = _retreat(point, sample, floor)
    for _ in range(_MOVES if point.exponent < 1 else 1):
        step = minimise_dual(sample.violation, _log_base(point, sample), point.eta, floor, is_bound=is_bound)
        point = replace(point, eta=step.eta, optimal_eta=step.eta, gradient=step.gradient)
        if point.exponent < 1 and step.optimal:
            point = _advance(point, sample, floor, proper)
    point = replace(point, optimal=step.optimal and before == 1)
    if not step.optimal and point.exponent == before:
        point = replace(point, gaps=np.append(point.gaps, np.max(np.abs(step.gradient))))
    return point


def unbounded_after(point, out_of_rounds, proper):
    """Why a run must end whose path has no end, or has not been seen to have one when rounds are spent; else None."""
    if point.exponent < 1 and (1 - point.exponent < _UNBOUNDED_LEFT or (out_of_rounds and not proper)):
        return _UNBOUNDED
    return None


def out_of_reach(point, proper):
    """Why a run whose rows are spent has no answer where the reference measure is no distribution; else None."""
    return None if proper or (point.exponent == 1) else _NOT_SEEN


def _log_base(point, sample):
    return sample.log_base if point.exponent == 1 else sample.log_base + (1 - point.exponent) * sample.log_tilt


def _retreat(point, sample, floor):
    """Take b back until the effective sample size is enough."""
    while 0 < point.exponent < 1 and effective_sample_size(weights_of(point, sample)) < floor:
        point = replace(point, exponent=max(0.0, 1 - 2 * (1 - point.exponent)))
    return point


def _advance(point, sample, floor, proper):
    """Take b as far as the effective sample size allows."""
    low, high = point.exponent, 1 - _LEAST_LEFT * (1 - point.exponent)
    end = replace(point, exponent=1.0)
    weights = weights_of(end, sample)
    if effective_sample_size(weights) >= floor and (proper or pareto_k(weights) < _HEAVY_TAIL):
        return end
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if effective_sample_size(weights_of(replace(point, exponent=middle), sample)) < floor:
            high = middle
        else:
            low = middle
    return replace(point, exponent=low)
