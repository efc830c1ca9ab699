"""The flow of independent coordinates: settings, description, the uniform start, one parameter."""

import json

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from scipy.stats import norm

from numepi.flow import ElementwiseFlow, FlowDistribution, RealNVP, SplineFlow, flow_from_description
from numepi.flow.couplings.spline.elementwise import GAIN
from numepi.flow.families.gaussian import fit_gaussian
from numepi.support import Support

LINE = Support([-2.0], [3.0])
MIXED = Support([-10.0, 0.0, -np.inf], [10.0, np.inf, np.inf])


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"stages": 0}, "stages = 0"),
        ({"bins": 1}, "bins = 1"),
        ({"bins": 4.5}, "bins = 4.5"),
        ({"precision": "float16"}, "float16"),
        ({"box_map": "tanh"}, "tanh"),
    ],
)
def test_bad_settings_are_refused(settings, match):
    with pytest.raises(ValueError, match=match):
        ElementwiseFlow(LINE, **settings)


@pytest.mark.parametrize("family", [RealNVP, SplineFlow])
def test_couplings_refuse_one_parameter_and_name_the_family_for_it(family):
    with pytest.raises(ValueError, match=r"support has 1 dimension.*use ElementwiseFlow"):
        family(LINE)


def test_support_is_checked():
    with pytest.raises(TypeError, match=r"support is a list: give a numepi\.Support"):
        ElementwiseFlow([0, 1])


def bent(support, **settings):
    flow = ElementwiseFlow(support, **settings)
    rng = np.random.default_rng(2)
    return flow, flow.initial_parameters(0) + 0.3 / GAIN * rng.standard_normal(flow.n_parameters)


def test_description_round_trip():
    flow, theta = bent(MIXED, stages=3, bins=5)
    copy = flow_from_description(json.loads(json.dumps(flow.description)))
    assert copy.description == flow.description and repr(copy) == repr(flow)
    base = np.random.default_rng(0).standard_normal((10, 3))
    for ours, other in zip(copy.sample(theta, base), flow.sample(theta, base)):
        np.testing.assert_array_equal(ours, other)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_initial_flow_is_exactly_uniform_on_an_interval(precision):
    flow = ElementwiseFlow(LINE, precision=precision)
    theta = flow.initial_parameters(0)
    base = np.concatenate([np.random.default_rng(0).standard_normal((500, 1)), [[8.0], [-12.0], [35.0]]])
    z, log_q = flow.sample(theta, base)
    np.testing.assert_allclose(log_q, -np.log(5.0), rtol=0, atol=1e-11)
    np.testing.assert_allclose(flow.log_prob(theta, z), -np.log(5.0), rtol=0, atol=1e-11)


def test_density_integrates_to_one_and_is_minus_infinity_outside():
    flow, theta = bent(LINE)
    z = (np.arange(200_000) + 0.5) / 200_000 * 5.0 - 2.0
    log_q = flow.log_prob(theta, z[:, None])
    assert np.exp(log_q).mean() * 5.0 == pytest.approx(1.0, abs=1e-4)  # it grows without bound at the ends
    assert np.isneginf(flow.log_prob(theta, [[-2.1], [3.1]])).all()
    assert np.ptp(log_q[1000:-1000]) > 0.5, "the parameters bend nothing"


def test_coordinates_are_independent():
    flow, theta = bent(MIXED)
    base = np.random.default_rng(0).standard_normal((5, 3))
    moved = base.copy()
    moved[:, 1] += 1.0
    z, other = flow.sample(theta, base)[0], flow.sample(theta, moved)[0]
    np.testing.assert_array_equal(z[:, [0, 2]], other[:, [0, 2]])
    assert (z[:, 1] != other[:, 1]).all()


@pytest.mark.parametrize("support", [LINE, MIXED], ids=["one", "three"])
def test_gradients_and_hessian_equal_those_of_the_definition_and_differences(support):
    flow, theta = bent(support, bins=6)
    z = flow.sample(theta, np.random.default_rng(1).standard_normal((20, flow.dim)))[0]
    log_q, pullback = flow.log_prob_with_pullback(theta, z)
    np.testing.assert_allclose(log_q, flow.log_prob_definition(theta, z), rtol=1e-11, atol=1e-11)
    in_theta, in_z = pullback(np.ones(len(z)))
    expected = grad(lambda t: anp.sum(flow.log_prob_definition(t, z)))(theta)
    np.testing.assert_allclose(in_theta, expected, rtol=1e-9, atol=1e-9)
    in_z_expected = grad(lambda x: anp.sum(flow.log_prob_definition(theta, x)))(z)
    np.testing.assert_allclose(in_z, in_z_expected, rtol=1e-9, atol=1e-9)
    step = 1e-6 * np.random.default_rng(3).standard_normal(theta.shape)
    difference = flow.log_prob(theta + step, z).sum() - flow.log_prob(theta - step, z).sum()
    assert in_theta @ step == pytest.approx(0.5 * difference, rel=1e-5)
    q = FlowDistribution(flow, theta)
    h = 1e-6
    for j in range(flow.dim):
        shift = h * np.eye(flow.dim)[j]
        numeric = (q.gradient(z + shift) - q.gradient(z - shift)) / (2 * h)
        np.testing.assert_allclose(q.hessian(z)[:, j], numeric, rtol=1e-4, atol=1e-4)


def test_same_bits_with_any_number_of_threads(on_any_threads):
    flow, theta = bent(MIXED)
    base = np.random.default_rng(1).standard_normal((700, 3))

    def everything():
        z, log_q, pullback = flow.sample_with_pullback(theta, base)
        return z, log_q, pullback(np.ones_like(z), np.ones(len(z)))

    on_any_threads(everything)


def test_starts_as_a_gaussian_for_algorithm_one():
    support = Support([-np.inf], [np.inf])
    flow = ElementwiseFlow(support)
    theta = fit_gaussian(flow, mean=[2.0], standard_deviation=[0.3])
    z = np.linspace(1.0, 3.0, 11)[:, None]
    np.testing.assert_allclose(flow.log_prob(theta, z), norm(2.0, 0.3).logpdf(z[:, 0]), atol=1e-6)
