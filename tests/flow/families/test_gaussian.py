"""The Gaussian start of Algorithm 1."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm, truncnorm

from numepi.flow import FlowDistribution, RealNVP
from numepi.flow.families.gaussian import fit_gaussian
from numepi.support import Support

MIXED = Support([-10.0, 0.0, -np.inf, -np.inf], [10.0, np.inf, 3.0, np.inf])


def fitted(support, mean=None, standard_deviation=None, **settings):
    flow = RealNVP(support, hidden=(8, 7), **settings)
    return FlowDistribution(flow, fit_gaussian(flow, mean, standard_deviation))


@pytest.mark.parametrize("settings", [{}, {"post_affine": True}, {"stages": 2}])
def test_exact_on_lines(settings):
    mean, deviation = np.array([3.0, -200.0, 0.5]), np.array([0.1, 30.0, 1.0])
    q = fitted(Support([-np.inf] * 3, [np.inf] * 3), mean, deviation, **settings)
    z, log_q = q.sample_with_log_prob(200, rng=0)
    np.testing.assert_allclose(log_q, norm(mean, deviation).logpdf(z).sum(axis=1), atol=1e-5)


@pytest.mark.parametrize(("box_map", "bound"), [("gaussian-cdf", 0.015), ("sigmoid", 0.03)])
def test_default_is_close_to_the_truncated_gaussian_at_the_centre_of_a_box(box_map, bound):
    q = fitted(Support([-10.0, 0.0], [10.0, 0.5]), box_map=box_map)
    target = truncnorm(-2, 2, [0.0, 0.25], [5.0, 0.125])
    z, log_q = q.sample_with_log_prob(20000, rng=0)
    divergence = (log_q - target.logpdf(z).sum(axis=1)).mean()  # standard error below 0.002
    assert 0 < divergence < 2 * bound
    np.testing.assert_allclose(z.mean(axis=0), [0.0, 0.25], atol=0.02 * 10)
    np.testing.assert_allclose(z.std(axis=0), target.std(), rtol=0.05)


def test_narrow_gaussians_are_met_on_any_support():
    mean, deviation = np.array([9.0, 2.0, 1.0, 100.0]), np.array([0.2, 0.3, 0.2, 20.0])
    z = fitted(MIXED, mean, deviation).sample(20000, rng=1)
    np.testing.assert_allclose(z.mean(axis=0), mean, atol=0.03 * deviation.max())
    np.testing.assert_allclose(z.std(axis=0), deviation, rtol=0.05)


def test_the_bound_is_at_its_maximum():
    """No other scale and shift has a greater evidence lower bound (by independent quadrature)."""
    box = Support([-1.0, -1.0], [1.0, 1.0])
    flow = RealNVP(box, hidden=(4,), post_affine=True)
    theta = fit_gaussian(flow, [0.3, 0.0], [0.4, 0.5])
    log_scale, shift = theta[-4], theta[-2]

    def bound(a, b):
        def integrand(x):
            z, log_det = box.from_line(np.array([[np.exp(a) * x + b, 0.0]]))
            log_det = log_det[0] + norm.logpdf(0.0)
            return norm.pdf(x) * (norm(0.3, 0.4).logpdf(z[0, 0]) + log_det + a)

        return quad(integrand, -10, 10, epsabs=1e-11)[0]

    best = bound(log_scale, shift)
    for step in ([0.02, 0], [-0.02, 0], [0, 0.02], [0, -0.02]):
        assert bound(log_scale + step[0], shift + step[1]) < best


def test_open_dimensions_keep_the_identity_by_default():
    z = fitted(MIXED).sample(20000, rng=2)
    assert abs(z[:, 3].mean()) < 0.03 and abs(z[:, 3].std() - 1) < 0.03
    assert z[:, 0].std() < 5.0


@pytest.mark.parametrize(
    ("mean", "deviation", "match"),
    [
        ([0.0, -1.0, 0.0, 0.0], [1.0] * 4, r"mean\[1\]"),
        ([0.0, 1.0, 0.0, np.nan], [1.0] * 4, r"mean\[3\]"),
        ([0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 1.0, 1.0], r"standard_deviation\[1\]"),
        ([0.0, 1.0], [1.0] * 4, r"mean .*\(2,\).*\(4,\)"),
        ([0.0, 1.0, 0.0, 0.0], None, "both"),
    ],
)
def test_bad_targets_are_refused(mean, deviation, match):
    with pytest.raises(ValueError, match=match):
        fitted(MIXED, mean, deviation)


def test_a_flow_that_cannot_do_it_is_refused():
    with pytest.raises(ValueError, match=r"2 of 4 coordinates.*two stages"):
        fitted(MIXED, [0.0, 1.0, 0.0, 0.0], [1.0] * 4, stages=1)
