"""Compiled passes of `numepi.flow.couplings.lens.stack.LensStack` over blocks of samples; float64 but for networks.

A block goes through all stages in place; its state is all vectors (vectors, length, LANES) on the line, and ``places``,
where they are in the box.  A stage's tape: ``trail`` (4, length, LANES), the moved vector as the pass found it, then
made standard, then moved, and where its rest alone would be in the box; and the rows of its network.  What is small is
computed again on the way back.
"""

import numpy as np

from numepi.flow.couplings.clamp import LOG_SCALE_LIMIT, soft, soft_slope
from numepi.flow.couplings.lens import lenses
from numepi.flow.couplings.lens.basis import cholesky, features, features_pull
from numepi.flow.couplings.lens.overlaps import (
    from_base,
    from_base_pull,
    to_base,
    to_base_pull,
)
from numepi.flow.couplings.lens.stages import (
    extend,
    extend_pull,
    gram,
    gram_pull,
    place,
    place_pull,
    project,
    project_pull,
    stretch,
    stretch_pull,
)
from numepi.flow.networks.mlp_kernels import clear, mlp_pull, mlp_run
from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import block_function, kernel

__all__ = ["pull", "run"]


@block_function
def _move(v, places, moved, triangle, support_side, box, own, at, small, log_q, inverse):
    """The middle of a stage, in place: overlaps and the rest of a standard vector, to the other side.

    ``box`` is that of the support's side; fills ``at``, where in the box the rest would be.
    """
    length, r = len(v), len(places) - 1
    here, there, cut, coordinates = small[:r], small[r : 2 * r], small[2 * r : 3 * r], small[3 * r : 4 * r]
    sigma = small[4 * r]
    for lane in range(LANES):
        sigma[lane] = soft(np.float64(own[0, lane]), LOG_SCALE_LIMIT)
        log_q[lane] -= (length - r) * sigma[lane]
    project(places, moved, triangle, v, here)
    extend(places, moved, triangle, here, -1.0, coordinates, v)
    if not inverse:
        stretch(v, sigma, 1.0)
    lenses.shadow(v, support_side, r, box, at)
    project(places, moved, triangle, at, cut)
    if inverse:
        to_base(own, r, here, cut, there, log_q)
        stretch(v, sigma, -1.0)
    else:
        from_base(own, r, here, cut, there, log_q)
    extend(places, moved, triangle, there, 1.0, coordinates, v)


@block_function
def _move_pull(
    steps, grad, places, moved, triangle, support_side, box, own, small, scratch, grad_log_q, grad_support_side,
    grad_own, grad_triangle, grad_places, inverse,
):  # fmt: skip
    """VJP of `_move`; ``grad`` is overwritten, ``scratch`` (2, length, LANES) too."""
    length, r = len(grad), len(places) - 1
    base, support = (steps[2], steps[1]) if inverse else (steps[1], steps[2])
    zeta, moved_zeta, cut, coordinates = small[:r], small[r : 2 * r], small[2 * r : 3 * r], small[3 * r : 5 * r]
    grad_zeta, grad_moved, grad_cut = small[5 * r : 6 * r], small[6 * r : 7 * r], small[7 * r : 8 * r]
    sigma, grad_sigma, rest, grad_at = small[8 * r], small[8 * r + 1], scratch[0], scratch[1]
    project(places, moved, triangle, base, zeta)
    project(places, moved, triangle, support, moved_zeta)
    project(places, moved, triangle, steps[3], cut)
    for i in range(length):
        for lane in range(LANES):
            rest[i, lane] = support[i, lane]
    extend(places, moved, triangle, moved_zeta, -1.0, coordinates, rest)
    clear(grad_zeta, r)
    clear(grad_moved, r)
    clear(grad_at, length)
    for lane in range(LANES):
        sigma[lane] = soft(np.float64(own[0, lane]), LOG_SCALE_LIMIT)
        grad_sigma[lane] = -(length - r) * grad_log_q[lane]
    if inverse:
        extend_pull(places, moved, triangle, zeta, 1.0, coordinates, grad, grad_zeta, grad_triangle, grad_places)
        stretch(rest, sigma, -1.0)
        stretch_pull(rest, sigma, -1.0, grad, grad_sigma)
        stretch(rest, sigma, 1.0)
        to_base_pull(own, r, zeta, cut, grad_zeta, grad_log_q, grad_own, grad_moved, grad_cut)
    else:
        extend_pull(places, moved, triangle, moved_zeta, 1.0, coordinates, grad, grad_moved, grad_triangle, grad_places)
        from_base_pull(own, r, zeta, cut, grad_moved, grad_log_q, grad_own, grad_zeta, grad_cut)
    project_pull(places, moved, triangle, steps[3], cut, grad_cut, grad_at, grad_triangle, grad_places)
    lenses.shadow_pull(rest, steps[3], grad_at, places, moved, support_side, box, grad_support_side, grad_places)
    for i in range(length):
        for lane in range(LANES):
            grad[i, lane] += grad_at[i, lane]
    if not inverse:
        stretch_pull(rest, sigma, 1.0, grad, grad_sigma)
    for lane in range(LANES):
        grad_own[0, lane] = grad_sigma[lane] * soft_slope(np.float64(own[0, lane]), LOG_SCALE_LIMIT)
    here, grad_here = (moved_zeta, grad_moved) if inverse else (zeta, grad_zeta)
    extend_pull(places, moved, triangle, here, -1.0, coordinates, grad, grad_here, grad_triangle, grad_places)
    project_pull(places, moved, triangle, steps[1], here, grad_here, grad, grad_triangle, grad_places)


