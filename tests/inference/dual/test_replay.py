"""The replay: the balance heuristic over rounds."""

import numpy as np
import pytest

import numepi as ne
from numepi.inference.dual.replay import add_foreign, add_round, add_unweighted, empty_replay
from numepi.inference.dual_problem import normalised_weights


@pytest.fixture(scope="module")
def flow():
    return ne.RealNVP(ne.Support([0.0, 0.0], [1.0, 1.0]), stages=2, hidden=(8,))


def add(replay, flow, theta, start, z, n_start, failed=False):
    T = np.where(failed, np.nan, z[:, 0])[:, None]
    return add_round(replay, flow, theta, start, n_start, z, z, T, np.zeros(len(z)))


def fill(flow, rng, rounds, size=400):
    """A survey of ``size`` rows, then rounds of which a quarter came from the start."""
    start = flow.initial_parameters(0)
    replay = empty_replay(2, 2, 1, flow.n_parameters)
    replay = add(replay, flow, start, start, flow.sample(start, rng.normal(size=(size, 2)))[0], size)
    thetas = [start + 0.3 * r * rng.normal(size=start.shape) for r in range(1, rounds + 1)]
    for theta in thetas:
        base = rng.normal(size=(size, 2))
        z = np.concatenate([flow.sample(start, base[: size // 4])[0], flow.sample(theta, base[size // 4 :])[0]])
        replay = add(replay, flow, theta, start, z, size // 4)
    return replay, thetas, start


def test_density_is_that_of_the_mixture_of_all_rounds(flow, rng):
    replay, thetas, start = fill(flow, rng, rounds=3)
    assert len(replay) == 4 * 400
    density = (400 + 3 * 100) / 1600 * np.exp(flow.log_prob(start, replay.z))
    density += sum(300 / 1600 * np.exp(flow.log_prob(t, replay.z)) for t in thetas)
    np.testing.assert_allclose(replay.log_base, -np.log(density), rtol=1e-10)


def test_weighted_means_are_those_of_the_prior(flow, rng):
    replay, _, _ = fill(flow, rng, rounds=3, size=4000)
    weights = normalised_weights(replay.log_base)
    # uniform on the unit square; effective number at least 3000: 5 standard errors
    assert 1 / np.sum(weights**2) > 3000
    np.testing.assert_allclose(weights @ replay.z, [0.5, 0.5], atol=5 * np.sqrt(1 / 12 / 3000))


def test_rows_that_failed_do_not_bias_the_weights(flow, rng):
    # The round lost its rows on the right: what is left still estimates areas on the left.
    start = flow.initial_parameters(0)
    theta = start + 0.5 * rng.normal(size=start.shape)
    replay = empty_replay(2, 2, 1, flow.n_parameters)
    for each, n_start in ((start, 8000), (theta, 2000)):
        base = rng.normal(size=(8000, 2))
        z = np.concatenate([flow.sample(start, base[:n_start])[0], flow.sample(each, base[n_start:])[0]])
        replay = add(replay, flow, each, start, z, n_start, failed=(z[:, 0] > 0.3) & (n_start == 2000))
    left = replay.z[replay.valid][:, 0] < 0.3
    area = np.exp(replay.log_base) * left
    assert not replay.valid.all()
    assert area.sum() / 16_000 == pytest.approx(0.3, abs=5 * np.sqrt(area.var() * len(area)) / 16_000)


def test_rows_from_elsewhere_keep_their_density(flow, rng):
    replay, _, start = fill(flow, rng, rounds=1)
    z = rng.uniform(0, 0.5, (50, 2))
    more = add_foreign(replay, flow, start, z, z, z[:, :1], np.zeros(50), np.full(50, np.log(4.0)))
    np.testing.assert_allclose(more.log_base[-50:], -np.log(4.0))
    np.testing.assert_array_equal(more.log_base[:-50], replay.log_base)


def test_rows_without_a_density_are_there_and_have_no_weight(flow, rng):
    replay, _, start = fill(flow, rng, rounds=1)
    z = rng.uniform(0, 0.5, (50, 2))
    more = add_unweighted(replay, flow, start, z, z, z[:, :1], np.zeros(50))
    assert more.n_simulated == len(more) == len(replay) + 50 and more.valid.all()
    assert more.counts.sum() == len(replay)
    np.testing.assert_array_equal(more.log_base, np.append(replay.log_base, np.full(50, -np.inf)))
