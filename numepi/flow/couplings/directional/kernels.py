"""Compiled passes of `numepi.flow.couplings.directional.stack.DirectionStack` over blocks of samples.

A block goes through all stages in place; its state is all vectors (vectors, length, LANES), the anchors behind the
others.  A stage's tape: ``before``, the moved vector as the pass found it; and rows (rows, LANES): the Gram matrix, the
network's activations, the coefficients (see `numepi.flow.couplings.directional.coefficients`).

The functions of one stage serve real and complex numbers; the latter give the tangents (but the network has its own).
"""

from numepi.flow.couplings.directional.coefficients import (
    coefficients,
    coefficients_pull,
    features,
    features_pull,
    transpose,
)
from numepi.flow.networks.mlp_kernels import clear, mlp_pull, mlp_run
from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import block_function, kernel

__all__ = ["bend", "inner_products", "load_state", "move", "pull", "pull_inner_products", "run", "spread"]


@block_function
def load_state(x, anchors, state):
    """The vectors of a block x (D, LANES), and the anchors (anchors, length)."""
    vectors = len(state) - len(anchors)
    length = state.shape[1]
    for k in range(len(state)):
        for i in range(length):
            for lane in range(LANES):
                state[k, i, lane] = x[k * length + i, lane] if k < vectors else anchors[k - vectors, i]


@block_function
def bend(state, moved, bends, directions):
    """Fill directions (r, length, LANES): the vectors that stay, bent by x -> x (1 + kappa x^2 / (1 + x^2))."""
    for k in range(len(directions)):
        kappa = bends[k]
        vector = state[k + (k >= moved)]
        for i in range(state.shape[1]):
            for lane in range(LANES):
                x = vector[i, lane]
                square = x * x
                directions[k, i, lane] = x + kappa * (x * square / (1 + square))


