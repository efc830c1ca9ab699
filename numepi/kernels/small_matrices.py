"""Linear algebra of matrices of a few rows, inside kernels: LAPACK would bring its own threads and bits."""

import math

from numepi.kernels.compile import kernel

__all__ = ["cholesky", "jacobi_largest"]


@kernel
def jacobi_largest(matrix, vectors):
    """Index of the largest eigenvalue of a small symmetric matrix, by cyclic Jacobi rotations in place.

    On return the diagonal holds the eigenvalues and the columns of ``vectors`` the eigenvectors.  Twelve sweeps are
    more than a 4 x 4 matrix needs (convergence is quadratic); the count bounds the work when entries are not finite.
    """
    size = len(matrix)
    vectors[:] = 0.0
    for a in range(size):
        vectors[a, a] = 1.0
    for _ in range(12):
        off_diagonal = 0.0
        for p in range(size - 1):
            for q in range(p + 1, size):
                off_diagonal += abs(matrix[p, q])
                if matrix[p, q] != 0.0:
                    ratio = (matrix[q, q] - matrix[p, p]) / (2.0 * matrix[p, q])
                    t = (1.0 if ratio >= 0.0 else -1.0) / (abs(ratio) + math.sqrt(ratio * ratio + 1.0))
                    c = 1.0 / math.sqrt(t * t + 1.0)
                    s = t * c
                    for k in range(size):
                        a, b = matrix[k, p], matrix[k, q]
                        matrix[k, p], matrix[k, q] = c * a - s * b, s * a + c * b
                    for k in range(size):
                        a, b = matrix[p, k], matrix[q, k]
                        matrix[p, k], matrix[q, k] = c * a - s * b, s * a + c * b
                        a, b = vectors[k, p], vectors[k, q]
                        vectors[k, p], vectors[k, q] = c * a - s * b, s * a + c * b
        if off_diagonal == 0.0:
            break
    largest = 0
    for a in range(1, size):
        if not matrix[a, a] <= matrix[largest, largest]:
            largest = a
    return largest


@kernel
def cholesky(gram, lower):
    """Fill lower (n, n) with L of gram = L L^T; a direction that vanishes within rounding gets a column of zeros."""
    lower[:] = 0.0
    for a in range(len(gram)):
        pivot = gram[a, a]
        for k in range(a):
            pivot -= lower[a, k] * lower[a, k]
        if not pivot <= 1e-15 * gram[a, a]:
            lower[a, a] = math.sqrt(pivot)
            for b in range(a + 1, len(gram)):
                entry = gram[b, a]
                for k in range(a):
                    entry -= lower[b, k] * lower[a, k]
                lower[b, a] = entry / lower[a, a]
