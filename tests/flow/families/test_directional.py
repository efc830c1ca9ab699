"""The directional flow: settings, description, the uniform start, derivatives of the whole, symmetry, overlaps."""

import json

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from numepi.flow import DirectionalFlow, FlowDistribution, flow_from_description
from numepi.flow.couplings.directional.stack import DirectionStack
from numepi.flow.families.gaussian import fit_gaussian
from numepi.support import Support

BOX = Support([-1.0] * 12, [1.0] * 12)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"stages": 0}, "stages = 0"),
        ({"vectors": 1}, "vectors = 1"),
        ({"vectors": 5}, "vectors = 5"),
        ({"anchors": -1}, "anchors = -1"),
        ({"precision": "float16"}, "float16"),
    ],
)
def test_bad_settings_are_refused(settings, match):
    with pytest.raises(ValueError, match=match):
        DirectionalFlow(BOX, **({"vectors": 3} | settings))


def test_description_round_trip():
    flow = DirectionalFlow(BOX, vectors=3, stages=5, hidden=(6, 5), anchors=1, precision="float32")
    copy = flow_from_description(json.loads(json.dumps(flow.description)))
    assert copy.description == flow.description
    assert repr(copy) == repr(flow)
    theta = flow.initial_parameters(1) + 0.1
    base = np.random.default_rng(0).standard_normal((10, 12))
    for ours, other in zip(copy.sample(theta, base), flow.sample(theta, base)):
        np.testing.assert_array_equal(ours, other)


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "tolerance"), [("float64", 1e-11), ("float32", 2e-4)])
def test_initial_flow_is_uniform_on_a_box(precision, tolerance):
    flow = DirectionalFlow(BOX, vectors=3, hidden=(6, 5), precision=precision)
    theta = flow.initial_parameters(0)
    base = np.random.default_rng(0).standard_normal((500, 12))
    z, log_q = flow.sample(theta, base)
    np.testing.assert_allclose(log_q, -12 * np.log(2), rtol=0, atol=tolerance)
    np.testing.assert_allclose(flow.log_prob(theta, z), -12 * np.log(2), rtol=0, atol=tolerance)


@pytest.fixture(params=[(12, 3, 0), (12, 3, 1), (2, 2, 1), (5, 5, 0)], ids=str)
def bent(request):
    dim, vectors, anchors = request.param
    flow = DirectionalFlow(Support([-1.0] * dim, [1.0] * dim), vectors, stages=4, hidden=(6, 5), anchors=anchors)
    rng = np.random.default_rng(2)
    theta = flow.initial_parameters(0) + 0.1 * rng.standard_normal(flow.n_parameters)
    return flow, theta, 0.7 * rng.standard_normal((100, dim))


@pytest.mark.slow
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


@pytest.mark.slow
def test_hessian_is_the_derivative_of_the_gradient(bent):
    flow, theta, base = bent
    q = FlowDistribution(flow, theta)
    z, _ = flow.sample(theta, base)
    z = z[np.abs(z).max(axis=1) < 0.95][:20]  # differences need room to the bounds
    assert len(z) >= 10
    step = 1e-6
    differences = [q.gradient(z + shift) - q.gradient(z - shift) for shift in step * np.eye(flow.dim)]
    hessian = q.hessian(z)
    expected = np.stack(differences, axis=2) / (2 * step)
    np.testing.assert_allclose(hessian, expected, atol=1e-5 * np.abs(hessian).max())


@pytest.mark.slow
def test_single_precision_follows_double(bent):
    flow, theta, base = bent
    single = flow_from_description(flow.description | {"precision": "float32"})
    z, log_q, pullback = flow.sample_with_pullback(theta, base)
    z32, log_q32, pullback32 = single.sample_with_pullback(theta, base)
    np.testing.assert_allclose(z32, z, atol=1e-4)
    np.testing.assert_allclose(log_q32, log_q, atol=1e-3)
    expected = pullback(np.cos(z), np.sin(base[:, 0]))
    np.testing.assert_allclose(
        pullback32(np.cos(z), np.sin(base[:, 0])), expected, rtol=1e-2, atol=1e-3 * np.abs(expected).max()
    )


def test_bits_depend_neither_on_threads_nor_on_the_batch(bent, on_any_threads):
    flow, theta, _ = bent
    base = np.random.default_rng(8).standard_normal((1000, flow.dim))

    def everything():
        z, log_q, pullback = flow.sample_with_pullback(theta, base)
        log_q_back, pullback_back = flow.log_prob_with_pullback(theta, z)
        return z, log_q, pullback(z, log_q), log_q_back, *pullback_back(log_q)

    one = on_any_threads(everything)
    alone, _ = flow.sample(theta, base[70:71])
    np.testing.assert_array_equal(alone[0], one[0][70])


def test_starts_as_a_gaussian():
    flow = DirectionalFlow(BOX, vectors=3, hidden=(6, 5))
    mean = np.linspace(-0.4, 0.4, 12)
    theta = fit_gaussian(flow, mean, np.full(12, 0.1))
    z = FlowDistribution(flow, theta).sample(20_000, rng=0)
    np.testing.assert_allclose(z.mean(axis=0), mean, atol=0.02)
    np.testing.assert_allclose(z.std(axis=0), 0.1, rtol=0.05)


def test_couplings_without_bend_commute_with_rotations_of_the_units():
    stack = DirectionStack(3, 4, 4, (6, 5), 0, "float64")
    rng = np.random.default_rng(0)
    theta = stack.initial_parameters(rng) + 0.4 * rng.standard_normal(stack.n_parameters)
    theta[:8] = 0  # kappa of 4 stages with 2 directions
    rotation, _ = np.linalg.qr(rng.standard_normal((4, 4)))
    x = rng.standard_normal((50, 12))

    def rotate(x):
        return (x.reshape(-1, 3, 4) @ rotation).reshape(-1, 12)

    y, log_det = stack.forward(theta, x)
    y_rotated, log_det_rotated = stack.forward(theta, rotate(x))
    np.testing.assert_allclose(y_rotated, rotate(y), atol=1e-12)
    np.testing.assert_allclose(log_det_rotated, log_det, atol=1e-12)


def test_one_coupling_sets_an_overlap_and_leaves_the_other_directions():
    """The last biases alone: v shrinks to a hundredth along u, and keeps what is orthogonal to it."""
    stack = DirectionStack(2, 50, 1, (5,), 0, "float64")
    theta = stack.initial_parameters(np.random.default_rng(0))
    ratio = 0.01
    s = np.log(ratio)
    theta[-2] = s / np.sqrt(1 - (s / 5) ** 2)  # through the clamp; outputs are [sigma, s, t]
    x = np.random.default_rng(1).standard_normal((100, 100))
    u, v = x[:, :50], x[:, 50:]
    y, log_det = stack.forward(theta, x)
    moved = y[:, 50:]
    np.testing.assert_array_equal(y[:, :50], u)
    overlap_before, overlap_after = (u * v).sum(axis=1), (u * moved).sum(axis=1)
    np.testing.assert_allclose(overlap_after, ratio * overlap_before, atol=1e-3 * np.abs(overlap_before).max())
    change = moved - v
    orthogonal = change - ((change * u).sum(axis=1) / (u * u).sum(axis=1))[:, None] * u
    np.testing.assert_allclose(orthogonal, 0, atol=1e-12)
    np.testing.assert_allclose(log_det, s, atol=0.1)
