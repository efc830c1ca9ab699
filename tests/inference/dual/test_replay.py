"""The replay: the balance heuristic over rounds."""

import numpy as np
import pytest

import numepi as ne
from numepi.inference.dual.replay import Replay
from numepi.inference.dual_problem import normalised_weights


@pytest.fixture(scope="module")
def flow():
    return ne.RealNVP(ne.Support([0.0, 0.0], [1.0, 1.0]), stages=2, hidden=(8,))


def fill(flow, rng, rounds, window=3, size=400):
    replay = Replay(window, 0.25, 2, 1)
    start = flow.initial_parameters(0)
    thetas = [start + 0.3 * r * rng.normal(size=start.shape) for r in range(rounds)]
    for theta in thetas:
        base = rng.normal(size=(size, 2))
        z = np.concatenate([flow.sample(start, base[: size // 4])[0], flow.sample(theta, base[size // 4 :])[0]])
        replay.add(flow, theta, start, size, z, z[:, :1], np.zeros((size, 1, 1)), np.zeros(size))
    return replay, thetas, start


def test_density_is_that_of_the_mixture_of_the_window(flow, rng):
    replay, thetas, start = fill(flow, rng, rounds=5)
    assert len(replay) == 3 * 400 and list(np.unique(replay.round)) == [2, 3, 4]
    density = 0.25 * np.exp(flow.log_prob(start, replay.z))
    density += 0.75 * np.mean([np.exp(flow.log_prob(t, replay.z)) for t in thetas[2:]], axis=0)
    np.testing.assert_allclose(replay.log_base, -np.log(density), rtol=1e-10)


def test_weighted_means_are_those_of_the_prior(flow, rng):
    replay, _, _ = fill(flow, rng, rounds=4, size=4000)
    weights = normalised_weights(replay.log_base)
    # uniform on the unit square; 12,000 samples, effective number at least a quarter: 5 standard errors
    assert 1 / np.sum(weights**2) > 3000
    np.testing.assert_allclose(weights @ replay.z, [0.5, 0.5], atol=5 * np.sqrt(1 / 12 / 3000))


def test_state_round_trip(flow, rng):
    replay, thetas, start = fill(flow, rng, rounds=4)
    again = Replay(3, 0.25, 2, 1)
    again.restore({k: v.copy() for k, v in replay.state().items()})
    z = rng.uniform(size=(10, 2))
    for r in (replay, again):
        r.add(flow, thetas[0], start, 10, z, z[:, :1], np.zeros((10, 1, 1)), np.zeros(10))
    np.testing.assert_array_equal(replay.log_base, again.log_base)


def test_rows_that_failed_do_not_bias_the_weights(flow, rng):
    # The second of two rounds lost its rows on the right: what is left still estimates areas on the left.
    replay = Replay(3, 0.25, 2, 1)
    start = flow.initial_parameters(0)
    for theta, share in ((start, 1.0), (start + 0.5 * rng.normal(size=start.shape), 0.3)):
        base = rng.normal(size=(8000, 2))
        z = np.concatenate([flow.sample(start, base[:2000])[0], flow.sample(theta, base[2000:])[0]])
        z = z[z[:, 0] < share]
        replay.add(flow, theta, start, 8000, z, z[:, :1], np.zeros((len(z), 1, 1)), np.zeros(len(z)))
    area = np.exp(replay.log_base) * (replay.z[:, 0] < 0.3)
    assert area.sum() / 16_000 == pytest.approx(0.3, abs=5 * np.sqrt(area.var() * len(area)) / 16_000)


def test_rounds_weigh_as_much_as_they_drew(flow, rng):
    replay = Replay(3, 0.25, 2, 1)
    start = flow.initial_parameters(0)
    thetas = [start, start + 0.3 * rng.normal(size=start.shape)]
    for theta, size in zip(thetas, (100, 300)):
        z = flow.sample(theta, rng.normal(size=(size, 2)))[0]
        replay.add(flow, theta, start, size, z, z[:, :1], np.zeros((size, 1, 1)), np.zeros(size))
    first, second = (np.exp(flow.log_prob(t, replay.z)) for t in thetas)
    density = 0.25 * first + 0.75 * (0.25 * first + 0.75 * second)
    np.testing.assert_allclose(replay.log_base, -np.log(density), rtol=1e-10)


def test_one_noisy_row_makes_a_noisy_replay(flow, rng):
    replay, thetas, start = fill(flow, rng, rounds=1, size=40)
    assert not replay.noisy
    covariance = np.zeros((40, 1, 1))
    covariance[7] = 0.1
    z = replay.z[:40]
    replay.add(flow, thetas[0], start, 40, z, z[:, :1], covariance, np.zeros(40))
    assert replay.noisy
