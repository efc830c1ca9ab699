"""The simulator's metric J^T Sigma^-1 J."""

import numpy as np
import pytest

import numepi as ne
from numepi.analysis import alignment, simulator_metric


def test_the_metric_of_the_lds_has_two_directions_and_two_degeneracies():
    circuit = ne.circuits.LDS()
    z = np.array([[0.5, 6.0, -6.5, -0.5], [0.0, 5.0, -7.0, 0.3]])
    prop = circuit.emergent_property()
    found = simulator_metric(circuit, z, prop)
    _, jacobian = circuit.statistics_and_jacobian(z)
    expected = np.einsum("nka,k,nkb->nab", jacobian, 1 / np.array(prop.variance), jacobian)
    np.testing.assert_allclose(found.matrix, expected)
    np.testing.assert_array_equal(found.n_degenerate, [2, 2])
    assert np.all(np.diff(found.eigenvalues, axis=1) <= 0)
    # walking along the null space changes no statistic to first order
    step = z + 1e-4 * found.vectors[:, 3]
    np.testing.assert_allclose(circuit.statistics(step), circuit.statistics(z), atol=1e-6)
    one = simulator_metric(circuit, z[0], prop, sign={"a12": -1})
    assert one.vectors.shape == (4, 4) and np.all(one.vectors[:2, 1] <= 0)


def test_the_covariance_of_the_noise_is_estimated_where_asked(rng):
    matrix, noise = rng.normal(size=(2, 3)), np.array([[2.0, 0.5], [0.5, 1.0]])
    root = np.linalg.cholesky(noise)
    circuit = ne.circuits.FunctionCircuit(
        lambda z, rng: z @ matrix.T + rng.normal(size=(len(z), 2)) @ root.T,
        ne.Support([-1.0] * 3, [1.0] * 3), ("a", "b", "c"), ("f", "g"),
        jacobian=lambda z, rng: np.repeat(matrix[None], len(z), axis=0),
    )  # fmt: skip
    found = simulator_metric(circuit, np.zeros(3), "noise", draws=20_000)
    expected = matrix.T @ np.linalg.solve(noise, matrix)
    # covariances of 20,000 draws have a relative error of 1 %: 6 % is six of them
    np.testing.assert_allclose(found.matrix, expected, atol=0.06 * np.abs(expected).max())
    with pytest.raises(ValueError, match="the noise's covariance needs more than 2"):
        simulator_metric(circuit, np.zeros(3), "noise", draws=2)


def test_a_covariance_that_is_none_is_refused():
    circuit = ne.circuits.LDS()
    z = np.array([0.5, 6.0, -6.5, -0.5])
    with pytest.raises(ValueError, match="a statistic has none"):
        simulator_metric(circuit, z, "noise", draws=5)
    with pytest.raises(ValueError, match="not positive definite"):
        simulator_metric(circuit, z, [1.0, -1.0])
    with pytest.raises(ValueError, match="covariance has nan among its entries"):
        simulator_metric(circuit, z, [[1.0, 0.0], [0.0, np.nan]])
    with pytest.raises(ValueError, match="covariance has inf among its entries"):
        simulator_metric(circuit, z, [1.0, np.inf])
    with pytest.raises(ValueError, match=r"not symmetric: 0\.5 at \[0, 1\], 0\.1 at \[1, 0\]"):
        simulator_metric(circuit, z, [[1.0, 0.5], [0.1, 1.0]])
    rounded = simulator_metric(circuit, z, [[1.0, 0.5], [0.5 + 1e-14, 1.0]])
    np.testing.assert_allclose(rounded.matrix, simulator_metric(circuit, z, [[1.0, 0.5], [0.5, 1.0]]).matrix)
    with pytest.raises(ValueError, match=r"expected \(2,\) or \(2, 2\)"):
        simulator_metric(circuit, z, np.ones(3))
    with pytest.raises(ValueError, match="leaves a variance"):
        simulator_metric(circuit, z, ne.EmergentProperty(mean=[0, 6], variance=[1.0, None]))
    with pytest.raises(ValueError, match="give 'noise'"):
        simulator_metric(circuit, z, "fisher", draws=9)


def test_points_whose_simulations_fail_are_named():
    circuit = ne.circuits.FunctionCircuit(
        lambda z: np.where(z > 0.5, np.nan, z), ne.Support([-1.0] * 2, [1.0] * 2), statistic_names=("f", "g"),
        jacobian=lambda z: np.repeat(np.eye(2)[None], len(z), axis=0),
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"z\[1\]: 3 of 9 simulations gave a statistic"):
        simulator_metric(circuit, [[0.0, 0.0], [0.0, 0.6], [0.1, 0.1]], [1.0, 1.0], draws=3)


def test_alignment_ignores_signs_and_lengths():
    np.testing.assert_allclose(alignment([[2.0, 0], [1, 1]], [[-1.0, 0], [1, -1]]), [1, 0], atol=1e-15)
