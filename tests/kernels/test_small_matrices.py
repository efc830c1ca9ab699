"""Jacobi eigenvalues and the semidefinite Cholesky factor, against LAPACK."""

import numpy as np
import pytest

from numepi.kernels.small_matrices import cholesky, jacobi_largest


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_jacobi_finds_all_eigenpairs(size, rng):
    for scale in (1e-8, 1.0, 1e8):
        matrix = scale * rng.standard_normal((size, size))
        matrix += matrix.T
        work, vectors = matrix.copy(), np.empty((size, size))
        largest = jacobi_largest(work, vectors)
        values = np.linalg.eigvalsh(matrix)
        np.testing.assert_allclose(np.sort(np.diag(work)), values, atol=1e-14 * scale * size)
        assert np.diag(work)[largest] == np.diag(work).max()
        np.testing.assert_allclose(vectors.T @ vectors, np.eye(size), atol=1e-14)
        np.testing.assert_allclose(matrix @ vectors, vectors * np.diag(work), atol=1e-13 * scale)


def test_jacobi_ends_on_repeated_diagonal_and_bad_matrices():
    vectors = np.empty((3, 3))
    assert jacobi_largest(np.diag([1.0, 3.0, 3.0]), vectors) in (1, 2)
    np.testing.assert_array_equal(vectors, np.eye(3))
    bad = np.full((3, 3), np.nan)
    assert np.isnan(bad[jacobi_largest(bad, vectors), 0])


@pytest.mark.parametrize("rank", [0, 1, 2, 3, 4])
def test_cholesky_of_any_rank(rank, rng):
    factors = rng.integers(-3, 4, (4, rank)).astype(float) + np.eye(4)[:, :rank] * 8
    gram, lower = factors @ factors.T, np.full((4, 4), np.nan)
    cholesky(gram, lower)
    np.testing.assert_allclose(lower @ lower.T, gram, atol=1e-12 * max(1, gram.max()))
    np.testing.assert_array_equal(lower, np.tril(lower))
    assert np.count_nonzero(np.diag(lower)) == rank
