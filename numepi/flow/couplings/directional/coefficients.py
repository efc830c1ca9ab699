"""What a directional coupling makes of inner products: features and coefficients, and their VJPs.

They work on rows (rows, LANES) of real numbers, or of complex ones whose imaginary parts carry a tangent times a step
so small that its square vanishes: every function here is analytic, so one code gives values and exact tangents.

With B_k the directions (r of them) and v the moved vector, ``gram`` holds B_k . B_j (j <= k) at k (k + 1) / 2 + j.
Rows of coefficients: e = exp(sigma); then r each of a, gamma, c and C: v gains gamma_k B_k, gamma_k = a_k c_k + tau_k,
where c_k = B_k . v just before; C_k = B_k . (e v), forward.
"""

import numpy as np

from numepi.flow.couplings.clamp import LOG_SCALE_LIMIT, soft, soft_slope
from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import block_function

__all__ = ["FEATURE_LIMIT", "SOFTENING", "coefficients", "coefficients_pull", "features", "features_pull", "transpose"]

# Added to |B|^2: directions fade where their vector vanishes.
SOFTENING = 1e-2
# Features in units of their spread under the base are softly clamped to this.
FEATURE_LIMIT = 3.0


@block_function
def features(gram, r, length, out):
    """Log norms and cosines, then both once more in units of their spread under the base, softly clamped."""
    norm_unit, cosine_unit = np.sqrt(2.0 * length), np.sqrt(1.0 * length)
    pairs = r * (r - 1) // 2
    for k in range(r):
        kk = k * (k + 1) // 2 + k
        for lane in range(LANES):
            log_norm = 0.5 * np.log((gram[kk, lane] + SOFTENING) / length)
            out[k, lane] = log_norm
            out[r + pairs + k, lane] = soft(norm_unit * log_norm, FEATURE_LIMIT)
        for j in range(k):
            i, jj = k * (k - 1) // 2 + j, j * (j + 1) // 2 + j
            for lane in range(LANES):
                size = np.sqrt((gram[kk, lane] + SOFTENING) * (gram[jj, lane] + SOFTENING))
                cosine = gram[kk - k + j, lane] / size
                out[r + i, lane] = cosine
                out[2 * r + pairs + i, lane] = soft(cosine_unit * cosine, FEATURE_LIMIT)


@block_function
def features_pull(gram, r, length, grad, grad_gram):
    """Add the gradient of ``gram`` that ``grad``, that of the features, gives."""
    norm_unit, cosine_unit = np.sqrt(2.0 * length), np.sqrt(1.0 * length)
    pairs = r * (r - 1) // 2
    for k in range(r):
        kk = k * (k + 1) // 2 + k
        for lane in range(LANES):
            square = gram[kk, lane] + SOFTENING
            slope = soft_slope(norm_unit * 0.5 * np.log(square / length), FEATURE_LIMIT)
            grad_gram[kk, lane] += 0.5 * (grad[k, lane] + norm_unit * slope * grad[r + pairs + k, lane]) / square
        for j in range(k):
            i, jj = k * (k - 1) // 2 + j, j * (j + 1) // 2 + j
            for lane in range(LANES):
                square_k, square_j = gram[kk, lane] + SOFTENING, gram[jj, lane] + SOFTENING
                per_size = 1 / np.sqrt(square_k * square_j)
                cosine = gram[kk - k + j, lane] * per_size
                slope = soft_slope(cosine_unit * cosine, FEATURE_LIMIT)
                g = grad[r + i, lane] + cosine_unit * slope * grad[2 * r + pairs + i, lane]
                grad_gram[kk - k + j, lane] += g * per_size
                grad_gram[kk, lane] -= 0.5 * g * cosine / square_k
                grad_gram[jj, lane] -= 0.5 * g * cosine / square_j


