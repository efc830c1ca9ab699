"""The refinement's score-function gradient of KL(q || p)."""

import numpy as np
import pytest

from numepi.inference.dual.refinement import reverse_kl_weights


def test_weights_give_the_gradient_of_the_reverse_divergence(rng):
    # q = N(m, s^2), p = N(0, 1): KL = (m^2 + s^2 - 1) / 2 - log s, d KL/dm = m, d KL/ds = s - 1/s.
    m, s, n = 0.2, 1.1, 400_000
    x = m + s * rng.normal(size=n)
    u = (x - m) / s
    log_ratio = -0.5 * u**2 - np.log(s) + 0.5 * x**2
    weights = reverse_kl_weights(log_ratio)
    scores = np.stack([u / s, (u**2 - 1) / s])
    estimate = scores @ weights
    stderr = (scores * weights * n).std(axis=1) / np.sqrt(n)
    # five standard errors (false alarm 6e-7 each), and the clip's small bias
    np.testing.assert_allclose(estimate, [m, s - 1 / s], atol=5 * stderr.max() + 2e-3)


def test_no_weight_where_the_ratio_is_constant_and_none_runs_away():
    np.testing.assert_allclose(reverse_kl_weights(np.full(10, 3.0)), 0)
    weights = reverse_kl_weights(np.r_[np.zeros(99), 1e6])
    assert weights.sum() == pytest.approx(0) and weights.max() <= 3.0 / 100


def test_the_balance_of_separate_modes_is_felt():
    # p has half its mass in each of two far modes, q a fifth in the second: the score of q's balance is +-1 / mass.
    second = np.arange(1000) < 200
    log_ratio = np.where(second, np.log(0.2 / 0.5), np.log(0.8 / 0.5))
    score = np.where(second, 1 / 0.2, -1 / 0.8)  # d log q / d (mass of the second mode)
    # descent raises the second mode's mass: d KL / d mass = log(0.2 / 0.5) - log(0.8 / 0.5)
    assert score @ reverse_kl_weights(log_ratio) == pytest.approx(np.log(0.2 / 0.8), rel=1e-10)
