"""Modes: where they are, of which slice, and whether they are maxima."""

import numpy as np
import pytest

from numepi.analysis import mode


def test_the_mode_of_a_gaussian_is_its_mean(gaussian):
    found = mode(gaussian)
    np.testing.assert_allclose(found.z, gaussian.means[0], atol=1e-6)
    assert found.is_maximum and found.at_bound == () and len(found.others) == 0
    assert "maximum of the fitted density" in str(found)


def test_the_mode_of_a_slice_is_the_conditional_mean(gaussian):
    found = mode(gaussian, fixed={"b": 0.0})
    covariance, mean = gaussian.covariance, gaussian.means[0]
    expected = mean + covariance[:, 1] / covariance[1, 1] * (0.0 - mean[1])
    np.testing.assert_allclose(found.z, expected, atol=1e-6)
    assert found.z[1] == 0.0 and found.is_maximum


def test_both_modes_are_found_and_the_other_is_reported(mixture):
    found = mode(mixture)
    assert len(found.others) == 1 and found.is_maximum
    np.testing.assert_allclose(np.sort([found.z[0], found.others[0, 0]]), [-4, 4], atol=1e-4)
    assert found.log_prob >= found.others_log_prob[0]


def test_a_saddle_is_not_called_a_maximum(mixture):
    # from the midpoint, where the gradient vanishes, there is nowhere to go
    found = mode(mixture, start=np.zeros(3))
    assert found.gradient_norm < 1e-6 and not found.is_maximum
    assert "NOT a maximum" in str(found)


def test_a_mode_on_a_bound_is_named_and_is_the_best_point_of_the_support(half_gaussian):
    found = mode(half_gaussian)
    covariance, mean = half_gaussian.covariance, half_gaussian.means[0]
    expected = mean + covariance[:, 0] / covariance[0, 0] * (0.0 - mean[0])
    np.testing.assert_allclose(found.z, expected, atol=1e-4)
    assert found.at_bound == ("a",) and found.is_maximum


@pytest.mark.slow
def test_newton_climbs_a_flow_at_least_as_high_as_the_papers_schedule(nvp):
    start = nvp.sample(4, rng=5)
    newton = mode(nvp, start=start)
    ascent = mode(nvp, start=start, method="ascent")
    assert newton.is_maximum and newton.log_prob >= ascent.log_prob - 1e-6
    assert newton.log_prob > nvp.log_prob(start).max()


def test_the_papers_schedule_is_plain_ascent_with_a_halving_rate(gaussian):
    start = np.array([[0.0, 0.0, 0.0]])
    found = mode(gaussian, start=start, method="ascent", steps=3, learning_rate=0.01, halve_every=2)
    z = start
    for rate in (0.01, 0.01, 0.005):
        z = z + rate * gaussian.gradient(z)
    np.testing.assert_allclose(found.z, z[0], rtol=1e-12)
    assert not found.is_maximum


@pytest.mark.slow
def test_a_spline_flow_whose_slope_has_kinks_has_a_maximum():
    import numepi as ne
    from numepi.flow import FlowDistribution

    flow = ne.SplineFlow(ne.Support([-1.0] * 3, [1.0] * 3), stages=2, hidden=(8,), bins=4, box_map="sigmoid")
    theta = flow.initial_parameters(0)
    q = FlowDistribution(flow, theta + 0.2 * np.random.default_rng(2).normal(size=len(theta)))
    assert mode(q).is_maximum


def test_errors_name_the_parameter_and_the_remedy(gaussian, half_gaussian):
    with pytest.raises(ValueError, match="'x' is unknown: choose from a, b, c"):
        mode(gaussian, fixed={"x": 1.0})
    with pytest.raises(ValueError, match=r"a = 1.0 is not inside the support"):
        mode(half_gaussian, fixed={"a": 1.0})
    with pytest.raises(ValueError, match="leave one free"):
        mode(gaussian, fixed={"a": 1, "b": 1, "c": 1})
    with pytest.raises(ValueError, match="choose from 'newton', 'ascent'"):
        mode(gaussian, method="adam")
    with pytest.raises(ValueError, match=r"start has shape \(2,\)"):
        mode(gaussian, start=np.zeros(2))
