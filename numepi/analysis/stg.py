"""Stomatogastric subcircuit: the hub's frequency over the plane of its two conductances (paper: Figure 1E, F)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from numepi.analysis.subjects import circuit_of
from numepi.analysis.variants import variant
from numepi.annotations import Seed
from numepi.arguments import check_count
from numepi.circuits.stg.circuit import STG

if TYPE_CHECKING:
    from numepi.circuits.base import Circuit

__all__ = ["FrequencyMap", "frequency_map"]


@dataclass(frozen=True)
class FrequencyMap:
    """Hub frequency on a grid.

    Attributes
    ----------
    g_el : ndarray (m,)
        nS.
    g_synA : ndarray (l,)
        nS.
    frequency : ndarray (l, m)
        Hz.
    """

    g_el: np.ndarray
    g_synA: np.ndarray
    frequency: np.ndarray


def frequency_map(circuit: Circuit, points: int = 60, noise: float = 0.0, rng: Seed = 0) -> FrequencyMap:
    """The hub's frequency on a grid of ``points`` x ``points`` conductances across the support.

    Parameters
    ----------
    circuit : numepi.circuits.STG
    points : int
    noise : float
        Standard deviation of the current noise in ampere; without noise the contours are smooth.
    rng : int, SeedSequence or Generator
        Of the noise.

    Returns
    -------
    FrequencyMap
    """
    circuit_of(circuit, STG)
    check_count("points", points, least=2)
    lower, upper = circuit.support.lower, circuit.support.upper
    g_el, g_synA = (np.linspace(lower[i], upper[i], points) for i in range(2))
    z = np.stack(np.meshgrid(g_el, g_synA), axis=-1).reshape(-1, 2)
    frequency = variant(circuit, noise=noise).statistics(z, rng=rng)[:, 0]
    return FrequencyMap(g_el, g_synA, frequency.reshape(points, points))
