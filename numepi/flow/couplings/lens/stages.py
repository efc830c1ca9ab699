"""What a stage of `numepi.flow.couplings.lens.stack.LensStack` is made of, on one block of samples, with VJPs.

``places`` (p, length, LANES) says where all vectors are in the box; the ``moved`` one is left out of what goes along
the others, the r rows of B.  Their basis is L^-1 B (`numepi.flow.couplings.lens.basis`).  Outputs of a lens are r + 1:
the combination of B that is its mean, and its log deviation.
"""

import numpy as np

from numepi.flow.couplings.clamp import soft, soft_slope
from numepi.flow.couplings.lens.basis import cholesky_pull, solve, solve_transposed
from numepi.flow.couplings.lens.truncated import MEAN_LIMIT, from_normal, slopes, to_normal
from numepi.flow.elementwise.normal_tails import normal_tails
from numepi.flow.networks.mlp_kernels import clear
from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import block_function
from numepi.kernels.fastmath import exp

__all__ = [
    "LOG_DEVIATION", "LOG_DEVIATION_LIMIT", "along", "cast", "extend", "extend_pull", "gram", "gram_pull", "lens",
    "lens_pull", "place", "places_pull", "project", "project_pull", "shadow", "shadow_pull", "stretch",
    "stretch_pull",
]  # fmt: skip

# Of a lens, softly clamped: log s within 0.7 -+ 3.2, from a twelfth of the box's half width to no lens at all.
LOG_DEVIATION, LOG_DEVIATION_LIMIT = 0.7, 3.2
_DENSITY = 2.0 / np.sqrt(2 * np.pi)


@block_function
def place(vector, place):
    """Where a vector on the line is in the box, component by component."""
    for i in range(len(vector)):
        for lane in range(LANES):
            below, above, _ = normal_tails(vector[i, lane])
            place[i, lane] = below - above


