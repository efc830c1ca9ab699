"""Rounds towards the population of pyloric networks (examples/paper): chains, weights, what is kept."""

from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def modules(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[3] / "examples")
    from paper import pyloric, pyloric_rounds

    return pyloric, pyloric_rounds


def test_chains_draw_what_they_are_to_draw(modules, rng):
    """Truncated normals: means and spreads of 400 chains to four standard errors (one false alarm in 500)."""
    centre, spread = np.full(31, 0.5), np.full(31, 0.12)
    centre[0], spread[1] = 0.1, 10.0  # at an edge; uniform

    def surrogate(u):
        return np.zeros((len(u), 12)), -0.5 * np.sum(((u - centre) / spread) ** 2, axis=1)

    u, eta, _ = modules[1].evolve(rng.random((400, 31)), surrogate, np.zeros(12), 0.0, rng, 500, adapt=False)
    assert u.min() >= 0 and u.max() <= 1 and not eta.any()
    np.testing.assert_allclose(u[:, 2:].mean(axis=0), 0.5, atol=4 * 0.12 / np.sqrt(400))
    np.testing.assert_allclose(u[:, 2:].std(axis=0), 0.12, rtol=4 / np.sqrt(2 * 400))
    assert u[:, 1].std() == pytest.approx(1 / np.sqrt(12), rel=0.12)
    edge = rng.normal(0.1, 0.12, 100_000)
    assert u[:, 0].mean() == pytest.approx(edge[edge > 0].mean(), abs=4 * 0.09 / np.sqrt(400))


def test_multipliers_follow_the_moments(modules, rng):
    """Features that are parameters: with mean 0 and variance 1 in their units where eta is what it should be."""

    def surrogate(u):
        x = (u[:, :6] - 0.4) / 0.1
        return np.concatenate([x, x**2 - 1], axis=1), np.zeros(len(u))

    _, eta, T = modules[1].evolve(rng.random((400, 31)), surrogate, np.repeat([0.0, -0.4], 6), 0.0, rng, 400)
    np.testing.assert_allclose(T.mean(axis=0), 0.0, atol=0.25)
    np.testing.assert_allclose(eta, np.repeat([0.0, -0.5], 6), atol=0.15)


def test_weights_have_the_moments_by_what_is_expected_alone(modules, rng):
    """Noise has no part in the weights: fresh noise has the same moments (three standard errors)."""
    x, noise = rng.normal(0.5, 1.2, (20_000, 2)), rng.normal(0.0, 0.5, (2, 20_000, 2))
    expected = np.concatenate([x, x**2 + 0.25 - 1], axis=1)
    first, second = (np.concatenate([x + e, (x + e) ** 2 - 1], axis=1) for e in noise)
    weights = modules[0].tilted(expected, first)
    np.testing.assert_allclose(weights @ first, 0.0, atol=1e-3)
    np.testing.assert_allclose(weights @ second, 0.0, atol=3 * np.sqrt(2 * 2 * np.sum(weights**2)))


def test_what_counts_for_a_feature_is_found(modules, rng):
    u = rng.random((120, 31))
    x = np.tile(np.sin(4 * u[:, [3]]) + u[:, [7]], 6)
    relevance = modules[1].relevances(u, x, u[:, 5] < 0.5, np.arange(120), np.ones(120), rng)
    assert set(np.argsort(-relevance[0])[:2]) == {3, 7} and np.argmax(relevance[6]) == 5
    np.testing.assert_allclose(np.mean(relevance**2, axis=1), 1.0)


def test_rounds_are_kept(modules, tmp_path, rng):
    pyloric, rounds = modules
    networks = pyloric.Networks(rng.random((5, 31)), rng.random((5, 16)), np.full(5, np.nan))
    before = rounds.begin(networks)._replace(networks=networks, chains=rng.random((4, 31)), length=31, number=3)
    rounds.save(tmp_path / "rounds.npz", before)
    after = rounds.load(tmp_path / "rounds.npz")
    for name in before._fields[1:]:
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    for a, b in zip(after.networks, networks):
        np.testing.assert_array_equal(a, b)
