"""A small multilayer perceptron that learns from rows (z, y): two tanh layers, weighted batches, averaged weights.

It is what the surrogate is made of.  Inputs and outputs are standardised once, by the first rows; the arithmetic is
float32, forward and backward written out.  With a few thousand rows and a few dimensions a fit takes a fraction of a
second on one core, which is why it can be renewed after every round of simulations.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from numepi.inference.dual.nearby import many_places
from numepi.inference.optimiser import Adam

__all__ = ["LOGISTIC", "SQUARED", "Network", "start_network", "train"]

SQUARED, LOGISTIC = "squared", "logistic"
_AVERAGING = 0.99  # of the running mean of the weights: about 100 steps; without it fits are 2 to 3 times worse
# Times the usual scale of the first layer's weights, where the first rows tell many places on an axis apart.  KL of the
# surrogate's target of STG (445 rows of a member's survey: 21) with 1, after 4,096 and 10,484 rows (seed 1, a rate of
# 5e-3): 0.070 and 0.046, with 2 0.059 and 0.038; of seed 0, property 1 (20,000 rows) and property 7 (10,000) with 2
# 0.045, 0.166 and 0.039, with 4 0.041, 0.144 and 0.036, and with 4 and a rate of 2e-2 0.033, 0.079 and 0.020; 8 is no
# better.  Below, the error on new rows of a survey grows: LIF (167: 13) by 0.4 times, LDS and V1 (667: 5) by 0.3, all
# with 2.
_SHARP = 4.0
_LAST_RATE = 0.02  # of the rate, at the end of its cosine
_BLOCK = 8192  # rows of one forward pass: keeps its arrays in the cache
_TINY = 1e-12


@dataclass(frozen=True)
class Network:
    """Parameters of y(z): standardisation and weights.

    Attributes
    ----------
    centre, spread : ndarray (D,)
        Of z.
    shift, size : ndarray (k,)
        Of y.
    weights : ndarray (P,)
        Of the layers, joined.
    hidden : int
        Units in each of the two layers.
    """

    centre: np.ndarray
    spread: np.ndarray
    shift: np.ndarray
    size: np.ndarray
    weights: np.ndarray
    hidden: int

    def __call__(self, z):
        """y (n, k) at ``z`` (n, D)."""
        layers = _layers(self.weights.astype(np.float32), self)
        parts = [_forward(self._inputs(z[i : i + _BLOCK]), layers)[-1] for i in range(0, max(len(z), 1), _BLOCK)]
        return np.concatenate(parts).astype(np.float64) * self.size + self.shift

    def _inputs(self, z):
        return ((z - self.centre) / self.spread).astype(np.float32)


def train(network, z, y, row_weights, steps, learning_rate, batch_size, generator, hidden=64, loss=SQUARED):
    """Fit to rows ``z`` (n, D), ``y`` (n, k), drawn in proportion to ``row_weights`` (n,).

    Parameters
    ----------
    network : Network or None
        Where to start: the fit of earlier rows, or None for new weights.
    steps, learning_rate, batch_size
        Of Adam; the rate falls along a cosine.
    generator : numpy.random.Generator
    hidden : int
        Units in each layer, for new weights.
    loss : "squared" or "logistic"
        The latter takes y in {0, 1} and makes the network their log-odds.
    """
    network = start_network(z, y, hidden, loss, generator) if network is None else network
    x = network._inputs(z)
    target = y if loss == LOGISTIC else (y - network.shift) / network.size
    target = target.astype(np.float32)
    cumulative = np.cumsum(row_weights / np.sum(row_weights))
    strata = np.arange(batch_size) / batch_size * cumulative[-1]
    width = cumulative[-1] / batch_size
    cumulative[-1] = np.inf  # a point that rounds up to the end belongs to the last row
    weights, average = network.weights, network.weights.copy()
    adam = Adam(len(weights))
    for step in range(steps):
        rows = cumulative.searchsorted(strata + generator.random(batch_size) * width)
        gradient = _gradient(weights.astype(np.float32), network, x[rows], target[rows], loss)
        rate = learning_rate * (_LAST_RATE + (1 - _LAST_RATE) * 0.5 * (1 + np.cos(np.pi * step / steps)))
        weights = adam.step(weights, gradient, rate)
        average += (1 - _AVERAGING) * (weights - average)
    return replace(network, weights=average)


def start_network(z, y, hidden, loss, generator):
    """A `Network` with random weights, standardised by rows ``z`` (n, D) and ``y`` (n, k)."""
    shapes = _shapes(z.shape[1], hidden, y.shape[1])
    parts = [generator.standard_normal(s) * (1 / np.sqrt(s[0]) if len(s) > 1 else 0.5) for s in shapes]
    if many_places(z):
        parts[:2] = [_SHARP * part for part in parts[:2]]
    k = y.shape[1]
    shift, size = (y.mean(axis=0), y.std(axis=0) + _TINY) if loss == SQUARED else (np.zeros(k), np.ones(k))
    return Network(
        z.mean(axis=0), z.std(axis=0) + _TINY, shift, size, np.concatenate([p.ravel() for p in parts]), hidden
    )


def _shapes(inputs, hidden, outputs):
    return [(inputs, hidden), (hidden,), (hidden, hidden), (hidden,), (hidden, outputs), (outputs,)]


def _layers(weights, network):
    layers, start = [], 0
    for shape in _shapes(len(network.centre), network.hidden, len(network.shift)):
        end = start + math.prod(shape)
        layers.append(weights[start:end].reshape(shape))
        start = end
    return layers


def _forward(x, layers):
    w1, b1, w2, b2, w3, b3 = layers
    first = _tanh_layer(x, w1, b1)
    second = _tanh_layer(first, w2, b2)
    return first, second, second @ w3 + b3


def _tanh_layer(x, w, b):
    """In place: a pass over new memory costs as much as the product."""
    y = x @ w
    y += b
    return np.tanh(y, out=y)


def _gradient(weights, network, x, target, loss):
    """Of the batch's mean loss: half the squared error, or minus the log-likelihood of the labels."""
    layers = _layers(weights, network)
    first, second, output = _forward(x, layers)
    error = output - target if loss == SQUARED else 0.5 * (1 + np.tanh(0.5 * output)) - target
    error /= np.float32(len(x))
    back2 = _through_tanh(error @ layers[4].T, second)
    back1 = _through_tanh(back2 @ layers[2].T, first)
    parts = (x.T @ back1, back1.sum(0), first.T @ back2, back2.sum(0), second.T @ error, error.sum(0))
    return np.concatenate([p.ravel() for p in parts])


def _through_tanh(g, y):
    """Overwrite the gradient g of y = tanh(x) with that of x."""
    slope = y * y
    np.subtract(1, slope, out=slope)
    g *= slope
    return g
