"""Vectors through the two lenses of a stage of `numepi.flow.couplings.lens.stack.LensStack`, on one block of samples.

``places`` (p, length, LANES) says where all vectors are in the box; the ``moved`` one goes along the others, the r rows
of B.  Outputs ``own`` of a lens are r + 1: the combination of B that is its mean, and its log deviation.

What a lens needs at a component, whatever goes through it, is a row of ``box`` (length, BOX * LANES), filled once for
all passes.  Here and in the rows that functions work in, quantities lie side by side in one row: a compiler that must
ask of each pair of arrays whether they overlap gives up vectorising beyond eight pairs.
"""

import numpy as np

from numepi.flow.couplings.clamp import soft, soft_slope
from numepi.flow.couplings.lens.truncated import (
    MEAN_LIMIT,
    bounds,
    densities,
    from_normal,
    log_slope,
    place_of_normal,
    place_slopes,
    slopes,
    to_normal,
)
from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import block_function
from numepi.kernels.fastmath import exp

__all__ = [
    "BOX", "LOG_DEVIATION", "LOG_DEVIATION_LIMIT", "fill", "fill_slopes", "pull", "shadow", "shadow_pull",
    "standardise", "unstandardise",
]  # fmt: skip

# Of a lens, softly clamped: log s within 0.7 -+ 3.2, from a twelfth of the box's half width to no lens at all.
LOG_DEVIATION, LOG_DEVIATION_LIMIT = 0.7, 3.2
BOX = 4  # quantities of a row of ``box``
_SECOND, _THIRD, _FOURTH = LANES, 2 * LANES, 3 * LANES  # where they begin; the first at 0


@block_function
def _constants(own, r, out):
    """Fill ``out`` (2 * LANES) with log s and 1 / s."""
    for lane in range(LANES):
        out[lane] = LOG_DEVIATION + soft(np.float64(own[r, lane]), LOG_DEVIATION_LIMIT)
    for lane in range(LANES):
        out[LANES + lane] = exp(-out[lane])


@block_function
def _combine(places, moved, own, i, raw):
    """Fill ``raw`` (LANES) with the combination of B, before it is clamped, at component i."""
    for lane in range(LANES):
        raw[lane] = 0.0
    for k in range(len(places) - 1):
        b = places[k + (k >= moved), i]
        for lane in range(LANES):
            raw[lane] += own[k, lane] * b[lane]


@block_function
def fill(places, moved, own, box):
    """Fill the rows of ``box`` with a lens's mean, its tails at the bounds, and its mass between them."""
    constants, raw = np.empty(2 * LANES), np.empty(LANES)
    _constants(own, len(places) - 1, constants)
    for i in range(len(box)):
        _combine(places, moved, own, i, raw)
        row = box[i]
        for lane in range(LANES):
            mean = soft(raw[lane], MEAN_LIMIT)
            row[lane] = mean
            low_tail, high_tail, mass = bounds(mean, constants[LANES + lane])
            row[_SECOND + lane], row[_THIRD + lane], row[_FOURTH + lane] = low_tail, high_tail, mass


@block_function
def fill_slopes(places, moved, own, box):
    """Fill the rows of ``box`` with a lens's combination of B, its densities at the bounds, and 1 / mass."""
    constants = np.empty(2 * LANES)
    _constants(own, len(places) - 1, constants)
    for i in range(len(box)):
        row = box[i]
        _combine(places, moved, own, i, row)
        for lane in range(LANES):
            at_low, at_high, inverse_mass = densities(soft(row[lane], MEAN_LIMIT), constants[LANES + lane])
            row[_SECOND + lane], row[_THIRD + lane], row[_FOURTH + lane] = at_low, at_high, inverse_mass


@block_function
def standardise(vector, place, own, r, box, sign, log_q):
    """Make a vector on the line, and where it is in the box, standard, in place; add ``sign`` log slopes to log_q."""
    constants, work = np.empty(2 * LANES), np.zeros(2 * LANES)
    _constants(own, r, constants)
    for i in range(len(vector)):
        v, b, row = vector[i], place[i], box[i]
        for lane in range(LANES):
            mean, mass = row[lane], row[_FOURTH + lane]
            x = (b[lane] - mean) * constants[LANES + lane]
            w = to_normal(x, mean, row[_SECOND + lane], row[_THIRD + lane], mass)
            work[lane] = w
            work[LANES + lane] += log_slope(v[lane], w, x, constants[lane], mass)
        for lane in range(LANES):
            v[lane] = work[lane]
    for lane in range(LANES):
        log_q[lane] += sign * work[LANES + lane]


