"""The descent along path gradients: where it leads, and how a run goes on from there."""

import numpy as np
import pytest

import numepi as ne
from numepi.inference.assessment.score import score
from numepi.inference.dual.descent import Descent
from numepi.inference.dual.refinement import Refinement
from numepi.inference.dual.settings import Settings
from numepi.inference.dual.solver import Dual
from numepi.inference.problem import Problem

BOX = ne.Support([-10.0, -10.0], [10.0, 10.0])


def descending(**settings):
    """A run that begins with a descent to p* = N((1, -1), diag(1, 4))."""
    circuit = ne.circuits.FunctionCircuit(lambda z: z, BOX, statistic_names=("x", "y"))
    prop = ne.EmergentProperty(mean=[1.0, -1.0], variance=[1.0, 4.0])
    problem = Problem(circuit, prop, np.random.SeedSequence(1))
    settings = {"descent_steps": 800, "refine_size": 200, "learning_rate": 5e-3} | settings
    solver = Dual(problem, ne.RealNVP(BOX, stages=4, hidden=(20, 20)), Settings(**settings))
    solver.initialise()
    solver.last = Descent(solver)
    return solver


@pytest.mark.slow
def test_descent_reaches_a_known_solution_without_any_round():
    solver = descending()
    while solver.descended is None:
        solver.step()
    assert solver.failure is None and solver.rounds.number == 0
    answer = score(solver.problem, solver.flow, solver.theta, n=20_000)
    # tolerances of a met constraint
    assert np.all(np.abs(answer.constraint - solver.problem.constraints.target) <= solver.problem.constraints.tolerance)
    assert answer.entropy == pytest.approx(np.log(2 * np.pi * np.e * 2), abs=0.1)
    np.testing.assert_allclose(solver.multipliers, [0.0, 0.0, -0.5, -0.125], atol=0.1)


SHORT = {"descent_steps": 300, "refine_steps": 100, "final_rounds": 2, "round_size": 400, "fit_steps": 50}


def test_no_random_numbers_are_used_twice():
    solver, drawn = descending(**SHORT), []
    normals = solver.problem.normals

    def recorded(purpose, counter, n):
        drawn.append((purpose, counter))
        return normals(purpose, counter, n)

    solver.problem.normals = recorded
    while not solver.finished:
        solver.step()
    assert len(drawn) == SHORT["descent_steps"] + SHORT["final_rounds"] + SHORT["refine_steps"]
    assert len(set(drawn)) == len(drawn)


def test_a_flow_that_follows_goes_back_to_the_rounds_and_resumes_to_the_same_bits():
    whole, states = descending(**SHORT), []
    while not whole.finished:
        whole.step()
        states.append({name: np.copy(value) for name, value in whole.state().items()})
        assert whole.steps_done <= whole.n_steps
    assert (
        whole.descended is not None
        and isinstance(whole.last, Refinement)
        and whole.rounds.number == SHORT["final_rounds"]
    )
    assert len(whole.trace["ess"]) == SHORT["descent_steps"] + SHORT["final_rounds"] + SHORT["refine_steps"]
    for begun in (2, 6, 8, len(states) - 1):  # descent, back in the rounds, their fit, refinement
        resumed = descending(**SHORT)
        resumed.restore(states[begun - 1])
        while not resumed.finished:
            resumed.step()
        np.testing.assert_array_equal(resumed.theta, whole.theta)


def test_a_flow_that_does_not_follow_ends_with_the_descent(monkeypatch):
    monkeypatch.setattr("numepi.inference.dual.descent.CLOSE", 1.1)
    solver = descending(**SHORT)
    while not solver.finished:
        solver.step()
    assert solver.failure is None and solver.descended is None and solver.rounds.number == 0


def test_the_descent_stands_where_the_rounds_would_anneal_anew():
    solver = descending(**SHORT)
    while solver.descended is None:
        solver.step()
    end, eta = solver.theta.copy(), solver.annealing.eta.copy()
    move, rounds = solver.annealing.move, []

    def retreat(*args, **keywords):
        rounds.append(move(*args, **keywords))
        return rounds[-1] and len(rounds) < 2

    solver.annealing.move = retreat
    while not solver.finished:
        solver.step()
        assert solver.steps_done <= solver.n_steps
    assert rounds[0] and solver.rounds.number == 2 and solver.failure is None
    assert solver.steps_done == solver.n_steps
    np.testing.assert_array_equal(solver.theta, end)
    np.testing.assert_array_equal(solver.annealing.eta, eta)


def test_samples_astray_are_called_back_whatever_the_multipliers():
    descent = descending().last
    descent.solver.annealing.optimal_eta = np.array([1.0, 1.0, 2.0, 2.0]) * descent.solver.scale
    near, stray = [1.2, -1.5], [1.0, 7.5]  # the latter 4.25 standard deviations off
    f = np.array([near, near, near, stray])
    rows = descent._multipliers(f)
    np.testing.assert_allclose(rows[:3], np.tile([1.0, 1.0, 2.0, 2.0], (3, 1)))
    np.testing.assert_allclose(rows[3], [0.0, 0.0, -0.5, -0.125])  # of N((1, -1), diag(1, 4))
    far = f + [3.0, 0.0]  # the bulk is not there yet: none is astray
    np.testing.assert_allclose(descent._multipliers(far), np.tile([1.0, 1.0, 2.0, 2.0], (4, 1)))


def test_a_stretch_that_leads_away_from_the_targets_is_taken_back():
    solver = descending(**SHORT)
    while solver.chunk < 3:
        solver.step()
    best = solver.last.best.copy()
    _, theta, eta = np.split(best, [1, 1 + len(solver.theta)])
    solver.theta = solver.theta + 100.0  # a blow-up in the next stretch
    solver.step()
    np.testing.assert_array_equal(solver.theta, theta)
    np.testing.assert_array_equal(solver.annealing.eta, eta)
    np.testing.assert_array_equal(solver.last.best, best)
    assert solver.optimiser.count == 0
    solver.step()
    assert np.any(solver.theta != theta)
