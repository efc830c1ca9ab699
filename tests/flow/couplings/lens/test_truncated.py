"""The truncated-normal map: scipy's distribution, the way back, slopes; and what is next to the bounds."""

import numpy as np
import pytest
from autograd import elementwise_grad
from scipy import stats

from numepi.flow.couplings.lens import truncated
from numepi.flow.couplings.lens.truncated import to_normal_definition

CASES = [(0.0, 3.9), (0.5, -0.5), (-1.4, -2.5), (1.4, -2.5), (1.4, 0.7)]
LINE = np.array([-5.0, -1.3, 0.2, 2.0, 5.0])


def standardised(y, mean, scale):
    """X of what is at ``y`` on the line."""
    below, above = stats.norm.cdf(y), stats.norm.sf(y)
    return (below - above - mean) * scale


def to_normal(y, mean, log_deviation):
    """W and log dw/dy, as a lens finds them."""
    scale = np.exp(-log_deviation)
    x, box = standardised(y, mean, scale), truncated.bounds(mean, scale)
    w = truncated.to_normal(x, mean, *box)
    return w, truncated.log_slope(y, w, x, log_deviation, box[2])


def from_normal(w, mean, log_deviation):
    """Y, where that is in the box, and log dw/dy."""
    scale = np.exp(-log_deviation)
    box = truncated.bounds(mean, scale)
    x = truncated.place_of_normal(w, mean, *box)
    y, place = truncated.from_normal(x, mean, scale)
    return y, place, truncated.log_slope(y, w, x, log_deviation, box[2])


@pytest.mark.parametrize(("mean", "log_deviation"), CASES)
def test_it_is_the_distribution_function_of_a_truncated_normal(mean, log_deviation):
    deviation = np.exp(log_deviation)
    law = stats.truncnorm((-1 - mean) / deviation, (1 - mean) / deviation, mean, deviation)
    for y in LINE[1:4]:
        w, slope = to_normal(y, mean, log_deviation)
        place = 2 * stats.norm.cdf(y) - 1
        assert stats.norm.cdf(w) == pytest.approx(law.cdf(place), rel=1e-9)
        expected = law.logpdf(place) + np.log(2) + stats.norm.logpdf(y) - stats.norm.logpdf(w)
        assert slope == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(("mean", "log_deviation"), CASES)
def test_the_way_back(mean, log_deviation):
    for y in LINE:
        w, slope = to_normal(y, mean, log_deviation)
        if abs(w) < 6:
            back, place, other = from_normal(w, mean, log_deviation)
            assert back == pytest.approx(y, abs=1e-6) and other == pytest.approx(slope, abs=1e-5)
            assert place == pytest.approx(2 * stats.norm.cdf(back) - 1, abs=1e-15)


def test_far_out_it_stays_finite():
    for mean, log_deviation in CASES:
        for w in (-9.0, 9.0):
            y, place, slope = from_normal(w, mean, log_deviation)
            assert np.isfinite([y, slope, *to_normal(w, mean, log_deviation)]).all() and abs(place) < 1


@pytest.mark.parametrize(("mean", "log_deviation"), CASES)
def test_a_box_far_from_the_mean_keeps_the_digits_of_its_tails(mean, log_deviation):
    deviation = np.exp(log_deviation)
    low, high = (-1 - mean) / deviation, (1 - mean) / deviation
    low_tail, high_tail, mass = truncated.bounds(mean, 1 / deviation)
    assert low_tail == pytest.approx(stats.norm.cdf(-abs(low)), rel=1e-11)
    assert high_tail == pytest.approx(stats.norm.cdf(-abs(high)), rel=1e-11)
    assert np.log(mass) == pytest.approx(
        stats.truncnorm(low, high).logpdf(0.5 * (low + high)) * -1 + stats.norm.logpdf(0.5 * (low + high)),
        rel=1e-9,
        abs=1e-11,
    )


@pytest.mark.parametrize(("mean", "log_deviation"), CASES)
def test_slopes_are_the_derivatives_of_the_definition(mean, log_deviation):
    y, scale = from_normal(0.4, mean, log_deviation)[0], np.exp(-log_deviation)
    point = np.array([y]), np.array([mean]), np.array([log_deviation])
    at_box = truncated.densities(mean, scale)
    ours = truncated.slopes(y, 0.4, standardised(y, mean, scale), mean, scale, *at_box)
    for output in (0, 1):
        for argument in range(3):
            expected = elementwise_grad(lambda *p, output=output: to_normal_definition(*p)[output], argument)(*point)[0]
            assert ours[3 * output + argument] == pytest.approx(expected, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize(("mean", "log_deviation"), CASES)
def test_slopes_of_a_place_are_its_finite_differences(mean, log_deviation):
    def place(w, mean, log_deviation):
        return from_normal(w, mean, log_deviation)[1]

    point, step = np.array([0.4, mean, log_deviation]), 1e-5
    scale = np.exp(-log_deviation)
    x = truncated.place_of_normal(0.4, mean, *truncated.bounds(mean, scale))
    ours = truncated.place_slopes(0.4, x, mean, scale, *truncated.densities(mean, scale))
    for slope, way in zip(ours, np.eye(3) * step):
        assert slope == pytest.approx((place(*(point + way)) - place(*(point - way))) / (2 * step), rel=1e-5, abs=1e-7)
