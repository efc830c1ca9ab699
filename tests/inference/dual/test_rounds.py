"""Rounds on real rows: how long a round's fit goes on, and what is done with the rest of a budget."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import numepi as ne
from numepi.inference.dual import plan, rounds
from numepi.inference.dual.settings import Settings
from numepi.inference.dual.solver import Dual
from numepi.inference.dual.state import Rounds
from numepi.inference.problem import Problem

BOX = ne.Support([-2.0, -2.0], [2.0, 2.0])


@pytest.fixture
def solver():
    """A run after the simulations of its first round."""
    circuit = ne.circuits.FunctionCircuit(lambda z: z, BOX, statistic_names=("x", "y"))
    prop = ne.EmergentProperty(mean=[0.0, 0.0], variance=[1.0, 1.0])
    settings = Settings(replay_rows=400, replay_fit_steps=150, replay_batch=50)
    solver = Dual(Problem(circuit, prop, np.random.SeedSequence(0)), ne.RealNVP(BOX, stages=2, hidden=(5,)), settings)
    solver.initialise()
    solver.record = replace(solver.record, phase="round", leads=False)
    while solver.record.phase != "refit":
        solver.step()
    return solver


def calls_of_a_fit(solver, gains, monkeypatch):
    """How many calls a round's fit takes when held-out likelihood gains ``gains``, call by call."""
    left = iter(gains)
    monkeypatch.setattr(rounds, "_gain", lambda *arguments: (next(left), 1e-6))
    count = 0
    while solver.record.phase == "refit":
        solver.step()
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
def test_a_fit_goes_on_while_held_out_likelihood_gains(solver, gains, count, monkeypatch):
    solver.record = replace(solver.record, rounds=replace(solver.record.rounds, left=None))
    assert calls_of_a_fit(solver, gains, monkeypatch) == count


def test_a_fit_that_went_too_far_is_taken_back(solver, monkeypatch):
    before = solver.theta
    assert calls_of_a_fit(solver, [-0.2], monkeypatch) == 1
    np.testing.assert_array_equal(solver.theta, before)


def test_a_fit_takes_no_longer_than_its_share_while_rates_land(solver, monkeypatch):
    solver.record = replace(solver.record, rounds=replace(solver.record.rounds, left=0))
    assert calls_of_a_fit(solver, [0.1] * 20, monkeypatch) == 3


class Account:
    """What a plan asks of a problem."""

    constraints = SimpleNamespace(region=None)

    def __init__(self, limit, spent):
        self.limit, self.spent = limit, spent

    @property
    def n_simulations(self):
        return self.spent

    def left(self, limit):
        return max(0, limit - self.spent)


def test_rounds_and_last_phase_share_what_a_dropped_surrogate_left():
    settings, counters = Settings(), Rounds(3, 0, 0, allowance=40_000)
    spent, sizes = 10_000, []
    while size := plan.replay_round_size(settings, Account(50_000, spent), counters):
        sizes.append(size)
        spent += size
    assert len(sizes) >= 8 and sum(sizes) <= 20_000
    last = replace(counters, last=plan.rows_of_last_phase(Account(50_000, spent)))
    for phase in ("refine", "descend"):
        n_steps, rows = plan.last_phase(settings, last, phase)
        assert 45_000 - rows < spent + n_steps * rows <= 45_000  # a tenth of the budget is for score and certificate
    assert plan.rows_of_last_phase(Account(None, spent)) is None


def test_a_step_of_a_refinement_is_not_thinned_out_where_rows_are_few():
    few, plenty = Rounds(3, 0, 0, last=15_200), Rounds(3, 0, 0)
    assert plan.last_phase(Settings(), few, "refine") == (253, 60)
    assert plan.last_phase(Settings(), few, "descend")[1] == 20
    assert plan.last_phase(Settings(refine_steps=100), few, "refine") == (100, 152)
    assert plan.last_phase(Settings(), plenty, "refine") == (600, 300)


