"""Draws of p* itself, by weights and by moved particles: few proposals, bounds, and particles that do not get there."""

from types import SimpleNamespace

import numpy as np
import pytest

import numepi as ne
from numepi.inference.assessment.correction import NotReached, corrected_sample, moved_sample
from numepi.inference.assessment.services import Assessment
from numepi.inference.particles.plain import plain_flow
from numepi.inference.problem import Problem
from tests.inference.particles.problems import MEAN, VARIANCE, Normal, projections

# The exact multipliers: of a standard normal's projections that become N(mean, variance).
ETA = np.concatenate([MEAN / VARIANCE - (1 / VARIANCE - 1) * MEAN, -0.5 * (1 / VARIANCE - 1)])


def test_corrected_samples_by_few_weights_meet_the_property():
    # one proposal of fifty is effective: at the exact multipliers the means were 0.09 off
    circuit, prop = projections(20), ne.EmergentProperty(mean=MEAN, variance=VARIANCE)
    problem = Problem(circuit, prop, np.random.SeedSequence(3), Normal(20))
    z, efficiency = corrected_sample(problem, plain_flow(circuit.support), np.zeros(0), np.zeros(0), ETA, 500)
    f = circuit.statistics(z)
    assert efficiency < 0.05
    np.testing.assert_allclose(f.mean(axis=0), MEAN, atol=0.02)
    np.testing.assert_allclose(np.mean((f - MEAN) ** 2, axis=0), VARIANCE, rtol=0.06)


def test_corrected_samples_are_moved_where_few_proposals_count():
    circuit, prior = projections(20), Normal(20)
    prop = ne.EmergentProperty(mean=MEAN, variance=VARIANCE)
    problem = Problem(circuit, prop, np.random.SeedSequence(3), prior)
    flow = plain_flow(circuit.support)
    z, few = corrected_sample(problem, flow, np.zeros(0), np.zeros(0), ETA, 300)
    result = SimpleNamespace(
        circuit=circuit, property=prop, prior=prior, distribution=SimpleNamespace(flow=flow, theta=np.zeros(0)),
        configuration={"gradient": True, "prior": None},
        certificate=SimpleNamespace(method="weights", multipliers=tuple(ETA), replicates=1),
    )  # fmt: skip
    moved, efficiency = Assessment().corrected_samples(result, 300, 3)
    assert few < 0.1 < efficiency and len(np.unique(z[:, 0])) < 150 < len(np.unique(moved[:, 0]))
    np.testing.assert_allclose(circuit.statistics(moved).mean(axis=0), MEAN, atol=0.1)  # as many random ones
    result.configuration["gradient"] = False
    assert Assessment().corrected_samples(result, 300, 3)[1] < 0.1


def test_corrected_samples_by_particles_know_bounds():
    # their own dual asks for multipliers in all, not beside those that the draws have: either sign beside them will do
    problem = Problem(
        projections(20),
        ne.EmergentProperty(mean=MEAN, variance_at_most=VARIANCE),
        np.random.SeedSequence(3),
        Normal(20),
    )
    z, _ = moved_sample(problem, plain_flow(problem.circuit.support), np.zeros(0), 1.1 * ETA, 200)  # a tenth too large
    f = problem.circuit.statistics(z)
    np.testing.assert_allclose(f.mean(axis=0), MEAN, atol=0.05)
    np.testing.assert_allclose(np.mean((f - MEAN) ** 2, axis=0), VARIANCE, rtol=0.1)


def test_weighted_samples_are_all_there_is_where_particles_do_not_get_there(monkeypatch):
    error = NotReached("corrected = True, but particles do not reach the solution")

    def lost(*arguments):
        raise error

    monkeypatch.setattr("numepi.inference.assessment.services.moved_sample", lost)
    circuit, prior, prop = projections(20), Normal(20), ne.EmergentProperty(mean=MEAN, variance=VARIANCE)
    result = SimpleNamespace(
        circuit=circuit, property=prop, prior=prior,
        distribution=SimpleNamespace(flow=plain_flow(circuit.support), theta=np.zeros(0)),
        configuration={"gradient": True, "prior": None},
        certificate=SimpleNamespace(method="weights", multipliers=tuple(ETA), replicates=1),
    )  # fmt: skip
    z, efficiency = Assessment().corrected_samples(result, 300, 3)
    assert z.shape == (300, 20) and efficiency < 0.1
    result.certificate.method = "particles"  # then there are none
    with pytest.raises(NotReached, match="do not reach the solution"):
        Assessment().corrected_samples(result, 300, 3)
    result.certificate.method, error = "weights", ValueError("a user's own")
    with pytest.raises(ValueError, match="a user's own"):
        Assessment().corrected_samples(result, 300, 3)
