"""The descent along path gradients, and which flow the dual solver takes."""

import numpy as np
import pytest

import numepi as ne
from numepi.inference.descent import Descent
from numepi.inference.dual import Dual
from numepi.inference.dual_settings import Settings
from numepi.inference.problem import Problem
from numepi.inference.score import score


def test_descent_reaches_a_known_solution_without_any_round():
    box = ne.Support([-10.0, -10.0], [10.0, 10.0])
    circuit = ne.circuits.FunctionCircuit(lambda z: z, box, statistic_names=("x", "y"))
    prop = ne.EmergentProperty(mean=[1.0, -1.0], variance=[1.0, 4.0])
    problem = Problem(circuit, prop, np.random.SeedSequence(1))
    flow = ne.RealNVP(box, stages=4, hidden=(20, 20))
    engine = Dual(problem, flow, Settings(descent_steps=800, refine_size=200, learning_rate=5e-3))
    engine.initialise()
    engine.last = Descent(engine)
    while not engine.finished:
        engine.step()
    assert engine.failure is None
    answer = score(problem, flow, engine.theta, n=20_000)
    # tolerances of a met constraint; p* = N((1, -1), diag(1, 4)) and its multipliers
    assert np.all(np.abs(answer.constraint - problem.constraints.target) <= problem.constraints.tolerance)
    assert answer.entropy == pytest.approx(np.log(2 * np.pi * np.e * 2), abs=0.1)
    np.testing.assert_allclose(engine.multipliers, [0.0, 0.0, -0.5, -0.125], atol=0.1)
