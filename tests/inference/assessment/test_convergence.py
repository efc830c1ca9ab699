"""The statistical tests of Algorithm 1, with their known acceptance rates."""

import numpy as np
import pytest

from numepi.inference.assessment.convergence import null_accepted, null_p_values, penalty_grows

# Constraints as in the paper's circuits: means and variances of two normal statistics with targets 0 and 1.


def acceptance(rng, n_test, mean=0.0, variance=1.0, repeats=200):
    """Share of accepted distributions in which one of two statistics is N(mean, variance), the other exact."""
    accepted = 0
    for _ in range(repeats):
        f = rng.normal([mean, 0.0], [np.sqrt(variance), 1.0], (200, n_test, 2))
        accepted += null_accepted(null_p_values(np.hstack([f.mean(1), (f**2).mean(1) - 1])))
    return accepted / repeats


def test_p_value_is_twice_the_smaller_tail():
    means = np.linspace(-1, 3, 200)[:, None] + np.zeros((1, 2))
    means[:, 1] *= -1
    np.testing.assert_allclose(null_p_values(means), 2 * np.mean(means[:, 0] < 0) * np.ones(2))
    assert null_p_values(np.zeros((200, 1))) == 1  # a constant statistic at its target
    assert null_p_values(np.full((200, 1), 1e-16)) == 1 and null_p_values(np.full((200, 1), 1e-6)) == 0
    assert null_p_values(np.full((200, 1), 1e-16), True) == 1
    assert null_p_values(np.array([[-1.0], [1.0]])) == 1


def test_bonferroni_divides_the_significance():
    assert null_accepted(np.array([0.03, 1.0]), 0.05)
    assert not null_accepted(np.array([0.02, 1.0]), 0.05)
    assert not null_accepted(np.array([0.03]), 0.05)


def test_accepts_when_there_is_no_bias(rng):
    assert acceptance(rng, 25) == 1.0


def test_power_is_what_the_documentation_says(rng):
    # binomial standard errors at 200 repeats are at most 0.035; bounds are 4 of them: false alarm below 1e-4
    assert acceptance(rng, 25, variance=2.0) == pytest.approx(0.87, abs=0.12)
    assert acceptance(rng, 100, variance=1.3) > 0.9
    assert acceptance(rng, 500, variance=1.2) == pytest.approx(0.1, abs=0.1)
    assert acceptance(rng, 100, mean=0.5) == 0.0


def test_penalty_grows_only_when_the_norm_did_not_fall_enough(rng):
    before = rng.normal(1.0, 0.05, 200)
    assert penalty_grows(rng.normal(0.5, 0.05, 200), before, uniform=0.999)
    assert not penalty_grows(rng.normal(0.1, 0.05, 200), before, uniform=0.0)


def test_penalty_growth_is_random_where_the_test_is_undecided(rng):
    # means equal up to noise: t > 0 half of the time, and then u < 1 - p/2 with p uniform: 3/8 of all
    grown = [penalty_grows(rng.normal(0.25, 0.1, 200), rng.normal(1, 0.1, 200), rng.random()) for _ in range(2000)]
    assert np.mean(grown) == pytest.approx(3 / 8, abs=0.045)  # 4 standard errors: false alarm below 1e-4
