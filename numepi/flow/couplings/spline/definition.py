"""Monotone rational-quadratic splines of one variable: the definition (Gregory & Delbourgo 1982; Durkan et al. 2019).

On [-BOUND, BOUND] K bins of free widths, heights and slopes at the knots between them; the identity outside, and slope
1 at the two ends, so that the whole is once continuously differentiable.  In a bin from (x0, y0), of width w, height h,
mean slope s = h / w, and slopes d0, d1 at its ends, with t = (x - x0) / w and t' = 1 - t:

    y = y0 + h (s t^2 + d0 t t') / D,          D = s + (d0 + d1 - 2 s) t t',
    dy/dx = s^2 N / D^2,                       N = d1 t^2 + 2 s t t' + d0 t'^2.

Both are written below as what they differ by from y = x and dy/dx = 1, so that equal widths and heights and unit slopes
give the identity to the last bit.  For the inverse, v = (y - y0) / h and the root of a quadratic in t without
cancellation: with p = d0 (1 - v) - d1 v and r = |p| + sqrt(p^2 + 4 s^2 v (1 - v)),

    t = 2 s v / (2 s v + r)  where p >= 0,     t' = 2 s (1 - v) / (2 s (1 - v) + r)  elsewhere.
"""

import autograd.numpy as anp

from numepi.flow.couplings.clamp import clamp

__all__ = ["BOUND", "MINIMUM", "spline", "spline_inverse"]

# In units of the base's standard deviation: one sample in two million is beyond.
BOUND = 5.0
# Least width and height of a bin, as a fraction of the interval.
MINIMUM = 1e-3


def spline(raw, x):
    """y and log dy/dx, both shaped as ``x`` (...,), of the spline with unconstrained parameters ``raw`` (..., 3 K - 1).

    The parameters are K logits of the widths, K of the heights and K - 1 clamped logarithms of the inner slopes.
    """
    inside, x0, y0, w, h, d0, d1 = _find_bin(raw, x, by_height=False)
    t = anp.where(inside, (x - x0) / w, 0.5)
    bend, log_slope = _shape(t, 1 - t, h / w, d0, d1)
    return x + (y0 - x0) + (h - w) / w * (x - x0) + h * bend, log_slope


def spline_inverse(raw, y):
    """x and log dy/dx at that x; parameters as those of `spline`."""
    inside, x0, y0, w, h, d0, d1 = _find_bin(raw, y, by_height=True)
    s, v = h / w, anp.where(inside, (y - y0) / h, 0.5)
    p = d0 * (1 - v) - d1 * v
    r = anp.abs(p) + anp.sqrt(p * p + 4 * s * s * v * (1 - v))
    from_left = p >= 0
    b = 2 * s * anp.where(from_left, v, 1 - v)
    t = anp.where(from_left, b, r) / (b + r)
    bend, log_slope = _shape(t, 1 - t, s, d0, d1)
    return y + (x0 - y0) + (w - h) / h * (y - y0) - w * bend, log_slope


def _shape(t, rest, s, d0, d1):
    """(y - y0) / h - t, and log dy/dx."""
    e0, e1 = d0 - s, d1 - s
    denominator = s + (e0 + e1) * t * rest
    bend = t * rest * (e0 * rest - e1 * t) / denominator
    return bend, anp.log(s * s * (s + e1 * t * t + e0 * rest * rest) / denominator**2)


def _find_bin(raw, at, by_height):
    """Whether ``at`` is within the bounds, and its bin: corner, width, height and slopes; the identity's elsewhere."""
    bins = (raw.shape[-1] + 1) // 3
    widths, heights = _sizes(raw[..., :bins]), _sizes(raw[..., bins : 2 * bins])
    ones = anp.ones(raw.shape[:-1] + (1,))
    slopes = anp.concatenate([ones, anp.exp(clamp(raw[..., 2 * bins :])), ones], axis=-1)
    left, bottom = _knots(widths), _knots(heights)
    above = at[..., None] >= (bottom if by_height else left)
    here = above & ~anp.concatenate([above[..., 1:], ones > 1], axis=-1)
    inside = anp.abs(at) <= BOUND

    def pick(values, outside):
        return anp.where(inside, anp.sum(anp.where(here, values, 0.0), axis=-1), outside)

    corner_and_size = (pick(left, 0.0), pick(bottom, 0.0), pick(widths, 1.0), pick(heights, 1.0))
    return inside, *corner_and_size, pick(slopes[..., :-1], 1.0), pick(slopes[..., 1:], 1.0)


def _sizes(logits):
    bins = logits.shape[-1]
    weights = anp.exp(logits - anp.max(logits, axis=-1, keepdims=True))
    share = weights / anp.sum(weights, axis=-1, keepdims=True)
    return 2 * BOUND * (MINIMUM + (1 - bins * MINIMUM) * share)


def _knots(sizes):
    """Where each bin starts."""
    return anp.cumsum(sizes, axis=-1) - sizes - BOUND
