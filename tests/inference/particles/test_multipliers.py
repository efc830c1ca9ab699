"""Multipliers of a flow's own: what they answer to, and how soon."""

import numpy as np
import pytest

import numepi as ne
from numepi.inference.particles.multipliers import _AT_ONCE, _RATE, FlowMultipliers
from numepi.inference.problem import Problem
from tests.inference.particles.problems import MEAN, VARIANCE, Normal, projections


def constraints(**moments):
    prop = ne.EmergentProperty(mean=MEAN, **(moments or {"variance": VARIANCE}))
    return Problem(projections(3), prop, np.random.SeedSequence(0), Normal(3)).constraints


def test_they_answer_to_what_rare_draws_add_to_a_mean():
    # cut at half a natural scale, variances came out up to 24 % too large where 1 % of p* is at the region's edge
    x = np.random.default_rng(0).standard_normal((60, 4))
    x[0] = 60.0  # one draw at the edge: the mean of all is 1
    lead = FlowMultipliers.first(np.zeros(4)).moved(x, constraints())
    step = -np.linalg.solve(np.cov(x.T), x.mean(axis=0))
    np.testing.assert_allclose(lead.total, _RATE * step, rtol=1e-6)
    np.testing.assert_allclose(lead.eta(constraints()), (_RATE + _AT_ONCE) * step, rtol=1e-6)
    before = FlowMultipliers(np.zeros(4), np.zeros(4), np.eye(4), 1000)  # a flow that was elsewhere
    lead = before.moved(x, constraints())
    farthest = np.maximum(0.5, 4 * np.sqrt(lead.covariance.diagonal() / 60))
    expected = -_RATE * np.linalg.solve(lead.covariance, np.minimum(x.mean(axis=0), farthest))
    np.testing.assert_allclose(lead.total, expected, rtol=1e-6)


def test_what_counts_at_once_is_the_mean_of_recent_batches():
    # the last batch alone is noise: a mean of 60 draws is known to an eighth of a standard deviation, times two
    generator, lead, means = np.random.default_rng(0), FlowMultipliers.first(np.zeros(4)), []
    for _ in range(3):
        x = generator.standard_normal((60, 4)) + 0.2
        lead = lead.moved(x, constraints())
        means.append(x.mean(axis=0))
    expected = -_AT_ONCE * np.linalg.solve(lead.covariance, np.mean(means, axis=0))
    np.testing.assert_allclose(lead.eta(constraints()) - lead.total, expected, rtol=1e-6)


@pytest.mark.parametrize("at_once", [_AT_ONCE, 0.0])
def test_they_hold_a_flow_where_the_variance_asked_for_is_not_stable(at_once, monkeypatch):
    # left to itself a variance beyond 1.1 grows, as a flow's does that is drawn to the region's edge: what only adds up
    # comes too late
    monkeypatch.setattr("numepi.inference.particles.multipliers._AT_ONCE", at_once)
    generator, lead, variance = np.random.default_rng(0), FlowMultipliers.first(np.zeros(4)), 0.6
    found = []
    for _ in range(500):
        x = generator.standard_normal((64, 4)) * np.sqrt(variance)
        x[:, 2:] = x[:, :2] ** 2 - 1
        lead = lead.moved(x, constraints())
        pull = np.mean(lead.eta(constraints())[2:])
        variance = np.clip(variance + 0.03 * (variance - 1.1) + 0.1 * variance**2 * pull, 0.05, 30)
        found.append(variance)
    assert (abs(np.mean(found[-200:]) - 1) < 0.1 and np.std(found[-200:]) < 0.2) == (at_once > 0)


def test_bounds_stay_on_their_side():
    bounded = constraints(variance_at_most=VARIANCE)
    x = np.random.default_rng(0).standard_normal((60, 4)) - [0, 0, 5, 5]  # far below the bounds
    lead = FlowMultipliers.first(np.array([0.0, 0.0, 0.0, -0.01])).moved(x, bounded)
    assert np.all(lead.total[2:] == 0) and np.all(lead.eta(bounded)[2:] == 0)
    lead = FlowMultipliers.first(np.array([0.0, 0.0, 0.0, -0.5])).moved(x, bounded)
    assert -0.5 < lead.total[3] < -0.4 and lead.eta(bounded)[3] == 0  # what counts at once would take it across
