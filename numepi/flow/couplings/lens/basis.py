"""The orthonormal basis of a few vectors from their inner products, what a network is told of it, and their VJPs.

B (r, N) holds the vectors as rows, G = B B^T = L L^T, and the rows of L^-1 B are orthonormal.  Lower triangles are rows
(r (r + 1) / 2, LANES), entry (i, j), j <= i, at i (i + 1) / 2 + j.
"""

import autograd.numpy as anp
import numpy as np

from numepi.flow.passes.blocks import LANES
from numepi.kernels.compile import block_function

__all__ = [
    "cholesky", "cholesky_pull", "cholesky_rows", "features", "features_definition", "features_pull", "n_features",
    "solve", "solve_transposed",
]  # fmt: skip


def n_features(r):
    """Log L_ii, log row norms but for the first, partial correlations."""
    return 2 * r - 1 + r * (r - 1) // 2


@block_function
def cholesky(gram, r, triangle):
    """L of G."""
    for i in range(r):
        for j in range(i + 1):
            ij = i * (i + 1) // 2 + j
            for lane in range(LANES):
                rest = gram[ij, lane]
                for k in range(j):
                    rest -= triangle[i * (i + 1) // 2 + k, lane] * triangle[j * (j + 1) // 2 + k, lane]
                triangle[ij, lane] = np.sqrt(rest) if i == j else rest / triangle[j * (j + 1) // 2 + j, lane]


@block_function
def cholesky_pull(triangle, r, grad):
    """Turn ``grad``, that of L, into that of G's lower triangle, whose other half is not counted."""
    for i in range(r - 1, -1, -1):
        for j in range(i, -1, -1):
            ij, jj = i * (i + 1) // 2 + j, j * (j + 1) // 2 + j
            for lane in range(LANES):
                if i == j:
                    g = 0.5 * grad[ij, lane] / triangle[ij, lane]
                else:
                    g = grad[ij, lane] / triangle[jj, lane]
                    grad[jj, lane] -= g * triangle[ij, lane]
                grad[ij, lane] = g
                for k in range(j):
                    ik, jk = i * (i + 1) // 2 + k, j * (j + 1) // 2 + k
                    if i == j:
                        grad[ik, lane] -= 2.0 * g * triangle[ik, lane]
                    else:
                        grad[ik, lane] -= g * triangle[jk, lane]
                        grad[jk, lane] -= g * triangle[ik, lane]


@block_function
def solve(triangle, r, x):
    """X <- L^-1 x."""
    for i in range(r):
        for lane in range(LANES):
            value = x[i, lane]
            for k in range(i):
                value -= triangle[i * (i + 1) // 2 + k, lane] * x[k, lane]
            x[i, lane] = value / triangle[i * (i + 1) // 2 + i, lane]


@block_function
def solve_transposed(triangle, r, x):
    """X <- L^-T x."""
    for i in range(r - 1, -1, -1):
        for lane in range(LANES):
            value = x[i, lane]
            for k in range(i + 1, r):
                value -= triangle[k * (k + 1) // 2 + i, lane] * x[k, lane]
            x[i, lane] = value / triangle[i * (i + 1) // 2 + i, lane]


@block_function
def features(triangle, r, unit, out):
    """Logs of L_ii and of row norms, in ``unit``; and partial correlations L_ij / (sum_{k >= j} L_ik^2)^(1/2)."""
    row = 2 * r - 1
    for i in range(r):
        for lane in range(LANES):
            total = triangle[i * (i + 1) // 2 + i, lane] ** 2
            out[i, lane] = 0.5 * np.log(total) - np.log(unit)
            for j in range(i - 1, -1, -1):
                entry = triangle[i * (i + 1) // 2 + j, lane]
                total += entry * entry
                out[row + i * (i - 1) // 2 + j, lane] = entry / np.sqrt(total)
            if i > 0:
                out[r + i - 1, lane] = 0.5 * np.log(total) - np.log(unit)


@block_function
def features_pull(triangle, r, grad, grad_triangle):
    """Add the gradient of L that ``grad``, that of the features, gives."""
    row = 2 * r - 1
    for i in range(r):
        ii = i * (i + 1) // 2 + i
        for lane in range(LANES):
            total = 0.0
            for j in range(i + 1):
                total += triangle[i * (i + 1) // 2 + j, lane] ** 2
            grad_total = 0.5 * grad[r + i - 1, lane] / total if i > 0 else 0.0
            for j in range(i):
                ij = i * (i + 1) // 2 + j
                entry, g = triangle[ij, lane], grad[row + i * (i - 1) // 2 + j, lane]
                grad_total -= 0.5 * g * entry / (total * np.sqrt(total))
                grad_triangle[ij, lane] += 2.0 * grad_total * entry + g / np.sqrt(total)
                total -= entry * entry
            grad_triangle[ii, lane] += 2.0 * grad_total * triangle[ii, lane] + grad[i, lane] / triangle[ii, lane]


def features_definition(rows, unit):
    """`features` (n, ...) in autograd's numpy, from the rows of L: lists of (n,)."""
    logs = [anp.log(row[-1]) - np.log(unit) for row in rows]
    norms = [0.5 * anp.log(sum(entry * entry for entry in row)) - np.log(unit) for row in rows[1:]]
    partial = [row[j] / anp.sqrt(sum(entry * entry for entry in row[j:])) for row in rows for j in range(len(row) - 1)]
    return anp.stack([*logs, *norms, *partial], axis=1)


def cholesky_rows(gram):
    """Cholesky factor of ``gram`` (n, K, K) in autograd's numpy: rows of its lower triangle, entries (n,)."""
    rows = []
    for i in range(gram.shape[1]):
        row = []
        for j in range(i + 1):
            rest = gram[:, i, j] - sum((row[k] * (row if j == i else rows[j])[k] for k in range(j)), 0.0)
            row.append(anp.sqrt(rest) if j == i else rest / rows[j][j])
        rows.append(row)
    return rows
