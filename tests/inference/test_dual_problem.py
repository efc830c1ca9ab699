"""The convex dual on weighted samples, where everything is known in closed form."""

import numpy as np
import pytest

from numepi.inference.dual_problem import effective_sample_size, minimise_dual, normalised_weights


def gaussian_sample(rng, n=20_000):
    """Prior N(0, 1) with T = (x - 1, x^2 - 1.25): p* is N(1, 1/4), with eta of (x, x^2) = (4, -3/2)."""
    x = rng.normal(size=n)
    return x, np.stack([x - 1.0, x**2 - 1.25], axis=1)


def test_optimum_is_the_exponential_family_with_the_moments(rng):
    x, violation = gaussian_sample(rng)
    step = minimise_dual(violation, np.zeros(len(x)), np.zeros(2), floor=50)
    assert step.optimal and np.max(np.abs(step.gradient)) < 1e-6
    weights = normalised_weights(violation @ step.eta)
    assert weights @ x == pytest.approx(1.0, abs=1e-5) and weights @ x**2 == pytest.approx(1.25, abs=1e-5)
    np.testing.assert_allclose(step.eta, [4.0, -1.5], rtol=0.1)


def test_importance_weights_undo_the_proposal(rng):
    x = rng.normal(0.5, 2.0, 20_000)
    violation = np.stack([x - 1.0, x**2 - 1.25], axis=1)
    log_base = -0.5 * x**2 + 0.5 * ((x - 0.5) / 2) ** 2
    step = minimise_dual(violation, log_base, np.zeros(2), floor=50)
    np.testing.assert_allclose(step.eta, [4.0, -1.5], rtol=0.1)


def test_trust_region_stops_the_way_and_keeps_the_floor(rng):
    x, violation = gaussian_sample(rng)
    step = minimise_dual(violation, np.zeros(len(x)), np.zeros(2), floor=0.8 * len(x))
    assert not step.optimal and step.ess >= 0.8 * len(x)
    assert np.max(np.abs(step.gradient)) < np.max(np.abs(violation.mean(0)))


def test_a_start_below_the_floor_goes_back_towards_the_prior(rng):
    x, violation = gaussian_sample(rng)
    step = minimise_dual(violation, np.zeros(len(x)), np.array([40.0, 0.0]), floor=1000)
    assert step.ess >= 1000 and np.linalg.norm(step.eta) < 40


def test_collinear_constraints_do_not_break_newton(rng):
    x, violation = gaussian_sample(rng)
    step = minimise_dual(np.column_stack([violation, violation[:, 0]]), np.zeros(len(x)), np.zeros(3), floor=50)
    assert np.isfinite(step.eta).all() and np.max(np.abs(step.gradient)) < 1e-4


def test_weights_do_not_overflow():
    weights = normalised_weights(np.array([1e6, 1e6, -1e6]))
    np.testing.assert_allclose(weights, [0.5, 0.5, 0.0])
    assert effective_sample_size(weights) == pytest.approx(2.0)


@pytest.mark.parametrize("bound, binds", [(1.25, True), (3.0, False)])
def test_a_bound_binds_or_its_multiplier_vanishes(rng, bound, binds):
    # N(0, 1) tilted to mean 1 has E[x^2] = 2: that exceeds the one bound and not the other
    x = rng.normal(size=20_000)
    violation = np.stack([x - 1.0, x**2 - bound], axis=1)
    is_bound = np.array([False, True])
    step = minimise_dual(violation, np.zeros(len(x)), np.array([0.5, 1.0]), floor=50, is_bound=is_bound)
    assert step.optimal and np.max(np.abs(step.gradient)) < 1e-6
    weights = normalised_weights(violation @ step.eta)
    assert weights @ x == pytest.approx(1.0, abs=1e-5)
    if binds:
        assert weights @ x**2 == pytest.approx(bound, abs=1e-5) and step.eta[1] < -1
    else:
        assert step.eta[1] == 0 and weights @ x**2 < bound and step.eta[0] == pytest.approx(1.0, abs=0.05)
