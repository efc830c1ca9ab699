"""Compiled passes of the support map over blocks of samples; all arithmetic in float64.

With z = F(u) and L(u) = log F'(u), everything follows from L, L' and L'':
forward   log_q -= L;          grad_u = grad_z F' - grad_log_q L'
inverse   log_q -= L(u(z));    grad_z = (grad_u - grad_log_q L') / F'
along dz: du = dz / F';        d(grad_z) = (d(grad_u) - grad_log_q L'' du - (grad_u - grad_log_q L') L' du) / F'.
"""

from math import expm1, isnan, log1p

import numpy as np

from numepi.flow.elementwise.normal_quantile import normal_quantile
from numepi.flow.elementwise.normal_tails import normal_tails
from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import kernel, scalar
from numepi.kernels.fastmath import exp, log, sigmoid
from numepi.support import GAUSSIAN_CDF, LINE, LOWER, UPPER

__all__ = ["from_line", "in_box", "pull", "pull_tangent", "tangent", "to_line"]

_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)
_SMALLEST = np.finfo(np.float64).tiny


@scalar
def _softplus(u):
    return (u if u > 0 else 0.0) + log1p(exp(-abs(u)))


@scalar
def _log_slope(kind, log_width, u):
    """L(u)."""
    if kind == GAUSSIAN_CDF:
        return log_width - 0.5 * u * u - _LOG_SQRT_2PI
    if kind == LINE:
        return 0 * u
    if kind == LOWER:
        return -_softplus(-u)
    if kind == UPPER:
        return -_softplus(u)
    return log_width - _softplus(u) - _softplus(-u)


@scalar
def _log_slope_derivatives(kind, u):
    """L'(u) and L''(u)."""
    if kind == GAUSSIAN_CDF:
        return -u, -1.0
    if kind == LINE:
        return 0 * u, 0.0
    p = sigmoid(u)
    q = sigmoid(-u)
    if kind == LOWER:
        return q, -p * q
    if kind == UPPER:
        return -p, -p * q
    return q - p, -2 * p * q


@scalar
def _from_line(kind, lower, upper, u):
    if isnan(u) or kind == LINE:
        return u
    if kind == LOWER:
        return lower + _softplus(u)
    if kind == UPPER:
        return upper - _softplus(-u)
    return in_box(lower, upper, sigmoid(u))


@scalar
def in_box(lower, upper, fraction):
    """The place at a fraction of a box's edge; NaN stays."""
    z = lower + (upper - lower) * fraction
    return lower if z < lower else (upper if z > upper else z)


@scalar
def _softplus_inverse(y):
    return y + log(-expm1(-y))


@scalar
def _to_line(kind, lower, upper, edge_low, edge_high, z):
    if isnan(z) or kind == LINE:
        return z
    if kind == LOWER:
        return _softplus_inverse(max(z - lower, edge_low))
    if kind == UPPER:
        return -_softplus_inverse(max(upper - z, edge_high))
    below = max(z - lower, edge_low) / (upper - lower)
    above = max(upper - z, edge_high) / (upper - lower)
    if kind == GAUSSIAN_CDF:
        u = normal_quantile(max(min(below, above), _SMALLEST))
        return u if below < above else -u
    return log(below) - log(above)


@kernel
def from_line(kinds, lower, upper, u, z, log_q):
    """Fill z; subtract L from log_q."""
    for block in range(len(u)):
        for d in range(len(kinds)):
            kind, low, high, log_width = kinds[d], lower[d], upper[d], log(upper[d] - lower[d])
            if kind == GAUSSIAN_CDF:  # by itself, without branches: two fifths of the time
                for lane in range(LANES):
                    x = np.float64(u[block, d, lane])
                    z[block, d, lane] = in_box(low, high, normal_tails(x)[0])
                    log_q[block, lane] -= _log_slope(GAUSSIAN_CDF, log_width, x)
                continue
            for lane in range(LANES):
                x = np.float64(u[block, d, lane])
                z[block, d, lane] = _from_line(kind, low, high, x)
                log_q[block, lane] -= _log_slope(kind, log_width, x)


@kernel
def to_line(kinds, lower, upper, edge_low, edge_high, z, u, log_q):
    """Fill u; subtract L from log_q."""
    for block in range(len(z)):
        for d in range(len(kinds)):
            kind, log_width = kinds[d], log(upper[d] - lower[d])
            for lane in range(LANES):
                u[block, d, lane] = _to_line(kind, lower[d], upper[d], edge_low[d], edge_high[d], z[block, d, lane])
                # at u as rounded to its precision: the base density is taken there too
                log_q[block, lane] -= _log_slope(kind, log_width, np.float64(u[block, d, lane]))


@scalar
def _pull_row(kind, log_width, u, grad_output, grad_log_q, grad_input, inverse):
    for lane in range(LANES):
        x = np.float64(u[lane])
        slope = exp(_log_slope(kind, log_width, x))
        first, _ = _log_slope_derivatives(kind, x)
        if inverse:
            grad_input[lane] = (grad_output[lane] - grad_log_q[lane] * first) / slope
        else:
            grad_input[lane] = grad_output[lane] * slope - grad_log_q[lane] * first


@kernel
def pull(kinds, lower, upper, u, grad_output, grad_log_q, grad_input, inverse):
    """VJP in either direction."""
    for block in range(len(u)):
        for d in range(len(kinds)):
            kind, log_width = kinds[d], log(upper[d] - lower[d])
            row = u[block, d], grad_output[block, d], grad_log_q[block], grad_input[block, d]
            if kind == GAUSSIAN_CDF:
                _pull_row(GAUSSIAN_CDF, log_width, *row, inverse)
            else:
                _pull_row(kind, log_width, *row, inverse)


@kernel
def tangent(kinds, lower, upper, u, tangent_z, tangent_u):
    """Tangent of the inverse map."""
    for block in range(len(u)):
        for d in range(len(kinds)):
            kind, log_width = kinds[d], log(upper[d] - lower[d])
            for lane in range(LANES):
                slope = exp(_log_slope(kind, log_width, np.float64(u[block, d, lane])))
                tangent_u[block, d, lane] = tangent_z[block, d, lane] / slope


@kernel
def pull_tangent(kinds, lower, upper, u, tangent_u, grad_u, dgrad_u, grad_log_q, grad_z, dgrad_z):
    """VJP of the inverse map, and its tangent."""
    for block in range(len(u)):
        for d in range(len(kinds)):
            kind, log_width = kinds[d], log(upper[d] - lower[d])
            for lane in range(LANES):
                x, dx = np.float64(u[block, d, lane]), np.float64(tangent_u[block, d, lane])
                slope = exp(_log_slope(kind, log_width, x))
                first, second = _log_slope_derivatives(kind, x)
                weight = grad_log_q[block, lane]
                total = grad_u[block, d, lane] - weight * first
                grad_z[block, d, lane] = total / slope
                dgrad_z[block, d, lane] = (dgrad_u[block, d, lane] - (weight * second + total * first) * dx) / slope
