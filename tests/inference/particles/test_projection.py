"""The last correction of a flow: onto its constraints, at next to no cost, and not where it is far from them."""

import numpy as np
import pytest

import numepi as ne
from numepi.inference.particles import projection
from numepi.inference.particles.projection import BATCH, Projection, advance
from numepi.inference.problem import Problem, Stream
from tests.inference.particles.problems import MEAN, VARIANCE, Normal, projections


def violation(problem, flow, theta):
    z, _ = flow.sample(theta, problem.normals(Stream.SCORE_BASE, 0, 20_000))
    T = problem.simulate(z, Stream.SCORE_NOISE, 0).T
    return (T.mean(axis=0) - problem.constraints.target) / problem.constraints.scale


def projected(problem, flow, theta, eta):
    """Where the whole way ends."""
    now = Projection.begin(theta, len(eta))
    while not now.done:
        before, taken = problem.n_simulations, now.taken
        now = advance(now, problem, flow, eta)
        assert problem.n_simulations - before in (0, BATCH) and now.n_batches >= now.taken == taken + 1
    return now.best


def test_what_is_left_is_taken_away():
    circuit = projections(3)
    flow = ne.RealNVP(circuit.support, stages=2, hidden=(8,), post_affine=True)
    theta = flow.initial_parameters(0)
    offset = np.array([0.3, -0.25])  # so far that a part of the way would be seen
    near = ne.EmergentProperty(mean=offset, variance=1 + offset)  # the standard normal's are 0 and 1
    problem = Problem(circuit, near, np.random.SeedSequence(1), Normal(3))
    before = violation(problem, flow, theta)
    found = projected(problem, flow, theta, np.zeros(4))
    after = violation(problem, flow, found)
    assert np.abs(before).max() > 0.28 and np.abs(after).max() < 0.03  # three standard errors of the draws of both
    assert np.linalg.norm(found - theta) < 1.0


def test_a_flow_that_is_elsewhere_stays_and_a_bound_that_does_not_bind():
    circuit = projections(3)
    flow = ne.RealNVP(circuit.support, stages=2, hidden=(8,), post_affine=True)
    theta = flow.initial_parameters(0)
    problem = Problem(circuit, ne.EmergentProperty(mean=MEAN, variance=VARIANCE), np.random.SeedSequence(1), Normal(3))
    assert projected(problem, flow, theta, np.zeros(4)) is theta
    bound = ne.EmergentProperty(mean=[0.0, 0.0], variance_at_most=[2.0, 2.0])  # none of them binds
    problem = Problem(circuit, bound, np.random.SeedSequence(1), Normal(3))
    found = projected(problem, flow, theta, np.zeros(4))
    assert np.abs(violation(problem, flow, found)[:2]).max() < 0.03
    assert violation(problem, flow, found)[2:].max() < 0


def test_it_ends_as_close_as_a_score_can_tell():
    # A third of a tolerance was left as it was: with eta = -5.7 at 25 neurons, 0.2 nats.
    circuit = projections(3)
    flow = ne.RealNVP(circuit.support, stages=2, hidden=(8,), post_affine=True)
    theta = flow.initial_parameters(0)
    near = ne.EmergentProperty(mean=[0.03, -0.03], variance=[1.0, 1.0])  # the standard normal's are 0 and 1
    problem = Problem(circuit, near, np.random.SeedSequence(1), Normal(3))
    after = violation(problem, flow, projected(problem, flow, theta, np.zeros(4)))
    # standard errors of the draws of both: 0.01, in all four
    assert np.abs(violation(problem, flow, theta)).max() > 0.025 and np.linalg.norm(after) < 0.03


@pytest.mark.parametrize("worse", [np.nan, 1e288])
def test_draws_without_a_way_back_do_not_turn_a_step(worse, monkeypatch):
    # as on the bound of a box, where a flow's derivative is not finite, or next to it: those of its batch are left out
    circuit = projections(3)
    flow = ne.RealNVP(circuit.support, stages=2, hidden=(8,), post_affine=True)
    theta = flow.initial_parameters(0)
    sample, batches = flow.sample_with_pullback, []

    def broken(theta, base):
        batches.append(base)
        z, log_q, pull = sample(theta, base)
        return (z, log_q, lambda *grad: pull(*grad) * worse) if len(batches) % 8 == 2 else (z, log_q, pull)

    monkeypatch.setattr(flow, "sample_with_pullback", broken)
    near = ne.EmergentProperty(mean=[0.2, -0.2], variance=[1.2, 0.8])
    problem = Problem(circuit, near, np.random.SeedSequence(1), Normal(3))
    assert np.abs(violation(problem, flow, projected(problem, flow, theta, np.zeros(4)))).max() < 0.03


def test_a_step_that_would_miss_by_more_is_shortened():
    # next to a bound, where few draws are: the whole step from a share of 5 % to one of 50 % ended at 85 %
    def share(z):
        return 1 / (1 + np.exp(-20 * (z - 0.9)))

    circuit = ne.circuits.FunctionCircuit(
        share, ne.Support([-1.0], [1.0]), statistic_names=["x"],
        jacobian=lambda z: (20 * share(z) * (1 - share(z)))[:, :, None],
    )  # fmt: skip
    flow = ne.ElementwiseFlow(circuit.support, bins=4)
    theta = flow.initial_parameters(0)
    prop = ne.EmergentProperty(mean=[0.5], tolerance={"mean x": 0.05})
    problem = Problem(circuit, prop, np.random.SeedSequence(1))
    before, after = (violation(problem, flow, t) for t in (theta, projected(problem, flow, theta, np.zeros(1))))
    assert before < -0.8 and np.abs(after) < 0.03


def test_a_shortened_step_that_still_misses_by_more_is_halved(monkeypatch):
    # so bent that the first step, a tenth, ends at -0.7
    def violations(problem, flow, theta, number):
        return 0.3 + theta + 900 * theta**3, 1

    def turn(problem, flow, theta, number):
        return np.array([1 + 2700 * theta**2]), 1

    monkeypatch.setattr(projection, "_violations", violations)
    monkeypatch.setattr(projection, "_turn", turn)
    problem = Problem(projections(3), ne.EmergentProperty(mean=[0.0, None]), np.random.SeedSequence(0), Normal(3))
    found = projected(problem, None, np.zeros(1), np.zeros(1))
    assert np.abs(violations(None, None, found, None)[0]) < 0.003
