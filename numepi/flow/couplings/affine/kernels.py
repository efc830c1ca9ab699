"""Compiled passes of `numepi.flow.couplings.affine.stack.AffineStack` over blocks of samples.

A block goes through all stages before the next begins, in place; stages are x -> x[order] -> affine coupling.  Rows of
a block's tape for one stage: the moved coordinates x_b, then the network's padded input x_a, its hidden layers and in
place of its output [t, r]: the factor f = exp(s) (forward) or exp(-s) (inverse), and s = clamp(r).  The slopes of the
clamp follow from s, with l its limit: ds/dr = w^3 and d2s/dr2 = -3 w^4 s / l^2, w^2 = 1 - (s/l)^2.
"""

from math import sqrt

from numepi.flow.couplings.clamp import LOG_SCALE_LIMIT
from numepi.flow.networks.mlp_kernels import clear, mlp_pull, mlp_pull_tangent, mlp_run, mlp_tangent
from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import block_function, kernel
from numepi.kernels.fastmath import exp

__all__ = ["pull", "pull_tangent", "run", "tangent"]

_INVERSE_LIMIT = 1 / LOG_SCALE_LIMIT


@block_function
def _copy(x, y):
    for r in range(len(x)):
        for lane in range(LANES):
            y[r, lane] = x[r, lane]


@block_function
def _reorder(rows, order, back, scratch):
    """New row i is row order[i]; or back."""
    _copy(rows, scratch)
    for r in range(len(rows)):
        source, target = (r, order[r]) if back else (order[r], r)
        for lane in range(LANES):
            rows[target, lane] = scratch[source, lane]


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
def _run_coupling(w, widths, n_kept, x, tape, log_q, inverse):
    one, inverse_limit = w.dtype.type(1), w.dtype.type(_INVERSE_LIMIT)
    n_moved = len(x) - n_kept
    _load(x, n_kept, widths[0], tape[n_moved:])
    mlp_run(w, widths, tape[n_moved:])
    outputs = tape[len(tape) - widths[-1] :]
    for r in range(n_moved):
        i, j = n_kept + r, n_moved + r
        for lane in range(LANES):
            ratio = outputs[j, lane] * inverse_limit
            s = outputs[j, lane] / sqrt(one + ratio * ratio)
            if inverse:
                factor = exp(-s)
                tape[r, lane] = x[i, lane] = (x[i, lane] - outputs[r, lane]) * factor
            else:
                factor = exp(s)
                tape[r, lane] = x[i, lane]
                x[i, lane] = x[i, lane] * factor + outputs[r, lane]
            outputs[r, lane], outputs[j, lane] = factor, s
            log_q[lane] -= s


@kernel
def run(w, widths, n_kept, orders, x, y, tape, log_q, scratch, inverse):
    """Fill y (blocks, D, LANES) and tape (blocks, stages, rows, LANES); subtract sum s from log_q.

    w (stages, packed) holds the networks, orders (stages, D) what precedes them; ``scratch`` is (D or more, LANES).
    """
    for block in range(len(x)):
        _copy(x[block], y[block])
        for i in range(len(w)):
            stage = len(w) - 1 - i if inverse else i
            if not inverse:
                _reorder(y[block], orders[stage], False, scratch)
            _run_coupling(w[stage], widths, n_kept, y[block], tape[block, stage], log_q[block], inverse)
            if inverse:
                _reorder(y[block], orders[stage], True, scratch)


@block_function
def _pull_coupling(w, widths, n_kept, tape, grad_x, grad_log_q, g, scratch, grad, inverse, with_parameters):
    one, inverse_limit = w.dtype.type(1), w.dtype.type(_INVERSE_LIMIT)
    n_moved = len(grad_x) - n_kept
    outputs = tape[len(tape) - widths[-1] :]
    clear(g, widths[-1])
    for r in range(n_moved):
        i, j = n_kept + r, n_moved + r
        for lane in range(LANES):
            factor, s = outputs[r, lane], outputs[j, lane]
            incoming = grad_x[i, lane]
            through = incoming * factor
            ratio = s * inverse_limit
            w2 = one - ratio * ratio
            slope = w2 * sqrt(w2)
            along = -incoming * tape[r, lane] if inverse else through * tape[r, lane]
            grad_x[i, lane] = through
            g[r, lane] = -through if inverse else incoming
            g[j, lane] = (along - grad_log_q[lane]) * slope
    mlp_pull(w, widths, tape[n_moved:], g, scratch, grad, with_parameters)
    for r in range(n_kept):
        for lane in range(LANES):
            grad_x[r, lane] += g[r, lane]


