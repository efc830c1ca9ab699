"""Sensitivity of a fitted flow at a point: eigenpairs of the Hessian of log q (paper: Methods of the STG)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from numepi.analysis.directions import orient
from numepi.analysis.subjects import distribution_of
from numepi.arguments import check_count, check_indices, check_points

if TYPE_CHECKING:
    from numepi.flow.families.distribution import FlowDistribution

__all__ = ["Sensitivity", "sensitivity"]


@dataclass(frozen=True)
class Sensitivity:
    """Directions in which log q falls fastest, at one point or at each of n.

    Attributes
    ----------
    z : ndarray (D,) or (n, D)
    eigenvalues : ndarray (m,) or (n, m)
        Of the Hessian, most negative (most sensitive) first.
    vectors : ndarray (m, D) or (n, m, D)
        Unit eigenvectors: ``vectors[..., 0, :]`` is v1.
    parameter_names : tuple of str
    """

    z: np.ndarray
    eigenvalues: np.ndarray
    vectors: np.ndarray
    parameter_names: tuple

    @property
    def arrow_lengths(self) -> np.ndarray:
        """1 / sqrt|eigenvalue|, in the parameters' units: one standard deviation where log q is a parabola."""
        with np.errstate(divide="ignore"):
            return 1 / np.sqrt(np.abs(self.eigenvalues))

    @property
    def v1(self) -> np.ndarray:
        """The most sensitive direction, (D,) or (n, D)."""
        return self.vectors[..., 0, :]


def sensitivity(
    q: FlowDistribution,
    z: ArrayLike,
    sign: Mapping[str, int] | None = None,
    n_directions: int | None = None,
    parameters: Sequence[str | int] | None = None,
) -> Sensitivity:
    """Eigenpairs of the Hessian of log q at ``z``.

    Parameters
    ----------
    q : FlowDistribution
    z : array (D,) or (n, D)
    sign : dict of one parameter to +1 or -1, optional
        Sign convention: ``{"g_synA": 1}`` makes that component of every vector positive.  By default the largest
        component is.
    n_directions : int, optional
        Only the most sensitive ones, by Lanczos iterations on Hessian-vector products: no D x D matrix is formed.
    parameters : sequence of str or int, optional
        Directions among these parameters only, the others held fixed (eigenpairs of that block of the Hessian).  A
        parameter that the property leaves free rests on a bound at the mode, where its curvature is that of the map to
        the support and hides all others.

    Returns
    -------
    Sensitivity

    Raises
    ------
    ValueError
        If ``z`` has the wrong shape, lies outside of the support, or ``n_directions`` is out of range.
    """
    q = distribution_of(q)
    points, single = check_points("z", z, q.dim)
    orient(np.ones((1, q.dim)), q.parameter_names, sign)  # checks it before any work
    outside = ~np.isfinite(q.log_prob(points))
    if outside.any():
        raise ValueError(f"z[{np.flatnonzero(outside)[0]}] has no density: give points inside the support")
    if parameters is not None and n_directions is not None:
        raise ValueError("give n_directions or parameters, not both")
    if n_directions is None:
        eigenvalues, vectors = _block(q, points, range(q.dim) if parameters is None else parameters)
    else:
        check_count("n_directions", n_directions, most=q.dim - 1)
        pairs = [_lanczos(q, point, n_directions) for point in points]
        eigenvalues, vectors = (np.array(part) for part in zip(*pairs))
    vectors = orient(vectors, q.parameter_names, sign)
    if single:
        points, eigenvalues, vectors = points[0], eigenvalues[0], vectors[0]
    return Sensitivity(points, eigenvalues, vectors, tuple(q.parameter_names))


def _block(q, points, parameters):
    """Eigenpairs of the Hessian's rows and columns of ``parameters``, in the coordinates of all."""
    chosen = list(check_indices("parameters", tuple(parameters), q.parameter_names))
    eigenvalues, inner = np.linalg.eigh(q.hessian(points)[:, chosen][:, :, chosen])
    vectors = np.zeros((len(points), len(chosen), q.dim))
    vectors[:, :, chosen] = inner.transpose(0, 2, 1)
    return eigenvalues, vectors


def _lanczos(q, point, n):
    from scipy.sparse.linalg import LinearOperator, eigsh

    def product(v):
        return q.hessian_vector_product(point[None], v.reshape(1, -1))[0]

    operator = LinearOperator((q.dim, q.dim), matvec=product, dtype=np.float64)
    first = np.random.default_rng(0).normal(size=q.dim)  # eigsh would draw it from the global state
    if not product(first).any():  # flat: Lanczos iterations have nothing to start from
        return np.zeros(n), np.eye(q.dim)[:n]
    eigenvalues, vectors = eigsh(operator, k=n, which="SA", v0=first)
    order = np.argsort(eigenvalues)
    return eigenvalues[order], vectors[:, order].T
