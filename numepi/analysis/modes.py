"""Modes of a fitted flow: points of greatest density, on the whole support or with some parameters fixed.

A mode is a property of the *fitted flow*.  The exact maximum-entropy density is a function of the statistics alone, so
it is flat along their level sets; there the mode of a near-exact flow says where the fit left its ripples, not what the
circuit prefers (`numepi.analysis.simulator_metric` is what is defined at every point).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from numepi.analysis.ascent import Slice, gradient_ascent, trust_region
from numepi.analysis.subjects import distribution_of
from numepi.annotations import Seed
from numepi.arguments import check_choice, check_count, check_number, check_points, shown

if TYPE_CHECKING:
    from numepi.flow.families.distribution import FlowDistribution

__all__ = ["METHODS", "Mode", "ascend", "mode", "sample_scale", "slice_starts", "starts_inside"]

METHODS = ("newton", "ascent")

_SAMPLES = 2000
_PROBE = 0.01  # standard deviations
_PROBES = 64
_SAME = 0.05  # standard deviations


@dataclass(frozen=True)
class Mode:
    """A point of greatest log-density under the fitted flow.

    Attributes
    ----------
    z : ndarray (D,)
    log_prob : float
    is_maximum : bool
        Whether no point at a hundredth of a standard deviation has a greater density (on a bound: no such point of the
        support).
    gradient_norm : float
        Length of the gradient in the free parameters, per standard deviation; large at a bound, or at a knot of a
        spline flow.
    at_bound : tuple of str
        Parameters that the density pushes against a bound of the support.
    others, others_log_prob : ndarray (m, D), (m,)
        Other maxima that the starts found, densest first.
    parameter_names : tuple of str
    """

    z: np.ndarray
    log_prob: float
    is_maximum: bool
    gradient_norm: float
    at_bound: tuple
    others: np.ndarray
    others_log_prob: np.ndarray
    parameter_names: tuple

    def __str__(self):
        values = ", ".join(f"{name} = {value:.4g}" for name, value in zip(self.parameter_names[:8], self.z))
        kind = "maximum" if self.is_maximum else "NOT a maximum"
        if self.at_bound:
            kind += f" on the bound of {', '.join(self.at_bound[:4])}"
        return f"{kind} of the fitted density, log q = {self.log_prob:.3f}: {values}; other maxima: {len(self.others)}"


def mode(
    q: FlowDistribution,
    fixed: Mapping[Any, float] | None = None,
    start: ArrayLike | None = None,
    n_starts: int = 16,
    method: str = "newton",
    rng: Seed = 0,
    steps: int = 500,
    learning_rate: float = 5e-3,
    halve_every: int = 100,
) -> Mode:
    """Find the densest point of a fitted flow.

    Parameters
    ----------
    q : FlowDistribution
        ``result.distribution``.
    fixed : dict of str to float, optional
        Parameters held at a value: the mode of that slice.
    start : array (D,) or (n, D), optional
        Where to start; by default at ``n_starts`` of the densest, mutually distant samples (near the slice).
    n_starts : int
    method : "newton" or "ascent"
        Trust-region Newton steps, or the paper's gradient ascent, which takes the last three arguments; its steps are
        shortened where the curvature exceeds 1.8 / rate.
    rng : int, SeedSequence or Generator
        Of the samples.
    steps, learning_rate, halve_every : int, float, int
        The paper's schedule.

    Returns
    -------
    Mode
        The densest of the points reached.

    Raises
    ------
    ValueError
        For an unknown parameter or method, or a fixed value outside of the support.

    Notes
    -----
    Paper: Methods, "Mode identification with EPI" and "Hessian sensitivity vectors".
    """
    q = distribution_of(q)
    check_choice("method", method, METHODS)
    for name, value in (("n_starts", n_starts), ("steps", steps), ("halve_every", halve_every)):
        check_count(name, value)
    check_number("learning_rate", learning_rate, above=0)
    if start is not None:
        start = starts_inside("start", start, q)
    Slice(q, fixed or {}, np.ones(q.dim))  # checks ``fixed`` before any draw
    samples = q.sample(_SAMPLES, rng=rng)
    target = Slice(q, fixed or {}, sample_scale(samples))
    starts = slice_starts(target, samples, n_starts) if start is None else start
    schedule = (steps, learning_rate, halve_every)
    return ascend(target, starts, method, schedule)


def ascend(target: Any, starts: np.ndarray, method: str, schedule: Any) -> Any:
    """Climb from ``starts`` (n, D) on a `Slice` and describe where they end, as a `Mode`."""
    y = target.to_line(starts)
    y = trust_region(target, y) if method == "newton" else gradient_ascent(target, y, *schedule)
    value = target.value(y)
    order = np.argsort(-value)
    order = order[np.isfinite(value[order])]
    if len(order) == 0:
        raise ValueError("no start has a finite density: give others, inside the support")
    chosen = [order[0]]
    for i in order[1:]:
        apart = np.linalg.norm(y[i] - y[chosen], axis=1).min() > _SAME * np.sqrt(y.shape[1])
        if apart and _is_maximum(target, y[i], value[i]):
            chosen.append(i)
    best, z = chosen[0], target.from_line(y[chosen])
    gradient = target.gradient(y[[best]])
    names = np.array(target.q.parameter_names, object)[target.free]
    return Mode(
        z=z[0],
        log_prob=float(value[best]),
        is_maximum=_is_maximum(target, y[best], value[best]),
        gradient_norm=float(np.linalg.norm(gradient)),
        at_bound=tuple(names[target.blocked(y[[best]], gradient)[0]]),
        others=z[1:],
        others_log_prob=value[chosen[1:]],
        parameter_names=tuple(target.q.parameter_names),
    )


def starts_inside(name, value, q):
    """One start or several of ``q`` as an array (n, D), checked to lie inside the support."""
    starts, _ = check_points(name, value, q.dim)
    inside = ((starts > q.support.lower) & (starts < q.support.upper)).all(axis=1)
    if not inside.all():
        row = starts[np.argmin(inside)]
        raise ValueError(f"{name} = {shown(row)} is not inside the support {q.support!r}: start there")
    return starts


def sample_scale(samples: np.ndarray) -> np.ndarray:
    """Standard deviation (D,) of each parameter, not zero."""
    return np.maximum(samples.std(axis=0), 1e-12 * (1 + np.abs(samples).max(axis=0)))


def slice_starts(target: Any, samples: np.ndarray, n: int) -> np.ndarray:
    """Starts (n, D) on a slice: the densest of the samples nearest to it, then ones far from those chosen."""
    fixed = np.setdiff1d(np.arange(samples.shape[1]), target.free)
    if len(fixed):
        scale = samples[:, fixed].std(axis=0) + np.finfo(float).tiny
        away = np.linalg.norm((samples[:, fixed] - target.template[fixed]) / scale, axis=1)
        samples = samples[np.argsort(away)[: max(n, len(samples) // 10)]]
    y = target.to_line(samples)
    value = np.nan_to_num(target.value(y), nan=-np.inf, posinf=-np.inf)
    y = y[np.argsort(-value)[: max(n, len(y) // 4)]]
    chosen = [0]
    distance = np.full(len(y), np.inf)
    while len(chosen) < min(n, len(y)):
        distance = np.minimum(distance, np.linalg.norm(y - y[chosen[-1]], axis=1))
        chosen.append(int(np.argmax(distance)))
    return target.from_line(y[chosen])


def _is_maximum(target, y, value):
    """Whether no probe at a small distance has a greater density, along curvature axes or (in many d) at random."""
    d = len(y)
    if d <= _PROBES:
        hessian = target.product(np.repeat(y[None], d, axis=0), np.eye(d))
        # a point where the curvature is not finite is probed along the coordinates
        directions = np.linalg.eigh(0.5 * (hessian + hessian.T))[1].T if np.isfinite(hessian).all() else np.eye(d)
    else:
        directions = np.random.default_rng(0).normal(size=(_PROBES, d))
        gradient = target.gradient(y[None])
        directions = np.concatenate([directions, gradient, np.sign(gradient)]) + np.finfo(float).tiny
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    probes = np.clip(y + _PROBE * np.concatenate([directions, -directions]), target.low, target.high)
    return bool(np.all(target.value(probes) <= value + 1e-9 * (1 + abs(value))))
