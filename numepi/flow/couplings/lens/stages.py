"""What a stage of `numepi.flow.couplings.lens.stack.LensStack` is made of, on one block of samples, with VJPs.

``places`` (p, length, LANES) says where all vectors are in the box; the ``moved`` one is left out of what goes along
the others, the r rows of B.  Their basis is L^-1 B (`numepi.flow.couplings.lens.basis`).
"""

import numpy as np

from numepi.flow.couplings.lens.basis import cholesky_pull, solve, solve_transposed
from numepi.flow.elementwise.normal_tails import normal_tails
from numepi.flow.networks.mlp_kernels import clear
from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import block_function
from numepi.kernels.fastmath import exp

__all__ = [
    "along", "extend", "extend_pull", "gram", "gram_pull", "place", "place_pull", "project", "project_pull", "stretch",
    "stretch_pull",
]  # fmt: skip

_DENSITY = 2.0 / np.sqrt(2 * np.pi)


@block_function
def place(vector, place):
    """Where a vector on the line is in the box, component by component."""
    for i in range(len(vector)):
        for lane in range(LANES):
            below, above, _ = normal_tails(vector[i, lane])
            place[i, lane] = below - above


@block_function
def gram(places, moved, out):
    """Inner products of the vectors that stay."""
    r = len(places) - 1
    clear(out, r * (r + 1) // 2)
    for i in range(places.shape[1]):
        for k in range(r):
            b = places[k + (k >= moved), i]
            for j in range(k + 1):
                other, row = places[j + (j >= moved), i], k * (k + 1) // 2 + j
                for lane in range(LANES):
                    out[row, lane] += b[lane] * other[lane]


@block_function
def along(places, moved, vector, out):
    """Inner products of the vectors that stay with ``vector``."""
    r = len(places) - 1
    clear(out, r)
    for i in range(len(vector)):
        for k in range(r):
            b = places[k + (k >= moved), i]
            for lane in range(LANES):
                out[k, lane] += b[lane] * vector[i, lane]


@block_function
def project(places, moved, triangle, vector, out):
    """Overlaps L^-1 B v (r) of a vector with the orthonormal basis."""
    along(places, moved, vector, out)
    solve(triangle, len(places) - 1, out)


@block_function
def project_pull(places, moved, triangle, vector, out, grad_out, grad, grad_triangle, grad_places):
    """VJP of `project`; ``grad_out`` is overwritten, the others are added to."""
    r = len(places) - 1
    solve_transposed(triangle, r, grad_out)
    for i in range(r):
        for j in range(i + 1):
            for lane in range(LANES):
                grad_triangle[i * (i + 1) // 2 + j, lane] -= grad_out[i, lane] * out[j, lane]
    for i in range(len(vector)):
        for k in range(r):
            other = k + (k >= moved)
            for lane in range(LANES):
                grad[i, lane] += grad_out[k, lane] * places[other, i, lane]
                grad_places[other, i, lane] += grad_out[k, lane] * vector[i, lane]


@block_function
def extend(places, moved, triangle, overlaps, sign, coordinates, vector):
    """Add ``sign`` times what has these ``overlaps`` and lies in the basis: B^T L^-T zeta; fill L^-T zeta."""
    r = len(places) - 1
    for k in range(r):
        for lane in range(LANES):
            coordinates[k, lane] = overlaps[k, lane]
    solve_transposed(triangle, r, coordinates)
    for i in range(len(vector)):
        for k in range(r):
            b = places[k + (k >= moved), i]
            for lane in range(LANES):
                vector[i, lane] += sign * b[lane] * coordinates[k, lane]


@block_function
def extend_pull(places, moved, triangle, overlaps, sign, scratch, grad, grad_overlaps, grad_triangle, grad_places):
    """VJP of `extend` from ``grad``, that of the vector, which stays; the others are added to."""
    r = len(places) - 1
    coordinates, own = scratch[:r], scratch[r:]
    for k in range(r):
        for lane in range(LANES):
            coordinates[k, lane] = sign * overlaps[k, lane]
    solve_transposed(triangle, r, coordinates)
    project(places, moved, triangle, grad, own)
    for i in range(r):
        for j in range(i + 1):
            for lane in range(LANES):
                grad_triangle[i * (i + 1) // 2 + j, lane] -= coordinates[i, lane] * own[j, lane]
    for k in range(r):
        for lane in range(LANES):
            grad_overlaps[k, lane] += sign * own[k, lane]
    for i in range(len(grad)):
        for k in range(r):
            for lane in range(LANES):
                grad_places[k + (k >= moved), i, lane] += coordinates[k, lane] * grad[i, lane]


@block_function
def stretch(vector, log_scale, sign):
    """Multiply by e^(sign sigma)."""
    for lane in range(LANES):
        scale = np.exp(sign * log_scale[lane])
        for i in range(len(vector)):
            vector[i, lane] *= scale


@block_function
def stretch_pull(after, log_scale, sign, grad, grad_log_scale):
    """VJP of `stretch`, whose result is ``after``: ``grad`` is overwritten, that of sigma added to."""
    for i in range(len(grad)):
        for lane in range(LANES):
            grad_log_scale[lane] += sign * grad[i, lane] * after[i, lane]
    stretch(grad, log_scale, sign)


@block_function
def gram_pull(places, moved, triangle, grad_triangle, grad_places):
    """From the gradient of L, which is overwritten, to that of the vectors that stay, which is added to."""
    r = len(places) - 1
    cholesky_pull(triangle, r, grad_triangle)
    for i in range(places.shape[1]):
        for k in range(r):
            for j in range(r):
                row = k * (k + 1) // 2 + j if j < k else j * (j + 1) // 2 + k
                b = places[j + (j >= moved), i]
                for lane in range(LANES):
                    part = grad_triangle[row, lane] * b[lane]
                    grad_places[k + (k >= moved), i, lane] += part + part if j == k else part


@block_function
def place_pull(vector, grad_place, grad):
    """VJP of `place`; ``grad`` is added to."""
    for i in range(len(vector)):
        for lane in range(LANES):
            grad[i, lane] += grad_place[i, lane] * (_DENSITY * exp(-0.5 * vector[i, lane] * vector[i, lane]))
