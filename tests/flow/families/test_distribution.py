"""Interrogating a fitted flow: samples, density, gradient and Hessian in z."""

import numpy as np
import pytest
from autograd import grad, hessian
from scipy import stats

from numepi.flow import FlowDistribution, RealNVP
from numepi.support import Support


@pytest.fixture(params=["box", "half-lines", "mixed"])
def fitted(request, random_flow):
    return FlowDistribution(*random_flow(request.param, post_affine=request.param != "box"))


def test_samples_are_reproducible_and_carry_their_density(fitted):
    z = fitted.sample(1000, rng=3)
    assert z.shape == (1000, fitted.dim)
    assert fitted.support.contains(z).all()
    np.testing.assert_array_equal(z, fitted.sample(1000, rng=3))
    assert not np.array_equal(z, fitted.sample(1000, rng=4))
    same, log_q = fitted.sample_with_log_prob(1000, rng=3)
    np.testing.assert_array_equal(same, z)
    np.testing.assert_allclose(fitted.log_prob(z), log_q, atol=1e-8)
    for draw in (fitted.sample, lambda *n: fitted.sample_with_log_prob(*n)[0]):
        np.testing.assert_array_equal(draw(5), draw(5, 0))  # the seed by default


def test_a_generator_moves_on(fitted):
    generator = np.random.default_rng(0)
    assert not np.array_equal(fitted.sample(5, generator), fitted.sample(5, generator))


def test_uniform_start_gives_uniform_samples():
    flow = RealNVP(Support([0.0, -1.0], [1.0, 3.0]), hidden=(8, 7))
    z = FlowDistribution(flow, flow.initial_parameters(0)).sample(5000, rng=0)
    # Two Kolmogorov-Smirnov tests at a fixed seed; each would fail by chance once in 1000 seeds.
    assert stats.kstest(z[:, 0], stats.uniform(0, 1).cdf).pvalue > 1e-3
    assert stats.kstest(z[:, 1], stats.uniform(-1, 4).cdf).pvalue > 1e-3


def test_gradient_agrees_with_autograd_and_finite_differences(fitted):
    z = fitted.sample(20, rng=1)
    gradient = fitted.gradient(z)
    expected = grad(lambda z: fitted.flow.log_prob_definition(fitted.theta, z).sum())(z)
    np.testing.assert_allclose(gradient, expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())
    step = 1e-6
    for d in range(fitted.dim):
        shift = step * np.eye(fitted.dim)[d]
        difference = (fitted.log_prob(z + shift) - fitted.log_prob(z - shift)) / (2 * step)
        inside = fitted.support.contains(z + 10 * shift) & fitted.support.contains(z - 10 * shift)
        np.testing.assert_allclose(gradient[inside, d], difference[inside], rtol=1e-4, atol=1e-4)


def test_hessian_agrees_with_autograd_and_is_symmetric(fitted):
    z = fitted.sample(70, rng=2)
    matrices = fitted.hessian(z)
    np.testing.assert_array_equal(matrices, matrices.transpose(0, 2, 1))
    for i in (0, 1, 69):
        expected = hessian(lambda x: fitted.flow.log_prob_definition(fitted.theta, x[None])[0])(z[i])
        np.testing.assert_allclose(matrices[i], expected, rtol=1e-8, atol=1e-9 * np.abs(expected).max())


def test_hessian_agrees_with_differences_of_the_gradient(random_flow):
    q = FlowDistribution(*random_flow("box"))
    z, step = 0.9 * q.sample(10, rng=2), 1e-5
    matrices = q.hessian(z)
    for d in range(q.dim):
        shift = step * np.eye(q.dim)[d]
        difference = (q.gradient(z + shift) - q.gradient(z - shift)) / (2 * step)
        np.testing.assert_allclose(matrices[:, d], difference, rtol=1e-5, atol=1e-5 * np.abs(matrices).max())


def test_hessian_vector_product_is_the_hessian_times_the_vector(fitted):
    z = fitted.sample(70, rng=2)
    v = np.random.default_rng(0).standard_normal(z.shape)
    expected = np.einsum("nij,nj->ni", fitted.hessian(z), v)
    np.testing.assert_allclose(
        fitted.hessian_vector_product(z, v), expected, rtol=1e-8, atol=1e-10 * np.abs(expected).max()
    )


def test_hessian_vector_product_in_400_dimensions():
    flow = RealNVP(Support([-1.0] * 400, [1.0] * 400), hidden=(10, 9))
    theta = flow.initial_parameters(0)
    theta += 0.05 * np.random.default_rng(1).standard_normal(len(theta))
    q = FlowDistribution(flow, theta)
    z, v = 0.5 * q.sample(3, rng=0), np.random.default_rng(2).standard_normal((3, 400))
    step = 1e-6
    difference = (q.gradient(z + step * v) - q.gradient(z - step * v)) / (2 * step)
    product = q.hessian_vector_product(z, v)
    np.testing.assert_allclose(product, difference, rtol=1e-4, atol=1e-6 * np.abs(product).max())


def test_long_hessian_batches_are_cut(monkeypatch, random_flow):
    q = FlowDistribution(*random_flow("box-2d"))
    z = q.sample(30, rng=0)
    whole = q.hessian(z)
    monkeypatch.setattr("numepi.flow.families.distribution._ROWS", 16)
    np.testing.assert_array_equal(q.hessian(z), whole)


def test_single_precision_derivatives(random_flow):
    double = FlowDistribution(*random_flow("box"))
    single = FlowDistribution(*random_flow("box", precision="float32"))
    z = double.sample(50, rng=0)
    for method in ("gradient", "hessian"):
        expected = getattr(double, method)(z)
        ours = getattr(single, method)(z)
        np.testing.assert_allclose(ours, expected, rtol=2e-3, atol=5e-4 * np.abs(expected).max())


def test_outside_of_the_support_there_is_no_density(random_flow):
    q = FlowDistribution(*random_flow("box"))
    z = np.concatenate([np.full((1, 4), 11.0), np.zeros((1, 4))])
    assert q.log_prob(z)[0] == -np.inf
    for values in (q.gradient(z), q.hessian(z), q.hessian_vector_product(z, z)):
        assert np.isnan(values[0]).all() and np.isfinite(values[1]).all()


def test_theta_is_checked_and_kept(random_flow):
    flow, theta = random_flow("box")
    with pytest.raises(ValueError, match=r"\(3,\)"):
        FlowDistribution(flow, theta[:3])
    with pytest.raises(ValueError, match="1 entries"):
        FlowDistribution(flow, np.where(np.arange(len(theta)) == 5, np.nan, theta))
    q = FlowDistribution(flow, theta)
    before = q.sample(3)
    theta[:] = 0
    np.testing.assert_array_equal(q.sample(3), before)


def test_wrong_arguments_are_refused(random_flow):
    q = FlowDistribution(*random_flow("box"))
    with pytest.raises(ValueError, match="n = -1"):
        q.sample(-1)
    for method in (q.log_prob, q.gradient, q.hessian):
        with pytest.raises(ValueError, match=r"\(4,\).*\(n, 4\)"):
            method(np.zeros(4))


def test_coordinates_have_names():
    flow = RealNVP(Support([0.0, -1.0], [1.0, 3.0]), hidden=(8, 7))
    theta = flow.initial_parameters(0)
    assert FlowDistribution(flow, theta).parameter_names == ("z1", "z2")
    assert FlowDistribution(flow, theta, ["a", "b"]).parameter_names == ("a", "b")
    with pytest.raises(ValueError, match="parameter_names has 3 entries"):
        FlowDistribution(flow, theta, ("a", "b", "c"))
