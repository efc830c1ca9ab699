"""What particles count for in a flow's learning, and its rate."""

import numpy as np
import pytest

import numepi as ne
from numepi.inference.particles.learning import Pace, path_gradient, rate, score_gradient, weights


def test_one_particle_out_of_the_flows_reach_does_not_outweigh_the_others():
    log_ratio = np.array([0.0, 1.0, -1.0, 2.0, -2.0, 400.0])
    found = weights(log_ratio)
    assert np.array_equal(found[:5], np.ones(5))
    assert found[5] * log_ratio[5] == pytest.approx(5, rel=0.05)  # it counts as one that is as far as counts in full
    assert np.array_equal(weights(1e3 * np.arange(4.0))[:2], np.ones(2))  # far from p* all count, as far as most are


@pytest.mark.parametrize(("straight", "half"), [(True, 0.5), (False, 0.1)])
def test_the_rate_rises_soon_and_falls_to_the_end(straight, half):
    steps = 1000
    rates = np.array([rate(step, step / steps, straight) for step in range(steps)])
    assert rates[0] < 0.03 and rates[50] > 0.75 and rates[500] == pytest.approx(half)
    assert np.all(np.diff(rates[50:990]) < 0) and rates[-1] == pytest.approx(0.01, rel=0.01)


def test_a_flow_of_very_many_parameters_learns_with_care():
    # With the swift pace two of three flows of 400 ended 0.7 nats below the third, and half of the draws of 1,000 left
    # the region.
    swift, careful = Pace.of(200), Pace.of(400)
    assert swift.straight and not careful.straight and careful == Pace.of(1000)
    assert swift.lead < careful.lead and swift.forward_weight < careful.forward_weight


def test_the_way_back_into_the_region_is_bounded_and_may_be_unknown():
    support = ne.Support([-1.0, -1.0], [1.0, 1.0])
    flow = ne.ElementwiseFlow(support, bins=4)
    theta = flow.initial_parameters(0)
    z, _, pull = flow.sample_with_pullback(theta, np.random.default_rng(0).standard_normal((8, 2)))

    def gradient(outward):
        return path_gradient(flow, theta, z, np.arange(7), np.ones((7, 2)), np.array([7]), np.array([outward]), pull)

    # a silent unit's statistic has no derivative: one such draw made the gradient NaN
    assert np.isfinite(gradient([0.0, 0.0])).all() and gradient([0.0, 0.0]).any()
    # and however steep it is, one draw counts for no more than another
    np.testing.assert_allclose(gradient([1e6, 0.0]), gradient([1e-3, 0.0]), rtol=1e-9)


def test_gradients_of_a_tiny_side_teach_as_those_of_a_unit_one():
    # their squares overflow: on a support 1e-300 wide no draw of the flow taught it, and NumPy's warnings leaked
    def gradient(width):
        flow = ne.ElementwiseFlow(ne.Support([0.0], [width]), bins=4)
        theta = flow.initial_parameters(0)
        z, _, pull = flow.sample_with_pullback(theta, np.random.default_rng(0).standard_normal((8, 1)))
        tilt, outward = np.ones((7, 1)) / width, np.array([[1.0]]) / width
        with np.errstate(all="raise", under="ignore"):
            return path_gradient(flow, theta, z, np.arange(7), tilt, np.array([7]), outward, pull)

    np.testing.assert_allclose(gradient(1e-300), gradient(1.0), rtol=1e-9, atol=1e-12)


def test_half_of_the_draws_beyond_the_region_leave_a_score():
    support = ne.Support([-1.0, -1.0], [1.0, 1.0])
    flow = ne.ElementwiseFlow(support, bins=4)
    theta = flow.initial_parameters(0)
    z, _ = flow.sample(theta, np.random.default_rng(0).standard_normal((8, 2)))
    log_ratio = np.array([0.1, -0.2, 0.3, 0.0, *[np.inf] * 4])
    assert np.isfinite(score_gradient(flow, theta, z, log_ratio)).all()
