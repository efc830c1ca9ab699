"""Averages over replicates and the correction of noisy exponents."""

import numpy as np
import pytest

import numepi as ne
from numepi.inference.dual_problem import minimise_dual, normalised_weights
from numepi.inference.noise import averaged_statistics, correct_for_noise, replicates_needed
from numepi.inference.problem import Problem, Stream


class Noisy(ne.circuits.Circuit):
    """f = x + noise * xi: everything about its averages is known."""

    name, parameter_names, statistic_names = "noisy", ("x", "y"), ("f",)
    support = ne.Support([-5.0, -5.0], [5.0, 5.0])
    differentiable = False

    def __init__(self, noise=0.5):
        self.noise = noise

    def _evaluate(self, z, key, first_index, noise, with_jacobian):
        draw = [np.random.default_rng([*key, first_index + i]).normal() for i in range(len(z))]
        return z[:, :1] + self.noise * np.array(draw)[:, None], None


def problem(noise=0.5):
    prop = ne.EmergentProperty(mean=[1.0], variance=[0.5])
    return Problem(Noisy(noise), prop, np.random.SeedSequence(0), with_gradient=False)


def test_mean_and_covariance_of_the_mean(rng):
    z = np.zeros((4000, 2))
    valid, T, covariance = averaged_statistics(problem(), z, Stream.NOISE, 0, 4)
    assert valid.all() and T.shape == (4000, 2)
    # T = (f, (f - 1)^2) with f ~ N(0, 1/4): variances 1/4 and 4/4 + 2/16, over four replicates; 5 standard errors
    np.testing.assert_allclose(T.mean(0), [0.0, 1.25], atol=0.05)
    np.testing.assert_allclose(T.var(0), [0.25 / 4, 1.125 / 4], rtol=0.15)
    np.testing.assert_allclose(covariance.mean(0), np.cov(T.T), atol=0.02)


def test_replicates_are_independent_and_reproducible():
    z = np.zeros((3, 2))
    p = problem()
    one = averaged_statistics(p, z, Stream.NOISE, 0, 2)[1]
    assert np.all(one == averaged_statistics(p, z, Stream.NOISE, 0, 2)[1])
    assert len(np.unique(one[:, 0])) == 3
    assert np.all(averaged_statistics(p, z, Stream.NOISE, 0, 1)[2] == 0)


def test_noise_is_recognised(rng):
    z = rng.uniform(-2, 2, (100, 2))
    assert replicates_needed(problem(0.5), z, Stream.NOISE_CHECK, np.zeros(2)) == 4
    assert replicates_needed(problem(0.0), z, Stream.NOISE_CHECK, np.zeros(2)) == 1


def test_correction_removes_most_of_the_selection_of_lucky_draws(rng):
    # p* over x given f = x + noise: with T averaged over the noise, the variance of x is 0.5 - 0.09 = 0.41.
    p = problem(0.3)
    z = rng.uniform(-5, 5, (20_000, 2))
    _, T, covariance = averaged_statistics(p, z, Stream.NOISE, 0, 4)
    violation = T - p.constraints.target
    naive = minimise_dual(violation, np.zeros(len(z)), np.zeros(2), 50).eta
    eta = np.zeros(2)
    for _ in range(6):
        corrected = correct_for_noise(violation, covariance, np.zeros(len(z)), eta)
        eta = minimise_dual(*corrected, eta, 50).eta
    exact = -1 / (2 * 0.41)
    assert eta[1] == pytest.approx(exact, rel=0.05)
    assert abs(naive[1] - exact) > 2 * abs(eta[1] - exact)
    weights = normalised_weights(corrected[1] + corrected[0] @ eta)
    spread = weights @ (z[:, 0] - weights @ z[:, 0]) ** 2
    assert spread == pytest.approx(0.41, rel=0.05)
