"""The simulator's own metric J^T Sigma^-1 J: which directions change the statistics, whatever was inferred.

J = d E[f]/dz is the Jacobian of the statistics' conditional mean and Sigma a covariance that says which changes of f
matter: the property's variance, or the noise of f (then it is Fisher's metric of Gaussian statistics with that noise,
the quantity of structural identifiability analysis; paper: "Related approaches").  Its large eigenvalues are sensitive
directions, small ones robust, and the null space, of D - k dimensions or more, is the circuit's local degeneracy.

The exact maximum-entropy density is p* ~ exp(eta . T(f)); for a mean and a variance constraint its Hessian is near
-J^T Sigma^-1 J where f is near its mean.  So this metric is what a Hessian of an inferred distribution estimates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from numepi.analysis.directions import orient, unit
from numepi.analysis.subjects import circuit_of
from numepi.annotations import Seed
from numepi.arguments import check_count, check_points, real_array
from numepi.property.emergent_property import EmergentProperty

if TYPE_CHECKING:
    from numepi.circuits.base import Circuit

__all__ = ["SimulatorMetric", "alignment", "simulator_metric"]

_NEGLIGIBLE = 1e-9
_ROUNDING = 1e-12  # relative, within which an estimated covariance is symmetric


@dataclass(frozen=True)
class SimulatorMetric:
    """J^T Sigma^-1 J at one point or at each of n.

    Attributes
    ----------
    z : ndarray (D,) or (n, D)
    jacobian : ndarray (k, D) or (n, k, D)
        Mean over draws.
    matrix : ndarray (D, D) or (n, D, D)
    eigenvalues : ndarray (D,) or (n, D)
        Largest (most sensitive) first.
    vectors : ndarray (D, D) or (n, D, D)
        Unit eigenvectors as rows.
    parameter_names : tuple of str
    """

    z: np.ndarray
    jacobian: np.ndarray
    matrix: np.ndarray
    eigenvalues: np.ndarray
    vectors: np.ndarray
    parameter_names: tuple

    @property
    def arrow_lengths(self) -> np.ndarray:
        """1 / sqrt(eigenvalue): how far one may go for one unit of Sigma; inf in the null space."""
        negligible = self.eigenvalues <= _NEGLIGIBLE * self.eigenvalues[..., :1]
        with np.errstate(divide="ignore"):
            return np.where(negligible, np.inf, 1 / np.sqrt(np.maximum(self.eigenvalues, 0)))

    @property
    def n_degenerate(self) -> np.ndarray:
        """Dimensions of the null space: directions that change no statistic to first order."""
        return np.isinf(self.arrow_lengths).sum(axis=-1)


def simulator_metric(
    circuit: Circuit,
    z: ArrayLike,
    covariance: EmergentProperty | ArrayLike | str,
    draws: int = 1,
    rng: Seed = 0,
    sign: Mapping[str, int] | None = None,
) -> SimulatorMetric:
    """J^T Sigma^-1 J of a circuit's statistics at ``z``, with its eigenvectors.

    Parameters
    ----------
    circuit : Circuit
        With a Jacobian.
    z : array (D,) or (n, D)
    covariance : EmergentProperty, array (k,) or (k, k), or "noise"
        Sigma: the property's variances, variances, a covariance, or that of f over ``draws`` at each point.
    draws : int
        Independent draws of f and J to average; the noise's covariance needs more than k.
    rng : int, SeedSequence or Generator
    sign : dict of one parameter to +1 or -1, optional
        As in `sensitivity`.

    Returns
    -------
    SimulatorMetric

    Raises
    ------
    ValueError
        If the covariance is not finite, symmetric and positive definite, or a statistic or derivative is not finite at
        one of the points.
    """
    circuit_of(circuit)
    points, single = check_points("z", z, circuit.support.dim)
    n, k = len(points), len(circuit.statistic_names)
    check_count("draws", draws)
    sigma = _given_covariance(covariance, circuit.statistic_names)
    if sigma is None and draws <= k:
        raise ValueError(f"draws = {draws}: the noise's covariance needs more than {k}")
    names = tuple(circuit.parameter_names)
    orient(np.ones((1, len(names))), names, sign)  # checks it before any work
    f, jacobian = circuit.statistics_and_jacobian(np.repeat(points, draws, axis=0), rng=rng)
    _check_simulated(f, jacobian, draws)
    mean_jacobian = jacobian.reshape(n, draws, k, -1).mean(axis=1)
    sigma = _noise_covariance(f.reshape(n, draws, k)) if sigma is None else sigma
    matrix = mean_jacobian.transpose(0, 2, 1) @ np.linalg.solve(sigma, mean_jacobian)
    eigenvalues, vectors = np.linalg.eigh(0.5 * (matrix + matrix.transpose(0, 2, 1)))
    eigenvalues, vectors = np.maximum(eigenvalues[:, ::-1], 0), vectors[:, :, ::-1].transpose(0, 2, 1)
    vectors = orient(vectors, names, sign)
    place = 0 if single else slice(None)
    return SimulatorMetric(
        points[place], mean_jacobian[place], matrix[place], eigenvalues[place], vectors[place], names
    )


def alignment(first: ArrayLike, second: ArrayLike) -> np.ndarray:
    """|cos| (...,) of the angle between directions (..., D), whose signs mean nothing."""
    first, second = unit(first), unit(second)
    if first.shape[-1:] != second.shape[-1:]:
        raise ValueError(f"first has shape {first.shape} and second {second.shape}: expected (..., D) both")
    return np.abs(np.sum(first * second, axis=-1))


def _check_simulated(f, jacobian, draws):
    failed = ~(np.isfinite(f).all(axis=1) & np.isfinite(jacobian).all(axis=(1, 2)))
    if failed.any():
        raise ValueError(
            f"z[{np.argmax(failed) // draws}]: {failed.sum()} of {len(f)} simulations gave a statistic or a derivative "
            "that is not finite: leave such points out"
        )


def _noise_covariance(f):
    """Sigma (n, k, k) of the draws ``f`` (n, draws, k) at each point."""
    deviation = f - f.mean(axis=1, keepdims=True)
    sigma = deviation.transpose(0, 2, 1) @ deviation / (f.shape[1] - 1)
    if np.any(np.linalg.det(sigma) <= 0):
        raise ValueError("covariance = 'noise', but a statistic has none: give an array or an EmergentProperty")
    return sigma


def _given_covariance(covariance, names):
    """Sigma (1, k, k), the same at every point; None for that of the noise."""
    k = len(names)
    if isinstance(covariance, str):
        if covariance != "noise":
            raise ValueError(f"covariance = {covariance!r}: give 'noise', an array or an EmergentProperty")
        return None
    if isinstance(covariance, EmergentProperty):
        covariance = covariance.variance
        if any(v is None for v in covariance):
            raise ValueError(f"the property leaves a variance of {names} free: give the variances as an array")
    sigma = real_array("covariance", covariance)
    if sigma.shape not in ((k,), (k, k)):
        raise ValueError(f"covariance has shape {sigma.shape}: expected ({k},) or ({k}, {k})")
    if not np.isfinite(sigma).all():
        raise ValueError(f"covariance has {sigma[~np.isfinite(sigma)][0]} among its entries: give finite numbers")
    sigma = np.diag(sigma) if sigma.ndim == 1 else sigma
    asymmetry = np.abs(sigma - sigma.T)
    if np.any(asymmetry > _ROUNDING * np.abs(sigma).max()):
        row, column = np.unravel_index(asymmetry.argmax(), sigma.shape)
        raise ValueError(
            f"covariance is not symmetric: {sigma[row, column]:g} at [{row}, {column}], {sigma[column, row]:g} at "
            f"[{column}, {row}]"
        )
    if np.linalg.eigvalsh(sigma).min() <= 0:
        raise ValueError("covariance is not positive definite")
    return sigma[None]
