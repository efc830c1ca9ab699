"""Perturbations: a circuit's statistics at points displaced along directions in parameter space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from numepi.analysis.directions import column, unit
from numepi.analysis.subjects import circuit_of
from numepi.analysis.variants import variant
from numepi.annotations import Seed
from numepi.arguments import check_array, check_count, check_mapping, check_points, real_array

if TYPE_CHECKING:
    from numepi.circuits.base import Circuit

__all__ = ["Perturbation", "perturb", "with_trials"]


@dataclass(frozen=True)
class Perturbation:
    """Statistics along directions.

    Attributes
    ----------
    names : tuple of str
        Of the r directions.
    deltas : ndarray (m,)
    z : ndarray (n, r, m, D)
    statistics : ndarray (n, r, m, k)
        Means over ``trials``; NaN where a simulation diverged.
    inside : ndarray (n, r, m), bool
        Whether the displaced point lies in the circuit's support.
    statistic_names : tuple of str
    """

    names: tuple
    deltas: np.ndarray
    z: np.ndarray
    statistics: np.ndarray
    inside: np.ndarray
    statistic_names: tuple

    def along(self, name: str) -> np.ndarray:
        """Statistics (n, m, k) along one direction."""
        return self.statistics[:, column(self.names, name, "direction")]


def perturb(
    circuit: Circuit,
    z: ArrayLike,
    directions: Mapping[str, ArrayLike],
    deltas: ArrayLike,
    trials: int | None = None,
    rng: Seed = 0,
) -> Perturbation:
    """Statistics at ``z + delta * direction`` for every point, direction and delta.

    Parameters
    ----------
    circuit : Circuit
    z : array (D,) or (n, D)
    directions : dict of str to array (D,) or (n, D)
        Scaled to unit length; with n rows each point has its own.
    deltas : array (m,)
        Displacements in the parameters' units.
    trials : int, optional
        Trials of each point: the circuit's own where it has ``trials``, else that many independent draws, averaged.
    rng : int, SeedSequence or Generator

    Returns
    -------
    Perturbation
    """
    circuit_of(circuit)
    z, _ = check_points("z", z, circuit.support.dim)
    deltas = check_array("deltas", np.atleast_1d(deltas), ("m",))
    directions = check_mapping("directions", directions, "give a dict of names and vectors")
    if len(directions) == 0 or len(deltas) == 0:
        raise ValueError("directions or deltas is empty: give one or more of each")
    vectors = np.stack([_direction(name, v, z) for name, v in directions.items()], axis=1)
    points = z[:, None, None, :] + deltas[:, None] * vectors[:, :, None, :]
    circuit, draws = with_trials(circuit, trials)
    flat = points.reshape(-1, z.shape[1])
    statistics = circuit.statistics(np.repeat(flat, draws, axis=0), rng=rng)
    statistics = statistics.reshape(len(flat), draws, -1).mean(axis=1)
    return Perturbation(
        names=tuple(directions),
        deltas=deltas,
        z=points,
        statistics=statistics.reshape(*points.shape[:3], -1),
        inside=circuit.support.contains(flat).reshape(points.shape[:3]),
        statistic_names=tuple(circuit.statistic_names),
    )


def _direction(name, vector, z):
    """A unit vector for each row of ``z`` (n, D)."""
    vector = real_array(f"directions[{name!r}]", vector)
    if vector.shape not in (z.shape[1:], z.shape):
        raise ValueError(f"directions[{name!r}] has shape {vector.shape}: expected ({z.shape[1]},) or {z.shape}")
    return np.broadcast_to(unit(vector), z.shape)


def with_trials(circuit: Circuit, trials: int | None) -> tuple[Circuit, int]:
    """The circuit with that many trials, and how many draws to average beside: one of the two is changed."""
    if trials is None:
        return circuit, 1
    trials = check_count("trials", trials)
    if "trials" in circuit.settings:
        return variant(circuit, trials=trials), 1
    return circuit, trials
