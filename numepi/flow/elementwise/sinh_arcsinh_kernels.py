"""Compiled passes of `numepi.flow.elementwise.sinh_arcsinh.SinhArcsinh` over blocks of samples.

With root = sqrt(1 + x^2), u = d arcsinh(x), t = tanh u and L = log dy/dx:
dL/dx = d t / root - x / root^2  and  d2L/dx2 = d^2 (1 - t^2) / root^2 - d t x / root^3 - (1 - x^2) / root^4.
"""

from math import sqrt

from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import kernel, scalar, vector_kernel
from numepi.kernels.fastmath import exp, log

__all__ = ["pull", "pull_tangent", "run", "tangent"]


@scalar
def _bend(one, x, d):
    """Sinh and cosh of u = d arcsinh(x), |u| and sqrt(1 + x^2)."""
    half = one / (one + one)
    size = abs(x)
    root = sqrt(one + x * x)
    u = d * log(size + root)
    grown = exp(u)
    shrunk = one / grown
    sinh = half * (grown - shrunk)
    return sinh if x >= 0 else -sinh, half * (grown + shrunk), u, root


@kernel
def run(parameters, x, y, log_q, inverse):
    """Fill y (blocks, D, LANES); subtract log|det| from log_q.  ``parameters`` (3, D): log-scale, shift, d."""
    one = parameters.dtype.type(1)
    for j in range(x.shape[1]):
        log_scale, shift, d = parameters[0, j], parameters[1, j], parameters[2, j]
        scale = exp(log_scale) / d
        for block in range(len(x)):
            for lane in range(LANES):
                value = x[block, j, lane]
                if inverse:
                    w = (value - shift) / scale
                    back, _, _, cosh = _bend(one, w, one / d)
                    y[block, j, lane] = back
                    root = sqrt(one + back * back)
                else:
                    sinh, cosh, _, root = _bend(one, value, d)
                    y[block, j, lane] = scale * sinh + shift
                log_q[block, lane] -= log_scale + log(cosh / root)


@vector_kernel
def pull(parameters, x, grad_output, grad_log_q, grad_input, grad_theta, inverse, group):
    """Fill grad_input; each ``group`` of blocks adds to its row of grad_theta (groups, 3 D) unless ``group`` = 0."""
    zero, one = parameters.dtype.type(0), parameters.dtype.type(1)
    dim = x.shape[1]
    for block in range(len(x)):
        for j in range(dim):
            d, scale = parameters[2, j], exp(parameters[0, j])
            total_scale = total_shift = total_tail = zero
            for lane in range(LANES):
                place, weight, incoming = x[block, j, lane], grad_log_q[block, lane], grad_output[block, j, lane]
                sinh, cosh, u, root = _bend(one, place, d)
                tanh = sinh / cosh
                slope, bend = scale * cosh / root, (d * tanh - place / root) / root
                along = (incoming - weight * bend) / slope if inverse else incoming
                grad_input[block, j, lane] = along if inverse else incoming * slope - weight * bend
                along = -along if inverse else along
                signed = u if place >= 0 else -u
                total_scale += along * scale * sinh / d - weight
                total_shift += along
                total_tail += along * scale * (signed * cosh - sinh) / d - weight * tanh * signed
            if group > 0:
                row = grad_theta[block // group]
                row[j] += total_scale
                row[dim + j] += total_shift
                row[2 * dim + j] += total_tail


@kernel
def tangent(parameters, x, dy, dx):
    """Tangent of the inverse pass: fill dx."""
    one = parameters.dtype.type(1)
    for block in range(len(x)):
        for j in range(x.shape[1]):
            for lane in range(LANES):
                _, cosh, _, root = _bend(one, x[block, j, lane], parameters[2, j])
                dx[block, j, lane] = dy[block, j, lane] * root / (exp(parameters[0, j]) * cosh)


@kernel
def pull_tangent(parameters, x, dx, grad_output, tangent_grad, grad_log_q, grad_input, tangent_grad_input):
    """Fill the gradient of the inverse pass's input, and its tangent."""
    one = parameters.dtype.type(1)
    for block in range(len(x)):
        for j in range(x.shape[1]):
            d, scale = parameters[2, j], exp(parameters[0, j])
            for lane in range(LANES):
                place, weight, change = x[block, j, lane], grad_log_q[block, lane], dx[block, j, lane]
                sinh, cosh, _, root = _bend(one, place, d)
                tanh, square = sinh / cosh, root * root
                slope, bend = scale * cosh / root, (d * tanh - place / root) / root
                curve = d * d * (one - tanh * tanh) / square - d * tanh * place / (square * root)
                curve -= (one - place * place) / (square * square)
                total = grad_output[block, j, lane] - weight * bend
                grad_input[block, j, lane] = total / slope
                change_total = tangent_grad[block, j, lane] - weight * curve * change
                tangent_grad_input[block, j, lane] = (change_total - total * bend * change) / slope
