"""Compiled passes of `numepi.flow.networks.mlp.MLP` over one block of samples: value, VJP, tangent, tangent of the VJP.

Activations are rows of a block's tape (units, LANES): input, hidden layers, output.  Matrix products keep their sums in
registers, with the samples as the vector axis: faster than BLAS at these sizes, free of its threads, and each sample's
bits do not depend on its neighbours.
"""

from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import block_function, kernel, vector_kernel
from numepi.kernels.fastmath import tanh
from numepi.kernels.vectors import VECTOR_BYTES, add_sums, broadcast, load, multiply_add, store, zeros

__all__ = ["clear", "mlp_pull", "mlp_pull_tangent", "mlp_run", "mlp_tangent", "pack"]


@kernel
def pack(theta, widths, padded_widths, packed):
    """Copy the parameters of each network, a row of theta, to their places in a row of zeros, ``packed``."""
    for network in range(len(theta)):
        start = target = 0
        for layer in range(len(widths) - 1):
            n_in, n_out, row = widths[layer], widths[layer + 1], padded_widths[layer]
            for r in range(n_out):
                for c in range(n_in):
                    packed[network, target + r * row + c] = theta[network, start + r * n_in + c]
            start += n_out * n_in
            target += padded_widths[layer + 1] * row
            for r in range(n_out):
                packed[network, target + r] = theta[network, start + r]
            start += n_out
            target += padded_widths[layer + 1]


@block_function
def clear(x, rows):
    """Zero the first rows of a block."""
    for r in range(rows):
        for lane in range(LANES):
            x[r, lane] = 0


@block_function
def _product(w, start, row_stride, column_stride, x, y):
    """y[r] = sum_c W[r, c] x[c], with W[r, c] = w[start + r * row_stride + c * column_stride]."""
    step = VECTOR_BYTES // w.itemsize
    for r in range(0, len(y), 4):
        for lane in range(0, LANES, 2 * step):
            y0 = y1 = y2 = y3 = z0 = z1 = z2 = z3 = zeros(y)
            i = start + r * row_stride
            for j in range(lane, len(x) * LANES, LANES):
                x0, x1 = load(x, j), load(x, j + step)
                w0, w1 = broadcast(w, i), broadcast(w, i + row_stride)
                w2, w3 = broadcast(w, i + 2 * row_stride), broadcast(w, i + 3 * row_stride)
                y0, z0 = multiply_add(w0, x0, y0), multiply_add(w0, x1, z0)
                y1, z1 = multiply_add(w1, x0, y1), multiply_add(w1, x1, z1)
                y2, z2 = multiply_add(w2, x0, y2), multiply_add(w2, x1, z2)
                y3, z3 = multiply_add(w3, x0, y3), multiply_add(w3, x1, z3)
                i += column_stride
            j = r * LANES + lane
            store(y, j, y0), store(y, j + LANES, y1), store(y, j + 2 * LANES, y2), store(y, j + 3 * LANES, y3)
            j += step
            store(y, j, z0), store(y, j + LANES, z1), store(y, j + 2 * LANES, z2), store(y, j + 3 * LANES, z3)


@block_function
def _accumulate_outer(g, x, grad, start):
    """grad[start + r * columns + c] += sum over lanes of g[r] x[c]."""
    columns, step = len(x), VECTOR_BYTES // x.itemsize
    for r in range(0, len(g), 2):
        for c in range(0, columns, 4):
            a00 = a01 = a02 = a03 = a10 = a11 = a12 = a13 = zeros(x)
            for lane in range(0, LANES, step):
                i, j = r * LANES + lane, c * LANES + lane
                g0, g1 = load(g, i), load(g, i + LANES)
                x0, x1, x2, x3 = load(x, j), load(x, j + LANES), load(x, j + 2 * LANES), load(x, j + 3 * LANES)
                a00, a01 = multiply_add(g0, x0, a00), multiply_add(g0, x1, a01)
                a02, a03 = multiply_add(g0, x2, a02), multiply_add(g0, x3, a03)
                a10, a11 = multiply_add(g1, x0, a10), multiply_add(g1, x1, a11)
                a12, a13 = multiply_add(g1, x2, a12), multiply_add(g1, x3, a13)
            add_sums(grad, start + r * columns + c, a00, a01, a02, a03)
            add_sums(grad, start + (r + 1) * columns + c, a10, a11, a12, a13)


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
        _product(w, start, n_in, 1, x, y)
        for r in range(n_out):
            if layer < last:
                for lane in range(LANES):
                    y[r, lane] = tanh(y[r, lane] + w[bias + r])
            else:
                for lane in range(LANES):
                    y[r, lane] += w[bias + r]
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
        _product(w, start, 1, n_in, g[:n_out], scratch[:n_in])
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
        _product(w, start, n_in, 1, x, y)
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
        _product(w, start, 1, n_in, g[:n_out], scratch[:n_in])
        _product(w, start, 1, n_in, dg[:n_out], scratch_tangent[:n_in])
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
