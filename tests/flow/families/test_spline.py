"""The spline flow by name: settings, description, the uniform start, derivatives of the whole."""

import json

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from numepi.flow import FlowDistribution, SplineFlow, flow_from_description
from numepi.flow.families.gaussian import fit_gaussian
from numepi.support import Support

BOX = Support([-10.0, 0.0, 4.0], [10.0, 0.5, 8.0])


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"stages": 0}, "stages = 0"),
        ({"bins": 1}, "bins = 1"),
        ({"bins": 4.5}, "bins = 4.5"),
        ({"moved": 0}, "moved = 0"),
        ({"moved": 3}, "moved = 3"),
        ({"precision": "float16"}, "float16"),
    ],
)
def test_bad_settings_are_refused(settings, match):
    with pytest.raises(ValueError, match=match):
        SplineFlow(BOX, **settings)


def test_description_round_trip():
    flow = SplineFlow(BOX, stages=5, hidden=(6, 5), bins=4, moved=1, post_affine=True, seed=3)
    copy = flow_from_description(json.loads(json.dumps(flow.description)))
    assert copy.description == flow.description
    assert repr(copy) == repr(flow)
    theta = flow.initial_parameters(1) + 0.1
    base = np.random.default_rng(0).standard_normal((10, 3))
    for ours, other in zip(copy.sample(theta, base), flow.sample(theta, base)):
        np.testing.assert_array_equal(ours, other)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_initial_flow_is_exactly_uniform_on_a_box(precision):
    flow = SplineFlow(BOX, hidden=(8, 7), precision=precision)
    theta = flow.initial_parameters(0)
    base = np.random.default_rng(0).standard_normal((500, 3))
    base[:3] = np.diag([8.0, -12.0, 35.0])
    z, log_q = flow.sample(theta, base)
    np.testing.assert_allclose(log_q, -np.log(20 * 0.5 * 4), rtol=0, atol=1e-11)
    np.testing.assert_allclose(flow.log_prob(theta, z), -np.log(20 * 0.5 * 4), rtol=0, atol=1e-11)


@pytest.fixture
def bent():
    flow = SplineFlow(BOX, stages=3, hidden=(8, 7), moved=1)
    rng = np.random.default_rng(2)
    theta = flow.initial_parameters(0) + 0.15 * rng.standard_normal(flow.n_parameters)
    return flow, theta, rng.standard_normal((100, 3))


def test_both_passes_equal_their_definitions_in_value_and_gradient(bent):
    flow, theta, base = bent
    z, log_q, pullback = flow.sample_with_pullback(theta, base)
    grad_z, weight = np.cos(z), np.sin(base[:, 0])

    def sampling_loss(theta):
        z, log_q = flow.sample_definition(theta, base)
        return anp.sum(z * grad_z) + anp.sum(log_q * weight)

    expected = grad(sampling_loss)(theta)
    np.testing.assert_allclose(pullback(grad_z, weight), expected, rtol=1e-8, atol=1e-9 * np.abs(expected).max())
    log_prob, pullback = flow.log_prob_with_pullback(theta, z)
    np.testing.assert_allclose(log_prob, log_q, atol=1e-8)
    for ours, argument in zip(pullback(weight), (0, 1)):
        expected = grad(lambda theta, z: anp.sum(flow.log_prob_definition(theta, z) * weight), argument)(theta, z)
        np.testing.assert_allclose(ours, expected, rtol=1e-7, atol=1e-9 * np.abs(expected).max())


def test_hessian_is_the_derivative_of_the_gradient_within_a_piece(bent):
    flow, theta, base = bent
    q = FlowDistribution(flow, theta)
    z, _ = flow.sample(theta, np.clip(base, -1.5, 1.5))  # away from the bounds, where derivatives diverge
    step = 1e-7 * BOX.width
    differences = [q.gradient(z + shift) - q.gradient(z - shift) for shift in np.diag(step)]
    expected = np.stack(differences, axis=2) / (2 * step) * np.outer(BOX.width, BOX.width)
    hessian = q.hessian(z) * np.outer(BOX.width, BOX.width)
    np.testing.assert_allclose(hessian, hessian.transpose(0, 2, 1), atol=1e-9 * np.abs(hessian).max())
    error = np.abs(hessian - expected).max(axis=(1, 2)) / np.abs(hessian).max(axis=(1, 2))
    assert (error < 1e-3).sum() >= 99  # between two points on either side of a knot the gradient jumps


def test_bits_depend_neither_on_threads_nor_on_the_batch(bent, on_any_threads):
    flow, theta, _ = bent
    base = np.random.default_rng(8).standard_normal((1000, 3))

    def everything():
        z, log_q, pullback = flow.sample_with_pullback(theta, base)
        log_q_back, pullback_back = flow.log_prob_with_pullback(theta, z)
        return z, log_q, pullback(z, log_q), log_q_back, *pullback_back(log_q)

    one = on_any_threads(everything)
    alone, _ = flow.sample(theta, base[70:71])
    np.testing.assert_array_equal(alone[0], one[0][70])


def test_starts_as_a_gaussian():
    flow = SplineFlow(BOX, hidden=(8, 7))
    theta = fit_gaussian(flow, [1.0, 0.25, 6.0], [1.0, 0.03, 0.2])
    z = FlowDistribution(flow, theta).sample(20_000, rng=0)
    np.testing.assert_allclose(z.mean(axis=0), [1.0, 0.25, 6.0], atol=0.05)
    np.testing.assert_allclose(z.std(axis=0), [1.0, 0.03, 0.2], rtol=0.05)
