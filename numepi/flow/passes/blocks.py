"""The layout that flow kernels work on: fixed blocks of samples, coordinates as rows, samples with unit stride.

A batch (n, D) becomes an array (blocks, D, LANES).  Every inner loop of a kernel runs over the LANES samples of a
block, a constant, so it vectorises without a remainder.  The last block is filled up with copies of the first sample,
whose results are dropped and whose cotangents are zero.
"""

import numpy as np

from numepi.kernels.compile import kernel

__all__ = ["LANES", "MAX_GROUPS", "from_blocks", "to_blocks", "vector_from_blocks", "vector_to_blocks"]

LANES = 64
# Gradients of parameters are summed within at most this many groups of blocks, then over these in order.
MAX_GROUPS = 64


def to_blocks(x, dtype, fill=True):
    """(n, D) -> (blocks, D, LANES); the last block is filled up with the first row, or with zeros if not ``fill``."""
    n, dim = x.shape
    blocks = np.empty((-(-n // LANES), dim, LANES), dtype)
    _read_rows(np.ascontiguousarray(x), blocks, fill)
    return blocks


@kernel
def _read_rows(x, blocks, fill):
    for block in range(len(blocks)):
        for lane in range(LANES):
            i = block * LANES + lane
            row, keep = (i, True) if i < len(x) else (0, fill)
            for d in range(x.shape[1]):
                blocks[block, d, lane] = x[row, d] if keep else 0


def from_blocks(blocks, n):
    """(blocks, D, LANES) -> (n, D)."""
    return np.ascontiguousarray(blocks.transpose(0, 2, 1).reshape(-1, blocks.shape[1])[:n])


def vector_to_blocks(x):
    """(n,) -> (blocks, LANES) float64, filled up with zeros."""
    blocks = -(-len(x) // LANES)
    padded = np.zeros(blocks * LANES)
    padded[: len(x)] = x
    return padded.reshape(blocks, LANES)


def vector_from_blocks(blocks, n):
    """(blocks, LANES) -> (n,)."""
    return blocks.reshape(-1)[:n].copy()
