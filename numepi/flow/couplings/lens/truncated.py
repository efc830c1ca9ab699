"""The map that makes a truncated normal standard, from line to line: value, log slope, derivatives.

On the line y stands for the place b = 2 Phi(y) - 1 in the box [-1, 1].  With a normal of mean m and standard deviation
s = e^l, truncated to the box, w = T(y; m, l) = Phi^-1(F(b)), F its distribution function:

    log dw/dy = -x^2 / 2 - l - log Z + log 2 - y^2 / 2 + w^2 / 2 - log sqrt(2 pi),   x = (b - m) / s,

Z being the mass of the untruncated normal within the box.  T is the identity in the limit of large s.
"""

from math import erfc

import autograd.numpy as anp
import numpy as np

from numepi.flow.elementwise.normal_quantile import normal_quantile
from numepi.kernels.compile import scalar
from numepi.kernels.fastmath import exp, log
from numepi.line_functions import ndtr, ndtri

__all__ = ["MEAN_LIMIT", "from_normal", "from_normal_definition", "slopes", "to_normal", "to_normal_definition"]

# Of the mean, softly clamped: a half beyond the box, where a density that only falls or rises is nearly exponential.
MEAN_LIMIT = 1.5
_SQRT_HALF = 0.5**0.5
_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)
_LOG_2 = np.log(2.0)
_SMALLEST = np.finfo(np.float64).tiny
_LEAST = 2.0**-53  # distance from the box's bounds, relative to its half width, that a place keeps


@scalar
def _mass(low, high):
    """Phi(high) - Phi(low), from the tail in which it keeps its digits."""
    if low + high > 0:
        return 0.5 * (erfc(low * _SQRT_HALF) - erfc(high * _SQRT_HALF))
    return 0.5 * (erfc(-high * _SQRT_HALF) - erfc(-low * _SQRT_HALF))


@scalar
def _quantile(below, above):
    """Phi^-1 of below = 1 - above."""
    u = normal_quantile(max(min(below, above), _SMALLEST))
    return u if below < above else -u


@scalar
def _log_slope(y, w, x, log_deviation, mass):
    return 0.5 * (w * w - y * y - x * x) - log_deviation - log(mass) + _LOG_2 - _LOG_SQRT_2PI


@scalar
def to_normal(y, mean, log_deviation):
    """W = T(y), and log dw/dy."""
    scale = exp(-log_deviation)
    low, high = (-1.0 - mean) * scale, (1.0 - mean) * scale
    under, over = erfc(-y * _SQRT_HALF), erfc(y * _SQRT_HALF)  # distances from the bounds: they keep the tails' digits
    x = low + under * scale if under < over else high - over * scale
    below, above, mass = _mass(low, x), _mass(x, high), _mass(low, high)
    w = _quantile(below / mass, above / mass)
    return w, _log_slope(y, w, x, log_deviation, mass)


@scalar
def from_normal(w, mean, log_deviation):
    """Y with T(y) = w, and log dw/dy."""
    deviation = exp(log_deviation)
    scale = exp(-log_deviation)
    low, high = (-1.0 - mean) * scale, (1.0 - mean) * scale
    mass = _mass(low, high)
    below, above = 0.5 * erfc(-w * _SQRT_HALF) * mass, 0.5 * erfc(w * _SQRT_HALF) * mass
    x = _quantile(0.5 * erfc(-low * _SQRT_HALF) + below, 0.5 * erfc(high * _SQRT_HALF) + above)
    y = _quantile(max(0.5 * (x - low) * deviation, _LEAST), max(0.5 * (high - x) * deviation, _LEAST))
    return y, _log_slope(y, w, x, log_deviation, mass)


@scalar
def slopes(y, w, mean, log_deviation):
    """Derivatives of w in (y, m, l), and of log dw/dy as a function of them."""
    scale = exp(-log_deviation)
    low, high = (-1.0 - mean) * scale, (1.0 - mean) * scale
    under, over = erfc(-y * _SQRT_HALF), erfc(y * _SQRT_HALF)
    x = low + under * scale if under < over else high - over * scale
    mass = _mass(low, high)
    at_low, at_high = exp(-0.5 * low * low - _LOG_SQRT_2PI) / mass, exp(-0.5 * high * high - _LOG_SQRT_2PI) / mass
    below, above = 0.5 * erfc(-w * _SQRT_HALF), 0.5 * erfc(w * _SQRT_HALF)
    at_x = exp(-0.5 * x * x - _LOG_SQRT_2PI) / mass
    per_density = exp(0.5 * w * w + _LOG_SQRT_2PI)
    w_y = exp(_log_slope(y, w, x, log_deviation, mass))
    w_m = (at_low * above - at_x + at_high * below) * scale * per_density
    w_l = (low * at_low * above - x * at_x + high * at_high * below) * per_density
    x_y = 2.0 * exp(-0.5 * y * y - _LOG_SQRT_2PI) * scale
    slope_y = w * w_y - x * x_y - y
    slope_m = w * w_m + x * scale - (at_low - at_high) * scale
    slope_l = w * w_l + x * x - 1.0 - (low * at_low - high * at_high)
    return w_y, w_m, w_l, slope_y, slope_m, slope_l


def to_normal_definition(y, mean, log_deviation):
    """`to_normal` in autograd's numpy, element by element."""
    scale = anp.exp(-log_deviation)
    low, high = (-1.0 - mean) * scale, (1.0 - mean) * scale
    x = (2 * ndtr(y) - 1.0 - mean) * scale
    mass = ndtr(high) - ndtr(low)
    w = ndtri((ndtr(x) - ndtr(low)) / mass)
    return w, 0.5 * (w * w - y * y - x * x) - log_deviation - anp.log(mass) + _LOG_2 - _LOG_SQRT_2PI


def from_normal_definition(w, mean, log_deviation):
    """`from_normal` in autograd's numpy, element by element."""
    scale = anp.exp(-log_deviation)
    low, high = (-1.0 - mean) * scale, (1.0 - mean) * scale
    mass = ndtr(high) - ndtr(low)
    x = ndtri(ndtr(low) + mass * ndtr(w))
    y = ndtri(0.5 * (x - low) / scale)
    return y, 0.5 * (w * w - y * y - x * x) - log_deviation - anp.log(mass) + _LOG_2 - _LOG_SQRT_2PI
