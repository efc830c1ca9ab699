"""The truncated-normal map: scipy's distribution, the way back, slopes; and what is next to the bounds."""

import numpy as np
import pytest
from autograd import elementwise_grad
from scipy import stats

from numepi.flow.couplings.lens.truncated import from_normal, slopes, to_normal, to_normal_definition

CASES = [(0.0, 3.9), (0.5, -0.5), (-1.4, -2.5), (1.4, -2.5), (1.4, 0.7)]
LINE = np.array([-5.0, -1.3, 0.2, 2.0, 5.0])


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
            back, other = from_normal(w, mean, log_deviation)
            assert back == pytest.approx(y, abs=1e-6) and other == pytest.approx(slope, abs=1e-5)


def test_far_out_it_stays_finite():
    for mean, log_deviation in CASES:
        for w in (-9.0, 9.0):
            y, slope = from_normal(w, mean, log_deviation)
            assert np.isfinite([y, slope, *to_normal(w, mean, log_deviation)]).all()


@pytest.mark.parametrize(("mean", "log_deviation"), CASES)
def test_slopes_are_the_derivatives_of_the_definition(mean, log_deviation):
    y = from_normal(0.4, mean, log_deviation)[0]
    point = np.array([y]), np.array([mean]), np.array([log_deviation])
    ours = slopes(y, 0.4, mean, log_deviation)
    for output in (0, 1):
        for argument in range(3):
            expected = elementwise_grad(lambda *p, output=output: to_normal_definition(*p)[output], argument)(*point)[0]
            assert ours[3 * output + argument] == pytest.approx(expected, rel=1e-5, abs=1e-7)
