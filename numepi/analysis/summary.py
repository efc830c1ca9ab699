"""A summary of an inferred distribution that a person can read in any number of dimensions.

Three short lists: the directions along which the density varies most, the parameters whose spread shrank most against
the uniform distribution on the support, and the pairs most strongly coupled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from numepi.analysis.subjects import distribution_of
from numepi.annotations import Seed
from numepi.arguments import check_count

if TYPE_CHECKING:
    from numepi.flow.families.distribution import FlowDistribution

__all__ = ["Summary", "strongest", "summarise"]


@dataclass(frozen=True)
class Summary:
    """What `summarise` finds.

    Attributes
    ----------
    eigenvalues : ndarray (r,)
        Largest of E_q[g g^T], g = d log q/dz in units of each parameter's standard deviation: the mean square slope of
        log q along each direction.  A Gaussian with independent parameters has 1 in every direction.
    directions : ndarray (r, D)
        Unit vectors, in those units.
    shrinkage : ndarray (D,)
        Standard deviation over that of the uniform distribution (NaN where the support is open).
    couplings : list of (i, j, r)
        Pairs of greatest |Spearman rank correlation|, strongest first.
    noise : float
        |correlation| that the strongest of all pairs would reach by chance once in twenty such summaries.
    parameter_names : tuple of str
    """

    eigenvalues: np.ndarray
    directions: np.ndarray
    shrinkage: np.ndarray
    couplings: list
    noise: float
    parameter_names: tuple

    def __str__(self):
        names, lines = self.parameter_names, [f"{len(self.parameter_names)} parameters"]
        lines.append("directions along which log q varies most (mean square slope; 1 = independent Gaussian):")
        for value, direction in zip(self.eigenvalues, self.directions):
            top = np.argsort(-np.abs(direction))[:6]
            lines.append(f"  {value:9.3g}  " + " ".join(f"{direction[i]:+.2f} {names[i]}" for i in top))
        if np.isfinite(self.shrinkage).any():
            order = np.argsort(self.shrinkage)
            order = order[np.isfinite(self.shrinkage[order])]
            lines.append(
                f"spread relative to uniform: median {np.median(self.shrinkage[order]):.2f}; least "
                + ", ".join(f"{names[i]} {self.shrinkage[i]:.2f}" for i in order[:6])
            )
        lines.append(f"strongest pairs by rank correlation (chance: below {self.noise:.3f}):")
        lines.append("  " + ", ".join(f"{names[i]}-{names[j]} {r:+.2f}" for i, j, r in self.couplings))
        return "\n".join(lines)


def summarise(
    q: FlowDistribution, n_samples: int = 4000, n_directions: int = 4, n_pairs: int = 8, rng: Seed = 0
) -> Summary:
    """Summarise a fitted flow from samples and gradients of log q.

    Parameters
    ----------
    q : FlowDistribution
    n_samples, n_directions, n_pairs : int
    rng : int, SeedSequence or Generator

    Returns
    -------
    Summary
    """
    q = distribution_of(q)
    check_count("n_samples", n_samples, least=10)
    check_count("n_directions", n_directions)
    check_count("n_pairs", n_pairs, least=0)
    z = q.sample(n_samples, rng=rng)
    spread = z.std(axis=0)
    gradient = q.gradient(z) * spread
    gradient = gradient[np.isfinite(gradient).all(axis=1)]
    # mean square slopes from singular values: E[g g^T] itself is not formed
    _, singular, directions = np.linalg.svd(gradient / np.sqrt(len(gradient)), full_matrices=False)
    directions *= np.sign(np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1))
    width = q.support.width
    with np.errstate(divide="ignore", invalid="ignore"):
        shrinkage = np.where(np.isfinite(width), spread / (width / np.sqrt(12)), np.nan)
    couplings = strongest(z, n_pairs)
    return Summary(
        eigenvalues=singular[:n_directions] ** 2,
        directions=directions[:n_directions],
        shrinkage=shrinkage,
        couplings=couplings,
        noise=_chance(q.dim * (q.dim - 1) // 2, n_samples),
        parameter_names=tuple(q.parameter_names),
    )


def strongest(z: np.ndarray, n: int) -> list[tuple[int, int, float]]:
    """The pairs of columns of ``z`` (m, D) of greatest |Spearman rank correlation| r, as (i, j, r), strongest first."""
    ranks = np.argsort(np.argsort(z, axis=0), axis=0)
    with np.errstate(invalid="ignore"):
        correlation = np.nan_to_num(np.atleast_2d(np.corrcoef(ranks, rowvar=False)))
    first, second = np.triu_indices(z.shape[1], 1)
    order = np.argsort(-np.abs(correlation[first, second]))[:n]
    return [(int(first[p]), int(second[p]), float(correlation[first[p], second[p]])) for p in order]


def _chance(pairs, n):
    """95th percentile of the greatest |r| of independent pairs: each r is nearly N(0, 1/n)."""
    from scipy.special import ndtri

    return float(-ndtri(0.5 * (1 - 0.95 ** (1 / pairs))) / np.sqrt(n))
