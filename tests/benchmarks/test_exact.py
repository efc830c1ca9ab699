"""The exact solutions that budgets are measured with: against closed forms, with failures and with noise."""

import numpy as np
from scipy.integrate import solve_ivp

import numepi as ne
from benchmarks.budget_models import PROBLEMS
from benchmarks.exact import Exact
from benchmarks.peers.rows import methods

MEAN, VARIANCE = 0.3, 0.25
GAUSSIAN = 0.5 * np.log(2 * np.pi * np.e * VARIANCE)
PROPERTY = ne.EmergentProperty(mean=[MEAN], variance=[VARIANCE])


def circuit(function, **more):
    """One statistic of two parameters on [-8, 8]^2."""
    return ne.circuits.FunctionCircuit(
        function, ne.Support(lower=[-8.0, -8.0], upper=[8.0, 8.0]), differentiable=False, **more
    )


def first(z):
    return z[:, :1]


def test_a_gaussian_and_a_free_parameter():
    exact = Exact(circuit(first), PROPERTY, points=14)
    np.testing.assert_allclose(exact.entropy, GAUSSIAN + np.log(16.0), atol=1e-3)
    raw = exact.eta / exact.constraints.scale
    np.testing.assert_allclose(raw, [0.0, -0.5 / VARIANCE], atol=5e-3)
    # the KL of a Gaussian at another mean: shift^2 / (2 variance)
    rng = np.random.default_rng(0)
    z = np.column_stack([rng.normal(MEAN + 0.4, np.sqrt(VARIANCE), 100_000), rng.uniform(-8.0, 8.0, 100_000)])
    log_q = -0.5 * (z[:, 0] - MEAN - 0.4) ** 2 / VARIANCE - 0.5 * np.log(2 * np.pi * VARIANCE) - np.log(16.0)
    np.testing.assert_allclose(exact.kl_of_draws(z, log_q), 0.4**2 / (2 * VARIANCE), atol=0.02)  # 5 standard errors


def test_what_fails_is_no_part_of_the_solution():
    exact = Exact(circuit(lambda z: np.where(z[:, 1:] > 4.0, np.nan, z[:, :1])), PROPERTY, points=14)
    np.testing.assert_allclose(exact.entropy, GAUSSIAN + np.log(12.0), atol=2e-3)
    # q leaks a half of its mass to where simulations fail: what is left is p*, at its entropy
    rng = np.random.default_rng(0)
    z = np.column_stack([rng.normal(MEAN, np.sqrt(VARIANCE), 100_000), rng.uniform(-8.0, 4.0, 100_000)])
    z[::2, 1] = 5.0
    log_q = -0.5 * (z[:, 0] - MEAN) ** 2 / VARIANCE - 0.5 * np.log(2 * np.pi * VARIANCE) - np.log(24.0)
    np.testing.assert_allclose(exact.kl_of_draws(z, log_q), 0.0, atol=0.02)


def test_noise_is_part_of_the_variance():
    noisy = circuit(lambda z, rng: z[:, :1] + 0.3 * rng.standard_normal((len(z), 1)), statistic_names=("f",))
    exact = Exact(noisy, PROPERTY, points=14, replicates=4)
    without = Exact(circuit(first), PROPERTY, points=14)
    assert exact.entropy < without.entropy - 0.1
    np.testing.assert_allclose(exact.entropy, GAUSSIAN + 0.5 * np.log(1 - 0.09 / VARIANCE) + np.log(16.0), atol=0.02)


def test_the_posterior_that_is_the_solution():
    exact = Exact(circuit(first), ne.EmergentProperty(mean=[7.0], variance=[VARIANCE]), points=12)
    x0, variance = methods.exemplar(exact)
    assert x0[0] > 7.01  # the box ends at 8: the mode is not the mean
    likelihood = np.exp(-0.5 * (exact.z[:, 0] - x0[0]) ** 2 / variance[0])
    np.testing.assert_allclose(likelihood / likelihood.sum(), exact.weights, rtol=1e-6, atol=1e-12)
    assert abs(methods.posterior_gap(exact, replicates=2)) < 1e-9


def test_reweighting_fits_what_it_can(monkeypatch):
    monkeypatch.setattr(methods, "_STEPS", 150)
    exact = Exact(circuit(first), PROPERTY, points=12)
    answer = methods.reweighting(exact, 2000, seed=0)
    assert 100 < answer["effective"] < 400  # p* covers about 1.8 of 16
    prior = np.random.default_rng(0).uniform(-8.0, 8.0, (2000, 2))
    from_prior = exact.kl_of_draws(prior, np.full(2000, -2 * np.log(16.0)))
    assert exact.kl_of_draws(*answer["draw"](5000)) < 0.2
    assert from_prior > 10


def test_the_period_of_predators_and_prey():
    model, _ = PROBLEMS["lotka-volterra"].build()
    alpha, beta, gamma, delta = z = [0.6, 0.8, 0.7, 0.5]

    def drift(t, x):
        return [x[0] * (alpha - beta * x[1]), x[1] * (delta * x[0] - gamma)]

    def peak(t, x):
        return alpha - beta * x[1]

    peak.direction = -1
    times = solve_ivp(drift, (0.0, 80.0), [0.5, 0.5], events=peak, rtol=1e-10, atol=1e-12).t_events[0]
    np.testing.assert_allclose(model.reference([z])[0, 0], np.mean(np.diff(times)), rtol=1e-3)