@kernel
def run(w, widths, order, unit, x, y, trail, rows, log_q, state, box, small, inverse):
    """Fill y, ``trail`` (blocks, stages, 4, length, LANES), ``rows`` (blocks, stages, units, LANES); update log_q.

    ``state`` (2, vectors, length, LANES), ``box`` (length, BOX * LANES) and ``small`` (pairs + 4 r + 1, LANES) are
    scratch.
    """
    vectors, places = state[0], state[1]
    length, r = state.shape[2], state.shape[1] - 1
    pairs = r * (r + 1) // 2
    triangle, rest = small[:pairs], small[pairs:]
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
            base_side, support_side, own = outputs[: r + 1], outputs[r + 1 : 2 * r + 2], outputs[2 * r + 2 :]
            steps[0] = v
            first, last, sign = (support_side, base_side, 1.0) if inverse else (base_side, support_side, -1.0)
            lenses.fill(places, moved, first, box)
            lenses.standardise(v, places[moved], first, r, box, sign, log_q[block])
            steps[1] = v
            if not inverse:
                lenses.fill(places, moved, last, box)
            _move(v, places, moved, triangle, support_side, box, own, steps[3], rest, log_q[block], inverse)
            steps[2] = v
            if inverse:
                lenses.fill(places, moved, last, box)
            lenses.unstandardise(v, places[moved], last, r, box, -sign, log_q[block])
        for k in range(r + 1):
            y[block, k * length : (k + 1) * length] = vectors[k]


@kernel
def pull(
    w, widths, order, unit, y, trail, rows, grad_y, grad_log_q, grad_x, grad_theta, state, box, scratch,
    small, buffers, inverse, group,
):  # fmt: skip
    """Fill grad_x; add the gradients of the networks to grad_theta (groups, stages * packed).

    Each ``group`` of blocks adds to its own row; with ``group`` = 0 they are left out.  ``state`` (4, vectors, length,
    LANES), ``box`` (length, BOX * LANES), ``scratch`` (2, length, LANES), ``small`` (2 pairs + 8 r + 2 + outputs,
    LANES) and ``buffers`` (2, widest layer, LANES) are scratch.
    """
    vectors, places, grads, grad_places = state[0], state[1], state[2], state[3]
    length, r = state.shape[2], state.shape[1] - 1
    pairs = r * (r + 1) // 2
    triangle, grad_triangle, rest = small[:pairs], small[pairs : 2 * pairs], small[2 * pairs : 2 * pairs + 8 * r + 2]
    grad_outputs, g = small[2 * pairs + 8 * r + 2 :], buffers[0]
    grad_base_side, grad_support_side = grad_outputs[: r + 1], grad_outputs[r + 1 : 2 * r + 2]
    for block in range(len(y)):
        row = block // group if group else 0
        for k in range(r + 1):
            vectors[k] = y[block, k * length : (k + 1) * length]
            grads[k] = grad_y[block, k * length : (k + 1) * length]
            place(vectors[k], places[k])
            clear(grad_places[k], length)
        for i in range(len(order)):
            stage = i if inverse else len(order) - 1 - i
            moved, network, steps = order[stage], rows[block, stage], trail[block, stage]
            outputs = network[len(network) - widths[-1] :]
            base_side, support_side, own = outputs[: r + 1], outputs[r + 1 : 2 * r + 2], outputs[2 * r + 2 :]
            clear(grad_triangle, pairs)
            clear(grad_outputs, len(grad_outputs))
            gram(places, moved, triangle)
            cholesky(triangle, r, triangle)
            grad, place_moved = grads[moved], places[moved]
            place_pull(vectors[moved], grad_places[moved], grad)
            clear(grad_places[moved], length)
            first, last, sign = (support_side, base_side, 1.0) if inverse else (base_side, support_side, -1.0)
            grad_first, grad_last = grad_base_side, grad_support_side
            if inverse:
                grad_first, grad_last = grad_support_side, grad_base_side
            lenses.fill_slopes(places, moved, last, box)
            lenses.pull(
                vectors[moved], place_moved, steps[2], grad, places, moved, last, box, -sign, False, grad_log_q[block],
                grad_last, grad_places,
            )  # fmt: skip
            if inverse:
                lenses.fill_slopes(places, moved, first, box)
            _move_pull(
                steps, grad, places, moved, triangle, support_side, box, own, rest, scratch, grad_log_q[block],
                grad_support_side, grad_outputs[2 * r + 2 :], grad_triangle, grad_places, inverse,
            )  # fmt: skip
            if not inverse:
                lenses.fill_slopes(places, moved, first, box)
            vectors[moved] = steps[0]
            place(vectors[moved], place_moved)
            lenses.pull(
                vectors[moved], place_moved, steps[1], grad, places, moved, first, box, sign, True, grad_log_q[block],
                grad_first, grad_places,
            )  # fmt: skip
            clear(g, widths[-1])
            for k in range(len(grad_outputs)):
                for lane in range(LANES):
                    g[k, lane] = grad_outputs[k, lane]
            start = stage * w.shape[1]
            mlp_pull(w[stage], widths, network, g, buffers[1], grad_theta[row, start : start + w.shape[1]], group > 0)
            features_pull(triangle, r, g, grad_triangle)
            gram_pull(places, moved, triangle, grad_triangle, grad_places)
        for k in range(r + 1):
            place_pull(vectors[k], grad_places[k], grads[k])
            grad_x[block, k * length : (k + 1) * length] = grads[k]
