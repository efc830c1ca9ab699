"""The symmetric flow: invariance, one density in both directions, derivatives, what elimination makes of the sets."""

import json

import numpy as np
import pytest
from autograd.test_util import check_grads
from scipy import stats

from numepi.flow import FlowDistribution, SymmetricFlow, flow_from_description
from numepi.flow.families.gaussian import fit_gaussian
from numepi.support import Support

SUPPORT = Support([-2.0, -np.inf, -1.0, 0.0], [2.0, np.inf, 1.0, 3.0])
SYMMETRIES = ((0, 1), (1, 2), (0, 2))  # the third is the other two together
HALVES = [{"half_family": "SplineFlow", "bins": 4}, {"half_family": "RealNVP"}]


def make(settings, scale=0.2):
    flow = SymmetricFlow(SUPPORT, SYMMETRIES, stages=2, hidden=(6, 5), **settings)
    theta = flow.initial_parameters(0)
    return flow, theta + scale * np.random.default_rng(1).standard_normal(len(theta))


@pytest.mark.parametrize("settings", HALVES)
def test_density_has_the_symmetries_and_is_that_of_the_samples(settings):
    flow, theta = make(settings)
    z, log_q = flow.sample(theta, np.random.default_rng(0).standard_normal((300, 4)))
    np.testing.assert_allclose(flow.log_prob(theta, z), log_q, atol=1e-9)
    for together in SYMMETRIES:
        image = z.copy()
        image[:, together] *= -1
        np.testing.assert_allclose(flow.log_prob(theta, image), log_q, atol=1e-9)
    image = z.copy()
    image[:, 0] *= -1  # no symmetry
    assert np.abs(flow.log_prob(theta, image) - log_q).max() > 0.1


def test_samples_fall_on_all_images_alike_and_the_density_integrates_to_one():
    flow, theta = make(HALVES[0])
    base = np.random.default_rng(2).standard_normal((40_000, 4))
    z, _ = flow.sample(theta, base)
    # Sign patterns of the three coordinates: four images of one orthant each; here false alarms have 1e-4.
    for pattern in range(2):
        inside = np.sign(z[:, 0] * z[:, 1] * z[:, 2]) == (1 if pattern else -1)
        counts = np.unique(np.sign(z[inside][:, :2]), axis=0, return_counts=True)[1]
        assert stats.chisquare(counts).pvalue > 5e-5
    proposal = stats.norm(0, 3).rvs(40_000, random_state=3)
    points = np.column_stack([np.random.default_rng(4).uniform([-2, -1, 0], [2, 1, 3], (40_000, 3)), proposal])
    points = points[:, [0, 3, 1, 2]]
    ratio = np.exp(flow.log_prob(theta, points) - stats.norm(0, 3).logpdf(proposal)) * 4 * 2 * 3
    assert abs(ratio.mean() - 1) < 4 * ratio.std() / 200  # false alarm 6e-5


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_initial_flow_is_exactly_uniform_on_a_box(precision):
    flow = SymmetricFlow(Support([-1.0] * 4, [1.0] * 4), [(0, 1), (2,)], hidden=(6, 5), precision=precision)
    base = np.random.default_rng(0).standard_normal((20_000, 4))
    base[:2] = [[8.0, -12.0, 35.0, 0.0], [1e-300, -1e-17, 1e-9, 1.0]]
    z, log_q = flow.sample(flow.initial_parameters(0), base)
    np.testing.assert_allclose(log_q, -4 * np.log(2), atol=1e-12)
    for column in z.T:
        assert stats.kstest(column, stats.uniform(-1, 2).cdf).pvalue > 2.5e-5  # false alarm 1e-4 for the four