@block_function
def inner_products(directions, vector, gram, overlap):
    """Fill gram with those of all directions, overlap with those of directions and ``vector`` (length, LANES)."""
    r = len(directions)
    clear(gram, r * (r + 1) // 2)
    clear(overlap, r)
    for i in range(directions.shape[1]):
        for k in range(r):
            b = directions[k, i]
            for j in range(k + 1):
                other, row = directions[j, i], k * (k + 1) // 2 + j
                for lane in range(LANES):
                    gram[row, lane] += b[lane] * other[lane]
            for lane in range(LANES):
                overlap[k, lane] += b[lane] * vector[i, lane]


@block_function
def move(directions, vector, rows, before, inverse):
    """The moved vector's new value; its old one goes to ``before``."""
    r = len(directions)
    for i in range(len(vector)):
        v = vector[i]
        for lane in range(LANES):
            before[i, lane] = v[lane]
            if not inverse:
                v[lane] *= rows[0, lane]
        for k in range(r):
            for lane in range(LANES):
                change = rows[1 + r + k, lane] * directions[k, i, lane]
                v[lane] += -change if inverse else change
        if inverse:
            for lane in range(LANES):
                v[lane] /= rows[0, lane]


@kernel
def run(w, widths, anchors, bends, order, x, y, rows, before, log_q, state, directions, inverse):
    """Fill y, rows (blocks, stages, rows, LANES) and before (blocks, stages, length, LANES); update log_q.

    w (stages, packed) holds the networks, bends (stages, r) kappa, order (stages,) the vector that each stage moves;
    ``state`` (vectors, length, LANES) and ``directions`` (r, length, LANES) are scratch.
    """
    r, length = len(directions), state.shape[1]
    pairs = r * (r + 1) // 2
    for block in range(len(x)):
        load_state(x[block], anchors, state)
        for i in range(len(order)):
            stage = len(order) - 1 - i if inverse else i
            moved = order[stage]
            tape = rows[block, stage]
            gram, network = tape[:pairs], tape[pairs : len(tape) - 1 - 4 * r]
            coefficient_rows = tape[len(tape) - 1 - 4 * r :]
            bend(state, moved, bends[stage], directions)
            inner_products(directions, state[moved], gram, coefficient_rows[1 + 3 * r :])
            clear(network, widths[0])
            features(gram, r, length, network)
            mlp_run(w[stage], widths, network)
            outputs = network[len(network) - widths[-1] :]
            coefficients(gram, r, length, outputs, coefficient_rows, log_q[block], inverse)
            move(directions, state[moved], coefficient_rows, before[block, stage], inverse)
        for j in range(x.shape[1]):
            for lane in range(LANES):
                y[block, j, lane] = state[j // length, j % length, lane]


@block_function
def pull_inner_products(directions, g, v, rows, overlap, power, inverse):
    """Inner products of the cotangent g that `coefficients_pull` and `transpose` start from; v is the forward input."""
    r = len(directions)
    clear(overlap, r)
    for lane in range(LANES):
        power[lane] = 0
    for i in range(len(g)):
        for lane in range(LANES):
            power[lane] += g[i, lane] * v[i, lane]
        for k in range(r):
            for lane in range(LANES):
                overlap[k, lane] += directions[k, i, lane] * g[i, lane]
    for lane in range(LANES):
        if inverse:
            for k in range(r):
                overlap[k, lane] /= rows[0, lane]
        else:
            power[lane] *= rows[0, lane]


@block_function
def spread(state, directions, grad, moved, bends, rows, before, back, delta, grad_gram, grad_bends, total, inverse):
    """From the cotangent of the output of a stage to that of its input; and the state goes back to its input.

    ``total`` (LANES,) is scratch.
    """
    r = len(directions)
    clear(grad_bends, r)
    for i in range(state.shape[1]):
        g, v = grad[moved, i], state[moved, i]
        if inverse:  # v becomes e v, g becomes lambda
            for lane in range(LANES):
                v[lane] *= rows[0, lane]
                g[lane] /= rows[0, lane]
            for k in range(r):
                for lane in range(LANES):
                    g[lane] += delta[k, lane] * directions[k, i, lane]
        else:
            for lane in range(LANES):
                v[lane] = rows[0, lane] * before[i, lane]
        for k in range(r):
            for lane in range(LANES):
                along = rows[1 + r + k, lane] * g[lane] + back[k, lane] * v[lane]
                total[lane] = -along if inverse else along
            for j in range(r):
                row = k * (k + 1) // 2 + j if j < k else j * (j + 1) // 2 + k
                for lane in range(LANES):
                    part = grad_gram[row, lane] * directions[j, i, lane]
                    total[lane] += part + part if j == k else part
            kappa, other = bends[k], k + (k >= moved)
            for lane in range(LANES):
                x = state[other, i, lane]
                share = x * x / (1 + x * x)
                grad[other, i, lane] += total[lane] * (1 + kappa * (share * (3 - share - share)))
                grad_bends[k, lane] += total[lane] * (x * share)
        if not inverse:
            for k in range(r):
                for lane in range(LANES):
                    g[lane] += back[k, lane] * directions[k, i, lane]
            for lane in range(LANES):
                g[lane] *= rows[0, lane]
        for lane in range(LANES):
            v[lane] = before[i, lane]


@kernel
def pull(
    w, widths, anchors, bends, order, y, rows, before, grad_y, grad_log_q, grad_x, grad_theta, states, directions, work,
    buffers, inverse, group,
):  # fmt: skip
    """Fill grad_x; add the gradients of anchors, bends and networks, in this order, to grad_theta (groups, ...).

    Each ``group`` of blocks adds to its own row; with ``group`` = 0 they are left out.  ``states`` (2, vectors, length,
    LANES), ``directions`` (r, length, LANES), ``work`` (4 r + 2 + pairs, LANES) and ``buffers`` (2, widest layer,
    LANES) are scratch.
    """
    state, grad = states[0], states[1]
    r, length, dim = len(directions), state.shape[1], y.shape[1]
    pairs = r * (r + 1) // 2
    overlap, back, delta, grad_bends = work[:r], work[r : 2 * r], work[2 * r : 3 * r], work[3 * r : 4 * r]
    grad_gram, power, total = work[4 * r : 4 * r + pairs], work[4 * r + pairs], work[4 * r + pairs + 1]
    g = buffers[0]
    for block in range(len(y)):
        row = block // group if group else 0
        load_state(y[block], anchors, state)
        for j in range(dim):
            for lane in range(LANES):
                grad[j // length, j % length, lane] = grad_y[block, j, lane]
        for k in range(len(anchors)):
            clear(grad[len(grad) - 1 - k], length)
        for i in range(len(order)):
            stage = i if inverse else len(order) - 1 - i
            moved = order[stage]
            tape, old = rows[block, stage], before[block, stage]
            gram, network = tape[:pairs], tape[pairs : len(tape) - 1 - 4 * r]
            coefficient_rows = tape[len(tape) - 1 - 4 * r :]
            bend(state, moved, bends[stage], directions)
            v = state[moved] if inverse else old
            pull_inner_products(directions, grad[moved], v, coefficient_rows, overlap, power, inverse)
            if inverse:
                transpose(gram, r, coefficient_rows, overlap, delta)
            clear(grad_gram, pairs)
            clear(g, widths[-1])
            outputs = network[len(network) - widths[-1] :]
            coefficients_pull(
                gram, r, length, outputs, coefficient_rows, overlap, power, grad_log_q[block], back, g, grad_gram,
                inverse,
            )  # fmt: skip
            start = anchors.size + bends.size + stage * w.shape[1]
            mlp_pull(w[stage], widths, network, g, buffers[1], grad_theta[row, start : start + w.shape[1]], group > 0)
            features_pull(gram, r, length, g, grad_gram)
            spread(
                state, directions, grad, moved, bends[stage], coefficient_rows, old, back, delta, grad_gram, grad_bends,
                total, inverse,
            )  # fmt: skip
            if group > 0:
                for k in range(r):
                    grad_theta[row, anchors.size + stage * r + k] += grad_bends[k].sum()
        for j in range(dim):
            for lane in range(LANES):
                grad_x[block, j, lane] = grad[j // length, j % length, lane]
        if group > 0:
            for k in range(len(anchors)):
                for i in range(length):
                    grad_theta[row, k * length + i] += grad[len(grad) - len(anchors) + k, i].sum()
