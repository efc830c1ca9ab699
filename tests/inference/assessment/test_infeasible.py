"""Noise above a target variance is recognised where there is no way around it, and only there."""

import re

import numpy as np
import pytest

import numepi as ne
from numepi.inference.assessment.infeasible import CHECK_ROWS, noise_exceeds_target
from numepi.inference.assessment.score import score
from numepi.inference.problem import Problem

BOX = ne.Support([-3.0, -3.0], [3.0, 3.0])


QUICK = {"surrogate_first_steps": 200, "surrogate_steps": 100, "fit_steps": 50, "landing_steps": 50, "growth": 3.0}


def sentence(deviation, variance=0.5, limit=None):
    """What is said of f = x + deviation(z) xi."""

    def function(z, rng):
        return z[:, :1] + deviation(z)[:, None] * rng.standard_normal((len(z), 1))

    circuit = ne.circuits.FunctionCircuit(function, BOX, statistic_names=("f",), differentiable=False)
    problem = Problem(
        circuit, ne.EmergentProperty(mean=[0.0], variance=[variance]), np.random.SeedSequence(1), limit=limit
    )
    flow = ne.RealNVP(BOX, stages=2, hidden=(8,))
    theta = flow.initial_parameters(0)
    return noise_exceeds_target(problem, flow, theta, theta, score(problem, flow, theta, n=2000))


def test_both_numbers_are_named():
    text = sentence(lambda z: np.full(len(z), np.sqrt(0.62)))
    found = re.search(
        r"infeasible: the noise of 'f' alone has the variance (\S+) \+- (\S+),.*target variance is 0\.5:", text
    )
    variance, stderr = map(float, found.groups())
    assert variance == pytest.approx(0.62, abs=4 * stderr) and stderr < 0.06  # false alarm 6e-5


@pytest.mark.parametrize(
    "deviation",
    [
        lambda z: np.full(len(z), np.sqrt(0.42)),
        lambda z: np.where(z[:, 1] > 2.0, 0.1, 2.0),  # quiet in a sixth of the box
        lambda z: np.where(z[:, 1] > 2.88, 0.1, 2.0),  # in a fiftieth
        lambda z: np.where(z[:, 1] > 2.97, 0.1, 2.0),  # in a two-hundredth
        lambda z: 0.05 + 10 * np.abs(z[:, 1]),  # near a line
        lambda z: np.zeros(len(z)),
    ],
)
def test_a_property_that_can_be_met_is_not_called_infeasible(deviation):
    assert sentence(deviation) is None


def test_a_run_that_ran_out_of_budget_says_so():
    circuit = ne.circuits.FunctionCircuit(
        lambda z, rng: z[:, :1] + rng.standard_normal((len(z), 1)), BOX, statistic_names=("f",), differentiable=False
    )
    prop = ne.EmergentProperty(mean=[0.0], variance=[0.5])
    result = ne.infer(circuit, prop, max_simulations=14_000, progress=False, **QUICK)
    assert result.status == "failed" and result.n_simulations <= 14_000
    assert result.message.startswith("the property is infeasible: the noise of 'f' alone has the variance")


def test_a_budget_too_small_for_the_look_is_kept_and_nothing_claimed():
    assert sentence(lambda z: np.full(len(z), 2.0), limit=CHECK_ROWS - 1) is None
    assert "infeasible" in sentence(lambda z: np.full(len(z), 2.0), limit=CHECK_ROWS + 2000)  # the score takes 2,000


def test_a_run_with_rows_for_the_first_look_only_says_what_it_saw():
    circuit = ne.circuits.FunctionCircuit(
        lambda z, rng: z[:, :1] + rng.standard_normal((len(z), 1)), BOX, statistic_names=("f",), differentiable=False
    )
    prop = ne.EmergentProperty(mean=[0.0], variance=[0.5])
    result = ne.infer(circuit, prop, max_simulations=4000, progress=False, **QUICK)
    assert result.n_simulations <= 4000 and not result.success
    assert "the noise of 'f' alone has the variance" in result.message and "of a target of 0.5" in result.message
    assert "the property is infeasible" not in result.message


def test_without_a_target_variance_there_is_nothing_to_exceed():
    assert sentence(lambda z: np.full(len(z), 2.0), variance=None) is None
