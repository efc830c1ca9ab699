"""Conditional means by local linear regression."""

import numpy as np
import pytest

from numepi.analysis import conditional_mean


def test_the_conditional_mean_of_a_gaussian_is_its_regression_line(gaussian):
    z = gaussian.sample(20_000, rng=1)
    values = np.array([0.0, 1.0, 2.5])
    found = conditional_mean(z, "a", values, ("a", "b", "c"))
    covariance, mean = gaussian.covariance, gaussian.means[0]
    expected = mean + np.outer(values - mean[0], covariance[:, 0] / covariance[0, 0])
    # standard errors: 0.65 over the root of 1,500 effective samples or more
    np.testing.assert_allclose(found.mean, expected, atol=0.07)
    np.testing.assert_array_equal(found.mean[:, 0].round(9), values)
    spread = np.sqrt(np.diag(covariance) - covariance[0] ** 2 / covariance[0, 0])
    np.testing.assert_allclose(found.spread, np.broadcast_to(spread, (3, 3)), atol=0.04)
    assert found.n_effective.min() > 1000 and found.parameter == "a"


def test_a_value_without_samples_is_refused(gaussian):
    with pytest.raises(ValueError, match=r"samples lie near z1 = 50.0"):
        conditional_mean(gaussian.sample(100), 0, [50.0])
