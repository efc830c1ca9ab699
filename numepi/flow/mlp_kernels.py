"""Compiled passes of `numepi.flow.mlp.MLP` over one block of samples: value, VJP, tangent, tangent of the VJP.

Activations are rows of a block's tape (units, LANES): input, hidden layers, output.  Matrix products go by tiles of
4 x 4 weights held in registers, with the samples as the vector axis: nearly as fast as BLAS at these sizes, free of its
threads, and each sample's bits do not depend on its neighbours.
"""

from numepi.flow.blocks import LANES
from numepi.kernels.compile import block_function, vector_kernel
from numepi.kernels.fastmath import tanh

__all__ = ["clear", "mlp_pull", "mlp_pull_tangent", "mlp_run", "mlp_tangent"]


@block_function
def clear(x, rows):
    """Zero the first rows of a block."""
    for r in range(rows):
        for lane in range(LANES):
            x[r, lane] = 0


@block_function
def _accumulate(w, start, row_stride, column_stride, x, y):
    """y[r] += sum_c W[r, c] x[c], with W[r, c] = w[start + r * row_stride + c * column_stride]."""
    for r in range(0, len(y), 4):
        for c in range(0, len(x), 4):
            i0 = start + r * row_stride + c * column_stride
            i1, i2, i3 = i0 + row_stride, i0 + 2 * row_stride, i0 + 3 * row_stride
            s, s2, s3 = column_stride, 2 * column_stride, 3 * column_stride
            w00, w01, w02, w03 = w[i0], w[i0 + s], w[i0 + s2], w[i0 + s3]
            w10, w11, w12, w13 = w[i1], w[i1 + s], w[i1 + s2], w[i1 + s3]
            w20, w21, w22, w23 = w[i2], w[i2 + s], w[i2 + s2], w[i2 + s3]
            w30, w31, w32, w33 = w[i3], w[i3 + s], w[i3 + s2], w[i3 + s3]
            for lane in range(LANES):
                x0, x1, x2, x3 = x[c, lane], x[c + 1, lane], x[c + 2, lane], x[c + 3, lane]
                y[r, lane] += w00 * x0 + w01 * x1 + w02 * x2 + w03 * x3
                y[r + 1, lane] += w10 * x0 + w11 * x1 + w12 * x2 + w13 * x3
                y[r + 2, lane] += w20 * x0 + w21 * x1 + w22 * x2 + w23 * x3
                y[r + 3, lane] += w30 * x0 + w31 * x1 + w32 * x2 + w33 * x3


@vector_kernel
def _accumulate_outer(g, x, grad, start):
    """grad[start + r * columns + c] += sum over lanes of g[r] x[c]."""
    columns = len(x)
    zero = grad.dtype.type(0)
    for r in range(0, len(g), 4):
        for c in range(0, columns, 4):
            a00 = a01 = a02 = a03 = zero
            a10 = a11 = a12 = a13 = zero
            a20 = a21 = a22 = a23 = zero
            a30 = a31 = a32 = a33 = zero
            for lane in range(LANES):
                x0, x1, x2, x3 = x[c, lane], x[c + 1, lane], x[c + 2, lane], x[c + 3, lane]
                g0, g1, g2, g3 = g[r, lane], g[r + 1, lane], g[r + 2, lane], g[r + 3, lane]
                a00, a01, a02, a03 = a00 + g0 * x0, a01 + g0 * x1, a02 + g0 * x2, a03 + g0 * x3
                a10, a11, a12, a13 = a10 + g1 * x0, a11 + g1 * x1, a12 + g1 * x2, a13 + g1 * x3
                a20, a21, a22, a23 = a20 + g2 * x0, a21 + g2 * x1, a22 + g2 * x2, a23 + g2 * x3
                a30, a31, a32, a33 = a30 + g3 * x0, a31 + g3 * x1, a32 + g3 * x2, a33 + g3 * x3
            i0 = start + r * columns + c
            i1, i2, i3 = i0 + columns, i0 + 2 * columns, i0 + 3 * columns
            grad[i0], grad[i0 + 1], grad[i0 + 2], grad[i0 + 3] = (
                grad[i0] + a00,
                grad[i0 + 1] + a01,
                grad[i0 + 2] + a02,
                grad[i0 + 3] + a03,
            )
            grad[i1], grad[i1 + 1], grad[i1 + 2], grad[i1 + 3] = (
                grad[i1] + a10,
                grad[i1 + 1] + a11,
                grad[i1 + 2] + a12,
                grad[i1 + 3] + a13,
            )
            grad[i2], grad[i2 + 1], grad[i2 + 2], grad[i2 + 3] = (
                grad[i2] + a20,
                grad[i2 + 1] + a21,
                grad[i2 + 2] + a22,
                grad[i2 + 3] + a23,
            )
            grad[i3], grad[i3 + 1], grad[i3 + 2], grad[i3 + 3] = (
                grad[i3] + a30,
                grad[i3 + 1] + a31,
                grad[i3 + 2] + a32,
                grad[i3 + 3] + a33,
            )


