"""The score: entropy of the parameters that work, and how many do not."""

from dataclasses import replace

import numpy as np
import pytest

import numepi as ne
from numepi.inference.assessment.score import passes_apart, score, working_entropy
from numepi.inference.problem import Problem

SQUARE = ne.Support([0.0, 0.0], [1.0, 1.0])


def half_failing(share):
    circuit = ne.circuits.FunctionCircuit(
        lambda z: np.where(z[:, :1] < share, np.nan, z[:, 1:]), SQUARE, statistic_names=("y",), differentiable=False
    )
    return Problem(circuit, ne.EmergentProperty(mean=[0.5]), np.random.SeedSequence(0))


@pytest.mark.parametrize("share", [0.0, 0.38, 0.9])
def test_entropy_is_that_of_the_working_part(share):
    flow = ne.RealNVP(SQUARE, stages=2, hidden=(8,))
    result = score(half_failing(share), flow, flow.initial_parameters(0), n=8000)
    error = np.sqrt(share / (1 - share) / 8000)
    assert result.entropy_stderr == pytest.approx(error, rel=0.1, abs=1e-12)
    # four standard errors: false alarm 6e-5
    assert result.entropy == pytest.approx(np.log(1 - share), abs=4 * error + 1e-12)
    assert result.relative_entropy == -result.entropy
    assert result.failing_share == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / 8000))
    low, high = result.failing_interval
    assert low <= result.failing_share < high < result.failing_share + 0.02


def test_standard_error_of_the_working_entropy(rng):
    # q normal, of which x < 0 fails: many replications tell what the standard error is.
    values, errors = [], []
    for _ in range(400):
        x = rng.standard_normal(500)
        value, error = working_entropy(-0.5 * x**2 - 0.5 * np.log(2 * np.pi), x > 0)
        values.append(value), errors.append(error)
    assert np.mean(values) == pytest.approx(0.5 * np.log(2 * np.pi * np.e) - np.log(2), abs=0.02)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.15)


def test_standard_error_of_the_difference_counts_what_goes_together():
    # q is nearly exp(T / 2) on a square, T has noise, and some fail: many scores tell what the standard error is
    def f(z, rng):
        return np.where(z[:, :1] < 0.2, np.nan, 4 * z[:, 1:] + 0.1 * rng.standard_normal((len(z), 1)))

    circuit = ne.circuits.FunctionCircuit(f, SQUARE, statistic_names=("y",), differentiable=False)
    flow = ne.ElementwiseFlow(SQUARE, bins=4)
    theta = flow.initial_parameters(0) + 0.1 * np.random.default_rng(0).standard_normal(flow.n_parameters)
    eta, values, errors, apart = np.array([1.0]), [], [], []
    for seed in range(150):
        problem = Problem(circuit, ne.EmergentProperty(mean=[2.0]), np.random.SeedSequence(seed))
        found = score(problem, flow, theta, n=400)
        values.append(found.relative_entropy - eta @ found.constraint)
        errors.append(found.stderr_at(eta)), apart.append(replace(found, joint=None).stderr_at(eta))
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.2)  # its own error is 6 %
    assert np.mean(apart) > 1.2 * np.mean(errors)


def test_nothing_works():
    assert np.isnan(working_entropy(np.zeros(10), np.zeros(10, bool))).all()


def test_passes_apart():
    assert passes_apart(np.zeros(4), np.array([0.0, 0.0, 1.0, -1.0])) == 0.5
    assert passes_apart(np.zeros(2), np.array([0.0, np.nan])) == np.inf
    assert passes_apart(np.zeros(2), np.array([0.0, -np.inf])) == np.inf


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_flows_in_use_are_far_from_the_limit_of_invertibility(precision):
    from numepi.inference.assessment.certificate import _ROUND_TRIP

    for family in (ne.SplineFlow, ne.RealNVP):
        flow = family(ne.Support([-2.0] * 4, [2.0] * 4), precision=precision)
        theta = flow.initial_parameters(0)
        theta = theta + 0.03 * np.random.default_rng(0).standard_normal(len(theta))
        z, log_q = flow.sample(theta, np.random.default_rng(1).standard_normal((5000, 4)))
        assert passes_apart(log_q, flow.log_prob(theta, z)) < 0.2 * _ROUND_TRIP


def test_joint_errors_are_those_of_each_alone_where_half_of_the_simulations_fail():
    flow = ne.RealNVP(SQUARE, stages=2, hidden=(8,))
    result = score(half_failing(0.5), flow, flow.initial_parameters(0), n=2000)
    assert 0.4 < result.failing_share < 0.6
    found = np.sqrt(result.joint.diagonal())
    np.testing.assert_allclose(found[1:], result.constraint_stderr, rtol=2e-3)  # n or n - 1
    assert result.stderr_at(np.zeros(len(result.constraint))) == pytest.approx(found[0])
    assert found[0] == pytest.approx(result.entropy_stderr, rel=2e-3)  # the density is uniform, as the prior is


def test_where_nothing_works_one_look_is_enough():
    flow = ne.RealNVP(SQUARE, stages=2, hidden=(8,))
    problem = half_failing(2.0)
    result = score(problem, flow, flow.initial_parameters(0), n=8000)
    assert problem.n_simulations == result.n == result.n_failed == 1000 and result.failing_share == 1
    assert np.isnan(result.entropy) and np.isnan(result.constraint).all()


def test_a_flow_without_prior_density_has_no_failing_share():
    class Elsewhere:
        def log_prob(self, z):
            return np.full(len(z), -np.inf)

    problem = half_failing(0.0)
    problem.prior = Elsewhere()
    flow = ne.RealNVP(SQUARE, stages=2, hidden=(8,))
    result = score(problem, flow, flow.initial_parameters(0), n=2000)
    assert result.n == 0 and np.isnan(result.failing_share) and np.isnan(result.failing_interval).all()
