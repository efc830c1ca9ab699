"""Quantile function of the standard normal for compiled code: Wichura's algorithm AS 241 (Appl. Statist. 37, 1988)."""

from math import log, sqrt

import numpy as np

from numepi.kernels import fastmath
from numepi.kernels.compile import scalar

__all__ = ["normal_quantile", "quantile_of_tails"]

_SMALLEST = np.finfo(np.float64).tiny
_CENTRAL = 0.425  # the three rational functions: of |p - 1/2| up to here,
_MIDDLE, _FAR = 1.6, 5.0  # and of (-log p)^(1/2) about the first, up to the second, and beyond

# Coefficients of numerator and denominator, from the highest power.
_CENTRAL_TOP = (
    2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457, 13731.693765509461125,
    1971.5909503065514427, 133.14166789178437745, 3.387132872796366608,
)  # fmt: skip
_CENTRAL_BOTTOM = (
    5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867, 5394.1960214247511077,
    687.1870074920579083, 42.313330701600911252, 1.0,
)  # fmt: skip
_MIDDLE_TOP = (
    7.7454501427834140764e-4, 0.0227238449892691845833, 0.24178072517745061177, 1.27045825245236838258,
    3.64784832476320460504, 5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734,
)  # fmt: skip
_MIDDLE_BOTTOM = (
    1.05075007164441684324e-9, 5.475938084995344946e-4, 0.0151986665636164571966, 0.14810397642748007459,
    0.68976733498510000455, 1.6763848301838038494, 2.05319162663775882187, 1.0,
)  # fmt: skip
_FAR_TOP = (
    2.01033439929228813265e-7, 2.71155556874348757815e-5, 0.0012426609473880784386, 0.026532189526576123093,
    0.29656057182850489123, 1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772,
)  # fmt: skip
_FAR_BOTTOM = (
    2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4,
    0.0148753612908506148525, 0.13692988092273580531, 0.59983220655588793769, 1.0,
)  # fmt: skip


@scalar
def _polynomial(coefficients, r):
    value = coefficients[0]
    for c in coefficients[1:]:
        value = value * r + c
    return value


@scalar
def _central(r):
    """Numerator and denominator of U / q at r = 0.425^2 - q^2, q = p - 1/2."""
    return _polynomial(_CENTRAL_TOP, r), _polynomial(_CENTRAL_BOTTOM, r)


@scalar
def _middle(r):
    """Numerator and denominator of |U| at r = (-log p)^(1/2) - 1.6."""
    return _polynomial(_MIDDLE_TOP, r), _polynomial(_MIDDLE_BOTTOM, r)


@scalar
def _far(r):
    """Numerator and denominator of |U| at r = (-log p)^(1/2) - 5."""
    return _polynomial(_FAR_TOP, r), _polynomial(_FAR_BOTTOM, r)


@scalar
def normal_quantile(p):
    """U with Phi(u) = p, for 0 < p < 1; relative accuracy about 1e-16 (AS 241: PPND16)."""
    q = p - 0.5
    if abs(q) <= _CENTRAL:
        top, bottom = _central(0.180625 - q * q)
        return q * top / bottom
    r = sqrt(-log(p if q < 0 else 1 - p))
    if r <= _FAR:
        top, bottom = _middle(r - _MIDDLE)
    else:
        top, bottom = _far(r - _FAR)
    return -top / bottom if q < 0 else top / bottom


@scalar
def quantile_of_tails(below, above):
    """U with Phi(u) = below = 1 - above, by the lesser; all branches are computed, so that loops over lanes vectorise.

    Tails below the smallest normal number count as that.
    """
    p = below if below < above else above
    p = p if p > _SMALLEST else _SMALLEST
    q = p - 0.5
    central, central_bottom = _central(0.180625 - q * q)
    r = sqrt(-fastmath.log(p))
    middle, middle_bottom = _middle(r - _MIDDLE)
    far, far_bottom = _far(r - _FAR)
    top, bottom = (-middle, middle_bottom) if r <= _FAR else (-far, far_bottom)
    top, bottom = (q * central, central_bottom) if q >= -_CENTRAL else (top, bottom)
    u = top / bottom
    return u if below < above else -u
