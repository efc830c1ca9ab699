"""Compiled pieces of a spline coupling: the bins of one coordinate for a block of samples, and their gradients."""

from math import sqrt

from numepi.flow.couplings.clamp import LOG_SCALE_LIMIT
from numepi.flow.couplings.spline import rows as row
from numepi.flow.couplings.spline.definition import BOUND, MINIMUM
from numepi.flow.networks.mlp_kernels import clear
from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import block_function, scalar
from numepi.kernels.fastmath import exp
from numepi.kernels.vectors import (
    VECTOR_BYTES,
    add,
    multiply,
    multiply_add,
    spread,
    store,
    subtract,
    where_at_least,
    where_equal,
    zeros,
)
from numepi.kernels.vectors import load as load_vector

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
def find_bin(widths, heights, slopes, at, by_height, bins):
    """Fill ``bins`` but for PLACE and U; outside of the bounds with a bin of the identity."""
    real = widths.dtype.type
    one, inverse_limit = real(1), real(_INVERSE_LIMIT)
    step = VECTOR_BYTES // widths.itemsize
    for lane in range(0, LANES, step):
        _find(widths, heights, slopes, load_vector(at, lane), by_height, bins, lane)
    for lane in range(LANES):
        bins[row.LOG_D0, lane] = clamp(one, inverse_limit, bins[row.LOG_D0, lane])
        bins[row.LOG_D1, lane] = clamp(one, inverse_limit, bins[row.LOG_D1, lane])


@scalar
def _find(widths, heights, slopes, at, by_height, bins, lane):
    """The bins of a vector of samples ``at``, with the raw slopes at their ends: kept in registers until all are."""
    real = widths.dtype.type
    zero, one, bound = zeros(widths), spread(widths, real(1)), spread(widths, real(BOUND))
    low, scale = spread(widths, real(2 * BOUND * MINIMUM)), spread(widths, real(share_scale(len(widths))))
    start = spread(widths, real(-BOUND))
    left = bottom = x0 = y0 = start
    index = width = height = d0 = d1 = zero
    for k in range(len(widths)):
        number = spread(widths, real(k))
        own_width = multiply_add(scale, load_vector(widths, k * LANES + lane), low)
        own_height = multiply_add(scale, load_vector(heights, k * LANES + lane), low)
        edge = bottom if by_height else left
        index = where_at_least(at, edge, number, index)
        x0, y0 = where_at_least(at, edge, left, x0), where_at_least(at, edge, bottom, y0)
        width, height = where_at_least(at, edge, own_width, width), where_at_least(at, edge, own_height, height)
        left, bottom = add(left, own_width), add(bottom, own_height)
    outside = spread(widths, real(-1))
    index = where_at_least(at, start, where_at_least(bound, at, index, outside), outside)
    x0 = where_at_least(at, start, where_at_least(bound, at, x0, zero), zero)
    y0 = where_at_least(at, start, where_at_least(bound, at, y0, zero), zero)
    width = where_at_least(at, start, where_at_least(bound, at, width, one), one)
    height = where_at_least(at, start, where_at_least(bound, at, height, one), one)
    for k in range(len(slopes)):
        slope = load_vector(slopes, k * LANES + lane)
        d0 = where_equal(index, spread(widths, real(k + 1)), slope, d0)
        d1 = where_equal(index, spread(widths, real(k)), slope, d1)
    store(bins, row.INDEX * LANES + lane, index)
    store(bins, row.X0 * LANES + lane, x0), store(bins, row.Y0 * LANES + lane, y0)
    store(bins, row.WIDTH * LANES + lane, width), store(bins, row.HEIGHT * LANES + lane, height)
    store(bins, row.LOG_D0 * LANES + lane, d0), store(bins, row.LOG_D1 * LANES + lane, d1)


@scalar
def of_bin(zero, k, index, before, own):
    """Gradient of bin k's size, if the sample is in bin ``index``: of its corner, of its own size, or none."""
    return before if k < index else (own if k == index else zero)


@block_function
def spread_shares(shares, index, before, own, g):
    """Gradient of the logits of ``shares`` from those of the corner and the size of the sample's bin."""
    real = shares.dtype.type
    scale = real(share_scale(len(shares)))
    for lane in range(0, LANES, VECTOR_BYTES // shares.itemsize):
        total = _shares_along(shares, index, before, own, g, lane)
        for k in range(len(shares)):
            j = k * LANES + lane
            factor = multiply(spread(shares, scale), load_vector(shares, j))
            store(g, j, multiply(factor, subtract(load_vector(g, j), total)))


@scalar
def _shares_along(shares, index, before, own, g, lane):
    """Fill g with the gradients of the bins' sizes; their sum, weighted by the shares."""
    total = zeros(shares)
    where, first, here = load_vector(index, lane), load_vector(before, lane), load_vector(own, lane)
    for k in range(len(shares)):
        j = k * LANES + lane
        number, following = spread(shares, shares.dtype.type(k)), spread(shares, shares.dtype.type(k + 1))
        of_bin_k = where_at_least(where, following, first, where_equal(where, number, here, zeros(shares)))
        total = multiply_add(load_vector(shares, j), of_bin_k, total)
        store(g, j, of_bin_k)
    return total


@block_function
def spread_slopes(index, g_d0, g_d1, g):
    """Gradient of the inner slopes: only the two at the ends of the sample's bin receive any."""
    for lane in range(0, LANES, VECTOR_BYTES // g.itemsize):
        where, right, left = load_vector(index, lane), load_vector(g_d1, lane), load_vector(g_d0, lane)
        for k in range(len(g)):
            number, following = spread(g, g.dtype.type(k)), spread(g, g.dtype.type(k + 1))
            store(g, k * LANES + lane, where_equal(where, number, right, where_equal(where, following, left, zeros(g))))