@pytest.mark.parametrize("settings", HALVES)
def test_compiled_passes_equal_the_definition_and_its_derivatives(settings):
    flow, theta = make(settings)
    base = np.random.default_rng(5).standard_normal((6, 4))
    z, log_q = flow.sample(theta, base)
    for ours, defined in zip((z, log_q), flow.sample_definition(theta, base)):
        np.testing.assert_allclose(ours, defined, atol=1e-10)
    np.testing.assert_allclose(flow.log_prob_definition(theta, z), log_q, atol=1e-9)
    check_grads(flow.sample, modes=["rev"], order=1)(theta, base)
    check_grads(flow.log_prob, modes=["rev"], order=1)(theta, z)
    assert (base[:, 0] > 0).any() and (base[:, 0] < 0).any()  # both sides of a pivot
    check_grads(lambda b: flow.sample(theta, b), modes=["rev"], order=1)(base)
    check_grads(lambda points: flow.log_prob(theta, points), modes=["rev"], order=1)(z)
    grad_z, grad_log_q = np.random.default_rng(6).standard_normal((6, 4)), np.arange(6.0)
    full = flow.sample_with_full_pullback(theta, base)[2](grad_z, grad_log_q)[0]
    np.testing.assert_array_equal(flow.sample_with_pullback(theta, base)[2](grad_z, grad_log_q), full)


def test_hessian_and_gradient_against_differences():
    flow, theta = make(HALVES[1])
    q = FlowDistribution(flow, theta)
    z, step = q.sample(5, rng=0), 1e-5
    z[:, 0] = np.where(np.abs(z[:, 0]) < 0.1, 0.1, z[:, 0])  # away from the pivots' kinks
    z[:, 1] = np.where(np.abs(z[:, 1]) < 0.1, -0.1, z[:, 1])
    shifts = step * np.eye(4)
    gradient = np.stack([(q.log_prob(z + s) - q.log_prob(z - s)) / (2 * step) for s in shifts], axis=1)
    np.testing.assert_allclose(q.gradient(z), gradient, rtol=1e-5, atol=1e-6)
    hessian = np.stack([(q.gradient(z + s) - q.gradient(z - s)) / (2 * step) for s in shifts], axis=2)
    np.testing.assert_allclose(q.hessian(z), hessian, rtol=1e-4, atol=1e-4)


def test_description_round_trip():
    flow, theta = make(HALVES[0])
    copy = flow_from_description(json.loads(json.dumps(flow.description)))
    assert repr(copy) == repr(flow)
    base = np.random.default_rng(0).standard_normal((10, 4))
    for ours, other in zip(copy.sample(theta, base), flow.sample(theta, base)):
        np.testing.assert_array_equal(ours, other)


def test_no_symmetries_leave_the_flow_as_it_is():
    flow = SymmetricFlow(SUPPORT, [], stages=2, hidden=(6, 5))
    theta = flow.initial_parameters(0) + 0.1
    base = np.random.default_rng(0).standard_normal((10, 4))
    np.testing.assert_array_equal(flow.sample(theta, base)[0], flow.half.sample(theta, base)[0])


def test_gaussian_start_is_on_the_half():
    flow = SymmetricFlow(Support([-1.0] * 2, [1.0] * 2), [(0,)], half_family="RealNVP", hidden=(6, 5))
    z, _ = flow.sample(fit_gaussian(flow), np.random.default_rng(0).standard_normal((4000, 2)))
    # Half of the width in the folded coordinate: centre 0.5, standard deviation 0.25 of the half.
    assert abs(np.abs(z[:, 0]).mean() - 0.5) < 0.02
    assert abs(z[:, 0].mean()) < 0.04


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"sign_symmetries": [(0, 4)]}, "choose from 0 to 3"),
        ({"sign_symmetries": [()]}, "is empty: give one or more"),
        ({"sign_symmetries": [(3,)]}, "symmetric about zero"),
        ({"sign_symmetries": [(0,)], "half_family": "DirectionalFlow"}, "half_family = 'DirectionalFlow'"),
    ],
)
def test_bad_symmetries_are_refused(arguments, match):
    with pytest.raises(ValueError, match=match):
        SymmetricFlow(SUPPORT, **arguments)


def test_wrong_shapes_are_refused():
    flow, theta = make(HALVES[0])
    with pytest.raises(ValueError, match=r"\(5, 3\)"):
        flow.log_prob(theta, np.zeros((5, 3)))
