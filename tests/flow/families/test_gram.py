"""Flows of the Gram matrix of a few vectors: densities, both passes, gradients, and what they are for."""

import numpy as np
import pytest

import numepi as ne
from numepi.flow import flow_from_description

BOX = ne.Support([-1.0] * 8, [1.0, 2.0] * 4)


@pytest.fixture(scope="module")
def flow():
    return ne.GramFlow(BOX, 2, stages=2, hidden=(8,), bins=4)


@pytest.fixture(scope="module")
def theta(flow):
    return flow.initial_parameters(0) + 0.05 * np.random.default_rng(0).standard_normal(flow.n_parameters)


def test_both_passes_agree(flow, theta, rng):
    z, log_q = flow.sample(theta, rng.standard_normal((50, 8)))
    assert BOX.contains(z).all()
    np.testing.assert_allclose(flow.log_prob(theta, z), log_q, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(flow.log_prob_definition(theta, z), log_q, rtol=1e-9, atol=1e-9)


def test_the_density_is_normalised(rng):
    # E[q / p] = 1 under a wider normal p: the volumes of shapes and frames are right
    free = ne.GramFlow(ne.Support([-np.inf] * 6, [np.inf] * 6), 2, stages=2, hidden=(8,), bins=4)
    theta = free.initial_parameters(0) + 0.05 * rng.standard_normal(free.n_parameters)
    z = 1.5 * rng.standard_normal((200_000, 6))
    log_p = -0.5 * np.sum((z / 1.5) ** 2, axis=1) - 6 * np.log(1.5) - 3 * np.log(2 * np.pi)
    ratio = np.exp(free.log_prob(theta, z) - log_p)
    assert abs(ratio.mean() - 1) < 5 * ratio.std() / np.sqrt(len(z)) < 0.1  # false alarm 6e-7


def test_the_initial_flow_is_nearly_uniform(rng):
    support = ne.Support([-1.0] * 80, [1.0] * 80)
    wide = ne.GramFlow(support, 4, stages=2, hidden=(8,))
    _, log_q = wide.sample(wide.initial_parameters(0), rng.standard_normal((4000, 80)))
    assert abs(log_q.mean() + 80 * np.log(2) - 0.25) < 0.15  # KL to the uniform density, nats


def differences(function, x, direction, step=1e-6):
    return (function(x + step * direction) - function(x - step * direction)) / (2 * step)


def test_gradients_of_samples(flow, theta, rng):
    base, weight_z, weight_q = rng.standard_normal((6, 8)), rng.standard_normal((6, 8)), rng.standard_normal(6)
    _, _, pull = flow.sample_with_full_pullback(theta, base)
    grad_theta, grad_base = pull(weight_z, weight_q)

    def value(t, b):
        z, log_q = flow.sample(t, b)
        return np.sum(weight_z * z) + weight_q @ log_q

    direction = rng.standard_normal(len(theta))
    numeric = differences(lambda t: value(t, base), theta, direction)
    assert grad_theta @ direction == pytest.approx(numeric, rel=1e-5)
    np.testing.assert_allclose(flow.sample_with_pullback(theta, base)[2](weight_z, weight_q), grad_theta)
    direction = rng.standard_normal(base.shape)
    numeric = differences(lambda b: value(theta, b), base, direction)
    assert np.sum(grad_base * direction) == pytest.approx(numeric, rel=1e-5)


def test_gradients_of_densities(flow, theta, rng):
    from autograd import grad

    z, weight = flow.sample(theta, rng.standard_normal((6, 8)))[0], rng.standard_normal(6)
    _, pull = flow.log_prob_with_pullback(theta, z)
    grad_theta, grad_z = pull(weight)
    direction = rng.standard_normal(len(theta))
    numeric = differences(lambda t: weight @ flow.log_prob(t, z), theta, direction)
    assert grad_theta @ direction == pytest.approx(numeric, rel=1e-5)
    by_definition = grad(lambda x: flow.log_prob_definition(theta, x) @ weight)(z)
    np.testing.assert_allclose(grad_z, by_definition, rtol=1e-7, atol=1e-8)
    z, v = rng.uniform(-0.7, 0.7, z.shape), rng.standard_normal(z.shape)
    product = flow.log_prob_hessian_product(theta, z, v)
    np.testing.assert_allclose(
        product, differences(lambda x: flow.log_prob_gradient(theta, x), z, v), rtol=1e-5, atol=1e-5
    )


def test_outside_of_the_support(flow, theta, rng):
    z = rng.uniform(-0.5, 0.5, (3, 8))
    z[1, 0] = 3.0
    assert np.isneginf(flow.log_prob(theta, z)).tolist() == [False, True, False]
    assert np.isnan(flow.log_prob_gradient(theta, z)[1]).all()
    assert np.isnan(flow.log_prob_hessian_product(theta, z, z)[1]).all()


def test_rotations_of_all_vectors_change_nothing(rng):
    line = ne.Support([-np.inf] * 12, [np.inf] * 12)
    free = ne.GramFlow(line, 3, stages=2, hidden=(8,), bins=4)
    theta = free.initial_parameters(0) + 0.2 * rng.standard_normal(free.n_parameters)
    z = rng.standard_normal((5, 12))
    rotation = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    turned = (z.reshape(5, 3, 4) @ rotation).reshape(5, 12)
    np.testing.assert_allclose(free.log_prob(theta, turned), free.log_prob(theta, z), rtol=1e-9)


def test_it_starts_from_the_shapes_of_a_sample(rng):
    support = ne.Support([-1.0] * 200, [1.0] * 200)
    wide = ne.GramFlow(support, 4, stages=2, hidden=(8,))
    z = np.clip(rng.normal(0, 0.2, (500, 200)), -0.99, 0.99)
    theta = wide.fitted_parameters(z)
    drawn = wide.sample(theta, rng.standard_normal((500, 200)))[0]
    norms = [np.linalg.norm(x.reshape(-1, 4, 50), axis=2) for x in (drawn, z)]
    np.testing.assert_allclose(norms[0].mean(axis=0), norms[1].mean(axis=0), rtol=0.02)
    # the density of independent normals of this size is one of shapes alone
    exact = np.sum(-0.5 * (z / 0.2) ** 2 - np.log(0.2) - 0.5 * np.log(2 * np.pi), axis=1)
    assert 0 < np.mean(exact - wide.log_prob(theta, z)) < 1.5


def test_description_and_refusals(flow):
    again = flow_from_description(flow.description)
    assert again.description == flow.description and again.n_parameters == flow.n_parameters
    assert repr(flow).startswith("GramFlow(Support(") and "vectors=2, stages=2" in repr(flow)
    with pytest.raises(ValueError, match="each at least as long"):
        ne.GramFlow(BOX, 4)


def test_a_single_vector_has_a_norm(rng):
    line = ne.Support([-np.inf] * 5, [np.inf] * 5)
    ball = ne.GramFlow(line, 1, bins=4)
    theta = ball.initial_parameters(0) + 0.05 * rng.standard_normal(ball.n_parameters)
    z, log_q = ball.sample(theta, rng.standard_normal((2000, 5)))
    np.testing.assert_allclose(ball.log_prob(theta, z), log_q, rtol=1e-9)
    np.testing.assert_allclose(ball.log_prob_definition(theta, z[:5]), log_q[:5], rtol=1e-9)
    assert flow_from_description(ball.description).n_parameters == ball.n_parameters