@kernel
def pull(w, widths, n_kept, orders, tape, grad_y, grad_x, grad_log_q, grad, buffers, inverse, group):
    """Fill grad_x; add the gradient of w to grad (groups, stages, packed).

    Each ``group`` of blocks adds to its own row of grad; with ``group`` = 0 the weights' gradient is left out.
    ``buffers`` (2, widest layer, LANES) is scratch.
    """
    g, scratch = buffers[0], buffers[1]
    for block in range(len(tape)):
        row = block // group if group else 0
        _copy(grad_y[block], grad_x[block])
        for i in range(len(w)):
            stage = i if inverse else len(w) - 1 - i
            if inverse:
                _reorder(grad_x[block], orders[stage], False, scratch)
            _pull_coupling(
                w[stage], widths, n_kept, tape[block, stage], grad_x[block], grad_log_q[block], g, scratch,
                grad[row, stage], inverse, group > 0,
            )  # fmt: skip
            if not inverse:
                _reorder(grad_x[block], orders[stage], True, scratch)


@block_function
def _tangent_coupling(w, widths, n_kept, tape, dx, tangents):
    one, inverse_limit = w.dtype.type(1), w.dtype.type(_INVERSE_LIMIT)
    n_moved = len(dx) - n_kept
    _load(dx, n_kept, widths[0], tangents[n_moved:])
    mlp_tangent(w, widths, tape[n_moved:], tangents[n_moved:])
    first = len(tape) - widths[-1]
    for r in range(n_moved):
        i, j = n_kept + r, n_moved + r
        for lane in range(LANES):
            factor, ratio = tape[first + r, lane], tape[first + j, lane] * inverse_limit
            w2 = one - ratio * ratio
            ds = tangents[first + j, lane] * w2 * sqrt(w2)
            dt = tangents[first + r, lane]
            tangents[r, lane] = dx[i, lane] = (dx[i, lane] - dt) * factor - tape[r, lane] * ds


@kernel
def tangent(w, widths, n_kept, orders, tape, dx, tangents, scratch):
    """Tangent of the inverse pass: turn dx into the output's tangent; fill ``tangents``, laid out as the tape.

    In place of [t, r] it holds their tangents.
    """
    for block in range(len(tape)):
        for i in range(len(w)):
            stage = len(w) - 1 - i
            _tangent_coupling(w[stage], widths, n_kept, tape[block, stage], dx[block], tangents[block, stage])
            _reorder(dx[block], orders[stage], True, scratch)


@block_function
def _pull_tangent_coupling(
    w, widths, n_kept, tape, tangents, grad_x, dgrad_x, grad_log_q, g, dg, scratch, dscratch
):  # fmt: skip
    one, inverse_limit = w.dtype.type(1), w.dtype.type(_INVERSE_LIMIT)
    curvature_scale = w.dtype.type(-3 * _INVERSE_LIMIT)
    n_moved = len(grad_x) - n_kept
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
            a, da = grad_x[i, lane], dgrad_x[i, lane]
            through, dthrough = a * factor, da * factor - a * factor * ds
            grad_x[i, lane], dgrad_x[i, lane] = through, dthrough
            g[r, lane], dg[r, lane] = -through, -dthrough
            gs = -a * tape[r, lane] - grad_log_q[lane]
            dgs = -da * tape[r, lane] - a * tangents[r, lane]
            g[j, lane], dg[j, lane] = gs * slope, dgs * slope + gs * curvature * dr
    mlp_pull_tangent(w, widths, tape[n_moved:], tangents[n_moved:], g, dg, scratch, dscratch)
    for r in range(n_kept):
        for lane in range(LANES):
            grad_x[r, lane] += g[r, lane]
            dgrad_x[r, lane] += dg[r, lane]


@kernel
def pull_tangent(w, widths, n_kept, orders, tape, tangents, grad_x, dgrad_x, grad_log_q, buffers):
    """Turn grad_x and its tangent into those of the inverse pass's input.

    ``buffers`` (4, widest layer, LANES) is scratch.
    """
    g, dg, scratch, dscratch = buffers[0], buffers[1], buffers[2], buffers[3]
    for block in range(len(tape)):
        for stage in range(len(w)):
            _reorder(grad_x[block], orders[stage], False, scratch)
            _reorder(dgrad_x[block], orders[stage], False, scratch)
            _pull_tangent_coupling(
                w[stage], widths, n_kept, tape[block, stage], tangents[block, stage], grad_x[block], dgrad_x[block],
                grad_log_q[block], g, dg, scratch, dscratch,
            )  # fmt: skip
