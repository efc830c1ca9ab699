"""The surrogate's network: its gradients, what it learns, and that a fit can go on."""

import numpy as np
import pytest

from numepi.inference.dual.network import LOGISTIC, SQUARED, _gradient, start_network, train
from numepi.inference.dual.settings import Settings


@pytest.mark.parametrize("loss", [SQUARED, LOGISTIC])
def test_gradient_is_that_of_the_loss(rng, loss):
    z = rng.normal(size=(30, 3))
    y = rng.normal(size=(30, 2)) if loss == SQUARED else (rng.random((30, 1)) < 0.5).astype(float)
    network = start_network(z, y, 4, loss, rng)
    x = network._inputs(z).astype(float)
    target = y if loss == LOGISTIC else (y - network.shift) / network.size

    def value(weights):
        w = [np.asarray(part, float) for part in _layers_of(weights, network)]
        out = np.tanh(np.tanh(x @ w[0] + w[1]) @ w[2] + w[3]) @ w[4] + w[5]
        if loss == SQUARED:
            return 0.5 * np.sum((out - target) ** 2) / len(x)
        return np.sum(np.logaddexp(0, out) - target * out) / len(x)

    gradient = _gradient(network.weights, network, x, target, loss)
    for i in rng.choice(len(gradient), 12, replace=False):
        step = np.zeros(len(gradient))
        step[i] = 1e-6
        slope = (value(network.weights + step) - value(network.weights - step)) / 2e-6
        assert gradient[i] == pytest.approx(slope, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("rows, dim, scale", [(50, 1, 4.0), (500, 2, 4.0), (300, 2, 1.0), (1000, 3, 1.0)])
def test_units_are_sharper_where_rows_resolve_more_of_each_axis(rng, rows, dim, scale):
    network = start_network(rng.normal(size=(rows, dim)), rng.normal(size=(rows, 1)), 4000, SQUARED, rng)
    first, *_ = _layers_of(network.weights, network)
    assert first.std() * np.sqrt(dim) == pytest.approx(scale, rel=0.05)


def _layers_of(weights, network):
    from numepi.inference.dual.network import _layers

    return _layers(weights, network)


def test_a_smooth_function_is_learned_and_learned_on(rng):
    z = rng.uniform(-2, 2, (800, 2))
    y = np.stack([np.sin(z[:, 0]) * z[:, 1], 100 + 5 * z[:, 0] ** 2], axis=1)
    fresh = rng.uniform(-2, 2, (500, 2))
    truth = np.stack([np.sin(fresh[:, 0]) * fresh[:, 1], 100 + 5 * fresh[:, 0] ** 2], axis=1)

    def error(network):
        return np.max(np.std(network(fresh) - truth, axis=0) / truth.std(axis=0))

    first = train(None, z, y, np.ones(800), 600, 5e-3, 128, rng, hidden=32)
    again = train(first, z, y, np.ones(800), 600, 3e-3, 128, rng)
    assert error(first) < 0.1 and error(again) < 0.7 * error(first)


def test_a_ridge_is_learned_at_the_usual_rate(rng):
    """A sharp step along a curve, 3 % of the axis wide: at a rate of 5e-3 2 % of its variance are left, now 0.1 %."""
    settings = Settings()

    def ridge(z):
        return np.tanh(15 * (z[:, 1] - np.sin(3 * z[:, 0])))[:, None]

    z, fresh = rng.uniform(-1, 1, (4000, 2)), rng.uniform(-1, 1, (2000, 2))
    steps, rate, size = settings.surrogate_first_steps, settings.surrogate_rate, settings.surrogate_batch
    network = train(None, z, ridge(z), np.ones(4000), steps, rate, size, rng, hidden=settings.surrogate_units)
    assert np.mean((network(fresh) - ridge(fresh)) ** 2) < 0.005 * np.var(ridge(fresh))


def test_weights_say_which_rows_count(rng):
    z = rng.uniform(-1, 1, (400, 1))
    y = np.where(z > 0, 1.0, -1.0) * np.abs(z)
    y[:200] += 50.0  # rows without weight
    network = train(None, z, y, np.arange(400) >= 200, 500, 5e-3, 64, rng, hidden=16)
    assert np.abs(network(np.array([[0.5]]))[0, 0] - 0.5) < 0.3


def test_log_odds_of_a_half_plane(rng):
    z = rng.uniform(-1, 1, (600, 2))
    works = (z[:, :1] > 0.2).astype(float)
    network = train(None, z, works, np.ones(600), 400, 5e-3, 128, rng, hidden=16, loss=LOGISTIC)
    odds = network(np.array([[0.8, 0.0], [-0.8, 0.0]]))[:, 0]
    assert odds[0] > 3 and odds[1] < -3
