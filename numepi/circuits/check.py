"""Compare a circuit's Jacobian with finite differences: a tool for whoever writes a circuit."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from numepi.annotations import Seed
from numepi.arguments import check_flag, check_number
from numepi.circuits.base import Circuit
from numepi.circuits.rows_alone import rows_that_mix
from numepi.random_streams import seed_sequence

__all__ = ["JacobianCheck", "check_jacobian"]

_STEPS = 10.0 ** -np.arange(2.0, 9.0)  # tried where none is given: from curvature's to rounding's
_EPS = np.finfo(float).eps
_INSIDE = 3e-4  # of the width: how far from a bound points are moved, if no step is given that needs more
_ENOUGH = 1e-3  # of the tolerance: no smaller step is tried where differences are as certain as this
_ROWS_ALONE = 3
_MOST_ROWS = 5  # that a message names
_ROUNDINGS = 10.0  # units of rounding in a difference of two statistics
_MARGIN = 10.0  # times the estimated error of a difference, by which a derivative must miss it to be wrong


@dataclass(frozen=True)
class JacobianCheck:
    """What `check_jacobian` measured.

    Attributes
    ----------
    ok : bool
        Whether no row disagrees or mixes with others, and no more rows than half are undecided.
    error : ndarray (k, D)
        Greatest error over rows, relative to the row's largest derivative of the same statistic; of the rows that could
        be decided.
    row, statistic, parameter : int, str, str
        Where the error is greatest.
    jacobian, difference : float
        The circuit's derivative and the finite difference there.
    n, skipped : int
        Rows compared, and rows left out because a statistic was not finite.
    disagreeing : int
        Rows with a wrong derivative.
    undecided_rows : tuple of int
        Rows where at no step differences are accurate enough to tell; ``undecided`` is their number.
    mixing : str or None
        What shows that the statistics of a row depend on other rows.
    """

    ok: bool
    error: np.ndarray = field(repr=False)
    row: int
    statistic: str
    parameter: str
    jacobian: float
    difference: float
    n: int
    skipped: int
    disagreeing: int
    undecided_rows: tuple[int, ...]
    mixing: str | None

    @property
    def undecided(self) -> int:
        """Number of rows that could not be decided."""
        return len(self.undecided_rows)

    def __str__(self):
        if self.mixing is not None:
            return self.mixing
        if self.undecided == self.n:
            text = (
                f"whether the Jacobian is right cannot be told: differences are lost in rounding in all {self.n} rows"
            )
        else:
            verdict = (
                f"differs from central differences in {self.disagreeing} of" if self.disagreeing else "agrees with"
            )
            what = f"{self.n} rows" if self.disagreeing else f"central differences in {self.n - self.undecided} rows"
            text = (
                f"the Jacobian {verdict} {what}: greatest relative error {self.error.max():.1e}, at row {self.row}, "
                f"d({self.statistic})/d({self.parameter}) = {self.jacobian:.9g} against {self.difference:.9g}"
            )
            if self.undecided:
                shown = ", ".join(map(str, self.undecided_rows[:_MOST_ROWS]))
                more = ", ..." if self.undecided > _MOST_ROWS else ""
                text += f"; in {self.undecided} rows it cannot be told (rounding, or a kink): {shown}{more}"
        if self.skipped:
            text += f"; {self.skipped} rows without finite statistics were left out"
        return text


def check_jacobian(
    circuit: Circuit,
    z: ArrayLike,
    rng: Seed = 0,
    step: float | None = None,
    tolerance: float = 1e-4,
    raise_error: bool = True,
) -> JacobianCheck:
    """Compare the Jacobian with fourth-order central differences under common random numbers.

    Each derivative is compared at the step where differences are the most accurate, as two neighbouring steps and the
    unit of rounding tell; where they are at no step as accurate as ``tolerance``, the row is undecided.  It is also
    checked that a row of z alone has the statistics that it has among others.

    Parameters
    ----------
    circuit : numepi.circuits.Circuit
    z : array (n, D)
        Where to compare.  Points nearer than 3e-4 of its width, or three times ``step``, to a bound of the support
        are moved inside.
    rng : int, SeedSequence or Generator
        The noise, the same for every evaluation.
    step : float, optional
        The greatest to try, of those between 0.01 and 1e-8: relative to the width of the support; where a side is open,
        to max(1, abs(z)).  Without one, 0.01.
    tolerance : float
        Of the error relative to the largest derivative of the same row and statistic.
    raise_error : bool
        Whether a disagreement raises.

    Returns
    -------
    JacobianCheck

    Raises
    ------
    ValueError
        If the Jacobian disagrees or cannot be told right from wrong, or rows mix (the message says where), or no row
        has finite statistics.
    """
    if isinstance(circuit, type) or not isinstance(circuit, Circuit):
        raise TypeError(f"circuit is a {type(circuit).__name__}: give one of numepi.circuits")
    if step is not None:  # a fraction of the support's width
        step = check_number("step", step, above=0, below=0.25)
    tolerance = check_number("tolerance", tolerance, above=0)
    check_flag("raise_error", raise_error)
    steps = _STEPS if step is None else np.append(step, _STEPS[step > _STEPS])
    z = circuit._check_parameters(z)
    seed = seed_sequence(rng)
    low, high = circuit.support.lower, circuit.support.upper
    width = high - low
    unit = np.where(np.isfinite(width), width, np.maximum(1.0, np.abs(z)))
    inside = (_INSIDE if step is None else 3 * step) * unit
    z = np.clip(z, low + inside, high - inside)
    f, jacobian = circuit.statistics_and_jacobian(z, rng=seed)
    difference, uncertainty = _best_differences(circuit, z, seed, f, jacobian, steps, unit, tolerance)
    good = np.isfinite(f).all(axis=1) & np.isfinite(difference).all(axis=(1, 2))
    if not good.any():
        raise ValueError(f"no row of z (shape {z.shape}) has finite statistics at and around it: choose other points")
    finite, miss, scale = np.isfinite(jacobian), np.abs(jacobian - difference), _scale(difference)
    wrong = good & (~finite | (miss > tolerance * scale + _MARGIN * uncertainty)).any(axis=(1, 2))
    undecided = good & ~wrong & (uncertainty > tolerance * scale).any(axis=(1, 2))
    # Where all differences are zero, a derivative is as wrong as it is larger than what they can tell from zero.
    error = np.where(finite, miss / np.fmax(scale, uncertainty.max(axis=2, keepdims=True)), np.inf)
    error[~good | undecided] = 0
    row, statistic, parameter = np.unravel_index(error.argmax(), error.shape)
    mixing = rows_that_mix(circuit, z[:_ROWS_ALONE], seed)
    n = int(good.sum())
    result = JacobianCheck(
        ok=mixing is None and not wrong.any() and 2 * int(undecided.sum()) <= n,
        error=error.max(axis=0),
        row=int(row),
        statistic=circuit.statistic_names[statistic],
        parameter=circuit.parameter_names[parameter],
        jacobian=float(jacobian[row, statistic, parameter]),
        difference=float(difference[row, statistic, parameter]),
        n=n,
        skipped=int((~good).sum()),
        disagreeing=int(wrong.sum()),
        undecided_rows=tuple(np.flatnonzero(undecided).tolist()),
        mixing=mixing,
    )
    if raise_error and not result.ok:
        raise ValueError(str(result))
    return result


def _best_differences(circuit, z, seed, f, jacobian, steps, unit, tolerance):
    """Differences (n, k, D) at the step of least uncertainty for each derivative, and that uncertainty (n, k, D).

    Two neighbouring steps are as far apart as the greater one is wrong; one that is given alone has rounding only.
    """
    size_of_jacobian = np.where(np.isfinite(jacobian), np.abs(jacobian), 0.0)
    best, least = np.full_like(jacobian, np.nan), np.full_like(jacobian, np.inf)
    before = np.full_like(jacobian, np.nan)
    for step in steps:
        h = step * unit
        now = _differences(circuit, z, seed, h)
        # Both f and z + h are rounded.
        size = np.abs(f)[:, :, None] + np.fmax(np.abs(now), size_of_jacobian) * np.abs(z)[:, None, :]
        uncertainty = _ROUNDINGS * _EPS * size / h[:, None, :]
        if len(steps) > 1:
            uncertainty = np.maximum(uncertainty, np.abs(now - before))
        uncertainty = np.where(np.isnan(uncertainty), np.inf, uncertainty)
        if (
            step == steps[0] >= _STEPS[-1]
        ):  # so wide that what stays the same to the bit does not depend on the parameter
            uncertainty[(now == 0) & (jacobian == 0)] = 0.0
        better = np.isfinite(now) & ((uncertainty < least) | np.isnan(best))
        best, least = np.where(better, now, best), np.where(better, uncertainty, least)
        before = now
        if np.all(least <= _ENOUGH * tolerance * _scale(best)):
            break
    return best, least


def _scale(difference):
    """What the errors of a row's derivatives of a statistic are relative to (n, k, 1)."""
    return np.maximum(np.abs(difference).max(axis=2, keepdims=True), np.finfo(float).tiny)


def _differences(circuit, z, seed, h):
    """Central differences (n, k, D) at steps ``h`` (n, D); NaN where a step leads out of the support."""
    out = []
    for d in range(z.shape[1]):
        shift = np.zeros_like(z)
        shift[:, d] = h[:, d]
        inside = (z[:, d] - 2 * h[:, d] >= circuit.support.lower[d]) & (
            z[:, d] + 2 * h[:, d] <= circuit.support.upper[d]
        )
        shift[~inside] = 0.0
        near = circuit.statistics(z + shift, rng=seed) - circuit.statistics(z - shift, rng=seed)
        far = circuit.statistics(z + 2 * shift, rng=seed) - circuit.statistics(z - 2 * shift, rng=seed)
        difference = (8 * near - far) / (12 * h[:, d : d + 1])
        difference[~inside] = np.nan
        out.append(difference)
    return np.stack(out, axis=2)