@block_function
def unstandardise(vector, place, own, r, box, sign, log_q):
    """The way back, in place; fill ``place``, where the vector is in the box; add ``sign`` log slopes to log_q."""
    constants, work = np.empty(2 * LANES), np.zeros(3 * LANES)
    _constants(own, r, constants)
    for i in range(len(vector)):
        v, b, row = vector[i], place[i], box[i]
        for lane in range(LANES):
            mean, mass = row[lane], row[_FOURTH + lane]
            x = place_of_normal(v[lane], mean, row[_SECOND + lane], row[_THIRD + lane], mass)
            y, at = from_normal(x, mean, constants[LANES + lane])
            work[lane], work[LANES + lane] = y, at
            work[_THIRD + lane] += log_slope(y, v[lane], x, constants[lane], mass)
        for lane in range(LANES):
            v[lane] = work[lane]
        for lane in range(LANES):
            b[lane] = work[LANES + lane]
    for lane in range(LANES):
        log_q[lane] += sign * work[_THIRD + lane]


@block_function
def shadow(rest, own, r, box, out):
    """Where in the box ``rest`` goes through the lens: fill ``out``."""
    constants = np.empty(2 * LANES)
    _constants(own, r, constants)
    for i in range(len(rest)):
        w, at, row = rest[i], out[i], box[i]
        for lane in range(LANES):
            mean = row[lane]
            x = place_of_normal(w[lane], mean, row[_SECOND + lane], row[_THIRD + lane], row[_FOURTH + lane])
            at[lane] = mean + x / constants[LANES + lane]


@block_function
def pull(line, place, normal, grad, places, moved, own, box, sign, to, grad_log_q, grad_own, grad_places):
    """VJP of `standardise`, or (not ``to``) of `unstandardise`; with the ``box`` of `fill_slopes`.

    ``grad`` is overwritten, ``grad_own`` and ``grad_places`` are added to.
    """
    r, constants, work = len(places) - 1, np.empty(3 * LANES), np.zeros(3 * LANES)
    _constants(own, r, constants)
    for lane in range(LANES):
        constants[_THIRD + lane] = sign * grad_log_q[lane]
    for i in range(len(grad)):
        y, b, w, g, row = line[i], place[i], normal[i], grad[i], box[i]
        for lane in range(LANES):
            mean, scale, weight = soft(row[lane], MEAN_LIMIT), constants[LANES + lane], constants[_THIRD + lane]
            w_y, w_m, w_l, slope_y, slope_m, slope_l = slopes(
                y[lane], w[lane], (b[lane] - mean) * scale, mean, scale,
                row[_SECOND + lane], row[_THIRD + lane], row[_FOURTH + lane],
            )  # fmt: skip
            along = g[lane] if to else -(g[lane] + weight * slope_y) / w_y
            work[lane] = along * w_y + weight * slope_y if to else -along
            work[LANES + lane] = (along * w_m + weight * slope_m) * soft_slope(row[lane], MEAN_LIMIT)
            work[_THIRD + lane] += along * w_l + weight * slope_l
        for lane in range(LANES):
            g[lane] = work[lane]
        _pull_combination(work, places, moved, own, i, grad_own, grad_places)
    _pull_deviation(work, own, r, grad_own)


@block_function
def shadow_pull(rest, at, grad, places, moved, own, box, grad_own, grad_places):
    """VJP of `shadow` that filled ``at``; ``grad`` is overwritten, the others are added to."""
    r, constants, work = len(places) - 1, np.empty(2 * LANES), np.zeros(3 * LANES)
    _constants(own, r, constants)
    for i in range(len(grad)):
        w, b, g, row = rest[i], at[i], grad[i], box[i]
        for lane in range(LANES):
            mean, scale = soft(row[lane], MEAN_LIMIT), constants[LANES + lane]
            b_w, b_m, b_l = place_slopes(
                w[lane], (b[lane] - mean) * scale, mean, scale,
                row[_SECOND + lane], row[_THIRD + lane], row[_FOURTH + lane],
            )  # fmt: skip
            work[lane] = g[lane] * b_w
            work[LANES + lane] = g[lane] * b_m * soft_slope(row[lane], MEAN_LIMIT)
            work[_THIRD + lane] += g[lane] * b_l
        for lane in range(LANES):
            g[lane] = work[lane]
        _pull_combination(work, places, moved, own, i, grad_own, grad_places)
    _pull_deviation(work, own, r, grad_own)


@block_function
def _pull_combination(work, places, moved, own, i, grad_own, grad_places):
    """From the gradient of the combination at component i, the second of ``work``, to what it is made of."""
    for k in range(len(places) - 1):
        b, grad, weight, total = places[k + (k >= moved), i], grad_places[k + (k >= moved), i], own[k], grad_own[k]
        for lane in range(LANES):
            total[lane] += work[LANES + lane] * b[lane]
        for lane in range(LANES):
            grad[lane] += work[LANES + lane] * weight[lane]


@block_function
def _pull_deviation(work, own, r, grad_own):
    """From the gradient of log s, the third of ``work``, to the output that it is made of."""
    for lane in range(LANES):
        grad_own[r, lane] += work[_THIRD + lane] * soft_slope(np.float64(own[r, lane]), LOG_DEVIATION_LIMIT)
