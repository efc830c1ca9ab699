"""Tangent of the inverse pass of `numepi.flow.couplings.directional.stack.DirectionStack`, and of its pullback.

The stage functions of `numepi.flow.couplings.directional.kernels` run on complex numbers x + i h dx, with h so small
that h^2 is lost to rounding: real parts are the values, imaginary parts h times their tangents, without cancellation.
"""

from numepi.flow.couplings.directional.coefficients import (
    coefficients,
    coefficients_pull,
    features,
    features_pull,
    transpose,
)
from numepi.flow.couplings.directional.kernels import (
    bend,
    inner_products,
    load_state,
    move,
    pull_inner_products,
    spread,
)
from numepi.flow.networks.mlp_kernels import clear, mlp_pull_tangent, mlp_tangent
from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import block_function, kernel

__all__ = ["pull_tangent", "tangent"]

_STEP = 1e-20


@block_function
def _join(real, imaginary, count, out):
    for k in range(count):
        for lane in range(LANES):
            out[k, lane] = complex(real[k, lane], _STEP * imaginary[k, lane])


@block_function
def _split(values, count, real, imaginary):
    for k in range(count):
        for lane in range(LANES):
            real[k, lane] = values[k, lane].real
            imaginary[k, lane] = values[k, lane].imag / _STEP


@kernel
def tangent(
    w, widths, anchors, bends, order, x, dx, rows, dy, tangents, numbers, before, end, directions, work,
):  # fmt: skip
    """Fill dy, and the tape of the tangents: (blocks, stages, ..., LANES) but for ``end``.

    ``tangents`` are the network's; ``numbers`` (complex) the Gram matrix, the network's outputs and the coefficients;
    ``before`` (complex) the moved vectors; ``end`` (blocks, vectors, length, LANES) the state at the end.
    ``directions`` (r, length, LANES) and ``work`` (inputs + 1, LANES) are complex scratch.
    """
    r, length = end.shape[1] - 1, end.shape[2]
    pairs = r * (r + 1) // 2
    for block in range(len(x)):
        state = end[block]
        load_state(x[block], anchors, state)
        for j in range(x.shape[1]):
            for lane in range(LANES):
                state[j // length, j % length, lane] += complex(0.0, _STEP * dx[block, j, lane])
        for i in range(len(order)):
            stage = len(order) - 1 - i
            moved = order[stage]
            tape, change, joint = rows[block, stage], tangents[block, stage], numbers[block, stage]
            network = tape[pairs : len(tape) - 1 - 4 * r]
            gram, outputs, own = joint[:pairs], joint[pairs : pairs + 1 + 2 * r], joint[pairs + 1 + 2 * r :]
            bend(state, moved, bends[stage], directions)
            inner_products(directions, state[moved], gram, own[1 + 3 * r :])
            features(gram, r, length, work)
            clear(change, widths[0])
            for k in range(r * (r + 1)):
                for lane in range(LANES):
                    change[k, lane] = work[k, lane].imag / _STEP
            mlp_tangent(w[stage], widths, network, change)
            last = len(network) - widths[-1]
            _join(network[last:], change[last:], 1 + 2 * r, outputs)
            coefficients(gram, r, length, outputs, own, work[-1], True)
            move(directions, state[moved], own, before[block, stage], True)
        for j in range(x.shape[1]):
            for lane in range(LANES):
                dy[block, j, lane] = state[j // length, j % length, lane].imag / _STEP


@kernel
def pull_tangent(
    w, widths, bends, order, rows, tangents, numbers, before, end, grad_y, tangent_grad, grad_log_q, grad_x,
    tangent_grad_x, states, directions, work, buffers,
):  # fmt: skip
    """Fill grad_x and tangent_grad_x.

    ``states`` (2, vectors, length, LANES), ``directions`` (r, length, LANES) and ``work`` (4 r + 2 + pairs + the larger
    of the network's ends, LANES) are complex scratch, ``buffers`` (4, widest layer, LANES) real.
    """
    r, length, dim = end.shape[1] - 1, end.shape[2], grad_y.shape[1]
    pairs = r * (r + 1) // 2
    state, grad = states[0], states[1]
    overlap, back, delta, grad_bends = work[:r], work[r : 2 * r], work[2 * r : 3 * r], work[3 * r : 4 * r]
    grad_gram, power, total = work[4 * r : 4 * r + pairs], work[4 * r + pairs], work[4 * r + pairs + 1]
    g = work[4 * r + pairs + 2 :]
    for block in range(len(grad_y)):
        for k in range(len(state)):
            for i in range(length):
                for lane in range(LANES):
                    state[k, i, lane] = end[block, k, i, lane]
                    grad[k, i, lane] = 0
        for j in range(dim):
            for lane in range(LANES):
                value = complex(grad_y[block, j, lane], _STEP * tangent_grad[block, j, lane])
                grad[j // length, j % length, lane] = value
        for stage in range(len(order)):
            moved = order[stage]
            tape, change, joint = rows[block, stage], tangents[block, stage], numbers[block, stage]
            network = tape[pairs : len(tape) - 1 - 4 * r]
            gram, outputs, own = joint[:pairs], joint[pairs : pairs + 1 + 2 * r], joint[pairs + 1 + 2 * r :]
            bend(state, moved, bends[stage], directions)
            pull_inner_products(directions, grad[moved], state[moved], own, overlap, power, True)
            transpose(gram, r, own, overlap, delta)
            clear(grad_gram, pairs)
            coefficients_pull(
                gram, r, length, outputs, own, overlap, power, grad_log_q[block], back, g, grad_gram, True
            )
            clear(buffers[0], widths[-1])
            clear(buffers[1], widths[-1])
            _split(g, 1 + 2 * r, buffers[0], buffers[1])
            mlp_pull_tangent(w[stage], widths, network, change, buffers[0], buffers[1], buffers[2], buffers[3])
            _join(buffers[0], buffers[1], r * (r + 1), g)
            features_pull(gram, r, length, g, grad_gram)
            spread(
                state, directions, grad, moved, bends[stage], own, before[block, stage], back, delta, grad_gram,
                grad_bends, total, True,
            )  # fmt: skip
        for j in range(dim):
            for lane in range(LANES):
                value = grad[j // length, j % length, lane]
                grad_x[block, j, lane], tangent_grad_x[block, j, lane] = value.real, value.imag / _STEP
