"""Linear trends: slope, correlation and two-tailed p-value of each statistic against each parameter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from numepi.arguments import check_names, real_array

__all__ = ["LinearTrends", "linear_trends"]


@dataclass(frozen=True)
class LinearTrends:
    """Least-squares lines, one for each statistic and parameter.

    Attributes
    ----------
    slope, r, p : ndarray (k, D)
        d statistic / d parameter; Pearson's r; two-tailed p of the null hypothesis r = 0 (Student's t, n - 2 degrees of
        freedom; not corrected for the number of tests).
    parameter_names, statistic_names : tuple of str
    """

    slope: np.ndarray
    r: np.ndarray
    p: np.ndarray
    parameter_names: tuple
    statistic_names: tuple

    def __str__(self):
        lines = [f"{'statistic':16} {'parameter':12} {'slope':>10} {'r':>7} {'p':>9}"]
        for i, statistic in enumerate(self.statistic_names):
            for j, parameter in enumerate(self.parameter_names):
                numbers = f"{self.slope[i, j]:10.4g} {self.r[i, j]:7.3f} {self.p[i, j]:9.2g}"
                lines.append(f"{statistic:16} {parameter:12} {numbers}")
        return "\n".join(lines)


def linear_trends(
    z: ArrayLike,
    f: ArrayLike,
    parameter_names: Sequence[str] | None = None,
    statistic_names: Sequence[str] | None = None,
) -> LinearTrends:
    """Fit a line to every statistic against every parameter.

    Parameters
    ----------
    z : array (n, D)
    f : array (n, k)
        Rows with a NaN are left out.
    parameter_names, statistic_names : sequences of str, optional

    Returns
    -------
    LinearTrends
    """
    z, f = real_array("z", z), real_array("f", f)
    if z.ndim != 2 or f.ndim != 2 or len(z) != len(f):
        raise ValueError(f"z has shape {z.shape} and f {f.shape}: expected (n, D) and (n, k)")
    parameter_names = [f"z{j + 1}" for j in range(z.shape[1])] if parameter_names is None else parameter_names
    statistic_names = [f"f{i + 1}" for i in range(f.shape[1])] if statistic_names is None else statistic_names
    parameter_names = check_names("parameter_names", parameter_names, z.shape[1])
    statistic_names = check_names("statistic_names", statistic_names, f.shape[1])
    kept = np.isfinite(f).all(axis=1) & np.isfinite(z).all(axis=1)
    n = int(kept.sum())
    if n < 3:
        raise ValueError(f"{n} rows are finite: a trend needs three")
    (z, z_unit), (f, f_unit) = _centred(z[kept]), _centred(f[kept])
    square, f_square, product = np.sum(z * z, axis=0), np.sum(f * f, axis=0), f.T @ z
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        r = np.clip(product / np.sqrt(f_square[:, None] * square), -1.0, 1.0)
        # P(|t| > ...) as an incomplete beta function, which keeps its digits where r is near 1
        p = special.betainc((n - 2) / 2, 0.5, 1 - r**2)
        slope = product / square * (f_unit[:, None] / z_unit)
    return LinearTrends(slope, r, p, parameter_names, statistic_names)


def _centred(values):
    """Columns less their means, in powers of two near the greatest: squares neither over- nor underflow."""
    size = np.abs(values).max(axis=0)
    unit = np.exp2(np.floor(np.log2(np.where(size > 0, size, 1.0))))
    values = values / unit
    return values - values.mean(axis=0), unit