@block_function
def coefficients(gram, r, length, outputs, rows, log_q, inverse):
    """Fill ``rows`` from the network's outputs [sigma, s (r,), t (r,)]; subtract log|det| from log_q.

    On entry the last r rows hold B_k . v, of the input (forward) or of the output (``inverse``).
    """
    for lane in range(LANES):
        sigma = soft(outputs[0, lane], LOG_SCALE_LIMIT)
        rows[0, lane] = np.exp(sigma)
        log_q[lane] -= length * sigma
    overlap = rows[1 + 3 * r :]
    if not inverse:
        for k in range(r):
            for lane in range(LANES):
                overlap[k, lane] *= rows[0, lane]
    for k in range(r):
        for lane in range(LANES):
            rows[1 + 2 * r + k, lane] = overlap[k, lane]
    current = rows[1 + 2 * r : 1 + 3 * r]
    for step in range(r):
        k = r - 1 - step if inverse else step
        kk = k * (k + 1) // 2 + k
        for lane in range(LANES):
            square = gram[kk, lane]
            per_square = 1 / (square + SOFTENING)
            a = (np.exp(soft(outputs[1 + k, lane], LOG_SCALE_LIMIT)) - 1) * per_square
            shift = outputs[1 + r + k, lane] * np.sqrt(per_square)
            factor = 1 + a * square
            if inverse:
                current[k, lane] = (current[k, lane] - shift * square) / factor
            rows[1 + k, lane] = a
            rows[1 + r + k, lane] = a * current[k, lane] + shift
            log_q[lane] -= np.log(factor)
        for j in range(r):
            # Only directions that are still to come see this one's change.
            if (j < k) if inverse else (j > k):
                kj = j * (j + 1) // 2 + k if j > k else kk - k + j
                for lane in range(LANES):
                    change = rows[1 + r + k, lane] * gram[kj, lane]
                    current[j, lane] += -change if inverse else change


@block_function
def transpose(gram, r, rows, overlap, delta):
    """Solve for the cotangent of the output from that of the input, g: lambda = g / e + sum delta_k B_k.

    ``overlap`` holds B_k . g / e on entry, B_k . lambda on return.
    """
    for k in range(r):
        kk = k * (k + 1) // 2 + k
        for lane in range(LANES):
            a = rows[1 + k, lane]
            delta[k, lane] = -a * overlap[k, lane] / (1 + a * gram[kk, lane])
        for j in range(r):
            kj = j * (j + 1) // 2 + k if j > k else kk - k + j
            for lane in range(LANES):
                overlap[j, lane] += delta[k, lane] * gram[kj, lane]


@block_function
def coefficients_pull(
    gram, r, length, outputs, rows, overlap, power, grad_log_q, back, grad_outputs, grad_gram, inverse
):
    """Gradients of the network's outputs, and of ``gram``, which are added to; fills ``back``.

    ``overlap`` holds B_k . lambda, lambda the cotangent of the output of the *forward* map; back_k B_k is what the
    cotangent of its input has in addition, both before the factor e.  ``power`` is lambda . (e v) (forward), or
    g . v with the input's cotangent g (``inverse``, whose parameters have the opposite gradients).
    """
    sign = -1.0 if inverse else 1.0
    for step in range(r):
        k = r - 1 - step
        kk = k * (k + 1) // 2 + k
        for lane in range(LANES):
            back[k, lane] = overlap[k, lane]
        for j in range(k + 1, r):
            kj = j * (j + 1) // 2 + k
            for lane in range(LANES):
                back[k, lane] += gram[kj, lane] * back[j, lane]
                grad_gram[kj, lane] += sign * rows[1 + r + k, lane] * back[j, lane]
        for lane in range(LANES):
            square, a = gram[kk, lane], rows[1 + k, lane]
            per_square = 1 / (square + SOFTENING)
            root = np.sqrt(per_square)
            raw = outputs[1 + k, lane]
            scale = np.exp(soft(raw, LOG_SCALE_LIMIT))
            weight = grad_log_q[lane] / (1 + a * square)
            grad_shift = sign * back[k, lane]
            grad_a = grad_shift * rows[1 + 2 * r + k, lane] - weight * square
            grad_outputs[1 + k, lane] = grad_a * scale * per_square * soft_slope(raw, LOG_SCALE_LIMIT)
            grad_outputs[1 + r + k, lane] = grad_shift * root
            grad_per_square = grad_a * (scale - 1) + 0.5 * grad_shift * outputs[1 + r + k, lane] / root
            grad_gram[kk, lane] -= grad_per_square * per_square * per_square + weight * a
            back[k, lane] *= a
    for lane in range(LANES):
        total = power[lane]
        if not inverse:
            for k in range(r):
                total += back[k, lane] * rows[1 + 3 * r + k, lane]
        slope = soft_slope(outputs[0, lane], LOG_SCALE_LIMIT)
        grad_outputs[0, lane] = (sign * total - length * grad_log_q[lane]) * slope
