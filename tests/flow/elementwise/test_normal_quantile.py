"""The compiled normal quantile against SciPy's."""

import numpy as np
from scipy.special import ndtri

from numepi.flow.elementwise.normal_quantile import normal_quantile, quantile_of_tails


def test_agrees_with_scipy_from_the_centre_to_the_far_tail():
    p = np.concatenate([np.linspace(1e-3, 1 - 1e-3, 401), 10.0 ** -np.arange(3, 308, 7)])
    ours = np.array([normal_quantile(x) for x in p])
    np.testing.assert_allclose(ours, ndtri(p), rtol=1e-13, atol=1e-15)


def test_of_both_tails_it_is_the_same_and_keeps_the_digits_of_the_lesser():
    p = np.concatenate([np.linspace(1e-3, 0.5, 401), 10.0 ** -np.arange(3, 308, 7)])
    below = np.array([quantile_of_tails(x, 1 - x) for x in p])
    np.testing.assert_allclose(below, ndtri(p), rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal([quantile_of_tails(1 - x, x) for x in p], -below)
    assert -38 < quantile_of_tails(0.0, 1.0) == -quantile_of_tails(1.0, 0.0) < -37
