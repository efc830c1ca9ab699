"""Moves leave the density invariant, with and without gradients, and find their step size."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from numepi.inference.particles.density import PathPoint
from numepi.inference.particles.moves import Mover
from tests.inference.particles.problems import gaussian

POINT = PathPoint(1.0, np.array([0.4, -0.6, -0.5, -0.3]), False)


@pytest.mark.parametrize("differentiable", [True, False])
def test_moves_turn_the_base_into_the_density(differentiable):
    density = gaussian(3, differentiable)
    generator = np.random.default_rng(1)
    particles = density.evaluate(generator.standard_normal((4000, 3)), POINT)
    mover = Mover.first(3, 8, differentiable)
    for _ in range(15 if differentiable else 60):
        particles, mover = mover.move(density, particles, POINT, generator)
    # In natural scales x_i = (f_i - mu_i) / sigma_i and x_i' = (x_i^2 - 1) / sqrt 2: each projection is normal.
    mean, variance = np.array([2.0, -1.0]), np.array([0.25, 0.5])
    precision = 1 + np.sqrt(2) * np.array([0.5, 0.3]) / variance
    centre = mean + (POINT.eta[:2] / np.sqrt(variance) - mean) / precision
    f = particles.violation[:, :2] * np.sqrt(variance) + mean
    for column, mu, tau in zip(f.T, centre, precision):
        # two tests: false alarm 2e-4 in all
        assert stats.kstest(column, stats.norm(mu, 1 / np.sqrt(tau)).cdf).pvalue > 1e-4


@pytest.mark.parametrize("differentiable, wanted", [(True, 0.75), (False, 0.25)])
def test_the_step_size_meets_its_rate_of_acceptance(differentiable, wanted):
    density = gaussian(30, differentiable)
    generator = np.random.default_rng(2)
    point = PathPoint(1.0, np.array([3.0, -2.0, -8.0, -8.0]), False)
    particles = density.evaluate(generator.standard_normal((500, 30)), point)
    mover, rates = Mover.first(30, 8, differentiable), []
    for _ in range(60):
        particles, mover = mover.move(density, particles, point, generator)
        rates.append(mover.acceptance)
    assert abs(np.mean(rates[-20:]) - wanted) < 0.08


def test_a_particle_never_moves_to_where_there_is_no_density():
    density = gaussian(3)
    density.region = lambda f: f[:, 0] > 0
    generator = np.random.default_rng(3)
    point = POINT._replace(confined=True)
    particles = density.evaluate(generator.standard_normal((300, 3)), point)
    particles = particles.take(particles.inside)
    mover = Mover.first(3, 8, True)
    for _ in range(10):
        particles, mover = mover.move(density, particles, point, generator)
    assert particles.inside.all() and np.isfinite(particles.log_density).all()


def test_a_trajectory_that_ends_without_a_gradient_is_rejected(monkeypatch):
    # a lens flow 14 standard deviations out has none: one such trajectory made the step size NaN; nothing moved again
    density = gaussian(3)
    generator = np.random.default_rng(3)
    particles = density.evaluate(generator.standard_normal((300, 3)), POINT)
    whole, mover, now = density.evaluate, Mover.first(3, 8, True), particles
    calls = iter(range(3 * mover.leapfrogs))

    def without(u, point):
        found, last = whole(u, point), next(calls) % mover.leapfrogs == mover.leapfrogs - 1
        return replace(found, gradient=np.where(last & (np.arange(len(u)) == 7)[:, None], np.nan, found.gradient))

    monkeypatch.setattr(density, "evaluate", without)
    for _ in range(3):
        now, mover = mover.move(density, now, POINT, generator)
        assert np.isfinite(mover.step_size) and mover.acceptance > 0.5
    assert np.all(now.u[7] == particles.u[7]) and np.all(np.delete(now.u != particles.u, 7, axis=0).mean(axis=0) > 0.9)


def test_a_trajectory_takes_as_many_steps_as_reach_so_far(monkeypatch):
    density, generator = gaussian(3), np.random.default_rng(5)
    particles = density.evaluate(generator.standard_normal((4, 3)), POINT)
    evaluate, asked = density.evaluate, []
    monkeypatch.setattr(density, "evaluate", lambda u, point: asked.append(len(u)) or evaluate(u, point))
    for step_size, steps in [(0.1, 8), (0.01, 15), (0.0001, 200)]:
        asked.clear()
        Mover(step_size, 8, 0.15).move(density, particles, POINT, generator)
        assert len(asked) == steps


def test_a_step_that_is_far_too_long_is_halved_until_moves_are_accepted():
    # adapting alone shortens a step by a tenth a move: thirty moves that change nothing
    density, generator = gaussian(3), np.random.default_rng(6)
    point = POINT._replace(eta=np.array([0.0, 0.0, -2e4, -2e4]))
    particles = density.evaluate(np.zeros((50, 3)), point)
    first = Mover.first(3, 8, True)
    assert first.move(density, particles, point, generator)[1].acceptance < 0.05
    found = first.shortened(density, particles, point, generator)
    assert found.step_size < first.step_size / 4
    assert found.move(density, particles, point, generator)[1].acceptance > 0.1
    easy = Mover(0.01, 8)
    assert easy.shortened(density, density.evaluate(np.zeros((50, 3)), POINT), POINT, generator) == easy
