"""Rounds towards the population of pyloric networks (examples/paper): chains, weights, what is kept."""

from pathlib import Path

import numpy as np
import pytest

from numepi.circuits.pyloric.constants import TARGETS


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


def test_the_density_of_a_chain_is_that_of_where_it_is_at_the_multipliers_as_they_are(modules, rng):
    """Proposals as dense as where the chain is are always taken, less dense ones (by exp(-40)) never."""
    asked, start = [], rng.random((30, 31))

    def follow(T, log_success, steps, adapt):
        asked.clear()

        def surrogate(u):
            asked.append(u.copy())
            return T(u), np.full(len(u), log_success[min(len(asked), len(log_success)) - 1])

        return modules[1].evolve(start, surrogate, np.repeat([0.5, -0.4], 6), 0.0, rng, steps, adapt)

    def features(u):
        return np.concatenate([u[:, :6], u[:, :6] ** 2 - 1], axis=1)

    def flat(u):
        return np.full((len(u), 12), 3.0)

    u, eta, _ = follow(flat, [0.0], 11, adapt=True)  # the multipliers move after ten steps
    np.testing.assert_array_equal(u, asked[-1])
    assert np.abs(eta - np.repeat([0.5, -0.4], 6)).min() > 0.1
    u, _, T = follow(features, [0.0, 40.0, 0.0], 2, adapt=False)
    np.testing.assert_array_equal(u, asked[1])
    np.testing.assert_array_equal(T, features(u))


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
    assert relevance[0, [3, 7]].min() > 10 * np.delete(relevance[0], [3, 7]).max()
    assert relevance[6, 5] > 10 * np.delete(relevance[6], 5).max()
    np.testing.assert_allclose(np.mean(relevance**2, axis=1), 1.0)


def test_the_metric_finds_the_directions_that_change_features(modules, rng):
    """Six features that are products and sums of some parameters, with noise: the rest is degenerate."""
    from paper import pyloric_metric

    pyloric = modules[0]
    support, columns = pyloric.CIRCUIT.support, pyloric._COLUMNS
    centre, spread = np.array([TARGETS[name] for name in pyloric.FIXED]).T
    slopes = np.zeros((31, 6))
    slopes[[0, 1, 2, 3, 4, 5], range(6)] = 3.0
    slopes[7, 0] = -4.0

    def simulated(u, z):
        f = np.full((len(u), 16), np.nan)
        x = (u - 0.5) @ slopes
        x[:, 1] += 6 * (u[:, 1] - 0.5) * (u[:, 8] - 0.5)
        f[:, columns] = centre + spread * (x + 0.1 * rng.normal(size=x.shape))
        return pyloric.Networks(z, f, np.full(len(u), np.nan))

    u = rng.random((1200, 31))
    z = support.lower + support.width * u
    first, second, others = simulated(u, z), simulated(u, z), simulated(u[:400], z[:400])
    found = pyloric_metric.metric(others, first, second)
    assert found.explained.min() > 0.85
    expected = slopes @ slopes.T
    expected[[1, 8], [1, 8]] += 36 / 12  # of the product, in the mean over the cube
    values = np.sort(np.linalg.eigvalsh(expected))[::-1]
    np.testing.assert_allclose(found.eigenvalues[:6], values[:6], rtol=0.2)
    assert found.eigenvalues[6] > 0.4 * values[6] > 10 * found.eigenvalues[7]  # the ridge takes of products
    np.testing.assert_allclose(np.abs(found.vectors[0, [0, 7]]), [0.6, 0.8], atol=0.05)


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


class Quick:
    """Features that are parameters, with noise; it fails where another parameter is large."""

    def __init__(self, pyloric):
        self.support, self.statistic_names = pyloric.CIRCUIT.support, pyloric.CIRCUIT.statistic_names
        self.columns = [self.statistic_names.index(name) for name in pyloric.FIXED]
        self.centre, self.spread = np.array([TARGETS[name] for name in pyloric.FIXED]).T

    def statistics(self, z, rng):
        u = (z - self.support.lower) / self.support.width
        f = np.zeros((len(z), len(self.statistic_names)))
        noise = 0.1 * np.random.default_rng(rng).standard_normal((len(z), 6))
        f[:, self.columns] = self.centre + self.spread * (8 * u[:, :6] - 3 + noise)
        f[u[:, 6] > 0.7] = np.nan
        return f


def test_a_stopped_run_goes_on_to_the_same_bits_and_draws_from_what_it_found(modules, tmp_path, monkeypatch):
    pyloric, rounds = modules
    monkeypatch.setattr(pyloric, "CIRCUIT", Quick(pyloric))
    monkeypatch.setattr(pyloric, "SURVEYED", 600)
    for name, value in {
        "_STEPS": 250,
        "_UNITS": 16,
        "_BATCH": 64,
        "_CHAINS": 200,
        "SIMULATED": 200,
        "_KEPT": 50,
    }.items():
        monkeypatch.setattr(rounds, name, value)
    known = pyloric.survey(800, 3)
    start = rounds.begin(known)._replace(relevance=np.ones((7, 31)), number=1, length=50)
    first = rounds.round_of(start, known, 5)
    rounds.save(tmp_path / "rounds.npz", first)
    twice = [rounds.round_of(each, known, 5) for each in (first, rounds.load(tmp_path / "rounds.npz"))]
    for a, b in zip(twice[0][1:], twice[1][1:]):
        np.testing.assert_array_equal(a, b)
    last = twice[0].networks.part(slice(-200, None))
    assert last.valid.mean() > 0.8 > known.valid.mean()  # of the box 0.7 work
    drawn, effective = rounds.population(twice[0], known, 2, 300, 5)
    assert drawn.valid.all() and 10 < effective < 400
    x = drawn._replace(f=pyloric.CIRCUIT.statistics(drawn.z, rng=9)).standard
    np.testing.assert_allclose(x.mean(axis=0), 0.0, atol=4 / np.sqrt(effective))
    np.testing.assert_allclose(x.var(axis=0), 1.0, atol=4 * np.sqrt(2 / effective))
