"""The middle of a stage of `numepi.flow.couplings.lens.stack.LensStack`: overlaps move one by one, the rest together.

A standardised vector w is split by the orthonormal basis Q = L^-1 B of the r vectors that stay: overlaps zeta = Q w
(r), and the rest w - Q^T zeta.  From the base's side to the support's,

    rest <- e^sigma rest,    zeta_k <- e^s_k zeta_k + t_k - kappa_k S_k,

where S is how the rest alone would lie in the box (`numepi.flow.couplings.lens.stages.shadow`), and the other numbers
depend on the overlaps at the base's side: with rows of outputs [sigma, t (r), s (r), kappa (r), b (r), A, D], A and D
of r (r - 1) / 2 each, entry (k, j) at k (k - 1) / 2 + j, and a soft clamp h,

    t_k = t_k + sum_(j < k) A_kj zeta_j,    s_k = clamp(s_k + sum_(j < k) D_kj h(zeta_j)),
    sigma = clamp(sigma + N^(-1/2) sum_k b_k h(zeta_k)).

Functions work on one block of samples, rows (., LANES).
"""

import numpy as np

from numepi.flow.couplings.clamp import LOG_SCALE_LIMIT, soft, soft_slope
from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import block_function

__all__ = ["OVERLAP_LIMIT", "from_base", "from_base_pull", "n_outputs", "rest_scale", "rest_scale_pull", "to_base",
           "to_base_pull"]  # fmt: skip

OVERLAP_LIMIT = 3.0  # standard deviations at the base's side: scales follow an overlap no farther


def n_outputs(r):
    """Rows of outputs."""
    return 1 + 4 * r + r * (r - 1)


@block_function
def rest_scale(outputs, r, length, zeta, out):
    """Sigma, from the overlaps at the base's side."""
    for lane in range(LANES):
        out[lane] = np.float64(outputs[0, lane])
    for k in range(r):
        for lane in range(LANES):
            out[lane] += outputs[1 + 3 * r + k, lane] * soft(zeta[k, lane], OVERLAP_LIMIT) / np.sqrt(length)
    for lane in range(LANES):
        out[lane] = soft(out[lane], LOG_SCALE_LIMIT)


@block_function
def rest_scale_pull(outputs, r, length, zeta, grad, grad_outputs, grad_zeta):
    """VJP; ``grad`` (LANES), that of sigma, is overwritten; adds to ``grad_zeta``."""
    for lane in range(LANES):
        free = np.float64(outputs[0, lane])
        for k in range(r):
            free += outputs[1 + 3 * r + k, lane] * soft(zeta[k, lane], OVERLAP_LIMIT) / np.sqrt(length)
        grad[lane] *= soft_slope(free, LOG_SCALE_LIMIT)
        grad_outputs[0, lane] = grad[lane]
    for k in range(r):
        for lane in range(LANES):
            g, x = grad[lane] / np.sqrt(length), zeta[k, lane]
            grad_outputs[1 + 3 * r + k, lane] = g * soft(x, OVERLAP_LIMIT)
            grad_zeta[k, lane] += g * outputs[1 + 3 * r + k, lane] * soft_slope(x, OVERLAP_LIMIT)


@block_function
def _conditional(outputs, r, zeta, k, lane):
    """T_k and s_k, the latter before its clamp."""
    shift, free = np.float64(outputs[1 + k, lane]), np.float64(outputs[1 + r + k, lane])
    row, pairs = 1 + 4 * r + k * (k - 1) // 2, r * (r - 1) // 2
    for j in range(k):
        shift += outputs[row + j, lane] * zeta[j, lane]
        free += outputs[row + pairs + j, lane] * soft(zeta[j, lane], OVERLAP_LIMIT)
    return shift, free


@block_function
def _conditional_pull(outputs, r, zeta, k, lane, grad_shift, grad_free, grad_outputs, grad_zeta):
    grad_outputs[1 + k, lane], grad_outputs[1 + r + k, lane] = grad_shift, grad_free
    row, pairs = 1 + 4 * r + k * (k - 1) // 2, r * (r - 1) // 2
    for j in range(k):
        x = zeta[j, lane]
        grad_outputs[row + j, lane] = grad_shift * x
        grad_outputs[row + pairs + j, lane] = grad_free * soft(x, OVERLAP_LIMIT)
        slope = soft_slope(x, OVERLAP_LIMIT)
        grad_zeta[j, lane] += grad_shift * outputs[row + j, lane] + grad_free * outputs[row + pairs + j, lane] * slope


@block_function
def from_base(outputs, r, zeta, shadow, moved, log_q):
    """Fill ``moved`` with the overlaps at the support's side; subtract log|det|."""
    for k in range(r):
        for lane in range(LANES):
            shift, free = _conditional(outputs, r, zeta, k, lane)
            s = soft(free, LOG_SCALE_LIMIT)
            moved[k, lane] = np.exp(s) * zeta[k, lane] + shift - outputs[1 + 2 * r + k, lane] * shadow[k, lane]
            log_q[lane] -= s


@block_function
def from_base_pull(outputs, r, zeta, shadow, grad, grad_log_q, grad_outputs, grad_zeta, grad_shadow):
    """VJP: ``grad`` is that of the overlaps at the support's side; adds to ``grad_zeta``, fills ``grad_shadow``."""
    for k in range(r):
        kappa = 1 + 2 * r + k
        for lane in range(LANES):
            g = grad[k, lane]
            _, free = _conditional(outputs, r, zeta, k, lane)
            scale = np.exp(soft(free, LOG_SCALE_LIMIT))
            grad_outputs[kappa, lane] = -g * shadow[k, lane]
            grad_shadow[k, lane] = -g * outputs[kappa, lane]
            grad_zeta[k, lane] += g * scale
            grad_free = (g * scale * zeta[k, lane] - grad_log_q[lane]) * soft_slope(free, LOG_SCALE_LIMIT)
            _conditional_pull(outputs, r, zeta, k, lane, g, grad_free, grad_outputs, grad_zeta)


@block_function
def to_base(outputs, r, moved, shadow, zeta, log_q):
    """Fill ``zeta`` from the overlaps at the support's side, ``moved``; subtract log|det| of the way from the base."""
    for k in range(r):
        for lane in range(LANES):
            shift, free = _conditional(outputs, r, zeta, k, lane)
            s = soft(free, LOG_SCALE_LIMIT)
            zeta[k, lane] = np.exp(-s) * (moved[k, lane] - shift + outputs[1 + 2 * r + k, lane] * shadow[k, lane])
            log_q[lane] -= s


@block_function
def to_base_pull(outputs, r, zeta, shadow, grad_zeta, grad_log_q, grad_outputs, grad, grad_shadow):
    """VJP: ``grad_zeta`` is overwritten; fills ``grad``, that of the overlaps at the support's side."""
    for k in range(r - 1, -1, -1):
        kappa = 1 + 2 * r + k
        for lane in range(LANES):
            _, free = _conditional(outputs, r, zeta, k, lane)
            g = grad_zeta[k, lane] * np.exp(-soft(free, LOG_SCALE_LIMIT))
            grad[k, lane] = g
            grad_outputs[kappa, lane] = g * shadow[k, lane]
            grad_shadow[k, lane] = g * outputs[kappa, lane]
            grad_free = -(grad_zeta[k, lane] * zeta[k, lane] + grad_log_q[lane]) * soft_slope(free, LOG_SCALE_LIMIT)
            _conditional_pull(outputs, r, zeta, k, lane, -g, grad_free, grad_outputs, grad_zeta)
