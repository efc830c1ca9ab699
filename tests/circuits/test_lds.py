"""The linear dynamical system: golden cases, derivatives, repeated eigenvalues."""

import numpy as np
import pytest

import numepi as ne


@pytest.fixture
def lds():
    return ne.circuits.LDS()


def test_golden_cases(lds, golden):
    case = golden("lds")
    f, jacobian = lds.statistics_and_jacobian(case["z"])
    np.testing.assert_allclose(f, case["f"], rtol=0, atol=1e-9)
    bound = 1e-6 * np.maximum(np.abs(case["J"]).max(axis=2, keepdims=True), 1e-3)
    assert np.all(np.abs(jacobian - case["J"]) <= bound)


def test_statistics_are_the_dominant_eigenvalue(lds, rng):
    z = rng.uniform(-10, 10, (500, 4))
    f = ne.circuits.LDS(tau=0.5).statistics(z)
    values = np.linalg.eigvals(z.reshape(-1, 2, 2) / 0.5)
    # greatest real part first, then greatest imaginary part
    dominant = np.take_along_axis(values, np.lexsort((values.imag, values.real), axis=1)[:, -1:], 1)[:, 0]
    np.testing.assert_allclose(f[:, 0], dominant.real, atol=1e-10)
    np.testing.assert_allclose(f[:, 1], np.abs(dominant.imag), atol=1e-10)
    assert 0.1 < np.mean(f[:, 1] > 0) < 0.9  # both kinds were seen


def test_jacobian_against_complex_step_of_the_closed_form(lds, rng):
    z = rng.uniform(-10, 10, (200, 4))
    jacobian = lds.statistics_and_jacobian(z)[1]
    for d in range(4):
        w = z.astype(complex)
        w[:, d] += 1e-30j
        a, b, c, e = w.T
        discriminant = (a - e) ** 2 + 4 * b * c
        real = discriminant.real > 0
        root = np.sqrt(np.where(real, discriminant, -discriminant))
        re = (a + e + np.where(real, root, 0)) / 2
        im = np.where(real, 0, root / 2)
        np.testing.assert_allclose(jacobian[:, 0, d], re.imag / 1e-30, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(jacobian[:, 1, d], im.imag / 1e-30, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("z", [[0, 0, 0, 0], [2, 0, 0, 2], [1, 4, -1, 5], [0, 3, 0, 0]])
def test_repeated_eigenvalue_has_finite_documented_derivatives(lds, z):
    f, jacobian = lds.statistics_and_jacobian([z])
    assert f[0, 1] == 0
    np.testing.assert_array_equal(jacobian[0], [[0.5, 0, 0, 0.5], [0, 0, 0, 0]])


def test_same_bits_for_any_threads_and_batch(lds, rng, on_any_threads):
    z = rng.uniform(-10, 10, (33, 4))
    together = on_any_threads(lambda: lds.statistics_and_jacobian(z))
    for a, b in zip(together, lds.statistics_and_jacobian(z[7:8])):
        np.testing.assert_array_equal(a[7:8], b)


def test_float32_is_close(lds, rng):
    z = rng.uniform(-10, 10, (50, 4))
    np.testing.assert_allclose(lds.statistics(z, precision="float32"), lds.statistics(z), atol=2e-3)


def test_trajectories_oscillate_at_the_imaginary_part(lds):
    z = [[0.0, 2 * np.pi, -2 * np.pi, 0.0]]
    path = lds.simulate(z)
    assert path.values.shape == (1, 201, 2) and path.time[-1] == 2.0
    start = path.values[0, 0]
    np.testing.assert_allclose(path.values[0, 100], start, atol=1e-10)  # one period of 1 s
    np.testing.assert_allclose(path.values[0, 50], -start, atol=1e-10)


def test_bad_arguments_are_refused(lds):
    with pytest.raises(ValueError, match=r"z has shape \(4,\): LDS expects \(n, 4\), one column each for a11"):
        lds.statistics(np.zeros(4))
    with pytest.raises(ValueError, match=r"z\[0, 2\] = nan"):
        lds.statistics([[0, 0, np.nan, 0]])
    with pytest.raises(ValueError, match="precision = 'half'"):
        lds.statistics(np.zeros((1, 4)), precision="half")
    with pytest.raises(ValueError, match="tau = 0"):
        ne.circuits.LDS(tau=0)
    with pytest.raises(ValueError, match=r"noise has the arrays \['x'\]"):
        lds.statistics(np.zeros((1, 4)), noise={"x": 1})
