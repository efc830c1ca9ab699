"""Steps of the multipliers by the moments of samples."""

import numpy as np
import pytest

import numepi as ne
from numepi.inference.dual.moment_step import moment_step

PROP = ne.EmergentProperty(mean=[1.0, 0.0], variance=[4.0, 0.25], covariance={("x", "y"): 0.5})


@pytest.fixture
def constraints():
    return PROP.constraints(("x", "y"))


def gaussian(eta, constraints, rng, n=4000):
    """Samples of p ~ exp(eta . T), a Gaussian: means, variances and covariance have these natural parameters."""
    mean_x, mean_y, square_x, square_y, product = eta
    precision = -np.array([[2 * square_x, product], [product, 2 * square_y]])
    covariance = np.linalg.inv(precision)
    centre = np.array([1.0, 0.0]) + covariance @ [mean_x, mean_y]
    f = rng.multivariate_normal(centre, covariance, size=n)
    return f, constraints.sufficient_statistics(f)


def test_recentred_products_are_those_about_the_present_means(constraints, rng):
    f = rng.normal(size=(50, 2))
    offset = np.array([0.7, -1.3])
    matrix, excess = constraints.recentred(offset)
    rows = (constraints.sufficient_statistics(f) - constraints.target) @ matrix.T
    x, y = (f - [1.0, 0.0] - offset).T
    for row, product in ((2, x * x), (3, y * y), (4, x * y)):
        np.testing.assert_allclose(rows[:, row] - rows[0, row], product - product[0], atol=1e-12)
    np.testing.assert_allclose(excess, [0, 0, 0.49, 1.69, -0.91], atol=1e-12)


def test_steps_lead_to_the_targets_from_forty_standard_deviations_away(constraints, rng):
    eta = np.array([0.0, 20.0, -0.125, -2.0, 0.0])  # y is 40 of its target standard deviations above its target
    eta[1] *= 4
    for _ in range(400):
        f, T = gaussian(eta, constraints, rng)
        eta = eta + moment_step(constraints, f, T, share=0.2, radius=0.3)
        assert eta[2] < 0 and eta[3] < 0 and 4 * eta[2] * eta[3] > eta[4] ** 2  # never wider than any Gaussian
    # 4,000 draws: five standard errors of each mean, in natural scales, and what the steps wander
    np.testing.assert_allclose((T.mean(0) - constraints.target) / constraints.scale, 0, atol=0.15)


def test_plain_newton_runs_away_from_there(constraints, rng):
    # What `moment_step` is for: the first Newton step on T itself makes the square's multiplier positive.
    T = gaussian(np.array([0.0, 80.0, -0.125, -2.0, 0.0]), constraints, rng)[1]
    newton = np.linalg.solve(np.cov(T.T), constraints.target - T.mean(0))
    assert newton[3] - 2.0 > 0


def test_a_statistic_that_does_not_vary_moves_the_multipliers_little(constraints, rng):
    f = np.array([5.0, 5.0]) + 1e-9 * rng.normal(size=(100, 2))
    step = moment_step(constraints, f, constraints.sufficient_statistics(f), share=0.1, radius=0.1)
    assert np.isfinite(step).all() and np.linalg.norm(step * constraints.scale) <= 0.1 / 0.01 * 100