@pytest.mark.parametrize(
    ("limit", "ess", "with_gradient", "phase"),
    [
        (50_000, 0.05, True, "descend"),
        (50_000, 0.05, False, "round"),
        (50_000, 0.5, True, "round"),  # importance weights work where the flow follows its target
        (None, 0.05, True, "round"),  # and rows are no matter without a limit
    ],
)
def test_rows_that_are_left_are_for_a_descent_from_the_start_where_the_flow_was_led_astray(
    solver, limit, ess, with_gradient, phase
):
    problem = solver.problem
    problem.limit, problem.with_gradient = limit, with_gradient
    trace = replace(solver.record.trace, ess=np.array([0.5, ess]))
    before = replace(solver.record, trace=trace, leads=True, theta=solver.theta + 1.0)
    after = rounds.dropped(before, problem)
    assert after.phase == phase and not after.leads
    assert np.all(after.dual.eta == 0) and after.answer is None
    if phase == "descend":
        np.testing.assert_array_equal(after.theta, before.theta_start)
        assert after.rounds.last == 45_000 - problem.n_simulations  # a tenth is for score and certificate
    else:
        np.testing.assert_array_equal(after.theta, before.theta)


def test_a_descent_of_a_limited_run_takes_all_of_its_steps(solver):
    counters = replace(solver.record.rounds, last=20 * 130)  # rows of 130 steps: no whole number of calls
    solver.record = replace(solver.record, phase="descend", rounds=counters, last_step=100)
    assert solver.simulations_per_step == 30 * 20  # more would be forbidden by the limit
    solver.record = replace(solver.record, last_step=0)
    assert solver.simulations_per_step == 50 * 20


@pytest.mark.parametrize("limit", [100, 300, 1000, 20_000])
def test_surveys_and_rounds_spend_a_budget_to_the_last_row(limit):
    settings = Settings()
    solver = type("S", (), {})()
    spent = plan.survey_size(settings, Account(limit, 0), 0)
    solver.rounds, solver.dual, solver.loud = Rounds(1, 0, 0), type("D", (), {"optimal": True})(), False
    sizes = []
    while size := plan.round_size(settings, Account(limit, spent), solver):
        sizes.append(size)
        spent += size
        solver.rounds = Rounds(1, size, 0)
    assert spent == limit and sizes[-1] >= 20


@pytest.mark.parametrize("affordable, rows", [(0.9, 351), (0.5, 1600), (0.01, 1600), (0.999, 20)])
def test_an_answer_that_is_not_sure_takes_the_rows_that_make_it_so(affordable, rows):
    """Errors fall as one over the root of the rows: 1000 (1/0.81 - 1) = 235, and a half more; a round at the most."""
    state = SimpleNamespace(rounds=Rounds(3, 1000, 0), dual=SimpleNamespace(optimal=True), loud=False, answer=None)
    assert plan.confirmation_size(Settings(), Account(None, 5000), state, 1000, affordable) == rows


def share_done(spent, counters, phase="fit", leads=True, limit=None, last_step=0):
    """The share of a run of default settings after so many rows."""
    state = SimpleNamespace(phase=phase, rounds=counters, leads=leads, last_step=last_step, answer=None)
    return plan.share_done(Settings(), Account(limit, spent), state)


def test_while_the_surrogate_leads_the_work_done_is_counted_in_rounds():
    # rounds of 600, 960, 1536, ... at most 6,000 after a survey of 1,000: the fourteenth reaches 60,000 rows
    assert share_done(1000, Rounds(1, 0, 0)) == 1 / (1 + 14 + 1)
    assert share_done(2560, Rounds(3, 960, 0)) == 3 / (3 + 12 + 1)
    assert share_done(60_000, Rounds(10, 25_000, 0)) == 10 / 11
    assert share_done(60_000, Rounds(10, 25_000, 0), "done") == 1
    assert share_done(1000, Rounds(1, 0, 0), limit=2000) > share_done(1000, Rounds(1, 0, 0))


def test_without_the_surrogate_the_rows_of_score_and_certificate_are_still_to_come():
    done = Rounds(12, 0, 3, left=0)
    assert share_done(200_000, done, "refine", False, last_step=0) == 200_000 / (200_000 + 600 * 300 + 180_000)
    assert share_done(380_000, done, "refine", False, last_step=600) == 380_000 / (380_000 + 180_000)
    assert share_done(45_000, done, "refine", False, limit=50_000) == 0.9
    begun, later = (share_done(60_000, Rounds(9, 0, 3, left=left), "round", False) for left in (None, 2))
    assert 0.05 < begun < later < 0.25
