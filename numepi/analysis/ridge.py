"""Paths along the exact ridge: circuits that keep their statistics at the targets while one parameter moves.

The exact maximum-entropy density is a function of the statistics, so its ridge is the set of circuits whose statistics
have their target means.  There it is flat: which of these circuits a path runs through is decided here by the least
movement from the one before, and needs no fit (`numepi.analysis.mode_path` follows a fitted density instead).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from numepi.analysis.directions import column
from numepi.analysis.subjects import circuit_of
from numepi.annotations import Seed
from numepi.arguments import check_array, check_count, check_number, check_points, shown
from numepi.property.emergent_property import EmergentProperty
from numepi.random_streams import seed_sequence

if TYPE_CHECKING:
    from numepi.circuits.base import Circuit

__all__ = ["RidgePath", "ridge_path"]

_ITERATIONS = 30
_RINGS, _STARTS = (0.005, 0.02, 0.05), 6  # of the width of the support; starts in each ring
_LEAST_DAMPING, _MOST_DAMPING = 1e-12, 1e8  # of J^T J, relative to its greatest entry
_MARGIN = 1e-6  # of the width of the support, as for modes


@dataclass(frozen=True)
class RidgePath:
    """Circuits of target statistics along one parameter.

    Attributes
    ----------
    parameter : str
    values : ndarray (m,)
    z : ndarray (m, D)
    statistics : ndarray (m, k)
        Means over draws at ``z``, with the path's own noise.
    on_target : ndarray (m,), bool
        Whether each statistic is within the tolerance of its target; where not, ``z`` is as near as the search came.
    """

    parameter: str
    values: np.ndarray
    z: np.ndarray
    statistics: np.ndarray
    on_target: np.ndarray


def ridge_path(
    circuit: Circuit,
    parameter: str | int,
    values: Sequence[float] | np.ndarray,
    start: ArrayLike,
    target: EmergentProperty | ArrayLike,
    draws: int = 1,
    tolerance: float = 1e-3,
    rng: Seed = 0,
) -> RidgePath:
    """Circuits whose statistics equal ``target`` with ``parameter`` at each of ``values``, each near the one before.

    Parameters
    ----------
    circuit : Circuit
        With a Jacobian; with many trials, where it has trials: the path is that of one draw of the noise.
    parameter : str or int
    values : array (m,)
        In the order to follow.
    start : array (D,)
        From where the first circuit is sought.
    target : EmergentProperty or array (k,)
        The means sought: the property's, all of them given, or numbers.
    draws : int
        Independent draws of the statistics to average, the same for all circuits.
    tolerance : float
        Largest distance of a statistic from its target that counts as on it.
    rng : int, SeedSequence or Generator

    Returns
    -------
    RidgePath

    Raises
    ------
    ValueError
        If a value or the start is outside of the support, a mean is not given, or a statistic is not finite.

    Notes
    -----
    Levenberg's damped Gauss-Newton steps in the parameters that are free: with little damping the shortest step that
    meets the targets to first order.  Where they end short of the targets (a statistic near its greatest value turns
    there, one on a plateau has no derivative), they start again from points scattered ever wider around the circuit
    before; the nearest that succeeds is taken.
    """
    circuit_of(circuit)
    i = column(circuit.parameter_names, parameter)
    support = circuit.support
    values = check_array("values", values, ("m",))
    low, high = support.lower[i], support.upper[i]
    if len(values) == 0 or not ((values > low) & (values < high)).all():
        raise ValueError(f"values = {shown(values)}: give one or more inside the support ({low}, {high}), in order")
    z, single = check_points("start", start, support.dim)
    if not single or not support.contains(z)[0]:
        raise ValueError(f"start = {shown(start)}: give one point ({support.dim},) inside the support {support!r}")
    target = _means(target, circuit.statistic_names)
    check_count("draws", draws)
    check_number("tolerance", tolerance, above=0)
    seed = seed_sequence(rng)

    def deviation(z):
        f, jacobian = circuit.statistics_and_jacobian(np.repeat(z[None], draws, axis=0), rng=seed)
        return f.mean(axis=0) - target, jacobian.mean(axis=0)

    free = np.delete(np.arange(support.dim), i)
    generator = np.random.default_rng(seed)
    path, left = [], []
    z = z[0]
    for value in values:
        z = z.copy()
        z[i] = value
        z, residual = _nearest_on_target(deviation, z, free, support, tolerance, generator)
        path.append(z)
        left.append(residual)
    left = np.array(left)
    return RidgePath(
        parameter=circuit.parameter_names[i],
        values=values,
        z=np.array(path),
        statistics=left + target,
        on_target=np.abs(left).max(axis=1) <= tolerance,
    )


def _means(target, names):
    """Target means (k,)."""
    if isinstance(target, EmergentProperty):
        free = [name for name, mean in zip(names, target.mean) if mean is None]
        if free:
            raise ValueError(f"target leaves the mean of {free[0]} free: give the means of {', '.join(names)}")
        target = target.mean
    return check_array("target", target, (len(names),))


def _nearest_on_target(deviation, z, free, support, tolerance, generator):
    """Circuit and residual (k,): of the first ring of starts around ``z`` of which one reaches the targets."""
    best = _to_target(deviation, z, free, support, 0.1 * tolerance)
    for ring in _RINGS:
        if np.abs(best[1]).max() <= tolerance:
            break
        starts = np.repeat(z[None], _STARTS, axis=0)
        width = np.where(np.isfinite(support.width), support.width, 1.0)
        starts[:, free] += ring * width[free] * generator.standard_normal((_STARTS, len(free)))
        ends = [best, *(_to_target(deviation, each, free, support, 0.1 * tolerance) for each in starts)]
        there = [end for end in ends if np.abs(end[1]).max() <= tolerance]
        if there:
            best = min(there, key=lambda end: np.linalg.norm(end[0] - z))
        else:
            best = min(ends, key=lambda end: np.abs(end[1]).max())
    return best


def _to_target(deviation, z, free, support, enough):
    """Circuit and residual (k,) after damped Gauss-Newton steps in the ``free`` coordinates from ``z``."""
    width = np.where(np.isfinite(support.width), support.width, 0.0)
    low, high = support.lower + _MARGIN * width, support.upper - _MARGIN * width
    z = z.copy()
    z[free] = np.clip(z[free], low[free], high[free])
    residual, jacobian = deviation(z)
    if not np.isfinite(residual).all():
        raise ValueError(f"z = {shown(z)}: the statistics are not finite there; start elsewhere")
    damping = 1e-6
    for _ in range(_ITERATIONS):
        if np.abs(residual).max() <= enough or damping > _MOST_DAMPING:
            break
        J = jacobian[:, free]
        gram = J @ J.T
        largest = np.max(np.diag(gram))
        if not np.isfinite(largest) or damping * largest < np.finfo(float).tiny:  # on a plateau: no way leads on
            break
        step = J.T @ np.linalg.solve(gram + damping * largest * np.eye(len(gram)), residual)
        trial = z.copy()
        trial[free] = np.clip(z[free] - step, low[free], high[free])
        found, slope = deviation(trial)
        if np.linalg.norm(found) < np.linalg.norm(residual) and np.isfinite(slope).all():
            z, residual, jacobian = trial, found, slope
            damping = max(damping / 10, _LEAST_DAMPING)
        else:
            damping *= 10
    return z, residual
