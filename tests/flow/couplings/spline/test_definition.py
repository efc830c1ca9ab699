"""The rational-quadratic spline: shape, smoothness, tails, precision."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad

from numepi.flow.couplings.spline.coupling import SplineCoupling
from numepi.flow.couplings.spline.definition import BOUND, MINIMUM, spline, spline_inverse
from numepi.flow.passes.blocks import from_blocks, to_blocks, vector_from_blocks, vector_to_blocks

BINS = 6


@pytest.fixture
def raw(rng):
    return 1.5 * rng.standard_normal(3 * BINS - 1)


def repeat(raw, x):
    return np.tile(raw, (len(x), 1))


def knots(raw, which):
    logits = raw[which * BINS : (which + 1) * BINS]
    share = np.exp(logits) / np.exp(logits).sum()
    sizes = 2 * BOUND * (MINIMUM + (1 - BINS * MINIMUM) * share)
    return np.concatenate([[0.0], np.cumsum(sizes)]) - BOUND


def test_passes_through_its_knots_with_the_given_slopes(raw):
    x, y = knots(raw, 0), knots(raw, 1)
    log_slopes = raw[2 * BINS :] / np.sqrt(1 + (raw[2 * BINS :] / 5) ** 2)
    expected = np.concatenate([[0.0], log_slopes, [0.0]])
    for side in (-1e-11, 1e-11):  # both pieces that meet at a knot
        value, log_slope = spline(repeat(raw, x), x + side)
        np.testing.assert_allclose(value, y, atol=1e-6)
        np.testing.assert_allclose(log_slope, expected, atol=1e-5)


def test_rises_everywhere_and_its_slope_is_its_derivative(raw):
    x = np.linspace(-BOUND - 1, BOUND + 1, 1001)
    value, log_slope = spline(repeat(raw, x), x)
    assert (np.diff(value) > 0).all()
    slope = elementwise_grad(lambda x: spline(repeat(raw, x), x)[0])(x)
    np.testing.assert_allclose(np.exp(log_slope), slope, rtol=1e-10)


def test_is_the_identity_outside_of_the_bounds(raw):
    x = np.array([-40.0, -BOUND - 1e-12, BOUND + 1e-12, 7.5])
    for function in (spline, spline_inverse):
        value, log_slope = function(repeat(raw, x), x)
        np.testing.assert_array_equal(value, x)
        np.testing.assert_array_equal(log_slope, 0)


def test_inverse_of_extreme_bins():
    rng = np.random.default_rng(1)
    raw = 30 * rng.standard_normal((1000, 3 * BINS - 1))
    x = rng.uniform(-BOUND, BOUND, 1000)
    y, log_slope = spline(raw, x)
    back, same_log_slope = spline_inverse(raw, y)
    # A change of y by its own rounding moves x by that much over the slope.
    np.testing.assert_array_less(np.abs(back - x), 1e-13 * (1 + np.exp(-log_slope)) * 20)
    steep = log_slope > -5
    assert steep.sum() > 100
    np.testing.assert_allclose(same_log_slope[steep], log_slope[steep], atol=1e-6)


def run(coupling, theta, x, inverse):
    log_q = vector_to_blocks(np.zeros(len(x)))
    y, tape = coupling.run(coupling.pack(theta), to_blocks(x, coupling.dtype), log_q, inverse)
    return from_blocks(y, len(x)), vector_from_blocks(log_q, len(x)), tape


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "tolerance"), [("float64", 1e-12), ("float32", 1e-4)])
def test_compiled_passes_invert_each_other(precision, tolerance):
    rng = np.random.default_rng(4)
    coupling = SplineCoupling(4, (6, 5), precision)
    theta = coupling.initial_parameters(rng) + 0.4 * rng.standard_normal(coupling.n_parameters)
    x = 2.5 * rng.standard_normal((2000, 4))
    y, log_q, _ = run(coupling, theta, x, False)
    back, log_q_back, _ = run(coupling, theta, y, True)
    x = x.astype(precision)
    np.testing.assert_allclose(back, x, atol=tolerance)
    np.testing.assert_allclose(log_q_back, log_q, atol=10 * tolerance)


@pytest.mark.parametrize("inverse", [False, True])
def test_compiled_passes_in_single_precision_follow_the_definition(inverse):
    rng = np.random.default_rng(5)
    coupling = SplineCoupling(4, (6, 5), "float32")
    theta = coupling.initial_parameters(rng) + 0.4 * rng.standard_normal(coupling.n_parameters)
    x = 2.5 * rng.standard_normal((500, 4))
    expected, log_det = (coupling.inverse if inverse else coupling.forward)(theta, x)
    y, log_q, _ = run(coupling, theta, x, inverse)
    np.testing.assert_allclose(y, expected, atol=1e-4)
    np.testing.assert_allclose(log_q, -log_det, atol=1e-3)


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("inverse", [False, True])
def test_zero_last_layer_is_the_identity_to_the_last_bit(precision, inverse):
    coupling = SplineCoupling(3, (5,), precision, moved=2, bins=7)
    x = 3 * np.random.default_rng(0).standard_normal((500, 3))
    y, log_q, _ = run(coupling, coupling.initial_parameters(np.random.default_rng(1)), x, inverse)
    np.testing.assert_array_equal(y, x.astype(precision))
    np.testing.assert_array_equal(log_q, 0)


def test_far_and_missing_inputs():
    coupling = SplineCoupling(2, (5,), "float64")
    rng = np.random.default_rng(0)
    theta = coupling.initial_parameters(rng) + 0.3 * rng.standard_normal(coupling.n_parameters)
    x = np.array([[0.3, 50.0], [0.3, -50.0], [0.3, np.nan], [np.nan, 0.0], [0.3, 0.1]])
    for inverse in (False, True):
        y, log_q, tape = run(coupling, theta, x, inverse)
        assert np.isfinite(y[[0, 1, 4]]).all() and np.isfinite(log_q[[0, 1, 4]]).all()
        assert np.isnan(y[2:4, 1]).all()
        assert np.isnan(log_q[3])
        expected, _ = (coupling.inverse if inverse else coupling.forward)(theta, x[[0, 1, 4]])
        np.testing.assert_allclose(y[[0, 1, 4]], expected, rtol=1e-12)
        cotangent = to_blocks(np.ones_like(x), np.float64, fill=False)
        grad = coupling.pull(coupling.pack(theta), tape, cotangent, vector_to_blocks(np.ones(len(x))), inverse, None, 0)
        assert np.isfinite(from_blocks(grad, len(x))[[0, 1, 4]]).all()


def test_definition_has_gradients_at_the_identity():
    raw, x = np.zeros((4, 3 * BINS - 1)), np.array([-6.0, -1.0, 0.3, 2.0])
    gradient = elementwise_grad(lambda raw: anp.sum(spline(raw, x)[0] + spline_inverse(raw, x)[1]))(raw)
    assert np.isfinite(gradient).all()
    assert (gradient[0] == 0).all() and (np.abs(gradient[1:]).max(axis=1) > 0).all()
