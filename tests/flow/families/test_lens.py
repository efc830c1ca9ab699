"""The lens flow: settings, description, the uniform start, derivatives of the whole, symmetry, long aligned vectors."""

import json

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from numepi.flow import LensFlow, flow_from_description
from numepi.support import Support

BOX = Support([-1.0] * 12, [1.0, 2.0] * 6)


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"stages": 0}, "stages = 0"),
        ({"vectors": 1}, "vectors = 1"),
        ({"vectors": 4}, "as long as their number"),
        ({"vectors": 5}, "choose a divisor"),
        ({"precision": "float16"}, "float16"),
    ],
)
def test_bad_settings_are_refused(settings, match):
    with pytest.raises(ValueError, match=match):
        LensFlow(BOX, **({"vectors": 3} | settings))


def test_an_open_side_is_refused():
    with pytest.raises(ValueError, match="open side"):
        LensFlow(Support([-1.0] * 6, [np.inf] * 6), 2)


def test_description_round_trip():
    flow = LensFlow(BOX, vectors=3, stages=5, hidden=(6, 5), precision="float32")
    copy = flow_from_description(json.loads(json.dumps(flow.description)))
    assert copy.description == flow.description
    assert repr(copy) == repr(flow)
    assert copy.n_parameters == flow.n_parameters


@pytest.mark.parametrize(
    ("precision", "tolerance"), [("float64", 1e-11), pytest.param("float32", 1e-11, marks=pytest.mark.slow)]
)
def test_initial_flow_is_uniform(precision, tolerance):
    flow = LensFlow(BOX, vectors=3, hidden=(6, 5), precision=precision)
    z, log_q = flow.sample(flow.initial_parameters(0), np.random.default_rng(0).standard_normal((500, 12)))
    np.testing.assert_allclose(log_q, -BOX.log_volume, rtol=0, atol=1e-11)
    np.testing.assert_allclose(flow.log_prob(flow.initial_parameters(0), z), -BOX.log_volume, rtol=0, atol=1e-11)


@pytest.fixture(scope="module", params=[(12, 3), (6, 2)], ids=str)
def bent(request):
    dim, vectors = request.param
    flow = LensFlow(Support([-1.0] * dim, [1.0] * dim), vectors, stages=4, hidden=(6, 5))
    rng = np.random.default_rng(2)
    theta = flow.initial_parameters(0) + 0.12 * rng.standard_normal(flow.n_parameters)
    return flow, theta, 0.8 * rng.standard_normal((100, dim))


def test_both_passes_equal_their_definitions_in_value_and_gradient(bent):
    flow, theta, base = bent
    z, log_q, pullback = flow.sample_with_full_pullback(theta, base)
    assert log_q.std() > 0.25  # far from the start
    grad_z, weight = np.cos(z), np.sin(base[:, 0])

    def sampling_loss(theta, base):
        z, log_q = flow.sample_definition(theta, base)
        return anp.sum(z * grad_z) + anp.sum(log_q * weight)

    for ours, argument in zip(pullback(grad_z, weight), (0, 1)):
        expected = grad(sampling_loss, argument)(theta, base)
        np.testing.assert_allclose(ours, expected, rtol=1e-8, atol=1e-9 * np.abs(expected).max())
    log_prob, pullback = flow.log_prob_with_pullback(theta, z)
    np.testing.assert_allclose(log_prob, log_q, atol=1e-7)
    for ours, argument in zip(pullback(weight), (0, 1)):
        expected = grad(lambda theta, z: anp.sum(flow.log_prob_definition(theta, z) * weight), argument)(theta, z)
        np.testing.assert_allclose(ours, expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max())


def test_gradients_are_differences(bent):
    flow, theta, base = bent
    z = flow.sample(theta, base)[0]
    z = z[np.abs(z).max(axis=1) < 0.95][:10]  # differences need room to the bounds
    assert len(z) == 10
    rng = np.random.default_rng(3)
    step, weight = 1e-6, rng.standard_normal(len(z))
    gradient, along_z = flow.log_prob_with_pullback(theta, z)[1](weight)
    direction, v = rng.standard_normal(len(theta)), rng.standard_normal(z.shape)
    ends = [weight @ flow.log_prob(theta + sign * step * direction, z) for sign in (1, -1)]
    assert gradient @ direction == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6)
    ends = [weight @ flow.log_prob(theta, z + sign * step * v) for sign in (1, -1)]
    assert np.sum(along_z * v) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6)
    ends = [flow.log_prob_gradient(theta, z + sign * step * v) for sign in (1, -1)]
    product = flow.log_prob_hessian_product(theta, z, v)
    np.testing.assert_allclose(product, (ends[0] - ends[1]) / (2 * step), rtol=1e-5, atol=1e-6 * np.abs(product).max())


