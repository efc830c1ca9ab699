"""What a stage of `numepi.flow.couplings.lens.stack.LensStack` is made of, on one block of samples, with VJPs.

``places`` (p, length, LANES) says where all vectors are in the box; the ``moved`` one is left out of what goes along
the others.  Rows of outputs, r directions: c (r) and log s of the lens at the base's side, the same at the support's
side, then sigma, t (r) and s (r).  `affine` brings the last ones to one form for both directions of a pass,

    w <- e^sigma w + sum_k B_k (L^-T beta)_k,   beta_k = t_k + (e^s_k - e^sigma) zeta_k,   zeta = L^-1 B w.
"""

from math import erfc

import numpy as np

from numepi.flow.couplings.clamp import LOG_SCALE_LIMIT, soft, soft_slope
from numepi.flow.couplings.lens.basis import cholesky_pull, solve, solve_transposed
from numepi.flow.couplings.lens.truncated import MEAN_LIMIT, from_normal, slopes, to_normal
from numepi.flow.networks.mlp_kernels import clear
from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import block_function
from numepi.kernels.fastmath import exp

__all__ = [
    "LOG_DEVIATION", "LOG_DEVIATION_LIMIT", "affine", "affine_pull", "along", "coefficients", "gram", "gram_pull",
    "lens", "lens_pull", "move", "move_pull", "place", "places_pull",
]  # fmt: skip

# Of a lens, softly clamped: log s within 0.7 -+ 3.2, from a twelfth of the box's half width to no lens at all.
LOG_DEVIATION, LOG_DEVIATION_LIMIT = 0.7, 3.2
_SQRT_HALF = 0.5**0.5
_DENSITY = 2.0 / np.sqrt(2 * np.pi)


@block_function
def place(vector, place):
    """Where a vector on the line is in the box, component by component."""
    for i in range(len(vector)):
        for lane in range(LANES):
            place[i, lane] = 1.0 - erfc(vector[i, lane] * _SQRT_HALF)


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
def affine(outputs, r, length, numbers, log_q, inverse):
    """Fill sigma, t (r), s (r) of the move in the pass's own direction; subtract log|det| of the forward one."""
    sign = -1.0 if inverse else 1.0
    own = outputs[2 * r + 2 :]
    for lane in range(LANES):
        sigma = soft(np.float64(own[0, lane]), LOG_SCALE_LIMIT)
        numbers[0, lane] = sign * sigma
        log_q[lane] -= (length - r) * sigma
    for k in range(r):
        for lane in range(LANES):
            s, t = soft(np.float64(own[1 + r + k, lane]), LOG_SCALE_LIMIT), np.float64(own[1 + k, lane])
            numbers[1 + r + k, lane] = sign * s
            numbers[1 + k, lane] = -t * np.exp(-s) if inverse else t
            log_q[lane] -= s


@block_function
def affine_pull(outputs, r, length, numbers, grad_numbers, grad_log_q, grad_outputs, inverse):
    """From the gradient of what `affine` filled to that of the outputs."""
    own, grad_own = outputs[2 * r + 2 :], grad_outputs[2 * r + 2 :]
    sign = -1.0 if inverse else 1.0
    for lane in range(LANES):
        total = sign * grad_numbers[0, lane] - (length - r) * grad_log_q[lane]
        grad_own[0, lane] = total * soft_slope(np.float64(own[0, lane]), LOG_SCALE_LIMIT)
    for k in range(r):
        for lane in range(LANES):
            total = sign * grad_numbers[1 + r + k, lane] - grad_log_q[lane]
            grad_t = grad_numbers[1 + k, lane]
            if inverse:
                total -= grad_t * numbers[1 + k, lane]
                grad_t *= -np.exp(numbers[1 + r + k, lane])
            grad_own[1 + k, lane] = grad_t
            grad_own[1 + r + k, lane] = total * soft_slope(np.float64(own[1 + r + k, lane]), LOG_SCALE_LIMIT)


@block_function
def lens(vector, places, moved, own, sign, to, log_q):
    """Through a lens with outputs ``own`` [c, log s], to standard or from it; adds ``sign`` log slopes to log_q."""
    r = len(places) - 1
    for i in range(len(vector)):
        for lane in range(LANES):
            raw = 0.0
            for k in range(r):
                raw += own[k, lane] * places[k + (k >= moved), i, lane]
            log_deviation = LOG_DEVIATION + soft(np.float64(own[r, lane]), LOG_DEVIATION_LIMIT)
            mean = soft(raw, MEAN_LIMIT)
            if to:
                value, slope = to_normal(vector[i, lane], mean, log_deviation)
            else:
                value, slope = from_normal(vector[i, lane], mean, log_deviation)
            vector[i, lane] = value
            log_q[lane] += sign * slope


