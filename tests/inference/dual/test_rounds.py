"""Rounds of the dual solver: how often each parameter is simulated, and how long a round's fit goes on."""

import numpy as np
import pytest

import numepi as ne
from numepi.inference.dual.settings import Settings
from numepi.inference.dual.solver import Dual
from numepi.inference.problem import Problem

BOX = ne.Support([-2.0, -2.0], [2.0, 2.0])


@pytest.fixture
def solver():
    """A run after the simulations of its first round."""
    circuit = ne.circuits.FunctionCircuit(lambda z: z, BOX, statistic_names=("x", "y"))
    prop = ne.EmergentProperty(mean=[0.0, 0.0], variance=[1.0, 1.0])
    settings = Settings(round_size=400, fit_steps=150, batch_size=50)
    solver = Dual(Problem(circuit, prop, np.random.SeedSequence(0)), ne.RealNVP(BOX, stages=2, hidden=(5,)), settings)
    solver.initialise()
    solver.rounds.replicates = 4
    solver.rounds.simulate()
    return solver


@pytest.mark.parametrize(
    ("variance", "eta", "replicates"),
    [
        (0.0004, [1.0, 0, 0, 0], 1),  # next to no noise: one draw
        (0.2, [1.0, 0, 0, 0], 4),  # 0.2 / 0.05 nats^2
        (0.2, [0.1, 0, 0, 0], 2),  # little of it in the log-weights: the least that tells noise
        (0.2, [1.0, -1.0, 0, 0], 8),
        (9.0, [1.0, 0, 0, 0], 16),  # the most
    ],
)
def test_replicates_leave_little_noise_in_the_log_weights(solver, variance, eta, replicates):
    rounds = solver.rounds
    rounds.replicates = 3
    solver.replay.covariance[:] = variance * np.eye(4) / 3  # of the mean of three draws
    solver.annealing.eta = np.array(eta)
    rounds._choose_replicates(200)
    assert rounds.replicates == replicates


def test_only_the_flows_own_rows_tell_the_noise(solver):
    rounds, own = solver.rounds, 100
    rounds.replicates = 2
    solver.replay.covariance[:-own] = 100 * np.eye(4)
    solver.replay.covariance[-own:] = 0.2 * np.eye(4) / 2
    solver.annealing.eta = np.array([1.0, 0, 0, 0])
    rounds._choose_replicates(own)
    assert rounds.replicates == 4


def test_rows_in_a_round_shrink_with_many_replicates(solver):
    sizes = []
    for replicates in (1, 2, 6, 12, 16):
        solver.rounds.replicates = replicates
        sizes.append(solver.rounds.size)
    assert sizes == [400, 400, 400, 200, 150]


def calls_of_a_fit(solver, gains):
    """How many calls of `fit` a round takes when held-out likelihood gains ``gains``, call by call."""
    left = iter(gains)
    solver.rounds._gain = lambda before, z, weights: (next(left), 1e-6)
    count = 0
    while solver.rounds.chunk:
        solver.rounds.fit(range(2))
        count += 1
    return count


@pytest.mark.parametrize(
    ("gains", "count"),
    [
        ([0.001] * 20, 3),  # its share: 150 steps, 50 a call
        ([0.1, 0.1, 0.1, 0.1, 0.004], 5),  # while it gains
        ([0.1] * 20, 15),  # no more than five times its share
    ],
)
def test_a_fit_goes_on_while_held_out_likelihood_gains(solver, gains, count):
    assert calls_of_a_fit(solver, gains) == count


def test_a_fit_that_went_too_far_is_taken_back(solver):
    before = solver.theta
    assert calls_of_a_fit(solver, [-0.2]) == 1
    np.testing.assert_array_equal(solver.theta, before)


def test_a_fit_takes_no_longer_than_its_share_while_rates_land(solver):
    solver.rounds.left = 1  # within the last third of the final rounds
    assert calls_of_a_fit(solver, [0.1] * 20) == 3