def test_the_density_is_normalised():
    flow = LensFlow(Support([0.0] * 4, [2.0] * 4), 2, stages=3, hidden=(5,))
    rng = np.random.default_rng(0)
    theta = flow.initial_parameters(0) + 0.15 * rng.standard_normal(flow.n_parameters)
    ratio = 16 * np.exp(flow.log_prob(theta, rng.uniform(0, 2, (40_000, 4))))
    assert ratio.std() > 0.2
    assert abs(ratio.mean() - 1) < 5 * ratio.std() / np.sqrt(len(ratio)) < 0.05  # false alarm 6e-7


def test_bits_depend_neither_on_threads_nor_on_the_batch(bent, on_any_threads):
    flow, theta, _ = bent
    base = np.random.default_rng(8).standard_normal((300, flow.dim))

    def everything():
        z, log_q, pullback = flow.sample_with_pullback(theta, base)
        log_q_back, pullback_back = flow.log_prob_with_pullback(theta, z)
        return z, log_q, pullback(z, log_q), log_q_back, *pullback_back(log_q)

    one = on_any_threads(everything)
    np.testing.assert_array_equal(flow.sample(theta, base[70:71])[0][0], one[0][70])


def test_units_may_change_places_and_signs(bent):
    flow, theta, base = bent
    length = flow.dim // flow.settings["vectors"]
    rng = np.random.default_rng(1)
    order, signs = rng.permutation(length), rng.choice([-1.0, 1.0], length)

    def changed(x):
        return (signs * x.reshape(len(x), -1, length)[:, :, order]).reshape(x.shape)

    z, log_q = flow.sample(theta, base)
    other, other_log_q = flow.sample(theta, changed(base))
    np.testing.assert_allclose(other, changed(z), atol=1e-9)
    np.testing.assert_allclose(other_log_q, log_q, atol=1e-9)


def test_an_overlap_can_be_sharp_in_the_box():
    """By what the rest alone would overlap with, which at a large scale is most of what is left of its spread."""
    length, spread = 40, []
    flow = LensFlow(Support([-1.0] * 2 * length, [1.0] * 2 * length), 2, stages=1, hidden=(5,))
    theta, base = flow.initial_parameters(0), np.random.default_rng(0).standard_normal((400, 2 * length))
    for kappa in (0.0, 1.7):  # outputs are [c, l, c', l', sigma, t, s, kappa]; 1.7 is one over the map's mean slope
        theta[-8:] = [0.0, 1e9, 0.0, 1e9, 0.0, 0.0, -4.0, kappa]
        u, v = flow.sample(theta, base)[0].reshape(400, 2, length).transpose(1, 0, 2)
        spread.append(np.std(np.sum(u * v, axis=1) / np.linalg.norm(u, axis=1)))
    assert spread[1] < 0.4 * spread[0]


def test_one_coupling_is_a_truncated_normal_about_another_vector():
    """The last biases alone: v given u is a normal about -0.8 u, truncated to the box."""
    from scipy.stats import truncnorm

    length = 40
    flow = LensFlow(Support([-1.0] * 2 * length, [1.0] * 2 * length), 2, stages=1, hidden=(5,))
    theta = flow.initial_parameters(0)
    mean, deviation = -0.8, 0.3
    free = (np.log(deviation) - 0.7) / 3.2  # the clamp, backwards; outputs are [c, l, c', l'] and four that stay zero
    theta[-8:-4] = [0.0, 1e9, mean, 3.2 * free / np.sqrt(1 - free**2)]
    rng = np.random.default_rng(0)
    z = flow.sample(theta, rng.standard_normal((4, 2 * length)))[0]
    u, v = z[:, :length], z[:, length:]
    m = mean * u / np.sqrt(1 + (mean * u / 1.5) ** 2)
    law = truncnorm((-1 - m) / deviation, (1 - m) / deviation, m, deviation)
    # the lens at the base's side is as weak as it gets, no normal of more than e^3.9 half widths
    np.testing.assert_allclose(flow.log_prob(theta, z), law.logpdf(v).sum(axis=1) - length * np.log(2), atol=0.05)
