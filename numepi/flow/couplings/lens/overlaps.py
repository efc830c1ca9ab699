"""The middle of a stage of `numepi.flow.couplings.lens.stack.LensStack`: overlaps move one by one, the rest together.

A standardised vector w is split by the orthonormal basis Q = L^-1 B of the r vectors that stay: overlaps zeta = Q w
(r), and the rest w - Q^T zeta.  From the base's side to the support's,

    rest <- e^sigma rest,    zeta_k <- e^s_k zeta_k + t_k + sum_(j < k) A_kj zeta_j - kappa_k S_k,

with the zeta_j of the base's side, and S how the rest alone would lie in the box
(`numepi.flow.couplings.lens.stages.shadow`).  Rows of outputs are sigma, t (r), s (r), kappa (r) and A, whose entry
(k, j) is at k (k - 1) / 2 + j; sigma and s are softly clamped.  Functions work on one block of samples.
"""

import numpy as np

from numepi.flow.couplings.clamp import LOG_SCALE_LIMIT, soft, soft_slope
from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import block_function

__all__ = ["from_base", "from_base_pull", "n_outputs", "to_base", "to_base_pull"]


def n_outputs(r):
    """Rows of outputs."""
    return 1 + 3 * r + r * (r - 1) // 2


@block_function
def _shift(outputs, r, zeta, shadow, k, lane):
    """What overlap k gains beside its scale."""
    total = outputs[1 + k, lane] - outputs[1 + 2 * r + k, lane] * shadow[k, lane]
    for j in range(k):
        total += outputs[1 + 3 * r + k * (k - 1) // 2 + j, lane] * zeta[j, lane]
    return total


@block_function
def _shift_pull(outputs, r, zeta, shadow, k, lane, grad, grad_outputs, grad_zeta, grad_shadow):
    """VJP: adds to ``grad_zeta``, fills the others."""
    kappa, row = 1 + 2 * r + k, 1 + 3 * r + k * (k - 1) // 2
    grad_outputs[1 + k, lane] = grad
    grad_outputs[kappa, lane] = -grad * shadow[k, lane]
    grad_shadow[k, lane] = -grad * outputs[kappa, lane]
    for j in range(k):
        grad_outputs[row + j, lane] = grad * zeta[j, lane]
        grad_zeta[j, lane] += grad * outputs[row + j, lane]


@block_function
def from_base(outputs, r, zeta, shadow, moved, log_q):
    """Fill ``moved`` with the overlaps at the support's side; subtract log|det|."""
    for k in range(r):
        for lane in range(LANES):
            s = soft(np.float64(outputs[1 + r + k, lane]), LOG_SCALE_LIMIT)
            moved[k, lane] = np.exp(s) * zeta[k, lane] + _shift(outputs, r, zeta, shadow, k, lane)
            log_q[lane] -= s


@block_function
def from_base_pull(outputs, r, zeta, shadow, grad, grad_log_q, grad_outputs, grad_zeta, grad_shadow):
    """VJP: ``grad`` is that of the overlaps at the support's side; adds to ``grad_zeta``, fills ``grad_shadow``."""
    for k in range(r):
        for lane in range(LANES):
            free, g = np.float64(outputs[1 + r + k, lane]), grad[k, lane]
            scale = np.exp(soft(free, LOG_SCALE_LIMIT))
            grad_zeta[k, lane] += g * scale
            slope = soft_slope(free, LOG_SCALE_LIMIT)
            grad_outputs[1 + r + k, lane] = (g * scale * zeta[k, lane] - grad_log_q[lane]) * slope
            _shift_pull(outputs, r, zeta, shadow, k, lane, g, grad_outputs, grad_zeta, grad_shadow)


@block_function
def to_base(outputs, r, moved, shadow, zeta, log_q):
    """Fill ``zeta`` from the overlaps at the support's side, ``moved``; subtract log|det| of the way from the base."""
    for k in range(r):
        for lane in range(LANES):
            s = soft(np.float64(outputs[1 + r + k, lane]), LOG_SCALE_LIMIT)
            zeta[k, lane] = np.exp(-s) * (moved[k, lane] - _shift(outputs, r, zeta, shadow, k, lane))
            log_q[lane] -= s


@block_function
def to_base_pull(outputs, r, zeta, shadow, grad_zeta, grad_log_q, grad_outputs, grad, grad_shadow):
    """VJP: ``grad_zeta`` is overwritten; fills ``grad``, that of the overlaps at the support's side."""
    for k in range(r - 1, -1, -1):
        for lane in range(LANES):
            free = np.float64(outputs[1 + r + k, lane])
            g = grad_zeta[k, lane] * np.exp(-soft(free, LOG_SCALE_LIMIT))
            grad[k, lane] = g
            slope = soft_slope(free, LOG_SCALE_LIMIT)
            grad_outputs[1 + r + k, lane] = -(grad_zeta[k, lane] * zeta[k, lane] + grad_log_q[lane]) * slope
            _shift_pull(outputs, r, zeta, shadow, k, lane, -g, grad_outputs, grad_zeta, grad_shadow)
