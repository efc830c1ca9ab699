"""Compiled passes of `numepi.flow.coupling.AffineCoupling` over blocks of samples.

Rows of a block's tape: the network's padded input x_a, its hidden layers, then in place of its output [t, r]: the
factor f = exp(s) (forward) or exp(-s) (inverse), and s = clamp(r).  The slopes of the clamp follow from s, with l its
limit: ds/dr = w^3 and d2s/dr2 = -3 w^4 s / l^2, w^2 = 1 - (s/l)^2.
"""

from math import sqrt

from numepi.flow.blocks import LANES
from numepi.flow.mlp_kernels import clear, mlp_pull, mlp_pull_tangent, mlp_run, mlp_tangent
from numepi.kernels.compile import block_function, kernel
from numepi.kernels.fastmath import exp

__all__ = ["LOG_SCALE_LIMIT", "pull", "pull_tangent", "run", "tangent"]

# The scale of one coupling stays within exp(-5) ... exp(5): a fit that runs away cannot overflow.
LOG_SCALE_LIMIT = 5.0

_INVERSE_LIMIT = 1 / LOG_SCALE_LIMIT


@block_function
def _load(x, n_kept, n_padded, rows):
    """The network's input: x_a and zeros up to the padded width."""
    for r in range(n_kept):
        for lane in range(LANES):
            rows[r, lane] = x[r, lane]
    for r in range(n_kept, n_padded):
        for lane in range(LANES):
            rows[r, lane] = 0


@block_function
def _run_block(w, widths, n_kept, x, y, tape, log_q, inverse):
    one, inverse_limit = w.dtype.type(1), w.dtype.type(_INVERSE_LIMIT)
    n_moved = len(x) - n_kept
    _load(x, n_kept, widths[0], tape)
    mlp_run(w, widths, tape)
    outputs = tape[len(tape) - widths[-1] :]
    for r in range(n_kept):
        for lane in range(LANES):
            y[r, lane] = x[r, lane]
    for r in range(n_moved):
        i, j = n_kept + r, n_moved + r
        if inverse:
            for lane in range(LANES):
                ratio = outputs[j, lane] * inverse_limit
                s = outputs[j, lane] / sqrt(one + ratio * ratio)
                factor = exp(-s)
                y[i, lane] = (x[i, lane] - outputs[r, lane]) * factor
                outputs[r, lane], outputs[j, lane] = factor, s
                log_q[lane] -= s
        else:
            for lane in range(LANES):
                ratio = outputs[j, lane] * inverse_limit
                s = outputs[j, lane] / sqrt(one + ratio * ratio)
                factor = exp(s)
                y[i, lane] = x[i, lane] * factor + outputs[r, lane]
                outputs[r, lane], outputs[j, lane] = factor, s
                log_q[lane] -= s


@kernel
def run(w, widths, n_kept, x, y, tape, log_q, inverse):
    """Fill y and tape; subtract sum s from log_q."""
    for block in range(len(x)):
        _run_block(w, widths, n_kept, x[block], y[block], tape[block], log_q[block], inverse)


@block_function
def _pull_block(w, widths, n_kept, x, y, tape, grad_y, grad_log_q, grad_x, g, scratch, grad, inverse, with_parameters):
    one, inverse_limit = w.dtype.type(1), w.dtype.type(_INVERSE_LIMIT)
    n_moved = len(x) - n_kept
    outputs = tape[len(tape) - widths[-1] :]
    clear(g, widths[-1])
    for r in range(n_moved):
        i, j = n_kept + r, n_moved + r
        for lane in range(LANES):
            factor, s = outputs[r, lane], outputs[j, lane]
            through = grad_y[i, lane] * factor
            ratio = s * inverse_limit
            w2 = one - ratio * ratio
            slope = w2 * sqrt(w2)
            grad_x[i, lane] = through
            along = -grad_y[i, lane] * y[i, lane] if inverse else through * x[i, lane]
            g[r, lane] = -through if inverse else grad_y[i, lane]
            g[j, lane] = (along - grad_log_q[lane]) * slope
    mlp_pull(w, widths, tape, g, scratch, grad, with_parameters)
    for r in range(n_kept):
        for lane in range(LANES):
            grad_x[r, lane] = grad_y[r, lane] + g[r, lane]


