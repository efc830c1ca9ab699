"""The map that makes a truncated normal standard, from line to line: value, log slope, derivatives.

On the line y stands for the place b = 2 Phi(y) - 1 in the box [-1, 1].  With a normal of mean m and standard deviation
s = e^l, truncated to the box, w = T(y; m, l) = Phi^-1(F(b)), F its distribution function:

    log dw/dy = -x^2 / 2 - l - log Z + log 2 - y^2 / 2 + w^2 / 2 - log sqrt(2 pi),   x = (b - m) / s,

Z being the mass of the untruncated normal within the box.  T is the identity in the limit of large s.

Compiled functions take what their callers know already: x, ``scale`` = 1 / s, and what belongs to the `bounds`.
"""

import autograd.numpy as anp
import numpy as np

from numepi.flow.elementwise.normal_quantile import quantile_of_tails
from numepi.flow.elementwise.normal_tails import normal_tails
from numepi.kernels.compile import scalar
from numepi.kernels.fastmath import exp, log
from numepi.line_functions import ndtr, ndtri

__all__ = [
    "MEAN_LIMIT", "bounds", "densities", "from_normal", "from_normal_definition", "log_slope", "place_of_normal",
    "place_slopes", "slopes", "to_normal", "to_normal_definition",
]  # fmt: skip

# Of the mean, softly clamped: a half beyond the box, where a density that only falls or rises is nearly exponential.
MEAN_LIMIT = 1.5
_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)
_LOG_2 = np.log(2.0)
_LEAST = 2.0**-53  # distance from the box's bounds, relative to its width, that a place keeps


@scalar
def bounds(mean, scale):
    """Lesser tails of the untruncated normal at the box's lower and upper bound, and the mass Z between them."""
    low, high = normal_tails((-1.0 - mean) * scale), normal_tails((1.0 - mean) * scale)
    low_tail, high_tail = min(low[0], low[1]), min(high[0], high[1])
    mass = 1.0 - low_tail - high_tail
    mass = low_tail - high_tail if mean < -1.0 else mass  # from the tail in which it keeps its digits
    return low_tail, high_tail, (high_tail - low_tail if mean > 1.0 else mass)


@scalar
def log_slope(y, w, x, log_deviation, mass):
    """Log dw/dy."""
    return 0.5 * (w * w - y * y - x * x) - log_deviation - log(mass) + _LOG_2 - _LOG_SQRT_2PI


@scalar
def to_normal(x, mean, low_tail, high_tail, mass):
    """W = T(y) of the standardised place ``x``."""
    below, above, _ = normal_tails(x)
    under = low_tail - above if mean < -1.0 else below - low_tail
    over = high_tail - below if mean > 1.0 else above - high_tail
    return quantile_of_tails(under / mass, over / mass)


@scalar
def place_of_normal(w, mean, low_tail, high_tail, mass):
    """X of the place b with T(b) = w."""
    below, above, _ = normal_tails(w)
    low = 1.0 - low_tail if mean < -1.0 else low_tail
    high = 1.0 - high_tail if mean > 1.0 else high_tail
    return quantile_of_tails(low + below * mass, high + above * mass)


@scalar
def from_normal(x, mean, scale):
    """Y and the place b of a standardised place ``x``."""
    from_mean = x / scale
    under, over = 0.5 * (1.0 + mean + from_mean), 0.5 * (1.0 - mean - from_mean)
    tail = max(min(under, over), _LEAST)
    y, place = quantile_of_tails(tail, 1.0), 2.0 * tail - 1.0
    return (y if under < over else -y), (place if under < over else -place)


@scalar
def densities(mean, scale):
    """Of the truncated normal at the box's lower and upper bound, in its standard deviations, and 1 / Z."""
    low, high = normal_tails((-1.0 - mean) * scale), normal_tails((1.0 - mean) * scale)
    mass = low[1] - high[1] if high[0] > low[1] else high[0] - low[0]
    return low[2] / mass, high[2] / mass, 1.0 / mass


@scalar
def slopes(y, w, x, mean, scale, at_low, at_high, inverse_mass):
    """Derivatives of w in (y, m, l), and of log dw/dy as a function of them; with the box's `densities`."""
    low, high = (-1.0 - mean) * scale, (1.0 - mean) * scale
    below, above, at_w = normal_tails(w)
    at_x = exp(-0.5 * x * x - _LOG_SQRT_2PI) * inverse_mass
    x_y = 2.0 * exp(-0.5 * y * y - _LOG_SQRT_2PI) * scale
    w_y = at_x * x_y / at_w
    w_m = (at_low * above - at_x + at_high * below) * scale / at_w
    w_l = (low * at_low * above - x * at_x + high * at_high * below) / at_w
    slope_y = w * w_y - x * x_y - y
    slope_m = w * w_m + x * scale - (at_low - at_high) * scale
    slope_l = w * w_l + x * x - 1.0 - (low * at_low - high * at_high)
    return w_y, w_m, w_l, slope_y, slope_m, slope_l


@scalar
def place_slopes(w, x, mean, scale, at_low, at_high, inverse_mass):
    """Derivatives of the place b with T(b) = w in (w, m, l)."""
    low, high = (-1.0 - mean) * scale, (1.0 - mean) * scale
    below, above, at_w = normal_tails(w)
    at_x = exp(-0.5 * x * x - _LOG_SQRT_2PI) * inverse_mass
    b_w = at_w / (at_x * scale)
    b_m = 1.0 - (at_low * above + at_high * below) / at_x
    b_l = (x - (low * at_low * above + high * at_high * below) / at_x) / scale
    return b_w, b_m, b_l


def to_normal_definition(y, mean, log_deviation):
    """`to_normal` in autograd's numpy, element by element: w and log dw/dy."""
    scale = anp.exp(-log_deviation)
    low, high = (-1.0 - mean) * scale, (1.0 - mean) * scale
    x = (2 * ndtr(y) - 1.0 - mean) * scale
    mass = ndtr(high) - ndtr(low)
    w = ndtri((ndtr(x) - ndtr(low)) / mass)
    return w, 0.5 * (w * w - y * y - x * x) - log_deviation - anp.log(mass) + _LOG_2 - _LOG_SQRT_2PI


def from_normal_definition(w, mean, log_deviation):
    """The way back in autograd's numpy, element by element: y and log dw/dy."""
    scale = anp.exp(-log_deviation)
    low, high = (-1.0 - mean) * scale, (1.0 - mean) * scale
    mass = ndtr(high) - ndtr(low)
    x = ndtri(ndtr(low) + mass * ndtr(w))
    y = ndtri(0.5 * (x - low) / scale)
    return y, 0.5 * (w * w - y * y - x * x) - log_deviation - anp.log(mass) + _LOG_2 - _LOG_SQRT_2PI