@vector_kernel
def _accumulate_sums(g, grad, start):
    """grad[start + r] += sum over lanes of g[r]."""
    for r in range(len(g)):
        total = grad.dtype.type(0)
        for lane in range(LANES):
            total += g[r, lane]
        grad[start + r] += total


@block_function
def mlp_run(w, widths, tape):
    """Fill the rows of ``tape`` behind those of the input (the first ``widths[0]``)."""
    start, row = 0, 0
    last = len(widths) - 2
    for layer in range(last + 1):
        n_in, n_out = widths[layer], widths[layer + 1]
        x, y = tape[row : row + n_in], tape[row + n_in : row + n_in + n_out]
        bias = start + n_in * n_out
        for r in range(n_out):
            for lane in range(LANES):
                y[r, lane] = w[bias + r]
        _accumulate(w, start, n_in, 1, x, y)
        if layer < last:
            for r in range(n_out):
                for lane in range(LANES):
                    y[r, lane] = tanh(y[r, lane])
        start = bias + n_out
        row += n_in


@block_function
def mlp_pull(w, widths, tape, g, scratch, grad, with_parameters):
    """VJP.  ``g`` (rows, LANES) holds the gradient of the output and is overwritten by that of the input.

    ``scratch`` is as large as ``g``, both as the widest layer; ``grad`` (packed parameters) is added to.
    """
    one = w.dtype.type(1)
    start, row = len(w), len(tape) - widths[-1]
    for layer in range(len(widths) - 2, -1, -1):
        n_in, n_out = widths[layer], widths[layer + 1]
        start -= n_in * n_out + n_out
        row -= n_in
        h = tape[row : row + n_in]
        if with_parameters:
            _accumulate_outer(g[:n_out], h, grad, start)
            _accumulate_sums(g[:n_out], grad, start + n_in * n_out)
        clear(scratch, n_in)
        _accumulate(w, start, 1, n_in, g[:n_out], scratch[:n_in])
        for r in range(n_in):
            for lane in range(LANES):
                slope = one - h[r, lane] * h[r, lane] if layer > 0 else one
                g[r, lane] = scratch[r, lane] * slope


@block_function
def mlp_tangent(w, widths, tape, tangent):
    """Tangents of all activations; ``tangent`` is laid out as ``tape``, its input rows are given."""
    one = w.dtype.type(1)
    start, row = 0, 0
    last = len(widths) - 2
    for layer in range(last + 1):
        n_in, n_out = widths[layer], widths[layer + 1]
        x, y = tangent[row : row + n_in], tangent[row + n_in : row + n_in + n_out]
        clear(y, n_out)
        _accumulate(w, start, n_in, 1, x, y)
        row += n_in
        if layer < last:
            for r in range(n_out):
                for lane in range(LANES):
                    h = tape[row + r, lane]
                    y[r, lane] *= one - h * h
        start += n_in * n_out + n_out


@block_function
def mlp_pull_tangent(w, widths, tape, tangent, g, dg, scratch, scratch_tangent):
    """VJP of the inputs (``g``) and its tangent (``dg``); both are overwritten as in `mlp_pull`."""
    one = w.dtype.type(1)
    start, row = len(w), len(tape) - widths[-1]
    for layer in range(len(widths) - 2, -1, -1):
        n_in, n_out = widths[layer], widths[layer + 1]
        start -= n_in * n_out + n_out
        row -= n_in
        clear(scratch, n_in)
        clear(scratch_tangent, n_in)
        _accumulate(w, start, 1, n_in, g[:n_out], scratch[:n_in])
        _accumulate(w, start, 1, n_in, dg[:n_out], scratch_tangent[:n_in])
        for r in range(n_in):
            for lane in range(LANES):
                a, da = scratch[r, lane], scratch_tangent[r, lane]
                if layer > 0:
                    h, dh = tape[row + r, lane], tangent[row + r, lane]
                    slope = one - h * h
                    g[r, lane] = a * slope
                    dg[r, lane] = da * slope - (a + a) * h * dh
                else:
                    g[r, lane] = a
                    dg[r, lane] = da