@block_function
def gram(places, moved, out):
    """Inner products of the vectors that stay."""
    r = len(places) - 1
    clear(out, r * (r + 1) // 2)
    for i in range(places.shape[1]):
        for k in range(r):
            b = places[k + (k >= moved), i]
            for j in range(k + 1):
                other, row = places[j + (j >= moved), i], k * (k + 1) // 2 + j
                for lane in range(LANES):
                    out[row, lane] += b[lane] * other[lane]


@block_function
def along(places, moved, vector, out):
    """Inner products of the vectors that stay with ``vector``."""
    r = len(places) - 1
    clear(out, r)
    for i in range(len(vector)):
        for k in range(r):
            b = places[k + (k >= moved), i]
            for lane in range(LANES):
                out[k, lane] += b[lane] * vector[i, lane]


@block_function
def _mean(places, moved, own, i, raw):
    """Fill ``raw`` (LANES) with the combination of B, before it is clamped, at component i."""
    for lane in range(LANES):
        raw[lane] = 0.0
    for k in range(len(places) - 1):
        b = places[k + (k >= moved), i]
        for lane in range(LANES):
            raw[lane] += own[k, lane] * b[lane]


@block_function
def _log_deviation(own, r, out):
    for lane in range(LANES):
        out[lane] = LOG_DEVIATION + soft(np.float64(own[r, lane]), LOG_DEVIATION_LIMIT)


@block_function
def lens(vector, places, moved, own, sign, to, log_q):
    """Through a lens with outputs ``own`` [c, log s], to standard or from it; adds ``sign`` log slopes to log_q."""
    raw, log_deviation = np.empty(LANES), np.empty(LANES)
    _log_deviation(own, len(places) - 1, log_deviation)
    for i in range(len(vector)):
        _mean(places, moved, own, i, raw)
        v = vector[i]
        if to:
            for lane in range(LANES):
                v[lane], slope = to_normal(v[lane], soft(raw[lane], MEAN_LIMIT), log_deviation[lane])
                log_q[lane] += sign * slope
        else:
            for lane in range(LANES):
                v[lane], slope = from_normal(v[lane], soft(raw[lane], MEAN_LIMIT), log_deviation[lane])
                log_q[lane] += sign * slope


@block_function
def lens_pull(line, normal, grad, places, moved, own, sign, to, grad_log_q, grad_own, grad_places):
    """VJP of `lens`; ``grad`` is overwritten, the others are added to."""
    r, raw, log_deviation, grad_raw = len(places) - 1, np.empty(LANES), np.empty(LANES), np.empty(LANES)
    _log_deviation(own, r, log_deviation)
    for i in range(len(grad)):
        _mean(places, moved, own, i, raw)
        y, w, g, last = line[i], normal[i], grad[i], grad_own[r]
        for lane in range(LANES):
            w_y, w_m, w_l, slope_y, slope_m, slope_l = slopes(
                y[lane], w[lane], soft(raw[lane], MEAN_LIMIT), log_deviation[lane]
            )
            weight = sign * grad_log_q[lane]
            along = g[lane] if to else -(g[lane] + weight * slope_y) / w_y
            g[lane] = along * w_y + weight * slope_y if to else -along
            last[lane] += (along * w_l + weight * slope_l) * soft_slope(np.float64(own[r, lane]), LOG_DEVIATION_LIMIT)
            grad_raw[lane] = (along * w_m + weight * slope_m) * soft_slope(raw[lane], MEAN_LIMIT)
        for k in range(r):
            other = k + (k >= moved)
            for lane in range(LANES):
                grad_own[k, lane] += grad_raw[lane] * places[other, i, lane]
                grad_places[other, i, lane] += grad_raw[lane] * own[k, lane]


@block_function
def project(places, moved, triangle, vector, out):
    """Overlaps L^-1 B v (r) of a vector with the orthonormal basis."""
    along(places, moved, vector, out)
    solve(triangle, len(places) - 1, out)


@block_function
def project_pull(places, moved, triangle, vector, out, grad_out, grad, grad_triangle, grad_places):
    """VJP of `project`; ``grad_out`` is overwritten, the others are added to."""
    r = len(places) - 1
    solve_transposed(triangle, r, grad_out)
    for i in range(r):
        for j in range(i + 1):
            for lane in range(LANES):
                grad_triangle[i * (i + 1) // 2 + j, lane] -= grad_out[i, lane] * out[j, lane]
    for i in range(len(vector)):
        for k in range(r):
            other = k + (k >= moved)
            for lane in range(LANES):
                grad[i, lane] += grad_out[k, lane] * places[other, i, lane]
                grad_places[other, i, lane] += grad_out[k, lane] * vector[i, lane]


@block_function
def extend(places, moved, triangle, overlaps, sign, coordinates, vector):
    """Add ``sign`` times what has these ``overlaps`` and lies in the basis: B^T L^-T zeta; fill L^-T zeta."""
    r = len(places) - 1
    for k in range(r):
        for lane in range(LANES):
            coordinates[k, lane] = overlaps[k, lane]
    solve_transposed(triangle, r, coordinates)
    for i in range(len(vector)):
        for k in range(r):
            b = places[k + (k >= moved), i]
            for lane in range(LANES):
                vector[i, lane] += sign * b[lane] * coordinates[k, lane]


@block_function
def extend_pull(places, moved, triangle, overlaps, sign, scratch, grad, grad_overlaps, grad_triangle, grad_places):
    """VJP of `extend` from ``grad``, that of the vector, which stays; the others are added to."""
    r = len(places) - 1
    coordinates, own = scratch[:r], scratch[r:]
    for k in range(r):
        for lane in range(LANES):
            coordinates[k, lane] = sign * overlaps[k, lane]
    solve_transposed(triangle, r, coordinates)
    project(places, moved, triangle, grad, own)
    for i in range(r):
        for j in range(i + 1):
            for lane in range(LANES):
                grad_triangle[i * (i + 1) // 2 + j, lane] -= coordinates[i, lane] * own[j, lane]
    for k in range(r):
        for lane in range(LANES):
            grad_overlaps[k, lane] += sign * own[k, lane]
    for i in range(len(grad)):
        for k in range(r):
            for lane in range(LANES):
                grad_places[k + (k >= moved), i, lane] += coordinates[k, lane] * grad[i, lane]


@block_function
def shadow(places, moved, triangle, rest, own, line, unused, out):
    """Overlaps in the box of ``rest`` gone through the lens ``own``: fill ``out`` (r), and ``line``, where it went."""
    for i in range(len(rest)):
        for lane in range(LANES):
            line[i, lane] = rest[i, lane]
    lens(line, places, moved, own, 0.0, False, unused)
    cast(line, places, moved, triangle, out)


@block_function
def cast(line, places, moved, triangle, out):
    """Overlaps in the box of what lies at ``line``."""
    r, at = len(places) - 1, np.empty(LANES)
    clear(out, r)
    for i in range(len(line)):
        for lane in range(LANES):
            below, above, _ = normal_tails(line[i, lane])
            at[lane] = below - above
        for k in range(r):
            b = places[k + (k >= moved), i]
            for lane in range(LANES):
                out[k, lane] += b[lane] * at[lane]
    solve(triangle, r, out)


@block_function
def shadow_pull(
    places, moved, triangle, rest, own, line, out, grad_out, scratch, grad, grad_log_q, grad_own, grad_triangle,
    grad_places,
):  # fmt: skip
    """VJP of `shadow`; ``grad_out`` is overwritten, ``scratch`` (2, length, LANES) too, the others are added to."""
    box, own_grad = scratch[0], scratch[1]
    place(line, box)
    clear(own_grad, len(line))
    project_pull(places, moved, triangle, box, out, grad_out, own_grad, grad_triangle, grad_places)
    for i in range(len(line)):
        for lane in range(LANES):
            own_grad[i, lane] *= _DENSITY * exp(-0.5 * line[i, lane] * line[i, lane])
    lens_pull(line, rest, own_grad, places, moved, own, 0.0, False, grad_log_q, grad_own, grad_places)
    for i in range(len(line)):
        for lane in range(LANES):
            grad[i, lane] += own_grad[i, lane]


@block_function
def stretch(vector, log_scale, sign):
    """Multiply by e^(sign sigma)."""
    for lane in range(LANES):
        scale = np.exp(sign * log_scale[lane])
        for i in range(len(vector)):
            vector[i, lane] *= scale


@block_function
def stretch_pull(after, log_scale, sign, grad, grad_log_scale):
    """VJP of `stretch`, whose result is ``after``: ``grad`` is overwritten, that of sigma added to."""
    for i in range(len(grad)):
        for lane in range(LANES):
            grad_log_scale[lane] += sign * grad[i, lane] * after[i, lane]
    stretch(grad, log_scale, sign)


@block_function
def gram_pull(places, moved, triangle, grad_triangle, grad_places):
    """From the gradient of L, which is overwritten, to that of the vectors that stay, which is added to."""
    r = len(places) - 1
    cholesky_pull(triangle, r, grad_triangle)
    for i in range(places.shape[1]):
        for k in range(r):
            for j in range(r):
                row = k * (k + 1) // 2 + j if j < k else j * (j + 1) // 2 + k
                b = places[j + (j >= moved), i]
                for lane in range(LANES):
                    part = grad_triangle[row, lane] * b[lane]
                    grad_places[k + (k >= moved), i, lane] += part + part if j == k else part


@block_function
def places_pull(vectors, moved, grad_places, grads):
    """Add the gradient of the vectors that stay by where they are in the box."""
    for k in range(len(vectors)):
        if k != moved:
            for i in range(vectors.shape[1]):
                for lane in range(LANES):
                    slope = _DENSITY * exp(-0.5 * vectors[k, i, lane] * vectors[k, i, lane])
                    grads[k, i, lane] += grad_places[k, i, lane] * slope
