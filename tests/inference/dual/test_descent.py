"""The descent along path gradients: where it leads, and how a run goes on from there."""

from dataclasses import replace

import numpy as np
import pytest

import numepi as ne
from numepi.inference.assessment.score import score
from numepi.inference.dual.descent import _best_of, descend, multipliers_of_samples
from numepi.inference.dual.settings import Settings
from numepi.inference.dual.solver import Dual
from numepi.inference.problem import Problem

BOX = ne.Support([-10.0, -10.0], [10.0, 10.0])
SHORT = {"descent_steps": 300, "refine_steps": 100, "final_rounds": 2, "replay_rows": 400, "replay_fit_steps": 50}


def descending(**settings):
    """A run that begins with a descent to p* = N((1, -1), diag(1, 4))."""
    circuit = ne.circuits.FunctionCircuit(lambda z: z, BOX, statistic_names=("x", "y"))
    prop = ne.EmergentProperty(mean=[1.0, -1.0], variance=[1.0, 4.0])
    problem = Problem(circuit, prop, np.random.SeedSequence(1))
    settings = {"descent_steps": 800, "refine_size": 200, "replay_rate": 5e-3} | settings
    solver = Dual(problem, ne.RealNVP(BOX, stages=4, hidden=(20, 20)), Settings(**settings))
    solver.initialise()
    dual = replace(solver.record.dual, exponent=1.0)
    solver.record = replace(solver.record, phase="descend", leads=False, dual=dual)
    return solver


@pytest.mark.slow
def test_descent_reaches_a_known_solution_without_any_round():
    solver = descending()
    while solver.record.descended is None:
        solver.step()
    assert solver.failure is None and solver.record.rounds.number == 0
    answer = score(solver.problem, solver.flow, solver.theta, n=20_000)
    # tolerances of a met constraint
    assert np.all(np.abs(answer.constraint - solver.problem.constraints.target) <= solver.problem.constraints.tolerance)
    assert answer.entropy == pytest.approx(np.log(2 * np.pi * np.e * 2), abs=0.1)
    np.testing.assert_allclose(solver.multipliers, [0.0, 0.0, -0.5, -0.125], atol=0.1)


def test_a_flow_that_follows_goes_back_to_the_rounds_with_no_random_number_used_twice():
    solver, drawn, states = descending(**SHORT), [], []
    normals = solver.problem.normals

    def recorded(purpose, counter, n):
        drawn.append((purpose, counter))
        return normals(purpose, counter, n)

    solver.problem.normals = recorded
    while not solver.finished:
        solver.step()
        states.append(solver.state())
    record = solver.record
    assert record.descended is not None and record.last_step == SHORT["refine_steps"]
    assert record.rounds.number == SHORT["final_rounds"]
    assert len(record.trace.ess) == SHORT["descent_steps"] + SHORT["final_rounds"] + SHORT["refine_steps"]
    assert len(drawn) == len(record.trace.ess) == len(set(drawn))
    for begun in (2, 8, len(states) - 3):  # descent, back in the rounds, refinement
        resumed = descending(**SHORT)
        resumed.restore(states[begun])
        while not resumed.finished:
            resumed.step()
        np.testing.assert_array_equal(resumed.theta, solver.theta)


def test_a_flow_that_does_not_follow_ends_with_the_descent(monkeypatch):
    monkeypatch.setattr("numepi.inference.dual.descent.CLOSE", 1.1)
    solver = descending(**SHORT)
    while not solver.finished:
        solver.step()
    assert solver.failure is None and solver.record.descended is None and solver.record.rounds.number == 0


def test_the_descent_stands_where_the_rounds_would_anneal_anew(monkeypatch):
    solver = descending(**SHORT)
    while solver.record.descended is None:
        solver.step()
    end, eta = solver.theta.copy(), solver.record.dual.eta.copy()
    from numepi.inference.dual import rounds

    move = rounds.move
    monkeypatch.setattr(rounds, "move", lambda *arguments: replace(move(*arguments), optimal=False))
    while not solver.finished:
        solver.step()
    assert solver.record.rounds.number == 1 and solver.failure is None
    np.testing.assert_array_equal(solver.theta, end)
    np.testing.assert_array_equal(solver.record.dual.eta, eta)


def test_samples_astray_are_called_back_whatever_the_multipliers():
    constraints = descending().problem.constraints
    eta = np.array([1.0, 1.0, 2.0, 2.0]) * constraints.scale
    near, stray = [1.2, -1.5], [1.0, 7.5]  # the latter 4.25 standard deviations off
    f = np.array([near, near, near, stray])
    rows = multipliers_of_samples(constraints, eta, f)
    np.testing.assert_allclose(rows[:3], np.tile([1.0, 1.0, 2.0, 2.0], (3, 1)))
    np.testing.assert_allclose(rows[3], [0.0, 0.0, -0.5, -0.125])  # of N((1, -1), diag(1, 4))
    far = f + [3.0, 0.0]  # the bulk is not there yet: none is astray
    np.testing.assert_allclose(multipliers_of_samples(constraints, eta, far), np.tile([1.0, 1.0, 2.0, 2.0], (4, 1)))


def test_a_stretch_that_leads_away_from_the_targets_is_taken_back():
    solver = descending(**SHORT)
    while solver.record.last_step < 150:
        solver.step()
    best = solver.record.best
    blown = replace(solver.record, theta=solver.theta + 100.0)  # a blow-up in the next stretch
    after = descend(blown, solver.problem, solver.flow, solver.settings)
    np.testing.assert_array_equal(after.theta, best.theta)
    np.testing.assert_array_equal(after.dual.eta, best.eta)
    assert after.best is best and after.adam.count == 0
    again = descend(after, solver.problem, solver.flow, solver.settings)
    assert np.any(again.theta != best.theta)


def test_one_outlier_takes_nothing_back():
    solver = descending(**SHORT)
    while solver.record.last_step < 150:
        solver.step()
    record, best = solver.record, solver.record.best
    violation = record.trace.violation.copy()
    violation[-50:] = best.violation
    violation[-20, 1] = 50.0 * (1.0 + best.violation)  # the stretch's mean misses by one, all of it from one step
    outlier = replace(record, trace=replace(record.trace, violation=violation))
    assert _best_of(outlier, 50) is outlier
    violation = violation.copy()
    violation[-50:, 1] += 1.0  # every step
    astray = _best_of(replace(record, trace=replace(record.trace, violation=violation)), 50)
    np.testing.assert_array_equal(astray.theta, best.theta)


def test_multipliers_wait_for_rows_enough_to_tell_the_moments():
    solver = descending(**SHORT | {"refine_size": 20})
    solver.step()
    multipliers = solver.record.trace.multipliers
    moved = np.any(np.diff(multipliers, axis=0, prepend=0.0) != 0, axis=1)
    assert not moved[:7].any() and moved[7:].all()  # eight steps of 20 rows
    many = descending(**SHORT)
    many.step()
    assert np.any(many.record.trace.multipliers[0] != 0)  # a step of 200 rows is enough
