"""The map that makes a truncated normal standard, from line to line: value, log slope, derivatives.

On the line y stands for the place b = 2 Phi(y) - 1 in the box [-1, 1].  With a normal of mean m and standard deviation
s = e^l, truncated to the box, w = T(y; m, l) = Phi^-1(F(b)), F its distribution function:

    log dw/dy = -x^2 / 2 - l - log Z + log 2 - y^2 / 2 + w^2 / 2 - log sqrt(2 pi),   x = (b - m) / s,

Z being the mass of the untruncated normal within the box.  T is the identity in the limit of large s.
"""

import autograd.numpy as anp
import numpy as np

from numepi.flow.elementwise.normal_quantile import quantile_of_tails
from numepi.flow.elementwise.normal_tails import normal_tails
from numepi.kernels.compile import scalar
from numepi.kernels.fastmath import exp, log
from numepi.line_functions import ndtr, ndtri

__all__ = ["MEAN_LIMIT", "from_normal", "from_normal_definition", "slopes", "to_normal", "to_normal_definition"]

# Of the mean, softly clamped: a half beyond the box, where a density that only falls or rises is nearly exponential.
MEAN_LIMIT = 1.5
_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)
_LOG_2 = np.log(2.0)
_LEAST = 2.0**-53  # distance from the box's bounds, relative to its half width, that a place keeps


@scalar
def _mass(low, high):
    """Of (below, above) two points: Phi(high) - Phi(low), from the tail in which it keeps its digits."""
    return low[1] - high[1] if high[0] > low[1] else high[0] - low[0]


@scalar
def _bounds(y, mean, log_deviation):
    """Bounds of the box and the place of ``y`` there, in standard deviations from the mean."""
    scale = exp(-log_deviation)
    low, high = (-1.0 - mean) * scale, (1.0 - mean) * scale
    under, over, _ = normal_tails(y)  # half the distances from the bounds: they keep the tails' digits
    return low, high, (low + 2.0 * under * scale if under < over else high - 2.0 * over * scale)


@scalar
def _log_slope(y, w, x, log_deviation, mass):
    return 0.5 * (w * w - y * y - x * x) - log_deviation - log(mass) + _LOG_2 - _LOG_SQRT_2PI


@scalar
def to_normal(y, mean, log_deviation):
    """W = T(y), and log dw/dy."""
    low, high, x = _bounds(y, mean, log_deviation)
    at_low, at_high, at_x = normal_tails(low)[:2], normal_tails(high)[:2], normal_tails(x)[:2]
    mass = _mass(at_low, at_high)
    w = quantile_of_tails(_mass(at_low, at_x) / mass, _mass(at_x, at_high) / mass)
    return w, _log_slope(y, w, x, log_deviation, mass)


@scalar
def from_normal(w, mean, log_deviation):
    """Y with T(y) = w, and log dw/dy."""
    scale = exp(-log_deviation)
    low, high = (-1.0 - mean) * scale, (1.0 - mean) * scale
    at_low, at_high, at_w = normal_tails(low)[:2], normal_tails(high)[:2], normal_tails(w)[:2]
    mass = _mass(at_low, at_high)
    x = quantile_of_tails(at_low[0] + at_w[0] * mass, at_high[1] + at_w[1] * mass)
    under, over = 0.5 * (x - low) / scale, 0.5 * (high - x) / scale
    y = quantile_of_tails(under if under > _LEAST else _LEAST, over if over > _LEAST else _LEAST)
    return y, _log_slope(y, w, x, log_deviation, mass)


@scalar
def slopes(y, w, mean, log_deviation):
    """Derivatives of w in (y, m, l), and of log dw/dy as a function of them."""
    scale = exp(-log_deviation)
    low, high, x = _bounds(y, mean, log_deviation)
    low_below, low_above, at_low = normal_tails(low)
    high_below, high_above, at_high = normal_tails(high)
    below, above, at_w = normal_tails(w)
    mass = _mass((low_below, low_above), (high_below, high_above))
    at_low, at_high, at_x = at_low / mass, at_high / mass, exp(-0.5 * x * x - _LOG_SQRT_2PI) / mass
    x_y = 2.0 * exp(-0.5 * y * y - _LOG_SQRT_2PI) * scale
    w_y = at_x * x_y / at_w
    w_m = (at_low * above - at_x + at_high * below) * scale / at_w
    w_l = (low * at_low * above - x * at_x + high * at_high * below) / at_w
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
