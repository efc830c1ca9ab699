"""Fits on a pool of draws that cost no simulation."""

import numpy as np
import pytest

import numepi as ne
from numepi.inference.dual.pool import Pool, divergence, draw_pool, fit_steps, in_single_precision
from numepi.inference.optimiser import Adam

BOX = ne.Support([-3.0, -3.0], [3.0, 3.0])


@pytest.fixture(scope="module")
def flow():
    return ne.RealNVP(BOX, stages=2, hidden=(8,))


def log_target(z):
    return -0.5 * np.sum(z**2, axis=1)  # a standard normal, cut at three deviations


def exact_divergence(n=1):
    """KL of the uniform distribution on the box to the target."""
    cells = (np.arange(2000) + 0.5) / 2000 * 6 - 3
    log_z = 2 * np.log(np.mean(np.exp(-0.5 * cells**2)) * 6)
    return -2 * np.log(6) + np.mean(cells**2) + log_z


def test_divergence_of_the_start_is_exact(flow):
    start = flow.initial_parameters(0)
    pool = draw_pool(flow, start, (flow, start), log_target, 40_000, 0.2, np.random.default_rng(1))
    kl, stderr, share = divergence(pool)
    assert abs(kl - exact_divergence()) < 5 * stderr < 0.1  # false alarm 6e-7
    assert 0.2 < share < 0.8


@pytest.mark.parametrize("polish", [False, True])
def test_steps_lead_to_the_target_whatever_the_estimator(flow, polish):
    start = flow.initial_parameters(0)
    rng = np.random.default_rng(2)
    adam, theta, average = Adam(flow.n_parameters, clip_norm=5.0), start, start
    for _ in range(8):
        pool = draw_pool(flow, average, (flow, start), log_target, 4000, 0.2, rng)
        theta, average = fit_steps(flow, theta, average, adam, pool, [5e-3] * 50, 128, 0.5, 0.95, rng, polish=polish)
    pool = draw_pool(flow, average, (flow, start), log_target, 20_000, 0.2, rng)
    assert divergence(pool)[0] < 0.05 * exact_divergence()


def test_a_polish_at_the_target_hardly_moves(flow):
    # Where q = p every row's weight is that of p - q, nothing; the plain estimator's noise moves the flow on.
    start = flow.initial_parameters(0)
    rng = np.random.default_rng(3)
    pool = draw_pool(flow, start, (flow, start), lambda z: np.zeros(len(z)), 4000, 0.2, rng)
    moved = {}
    for polish in (False, True):
        adam = Adam(flow.n_parameters)
        fit_steps(flow, start, start, adam, pool, [1e-3], 128, 0.5, 0.9, rng, polish=polish)
        moved[polish] = np.abs(adam.mean).max()
    assert moved[True] < 1e-6 < moved[False]


def test_a_gradient_that_is_not_finite_ends_the_steps(flow):
    start = flow.initial_parameters(0)
    z = np.zeros((100, 2))
    pool = Pool(z, np.zeros(100), np.full(100, np.nan), np.zeros(100))
    pool = Pool(z, np.zeros(100), np.zeros(100), np.zeros(100))
    bad = np.full(flow.n_parameters, np.nan)
    theta, average = fit_steps(
        flow, bad, start, Adam(flow.n_parameters), pool, [1e-3], 32, 1.0, 0.9, np.random.default_rng(0)
    )
    np.testing.assert_array_equal(theta, start)
    np.testing.assert_array_equal(average, start)


def test_single_precision_has_the_same_density():
    flow = ne.SplineFlow(BOX, stages=2, hidden=(8,))
    fast = in_single_precision(flow)
    rng = np.random.default_rng(0)
    theta = flow.initial_parameters(0) + 0.1 * rng.normal(size=flow.n_parameters)
    z = rng.uniform(-3, 3, (200, 2))
    assert fast.precision == "float32"
    np.testing.assert_allclose(fast.log_prob(theta, z), flow.log_prob(theta, z), atol=1e-3)
