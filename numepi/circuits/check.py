"""Compare a circuit's Jacobian with finite differences: a tool for whoever writes a circuit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from numepi.annotations import Seed
from numepi.random_streams import seed_sequence

if TYPE_CHECKING:
    from numepi.circuits.base import Circuit

__all__ = ["JacobianCheck", "check_jacobian"]


@dataclass(frozen=True)
class JacobianCheck:
    """What `check_jacobian` measured.

    Attributes
    ----------
    ok : bool
        Whether every error is within the tolerance.
    error : ndarray (k, D)
        Greatest error over rows, relative to the row's largest derivative of the same statistic.
    row, statistic, parameter : int, str, str
        Where the error is greatest.
    jacobian, difference : float
        The circuit's derivative and the finite difference there.
    skipped : int
        Rows left out because a statistic was not finite.
    """

    ok: bool
    error: np.ndarray = field(repr=False)
    row: int
    statistic: str
    parameter: str
    jacobian: float
    difference: float
    skipped: int

    def __str__(self):
        verdict = "agrees with" if self.ok else "differs from"
        skipped = f"; {self.skipped} rows without finite statistics were left out" if self.skipped else ""
        return (
            f"the Jacobian {verdict} central differences: greatest relative error {self.error.max():.1e}, at row "
            f"{self.row}, d({self.statistic})/d({self.parameter}) = {self.jacobian:.9g} against {self.difference:.9g}"
            f"{skipped}"
        )


def check_jacobian(
    circuit: Circuit, z: ArrayLike, rng: Seed = 0, step: float = 1e-4, tolerance: float = 1e-4, raise_error: bool = True
) -> JacobianCheck:
    """Compare the Jacobian with fourth-order central differences under common random numbers.

    Parameters
    ----------
    circuit : numepi.circuits.Circuit
    z : array (n, D)
        Where to compare.  Points nearer than three steps to a bound of the support are moved inside.
    rng : int, SeedSequence or Generator
        The noise, the same for every evaluation.
    step : float
        Relative to the width of the support; where a side is open, to max(1, abs(z)).
    tolerance : float
        Of the error relative to the largest derivative of the same row and statistic.  Where a statistic has a kink
        within a step the difference is wrong, not the Jacobian: try other points or a smaller step.
    raise_error : bool
        Whether a disagreement raises.

    Returns
    -------
    JacobianCheck

    Raises
    ------
    ValueError
        If the Jacobian disagrees (the message says where), or no row has finite statistics.
    """
    if not 0 < step < 0.25:
        raise ValueError(f"step = {step}: a fraction of the support's width, above 0 and below 0.25")
    z = circuit._check_parameters(z)
    seed = seed_sequence(rng)
    low, high = circuit.support.lower, circuit.support.upper
    width = high - low
    h = step * np.where(np.isfinite(width), width, np.maximum(1.0, np.abs(z)))
    z = np.clip(z, low + 3 * h, high - 3 * h)
    f, jacobian = circuit.statistics_and_jacobian(z, rng=seed)
    difference = np.empty_like(jacobian)
    for d in range(z.shape[1]):
        shift = np.zeros_like(z)
        shift[:, d] = h[:, d]
        near = circuit.statistics(z + shift, rng=seed) - circuit.statistics(z - shift, rng=seed)
        far = circuit.statistics(z + 2 * shift, rng=seed) - circuit.statistics(z - 2 * shift, rng=seed)
        difference[:, :, d] = (8 * near - far) / (12 * h[:, d : d + 1])
    good = np.isfinite(f).all(axis=1) & np.isfinite(difference).all(axis=(1, 2))
    if not good.any():
        raise ValueError(f"no row of z (shape {z.shape}) has finite statistics at and around it: choose other points")
    scale = np.abs(difference).max(axis=2, keepdims=True)
    # Rounding makes differences of about eps |f| / h where the true derivative is zero: that is not an error.
    rounding = 10 * np.finfo(float).eps * np.abs(f)[:, :, None] / h[:, None, :] / tolerance
    error = np.abs(jacobian - difference) / np.maximum(np.maximum(scale, rounding), np.finfo(float).tiny)
    error = np.where(np.isnan(error), np.inf, error)
    error[~good] = 0
    row, statistic, parameter = np.unravel_index(error.argmax(), error.shape)
    result = JacobianCheck(
        ok=bool(error.max() <= tolerance),
        error=error.max(axis=0),
        row=int(row),
        statistic=circuit.statistic_names[statistic],
        parameter=circuit.parameter_names[parameter],
        jacobian=float(jacobian[row, statistic, parameter]),
        difference=float(difference[row, statistic, parameter]),
        skipped=int((~good).sum()),
    )
    if raise_error and not result.ok:
        raise ValueError(str(result))
    return result
