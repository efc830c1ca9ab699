"""Mode paths: how the mode of a slice moves with the parameter that defines the slice, by continuation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from numepi.analysis.ascent import Slice
from numepi.analysis.directions import column
from numepi.analysis.modes import METHODS, ascend, mode, sample_scale, starts_inside
from numepi.analysis.subjects import distribution_of
from numepi.annotations import Seed
from numepi.arguments import check_array, check_choice, check_count, shown

if TYPE_CHECKING:
    from numepi.flow.families.distribution import FlowDistribution

__all__ = ["ModePath", "mode_path"]

_FIRST = (500, 5e-3, 100)  # steps, learning rate, steps until it halves
_NEXT = (200, 1e-3, 100)
_LAST = (200, 5e-4, 100)
_PAPER_SAMPLES = 500


@dataclass(frozen=True)
class ModePath:
    """Modes along one parameter.

    Attributes
    ----------
    parameter : str
    values : ndarray (m,)
    z : ndarray (m, D)
    log_prob : ndarray (m,)
    is_maximum : ndarray (m,), bool
    below_best : ndarray (m,)
        How far, in nats, the path's mode lies below the densest point that fresh starts find on its slice: more than
        zero where continuation follows a branch that is no longer the highest.
    """

    parameter: str
    values: np.ndarray
    z: np.ndarray
    log_prob: np.ndarray
    is_maximum: np.ndarray
    below_best: np.ndarray


def mode_path(
    q: FlowDistribution,
    parameter: str | int,
    values: Sequence[float] | np.ndarray,
    start: np.ndarray | None = None,
    method: str = "newton",
    n_starts: int = 8,
    rng: Seed = 0,
) -> ModePath:
    """Modes z*(v) of ``q`` with ``parameter`` fixed at each of ``values``, each started from the one before.

    Parameters
    ----------
    q : FlowDistribution
    parameter : str or int
    values : array (m,)
        In the order to follow.
    start : array (D,), optional
        Start at the first value.
    method : "newton" or "ascent"
        ``"ascent"`` is the paper's own schedule: from the sample of 500 that is nearest in ``parameter``, 500 steps of
        learning rate 5e-3, then 200 of 1e-3 for each value and of 5e-4 for the last, halved every 100 steps; a step is
        shortened where the curvature exceeds 1.8 / rate, and would throw it off the ridge.  ``is_maximum`` says
        whether the steps sufficed to arrive.
    n_starts : int
        Fresh starts on each slice, for ``below_best`` and (Newton, without ``start``) the first mode.
    rng : int, SeedSequence or Generator

    Returns
    -------
    ModePath
    """
    q = distribution_of(q)
    check_choice("method", method, METHODS)
    check_count("n_starts", n_starts)
    i = column(q.parameter_names, parameter)
    values = check_array("values", values, ("m",))
    low, high = q.support.lower[i], q.support.upper[i]
    if len(values) == 0 or not ((values > low) & (values < high)).all():
        raise ValueError(f"values = {shown(values)}: give one or more inside the support ({low}, {high}), in order")
    if start is not None:
        starts = starts_inside("start", start, q)
        if len(starts) > 1:
            raise ValueError(f"start has shape {np.shape(start)}: expected ({q.dim},)")
        start = starts[0]
    samples = q.sample(_PAPER_SAMPLES, rng=rng)
    scale = sample_scale(samples)
    if start is None and method == "ascent":
        start = samples[np.argmin(np.abs(samples[:, i] - values[0]))]
    schedules = [_FIRST] + [_NEXT] * (len(values) - 2) + [_LAST] * (len(values) > 1)
    modes, below = [], []
    for value, schedule in zip(values, schedules):
        best = mode(q, fixed={i: value}, n_starts=n_starts, rng=rng)
        if start is None:
            found = best
        else:
            found = ascend(Slice(q, {i: value}, scale), start[None], method, schedule)
        modes.append(found)
        below.append(max(0.0, best.log_prob - found.log_prob))
        start = found.z
    return ModePath(
        parameter=q.parameter_names[i],
        values=values,
        z=np.array([m.z for m in modes]),
        log_prob=np.array([m.log_prob for m in modes]),
        is_maximum=np.array([m.is_maximum for m in modes]),
        below_best=np.array(below),
    )
