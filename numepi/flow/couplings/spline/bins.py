"""Compiled pieces of a spline coupling: the bins of one coordinate for a block of samples, and their gradients."""

from math import sqrt

from numepi.flow.couplings.clamp import LOG_SCALE_LIMIT
from numepi.flow.couplings.spline import rows as row
from numepi.flow.couplings.spline.definition import BOUND, MINIMUM
from numepi.flow.networks.mlp_kernels import clear
from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import block_function, scalar
from numepi.kernels.fastmath import exp

__all__ = [
    "clamp", "clamp_slope", "coordinate_rows", "find_bin", "load", "of_bin", "share_scale", "softmax", "spread_shares",
    "spread_slopes",
]  # fmt: skip

_INVERSE_LIMIT = 1 / LOG_SCALE_LIMIT


@scalar
def clamp(one, inverse_limit, r):
    """Return r / sqrt(1 + (r / limit)^2)."""
    ratio = r * inverse_limit
    return r / sqrt(one + ratio * ratio)


@scalar
def clamp_slope(one, inverse_limit, s):
    """Return ds/dr of s = clamp(r)."""
    ratio = s * inverse_limit
    w2 = one - ratio * ratio
    return w2 * sqrt(w2)


@scalar
def share_scale(n_bins):
    """Return the size that a bin of share 1 would have beyond the least size."""
    return 2 * BOUND * (1 - n_bins * MINIMUM)


@block_function
def load(x, n_kept, n_padded, rows):
    """The network's input: x_a and zeros up to the padded width."""
    for r in range(n_kept):
        for lane in range(LANES):
            rows[r, lane] = x[r, lane]
    clear(rows[n_kept:], n_padded - n_kept)


@block_function
def coordinate_rows(outputs, n_moved, n_bins, r):
    """The rows of widths, of heights and of inner slopes of moved coordinate r."""
    start = 2 * n_moved + r * (3 * n_bins - 1)
    heights, slopes = start + n_bins, start + 2 * n_bins
    return outputs[start:heights], outputs[heights:slopes], outputs[slopes : slopes + n_bins - 1]


@block_function
def softmax(rows, work):
    """Turn logits (bins, LANES) into shares that sum to one."""
    one = rows.dtype.type(1)
    top, total = work[0], work[1]
    for lane in range(LANES):
        top[lane] = rows[0, lane]
        total[lane] = 0
    for k in range(1, len(rows)):
        for lane in range(LANES):
            top[lane] = rows[k, lane] if rows[k, lane] > top[lane] else top[lane]
    for k in range(len(rows)):
        for lane in range(LANES):
            rows[k, lane] = exp(rows[k, lane] - top[lane])
            total[lane] += rows[k, lane]
    for lane in range(LANES):
        total[lane] = one / total[lane]
    for k in range(len(rows)):
        for lane in range(LANES):
            rows[k, lane] *= total[lane]


@block_function
def find_bin(widths, heights, slopes, at, by_height, bins, work):
    """Fill ``bins`` but for PLACE and U; outside of the bounds with a bin of the identity."""
    real = widths.dtype.type
    zero, one, inverse_limit = real(0), real(1), real(_INVERSE_LIMIT)
    bound, low, scale = real(BOUND), real(2 * BOUND * MINIMUM), real(share_scale(len(widths)))
    left, bottom = work[0], work[1]
    for lane in range(LANES):
        left[lane] = bottom[lane] = -bound
        bins[row.LOG_D0, lane] = bins[row.LOG_D1, lane] = zero
    for k in range(len(widths)):
        index = real(k)
        for lane in range(LANES):
            x0, y0 = left[lane], bottom[lane]
            width, height = low + scale * widths[k, lane], low + scale * heights[k, lane]
            here = at[lane] >= (y0 if by_height else x0)
            bins[row.INDEX, lane] = index if here else bins[row.INDEX, lane]
            bins[row.X0, lane] = x0 if here else bins[row.X0, lane]
            bins[row.Y0, lane] = y0 if here else bins[row.Y0, lane]
            bins[row.WIDTH, lane] = width if here else bins[row.WIDTH, lane]
            bins[row.HEIGHT, lane] = height if here else bins[row.HEIGHT, lane]
            left[lane], bottom[lane] = x0 + width, y0 + height
    for lane in range(LANES):
        inside = (at[lane] >= -bound) & (at[lane] <= bound)
        bins[row.INDEX, lane] = bins[row.INDEX, lane] if inside else -one
        bins[row.X0, lane] = bins[row.X0, lane] if inside else zero
        bins[row.Y0, lane] = bins[row.Y0, lane] if inside else zero
        bins[row.WIDTH, lane] = bins[row.WIDTH, lane] if inside else one
        bins[row.HEIGHT, lane] = bins[row.HEIGHT, lane] if inside else one
    for k in range(len(slopes)):
        index, following = real(k), real(k + 1)
        for lane in range(LANES):
            slope = clamp(one, inverse_limit, slopes[k, lane])
            bins[row.LOG_D0, lane] = slope if bins[row.INDEX, lane] == following else bins[row.LOG_D0, lane]
            bins[row.LOG_D1, lane] = slope if bins[row.INDEX, lane] == index else bins[row.LOG_D1, lane]


@scalar
def of_bin(zero, k, index, before, own):
    """Gradient of bin k's size, if the sample is in bin ``index``: of its corner, of its own size, or none."""
    return before if k < index else (own if k == index else zero)


@block_function
def spread_shares(shares, index, before, own, total, g):
    """Gradient of the logits of ``shares`` from those of the corner and the size of the sample's bin."""
    real = shares.dtype.type
    zero, scale = real(0), real(share_scale(len(shares)))
    for lane in range(LANES):
        total[lane] = zero
    for k in range(len(shares)):
        number = real(k)
        for lane in range(LANES):
            total[lane] += shares[k, lane] * of_bin(zero, number, index[lane], before[lane], own[lane])
    for k in range(len(shares)):
        number = real(k)
        for lane in range(LANES):
            here = of_bin(zero, number, index[lane], before[lane], own[lane])
            g[k, lane] = scale * shares[k, lane] * (here - total[lane])


@block_function
def spread_slopes(index, g_d0, g_d1, g):
    """Gradient of the inner slopes: only the two at the ends of the sample's bin receive any."""
    real = g.dtype.type
    zero = real(0)
    for k in range(len(g)):
        number, following = real(k), real(k + 1)
        for lane in range(LANES):
            left = g_d0[lane] if index[lane] == following else zero
            g[k, lane] = g_d1[lane] if index[lane] == number else left