@block_function
def lens_pull(line, normal, grad, places, moved, own, sign, to, grad_log_q, grad_own, grad_places):
    """VJP of `lens`; ``grad`` is overwritten."""
    r = len(places) - 1
    clear(grad_own, r + 1)
    for i in range(len(grad)):
        for lane in range(LANES):
            raw = 0.0
            for k in range(r):
                raw += own[k, lane] * places[k + (k >= moved), i, lane]
            free = np.float64(own[r, lane])
            log_deviation = LOG_DEVIATION + soft(free, LOG_DEVIATION_LIMIT)
            w_y, w_m, w_l, slope_y, slope_m, slope_l = slopes(
                line[i, lane], normal[i, lane], soft(raw, MEAN_LIMIT), log_deviation
            )
            weight = sign * grad_log_q[lane]
            if to:
                along = grad[i, lane]
                grad[i, lane] = along * w_y + weight * slope_y
            else:
                along = -(grad[i, lane] + weight * slope_y) / w_y
                grad[i, lane] = -along
            grad_own[r, lane] += (along * w_l + weight * slope_l) * soft_slope(free, LOG_DEVIATION_LIMIT)
            grad_raw = (along * w_m + weight * slope_m) * soft_slope(raw, MEAN_LIMIT)
            for k in range(r):
                grad_own[k, lane] += grad_raw * places[k + (k >= moved), i, lane]
                grad_places[k + (k >= moved), i, lane] += grad_raw * own[k, lane]


@block_function
def coefficients(numbers, r, triangle, zeta, beta):
    """Zeta from B w in place, and L^-T beta."""
    solve(triangle, r, zeta)
    for k in range(r):
        for lane in range(LANES):
            change = np.exp(numbers[1 + r + k, lane]) - np.exp(numbers[0, lane])
            beta[k, lane] = numbers[1 + k, lane] + change * zeta[k, lane]
    solve_transposed(triangle, r, beta)


@block_function
def move(vector, places, moved, numbers, beta):
    """The affine move, in place; ``beta`` is L^-T beta."""
    for i in range(len(vector)):
        for lane in range(LANES):
            vector[i, lane] *= np.exp(numbers[0, lane])
        for k in range(len(places) - 1):
            b = places[k + (k >= moved), i]
            for lane in range(LANES):
                vector[i, lane] += b[lane] * beta[k, lane]


@block_function
def move_pull(
    before, grad, places, moved, numbers, triangle, zeta, beta, small, grad_numbers, grad_triangle, grad_places
):
    """VJP of `move` and `coefficients`; ``grad`` is overwritten, ``small`` (2 r, LANES) scratch."""
    r = len(places) - 1
    grad_beta, grad_zeta = small[:r], small[r:]
    along(places, moved, grad, grad_beta)
    solve(triangle, r, grad_beta)
    for lane in range(LANES):
        total = 0.0
        for i in range(len(grad)):
            total += grad[i, lane] * before[i, lane]
        for k in range(r):
            total -= grad_beta[k, lane] * zeta[k, lane]
        scale = np.exp(numbers[0, lane])
        grad_numbers[0, lane] = scale * total
        for k in range(r):
            stretch = np.exp(numbers[1 + r + k, lane])
            grad_numbers[1 + k, lane] = grad_beta[k, lane]
            grad_numbers[1 + r + k, lane] = grad_beta[k, lane] * stretch * zeta[k, lane]
            grad_zeta[k, lane] = grad_beta[k, lane] * (stretch - scale)
    solve_transposed(triangle, r, grad_zeta)
    for i in range(r):
        for j in range(i + 1):
            for lane in range(LANES):
                both = beta[i, lane] * grad_beta[j, lane] + grad_zeta[i, lane] * zeta[j, lane]
                grad_triangle[i * (i + 1) // 2 + j, lane] -= both
    for i in range(len(grad)):
        for k in range(r):
            other = k + (k >= moved)
            for lane in range(LANES):
                grad_places[other, i, lane] += beta[k, lane] * grad[i, lane] + grad_zeta[k, lane] * before[i, lane]
        for lane in range(LANES):
            grad[i, lane] *= np.exp(numbers[0, lane])
        for k in range(r):
            b = places[k + (k >= moved), i]
            for lane in range(LANES):
                grad[i, lane] += b[lane] * grad_zeta[k, lane]


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