@kernel
def pull(w, widths, n_kept, x, y, tape, grad_y, grad_log_q, grad_x, grad, buffers, inverse, group):
    """Fill grad_x; add the weights' gradient of each ``group`` of blocks to its row of grad (groups, packed).

    With ``group`` = 0 the weights' gradient is left out.  ``buffers`` (2, widest layer, LANES) is scratch.
    """
    for block in range(len(x)):
        _pull_block(
            w, widths, n_kept, x[block], y[block], tape[block], grad_y[block], grad_log_q[block], grad_x[block],
            buffers[0], buffers[1], grad[block // group if group else 0], inverse, group > 0,
        )  # fmt: skip


@block_function
def _tangent_block(w, widths, n_kept, y, tape, tangent_x, tangent_y, tangents):
    one, inverse_limit = w.dtype.type(1), w.dtype.type(_INVERSE_LIMIT)
    n_moved = len(y) - n_kept
    _load(tangent_x, n_kept, widths[0], tangents)
    mlp_tangent(w, widths, tape, tangents)
    first = len(tape) - widths[-1]
    for r in range(n_kept):
        for lane in range(LANES):
            tangent_y[r, lane] = tangent_x[r, lane]
    for r in range(n_moved):
        i, j = n_kept + r, n_moved + r
        for lane in range(LANES):
            factor, ratio = tape[first + r, lane], tape[first + j, lane] * inverse_limit
            w2 = one - ratio * ratio
            ds = tangents[first + j, lane] * w2 * sqrt(w2)
            dt = tangents[first + r, lane]
            tangent_y[i, lane] = (tangent_x[i, lane] - dt) * factor - y[i, lane] * ds


@kernel
def tangent(w, widths, n_kept, y, tape, tangent_x, tangent_y, tangents):
    """Tangent of the inverse pass: fill tangent_y, and tangents of all activations and of [t, r]."""
    for block in range(len(y)):
        _tangent_block(w, widths, n_kept, y[block], tape[block], tangent_x[block], tangent_y[block], tangents[block])


@block_function
def _pull_tangent_block(
    w, widths, n_kept, y, dy, tape, tangents, grad_y, dgrad_y, grad_log_q, grad_x, dgrad_x, g, dg, scratch, dscratch
):
    one, inverse_limit = w.dtype.type(1), w.dtype.type(_INVERSE_LIMIT)
    curvature_scale = w.dtype.type(-3 * _INVERSE_LIMIT)
    n_moved = len(y) - n_kept
    first = len(tape) - widths[-1]
    clear(g, widths[-1])
    clear(dg, widths[-1])
    for r in range(n_moved):
        i, j = n_kept + r, n_moved + r
        for lane in range(LANES):
            factor, ratio = tape[first + r, lane], tape[first + j, lane] * inverse_limit
            w2 = one - ratio * ratio
            slope = w2 * sqrt(w2)
            curvature = curvature_scale * w2 * w2 * ratio
            dr = tangents[first + j, lane]
            ds = slope * dr
            a, da = grad_y[i, lane], dgrad_y[i, lane]
            through, dthrough = a * factor, da * factor - a * factor * ds
            grad_x[i, lane], dgrad_x[i, lane] = through, dthrough
            g[r, lane], dg[r, lane] = -through, -dthrough
            gs = -a * y[i, lane] - grad_log_q[lane]
            dgs = -da * y[i, lane] - a * dy[i, lane]
            g[j, lane], dg[j, lane] = gs * slope, dgs * slope + gs * curvature * dr
    mlp_pull_tangent(w, widths, tape, tangents, g, dg, scratch, dscratch)
    for r in range(n_kept):
        for lane in range(LANES):
            grad_x[r, lane] = grad_y[r, lane] + g[r, lane]
            dgrad_x[r, lane] = dgrad_y[r, lane] + dg[r, lane]


@kernel
def pull_tangent(w, widths, n_kept, y, dy, tape, tangents, grad_y, dgrad_y, grad_log_q, grad_x, dgrad_x, buffers):
    """Gradient of the inverse pass's input, and its tangent; ``buffers`` (4, widest layer, LANES) is scratch."""
    for block in range(len(y)):
        _pull_tangent_block(
            w, widths, n_kept, y[block], dy[block], tape[block], tangents[block], grad_y[block], dgrad_y[block],
            grad_log_q[block], grad_x[block], dgrad_x[block], buffers[0], buffers[1], buffers[2], buffers[3],
        )  # fmt: skip
