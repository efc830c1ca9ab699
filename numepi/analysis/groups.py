"""Samples grouped by their nearest mode, drawn until every mode has enough (paper: "Sample grouping by mode")."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from numepi.analysis.subjects import distribution_of
from numepi.annotations import Seed
from numepi.arguments import check_count, check_points
from numepi.random_streams import seed_sequence

if TYPE_CHECKING:
    from numepi.flow.families.distribution import FlowDistribution

__all__ = ["Groups", "group_by_mode", "nearest"]

_BATCH = 8192


@dataclass(frozen=True)
class Groups:
    """Samples of each mode.

    Attributes
    ----------
    z : ndarray (m, per_mode, D)
        The first ``per_mode`` samples nearest to each of the m modes.
    share : ndarray (m,)
        Share of all samples that fell to each mode.
    n_drawn : int
    seconds : float
        What drawing and assigning them took.
    """

    z: np.ndarray
    share: np.ndarray
    n_drawn: int
    seconds: float

    @property
    def seconds_per_sample_per_mode(self) -> float:
        """Seconds divided by the samples that each mode has: the paper's measure."""
        return self.seconds / self.z.shape[1]


def nearest(z: np.ndarray, modes: np.ndarray) -> np.ndarray:
    """Index (n,) of the mode (m, D) that is nearest to each row of ``z`` (n, D), in the parameters' own units."""
    # |z - m|^2 without the term that all modes share
    return np.argmin(np.sum(modes**2, axis=1) - 2 * (z @ modes.T), axis=1)


def group_by_mode(
    q: FlowDistribution, modes: ArrayLike, per_mode: int = 500, rng: Seed = 0, max_samples: int = 10_000_000
) -> Groups:
    """Draw from ``q`` until ``per_mode`` samples are nearest to each mode.

    Parameters
    ----------
    q : FlowDistribution
    modes : array (m, D)
    per_mode : int
    rng : int, SeedSequence or Generator
    max_samples : int

    Returns
    -------
    Groups

    Raises
    ------
    RuntimeError
        If a mode is still short of samples after ``max_samples``.
    """
    q = distribution_of(q)
    modes, _ = check_points("modes", modes, q.dim)
    check_count("per_mode", per_mode)
    check_count("max_samples", max_samples)
    generator = np.random.default_rng(seed_sequence(rng))
    start = time.perf_counter()
    kept: list[list[np.ndarray]] = [[] for _ in modes]
    counts = np.zeros(len(modes), int)
    drawn = 0
    while counts.min() < per_mode:
        if drawn >= max_samples:
            raise RuntimeError(
                f"mode {counts.argmin()} has {counts.min()} of {per_mode} samples after {drawn:,} draws: "
                "leave it out, or raise max_samples"
            )
        z = q.sample(_BATCH, generator)
        drawn += len(z)
        owner = nearest(z, modes)
        for i in np.flatnonzero(counts < per_mode):
            kept[i].append(z[owner == i])
        counts += np.bincount(owner, minlength=len(modes))
    z = np.array([np.concatenate(parts)[:per_mode] for parts in kept])
    return Groups(z, counts / drawn, drawn, time.perf_counter() - start)
