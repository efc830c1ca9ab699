"""Compiled passes of `numepi.flow.couplings.lens.stack.LensStack` over blocks of samples; float64 but for networks.

A block goes through all stages in place; its state is all vectors (vectors, length, LANES) on the line, and ``places``,
where they are in the box.  A stage's tape: ``trail`` (3, length, LANES), the moved vector as the pass found it, then
made standard, then moved; and the rows of its network.  What is small is computed again on the way back.
"""

from numepi.flow.couplings.lens.basis import cholesky, features, features_pull
from numepi.flow.couplings.lens.stages import (
    affine,
    affine_pull,
    along,
    coefficients,
    gram,
    gram_pull,
    lens,
    lens_pull,
    move,
    move_pull,
    place,
    places_pull,
)
from numepi.flow.networks.mlp_kernels import clear, mlp_pull, mlp_run
from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import kernel

__all__ = ["pull", "run"]


@kernel
def run(w, widths, order, unit, x, y, trail, rows, log_q, state, small, inverse):
    """Fill y, ``trail`` (blocks, stages, 3, length, LANES), ``rows`` (blocks, stages, units, LANES); update log_q.

    ``state`` (2, vectors, length, LANES) and ``small`` (pairs + 4 r + 1, LANES) are scratch.
    """
    vectors, places = state[0], state[1]
    length, r = state.shape[2], state.shape[1] - 1
    pairs = r * (r + 1) // 2
    triangle, numbers = small[:pairs], small[pairs : pairs + 2 * r + 1]
    zeta, beta = small[pairs + 2 * r + 1 : pairs + 3 * r + 1], small[pairs + 3 * r + 1 :]
    for block in range(len(x)):
        for k in range(r + 1):
            vectors[k] = x[block, k * length : (k + 1) * length]
            place(vectors[k], places[k])
        for i in range(len(order)):
            stage = len(order) - 1 - i if inverse else i
            moved, network, steps = order[stage], rows[block, stage], trail[block, stage]
            v = vectors[moved]
            gram(places, moved, triangle)
            cholesky(triangle, r, triangle)
            clear(network, widths[0])
            features(triangle, r, unit, network)
            mlp_run(w[stage], widths, network)
            outputs = network[len(network) - widths[-1] :]
            base_side, support_side = outputs[: r + 1], outputs[r + 1 : 2 * r + 2]
            affine(outputs, r, length, numbers, log_q[block], inverse)
            steps[0] = v
            lens(v, places, moved, support_side if inverse else base_side, 1.0 if inverse else -1.0, True, log_q[block])
            steps[1] = v
            along(places, moved, v, zeta)
            coefficients(numbers, r, triangle, zeta, beta)
            move(v, places, moved, numbers, beta)
            steps[2] = v
            lens(
                v, places, moved, base_side if inverse else support_side, -1.0 if inverse else 1.0, False, log_q[block]
            )
            place(v, places[moved])
        for k in range(r + 1):
            y[block, k * length : (k + 1) * length] = vectors[k]


@kernel
def pull(
    w, widths, order, unit, y, trail, rows, grad_y, grad_log_q, grad_x, grad_theta, state, small, buffers, inverse,
    group,
):  # fmt: skip
    """Fill grad_x; add the gradients of the networks to grad_theta (groups, stages * packed).

    Each ``group`` of blocks adds to its own row; with ``group`` = 0 they are left out.  ``state`` (4, vectors, length,
    LANES), ``small`` (2 pairs + 12 r + 6, LANES) and ``buffers`` (2, widest layer, LANES) are scratch.
    """
    vectors, places, grads, grad_places = state[0], state[1], state[2], state[3]
    length, r = state.shape[2], state.shape[1] - 1
    pairs = r * (r + 1) // 2
    triangle, grad_triangle, rest = small[:pairs], small[pairs : 2 * pairs], small[2 * pairs :]
    numbers, grad_numbers = rest[: 2 * r + 1], rest[2 * r + 1 : 4 * r + 2]
    zeta, beta, scratch = rest[4 * r + 2 : 5 * r + 2], rest[5 * r + 2 : 6 * r + 2], rest[6 * r + 2 : 8 * r + 2]
    unused, grad_outputs, g = rest[8 * r + 2], rest[8 * r + 3 :], buffers[0]
    for block in range(len(y)):
        row = block // group if group else 0
        for k in range(r + 1):
            vectors[k] = y[block, k * length : (k + 1) * length]
            grads[k] = grad_y[block, k * length : (k + 1) * length]
            place(vectors[k], places[k])
        for i in range(len(order)):
            stage = i if inverse else len(order) - 1 - i
            moved, network, steps = order[stage], rows[block, stage], trail[block, stage]
            outputs = network[len(network) - widths[-1] :]
            base_side, support_side = outputs[: r + 1], outputs[r + 1 : 2 * r + 2]
            grad_base_side, grad_support_side = grad_outputs[: r + 1], grad_outputs[r + 1 : 2 * r + 2]
            for k in range(r + 1):
                clear(grad_places[k], length)
            clear(grad_triangle, pairs)
            gram(places, moved, triangle)
            cholesky(triangle, r, triangle)
            affine(outputs, r, length, numbers, unused, inverse)
            along(places, moved, steps[1], zeta)
            coefficients(numbers, r, triangle, zeta, beta)
            grad = grads[moved]
            lens_pull(
                vectors[moved], steps[2], grad, places, moved, base_side if inverse else support_side,
                -1.0 if inverse else 1.0, False, grad_log_q[block],
                grad_base_side if inverse else grad_support_side, grad_places,
            )  # fmt: skip
            move_pull(
                steps[1], grad, places, moved, numbers, triangle, zeta, beta, scratch, grad_numbers, grad_triangle,
                grad_places,
            )  # fmt: skip
            lens_pull(
                steps[0], steps[1], grad, places, moved, support_side if inverse else base_side,
                1.0 if inverse else -1.0, True, grad_log_q[block],
                grad_support_side if inverse else grad_base_side, grad_places,
            )  # fmt: skip
            affine_pull(outputs, r, length, numbers, grad_numbers, grad_log_q[block], grad_outputs, inverse)
            clear(g, widths[-1])
            for k in range(4 * r + 3):
                for lane in range(LANES):
                    g[k, lane] = grad_outputs[k, lane]
            start = stage * w.shape[1]
            mlp_pull(w[stage], widths, network, g, buffers[1], grad_theta[row, start : start + w.shape[1]], group > 0)
            features_pull(triangle, r, g, grad_triangle)
            gram_pull(places, moved, triangle, grad_triangle, grad_places)
            vectors[moved] = steps[0]
            place(vectors[moved], places[moved])
            places_pull(vectors, moved, grad_places, grads)
        for k in range(r + 1):
            grad_x[block, k * length : (k + 1) * length] = grads[k]
