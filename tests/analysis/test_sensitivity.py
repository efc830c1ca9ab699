"""Hessian eigenpairs: order, sign, arrow lengths, and without the matrix."""

import numpy as np
import pytest

from numepi.analysis import sensitivity


def test_eigenpairs_of_a_gaussian_are_those_of_its_precision(gaussian):
    found = sensitivity(gaussian, gaussian.means[0], sign={"c": -1})
    precisions, vectors = np.linalg.eigh(gaussian.precision)
    np.testing.assert_allclose(found.eigenvalues, -precisions[::-1])
    np.testing.assert_allclose(found.arrow_lengths, 1 / np.sqrt(precisions[::-1]))
    np.testing.assert_allclose(np.abs(found.vectors), np.abs(vectors[:, ::-1].T), atol=1e-12)
    assert (found.vectors[:, 2] < 0).all() and found.v1.shape == (3,)


def test_many_points_are_ordered_and_signed_each(nvp):
    z = nvp.sample(50, rng=0)
    found = sensitivity(nvp, z, sign={"hW": -1})
    assert found.eigenvalues.shape == (50, 4) and found.vectors.shape == (50, 4, 4)
    assert np.all(np.diff(found.eigenvalues, axis=1) >= 0)
    assert np.all(found.vectors[..., 2] <= 0)
    product = np.einsum("nij,nkj->nki", nvp.hessian(z), found.vectors)
    np.testing.assert_allclose(product, found.eigenvalues[..., None] * found.vectors, atol=1e-9)
    # by default the largest component is positive
    default = sensitivity(nvp, z).vectors
    largest = np.abs(default).argmax(axis=2)
    assert np.all(np.take_along_axis(default, largest[..., None], axis=2) > 0)


def test_leading_directions_without_the_matrix_are_those_of_the_matrix(nvp, monkeypatch):
    z = nvp.sample(3, rng=1)
    whole = sensitivity(nvp, z)
    monkeypatch.setattr(type(nvp), "hessian", None)
    some = sensitivity(nvp, z, n_directions=2)
    np.testing.assert_allclose(some.eigenvalues, whole.eigenvalues[:, :2], rtol=1e-8)
    np.testing.assert_allclose(some.vectors, whole.vectors[:, :2], atol=1e-6)


def test_directions_among_some_parameters_are_those_of_the_block(gaussian):
    found = sensitivity(gaussian, gaussian.means, parameters=("c", "a"))
    precisions = np.linalg.eigvalsh(gaussian.precision[np.ix_([0, 2], [0, 2])])
    np.testing.assert_allclose(found.eigenvalues[0], -precisions[::-1])
    assert found.vectors.shape == (1, 2, 3) and np.all(found.vectors[..., 1] == 0)
    with pytest.raises(ValueError, match="not both"):
        sensitivity(gaussian, gaussian.means, n_directions=1, parameters=("a",))


def test_errors(gaussian, half_gaussian):
    with pytest.raises(ValueError, match=r"expected \(3,\) or \(n, 3\)"):
        sensitivity(gaussian, np.zeros(2))
    with pytest.raises(ValueError, match=r"z\[0\] has no density"):
        sensitivity(half_gaussian, [1.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="give one parameter and its sign"):
        sensitivity(gaussian, np.zeros(3), sign="a")
    with pytest.raises(ValueError, match="the sign is 1 or -1"):
        sensitivity(gaussian, np.zeros(3), sign={"a": 0})
    with pytest.raises(ValueError, match="give a whole number from 1 to 2"):
        sensitivity(gaussian, np.zeros(3), n_directions=3)
