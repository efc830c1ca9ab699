"""When the surrogate is dropped; the rows that make an answer sure."""

from types import SimpleNamespace

import numpy as np
import pytest

import numepi as ne
from numepi.inference.dual import checks, lead
from numepi.inference.dual.lead import worthless
from numepi.inference.dual.multipliers import DualPoint
from numepi.inference.dual.settings import Settings
from numepi.inference.dual.solver import Dual
from numepi.inference.dual.state import Rounds
from numepi.inference.problem import Problem

CONSTRAINTS = ne.EmergentProperty(mean=[1.0]).constraints(("x",))


def answered(error):
    """An answer with a mean ``error`` from its target (tolerance 0.1), and a certificate that does not know."""
    score = SimpleNamespace(
        constraint=CONSTRAINTS.target + error, constraint_stderr=np.full(1, 0.01), constraint_spread=np.ones(1),
        least=np.full(1, -9.0), greatest=np.full(1, 9.0), p_values=np.full(1, 0.5),
    )  # fmt: skip
    certificate = SimpleNamespace(kl=0.2, kl_stderr=0.1, entropy_bound_stderr=0.1, reliable=False)
    return SimpleNamespace(score=score, certificate=certificate)


def is_dropped(misses, optimal=True, limit=None, spent=0, error=5.0, **settings):
    """Whether it is after so many misses in a row, with a mean ``error`` from its target (tolerance 0.1)."""
    state = SimpleNamespace(
        rounds=Rounds(3, 600, misses), dual=SimpleNamespace(optimal=optimal), answer=answered(error)
    )
    problem = SimpleNamespace(constraints=CONSTRAINTS, limit=limit, left=lambda limit: limit - spent)
    return worthless(state, problem, Settings(**settings))


def test_a_surrogate_may_miss_more_often_on_the_way_than_at_the_optimum():
    assert not is_dropped(2) and is_dropped(3)
    assert not is_dropped(5, optimal=False) and is_dropped(6, optimal=False)
    assert not is_dropped(29, optimal=False, most_misses=30)


@pytest.mark.parametrize("optimal", [True, False])
def test_a_limited_run_drops_it_only_while_enough_rows_are_left_to_do_without(optimal):
    assert is_dropped(6, optimal, limit=50_000, spent=4000)
    assert not is_dropped(6, optimal, limit=50_000, spent=30_000)
    assert is_dropped(6, optimal, spent=59_000)


def test_a_limited_run_keeps_what_met_the_constraints():
    assert not is_dropped(3, limit=50_000, spent=4000, error=0.0)
    assert is_dropped(3, error=0.0)


def sharpening(error, noisy=True, n=1000):
    """The state at an answer whose certificate does not know, with ``n`` rows in one dimension."""
    eta = np.zeros(1)
    return SimpleNamespace(
        rounds=Rounds(9, 600, 0), answer=answered(error), noisy=noisy, loud=False,
        dual=DualPoint(eta, eta, 1.0, True, np.empty(0), eta),
        replay=SimpleNamespace(z=np.zeros((n, 1)), valid=np.ones(n, bool)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "size"),
    [
        (sharpening(0.0), 960),
        (sharpening(5.0), 0),  # without the property
        (sharpening(0.0, noisy=False), 0),
        (sharpening(0.0, n=19), 0),  # rows tell no places apart
        (SimpleNamespace(**vars(sharpening(0.0)) | {"answer": None}), 0),
    ],
)
def test_rows_that_sharpen_a_surrogate_that_has_the_property_are_four_times_as_many(state, size):
    problem = SimpleNamespace(constraints=CONSTRAINTS, limit=None, left=lambda limit: limit - 60_000)
    assert lead.plan.round_size(Settings(), problem, state) == size


@pytest.mark.parametrize(
    ("limit", "last", "size"),
    [(None, 3000, 4800), (None, 9000, 6000), (5000, 1500, 2400), (20_000, 2500, 3000), (100_000, 9000, 10_000)],
)
def test_no_round_is_more_than_a_tenth_of_the_rows_or_what_is_not_many(limit, last, size):
    state = SimpleNamespace(**vars(sharpening(0.0, noisy=False)) | {"rounds": Rounds(9, last, 0)})
    problem = SimpleNamespace(constraints=CONSTRAINTS, limit=limit, left=lambda limit: limit)
    assert lead.plan.round_size(Settings(), problem, state) == size


@pytest.mark.parametrize(
    ("error", "noisy", "phase"), [(0.0, True, "done"), (0.0, False, "round"), (5.0, True, "round")]
)
def test_an_answer_with_the_property_stands_where_rounds_without_the_surrogate_would_rest_on_it(
    error, noisy, phase, monkeypatch
):
    monkeypatch.setattr(lead, "dropped", lambda state, problem: SimpleNamespace(phase="round"))
    monkeypatch.setattr(lead, "replace", lambda state, **fields: SimpleNamespace(**vars(state) | fields))
    monkeypatch.setattr(lead, "unbounded_after", lambda *arguments: None)
    problem = SimpleNamespace(constraints=CONSTRAINTS, limit=None)
    assert lead._spent(sharpening(error, noisy), problem, Settings()).phase == phase


@pytest.mark.parametrize(("kl", "phase"), [(0.1, "done"), (0.225, "round")])
def test_an_answer_that_is_certified_far_away_is_not_the_end(kl, phase, monkeypatch):
    # of twenty properties of the LDS one ended so, at 0.27 nats, with hundreds of thousands of rows to go
    monkeypatch.setattr(lead, "dropped", lambda state, problem: SimpleNamespace(phase="round"))
    monkeypatch.setattr(lead, "replace", lambda state, **fields: SimpleNamespace(**vars(state) | fields))
    monkeypatch.setattr(lead, "unbounded_after", lambda *arguments: None)
    state = sharpening(0.0, noisy=False)
    certificate = SimpleNamespace(reliable=True, kl=kl, kl_stderr=0.01, entropy_bound_stderr=0.01)
    state.answer = SimpleNamespace(score=state.answer.score, certificate=certificate)
    assert lead._spent(state, SimpleNamespace(constraints=CONSTRAINTS, limit=None), Settings()).phase == phase


def test_rows_that_make_an_answer_sure_are_few_of_the_same_flow_and_count_with_the_others(monkeypatch):
    box, rows, assess = ne.Support([-2.0, -2.0], [2.0, 2.0]), [], checks.assess
    circuit = ne.circuits.FunctionCircuit(lambda z: z, box, statistic_names=("x", "y"))
    prop = ne.EmergentProperty(mean=[0.0, 0.0], variance=[0.5, 0.5])
    few = Settings(fit_steps=50, landing_steps=50, surrogate_first_steps=300, surrogate_steps=100, pool_size=1000)
    solver = Dual(Problem(circuit, prop, np.random.SeedSequence(0)), ne.RealNVP(box, stages=2, hidden=(5,)), few)
    solver.initialise()

    def counted(state, done, *arguments):
        rows.append(len(done.z))
        return assess(state, done, *arguments)

    monkeypatch.setattr(checks, "assess", counted)
    monkeypatch.setattr(lead.checks, "affordable_errors", lambda *arguments: 0.9)
    while solver.record.unsure is None:
        solver.step()
    theta, more = solver.record.theta, len(solver.record.request.z)
    assert more == int(1.5 * rows[-1] * (1 / 0.81 - 1))
    while solver.record.phase == "check":
        solver.step()
    assert rows[-1] == rows[-2] + more and solver.record.theta is theta
    assert solver.record.phase == "learn"  # not sure by them either: once is enough
    solver.step()
    assert solver.record.unsure is None  # the next flow's rows are its own
