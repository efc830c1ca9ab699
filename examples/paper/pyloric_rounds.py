"""Rounds towards the population of pyloric networks that has the animals' moments: chains on a surrogate, simulated.

A round learns the six features and success from all networks so far, and moves a thousand Markov chains on what it
learned: their density is P(success) exp(eta . E[T | z]), with multipliers that follow the twelve moments.  The chains
start at networks that worked, weighted towards the moments, and are as short as the surrogate is to be trusted: where
more than half of their ends work they become longer.  What they end at is simulated, and known to the next round.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from numepi.archive import replacing
from numepi.inference.dual.network import LOGISTIC, SQUARED, start_network, train
from numepi.inference.dual_problem import minimise_dual, normalised_weights
from paper import pyloric

__all__ = [
    "SIMULATED",
    "Rounds",
    "Settled",
    "Surrogate",
    "begin",
    "evolve",
    "load",
    "relevances",
    "round_of",
    "save",
    "settled",
]

_SUPPORT = pyloric.CIRCUIT.support
_DIM = _SUPPORT.dim
_FEATURES = len(pyloric.FIXED)
_CHAINS, SIMULATED, _KEPT = 1024, 512, 256  # of a round; those of the last round that go on
_FIRST_LENGTH, _SHORTEST, _LONGEST, _LONGER = 20, 10, 300, 1.25  # steps of a chain, and by how much they change
_MANY_WORK, _FEW_WORK = 0.5, 0.35  # shares of the ends that work, for longer and for shorter chains
_TEMPERATURE, _FEWEST, _EVENLY = 0.2, 300.0, 0.15  # of the starts' weights: see `paper.pyloric`
_NEAR, _FARTHEST = 4.0, 8.0  # s.d. of a feature from its mean: of starts; beyond which all are alike to a surrogate
_WORKS = 0.6  # probability of success of a network of the population, at the least
_REFRESHED = 12  # rounds between looks at which parameters count
# Of the multipliers: no runaway before much is known.
_BOUNDS = np.repeat([[-8.0, -8.0], [8.0, 0.5]], _FEATURES, axis=1)
_LARGEST_BIAS = 0.5  # that is believed
_FOLDS = 3
_UNITS, _STEPS, _RATE, _BATCH = 48, 1500, 5e-3, 256
_LARGEST_NOISE = 60.0  # square of what the surrogate misses, in variances of the animals


class Rounds(NamedTuple):
    """Networks simulated in rounds, and where the chains are.

    ``networks`` have no density; ``chains`` (n, 31) in the unit cube; ``eta`` (12,) of features and squares in the
    animals' standard deviations; ``bias`` (12,) of the surrogate's moments, as the last rounds' simulations showed it;
    ``relevance`` (7, 31) of each parameter for the features and success.
    """

    networks: pyloric.Networks
    chains: np.ndarray
    eta: np.ndarray
    bias: np.ndarray
    relevance: np.ndarray
    length: int
    number: int


def begin(known):
    """Before the first round."""
    none = known.part(slice(0))
    eta = np.repeat([0.0, -0.4], _FEATURES)
    return Rounds(none, np.empty((0, _DIM)), eta, np.zeros(2 * _FEATURES), np.empty((0, _DIM)), _FIRST_LENGTH, 0)


class Surrogate:
    """What is known of networks that are not simulated: T-bar, features and their squares, and log P(success).

    Networks for each feature, on parameters scaled by how much they count for it; three of each, of two thirds of the
    rows.  On the rest they tell what they miss, noise included, which adds to the squares.  ``unseen`` is T-bar of the
    ``rows`` that worked, each by a network that has not seen it.
    """

    def __init__(self, u, x, worked, weights, relevance, generator):
        fold = generator.integers(_FOLDS, size=len(u))
        usable, x = np.flatnonzero(worked), np.clip(x, -_FARTHEST, _FARTHEST)
        missed = np.empty((len(usable), _FEATURES))

        def fit(rows, y, scale, units, loss=SQUARED, steps=_STEPS):
            network = start_network(u[rows], y, units, loss, generator)
            network = replace(network, spread=network.spread / np.maximum(scale, 0.01))
            return train(network, u[rows], y, weights[rows], steps, _RATE, _BATCH, generator, loss=loss)

        self.means, self.success = [], []
        for k in range(_FOLDS):
            rows, left = usable[fold[usable] != k], fold[usable] == k
            self.means.append([fit(rows, x[rows, j : j + 1], 0.6 * relevance[j], _UNITS) for j in range(_FEATURES)])
            missed[left] = x[usable[left]] - self._mean(k, u[usable[left]])
            rows = np.flatnonzero(fold != k)
            self.success.append(fit(rows, worked[rows, None].astype(float), 0.8 * relevance[-1], 64, LOGISTIC))
        self.noise = fit(usable, np.minimum(missed**2, _LARGEST_NOISE), np.ones(_DIM), 32, steps=_STEPS // 3)
        self.rows, self.unseen = usable, self._moments(x[usable] - missed, u[usable])

    def _mean(self, k, u):
        return np.concatenate([network(u) for network in self.means[k]], axis=1)

    def _moments(self, x, u):
        return np.concatenate([x, x**2 + np.clip(self.noise(u), 0.01, _LARGEST_NOISE) - 1], axis=1)

    def __call__(self, u):
        """T-bar (n, 12), squares less one, and log P(success) (n,)."""
        x = np.mean([self._mean(k, u) for k in range(_FOLDS)], axis=0)
        logit = np.mean([network(u)[:, 0] for network in self.success], axis=0)
        return self._moments(x, u), -np.logaddexp(0.0, -logit)


def relevances(u, x, worked, near, weights, generator, n=1000):
    """How much each parameter counts for each feature and for success, root mean square one: (7, 31).

    By the likelihood of Gaussian processes with a length for each parameter (MacKay 1994) on ``n`` rows.
    """
    rows = generator.choice(near, min(n, len(near)), replace=False)
    seen = np.flatnonzero(weights > 0.2)
    others = generator.choice(seen, min(n, len(seen)), replace=False)
    scales = [_lengths(u[rows], x[rows, j]) for j in range(_FEATURES)]
    scales = np.array([*scales, _lengths(u[others], worked[others].astype(float))])
    return scales / np.sqrt(np.mean(scales**2, axis=1, keepdims=True))


def _lengths(u, y, steps=40):
    """Inverse lengths (D,) of a Gaussian process for ``y`` (n,), by its likelihood and a wide prior about two."""
    y = y - y.mean()
    start = np.log(0.5)

    def loss(p):
        scale, signal, noise = np.exp(p[:_DIM]), np.exp(p[-2]), np.exp(p[-1])
        a = u * scale
        square = np.sum(a**2, axis=1)
        kernel = signal * np.exp(-0.5 * np.maximum(square[:, None] + square - 2 * a @ a.T, 0.0))
        factor = cho_factor(kernel + noise * np.eye(len(y)), lower=True)
        alpha, inverse = cho_solve(factor, y), cho_solve(factor, np.eye(len(y)))
        inner = np.outer(alpha, alpha) - inverse
        product = inner * kernel
        by_scale = np.sum(a * (product @ a), axis=0) - product.sum(axis=1) @ a**2
        gradient = np.array([*by_scale, 0.5 * product.sum(), 0.5 * noise * np.trace(inner)])
        gradient[:_DIM] -= (p[:_DIM] - start) / 4
        value = 0.5 * y @ alpha + np.log(np.diag(factor[0])).sum() + np.sum((p[:_DIM] - start) ** 2) / 8
        return value, -gradient

    p = np.array([*np.full(_DIM, start), np.log(y.var()), np.log(0.3 * y.var())])
    bounds = [(-6.0, 2.5)] * _DIM + [(-8.0, 4.0)] * 2
    p = minimize(loss, p, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": steps}).x
    return np.exp(p[:_DIM])


def evolve(u, surrogate, eta, bias, generator, steps, adapt=True):
    """Move chains ``u`` (n, 31); multipliers follow their moments, with ``bias``, every ten steps where they ``adapt``.

    Returns the chains, the multipliers (their mean over the second half of the steps), and T-bar (n, 12).
    """
    u = u.copy()
    T, log_success = surrogate(u)
    log_density, path = T @ eta + log_success, []
    for step in range(1, steps + 1):
        new = _proposed(u, generator)
        T_new, log_success = surrogate(new)
        log_new = T_new @ eta + log_success
        accepted = np.log(generator.random(len(u))) < log_new - log_density
        u[accepted], T[accepted], log_density[accepted] = new[accepted], T_new[accepted], log_new[accepted]
        if adapt and step % 10 == 0:
            move = -0.15 * np.linalg.solve(np.cov(T.T) + 0.02 * np.eye(len(eta)), T.mean(axis=0) + bias)
            move *= min(1.0, 0.3 / np.abs(move).max())
            move = np.clip(eta + move, *_BOUNDS) - eta
            eta = eta + move
            log_density = log_density + T @ move
            if step > steps // 2:
                path.append(eta)
    return u, np.mean(path, axis=0) if path else eta, T


def _proposed(u, generator):
    """Differential evolution (ter Braak 2006) on some of the parameters, a walk for a quarter; reflected at the box."""
    n = len(u)
    first, second = generator.integers(n, size=(2, n))
    moved = generator.random(u.shape) < generator.choice([0.15, 0.4, 1.0], size=(n, 1))
    moved[np.arange(n), generator.integers(_DIM, size=n)] = True
    number = moved.sum(axis=1, keepdims=True)
    size = 2.38 / np.sqrt(2 * number) * np.exp(generator.normal(-0.5, 0.5, (n, 1)))
    size[generator.random(n) < 0.08] = 1.0
    step = size * (u[first] - u[second]) + generator.normal(0.0, 0.01, u.shape)
    walk = np.exp(generator.uniform(np.log(0.02), np.log(0.3), (n, 1))) / np.sqrt(number)
    step = np.where(generator.random((n, 1)) < 0.25, walk * generator.standard_normal(u.shape), step)
    new = np.abs(u + np.where(moved, step, 0.0)) % 2.0
    return np.minimum(new, 2.0 - new)


def round_of(rounds, known, seed, adapt=True):
    """One round: the `Rounds` after it.  ``known`` were simulated before, the draws of the box first.

    Where they do not ``adapt`` the multipliers are given.
    """
    generator = np.random.default_rng([seed, rounds.number])
    surrogate, relevance, starts = _learned(rounds, known, generator)
    chains, eta, _ = evolve(starts, surrogate, rounds.eta, rounds.bias, generator, rounds.length, adapt)
    ends = chains[generator.permutation(_CHAINS)[:SIMULATED]]
    z = _SUPPORT.lower + _SUPPORT.width * ends
    new = pyloric.Networks(z, pyloric.CIRCUIT.statistics(z, rng=[seed, rounds.number]), np.full(len(z), np.nan))
    share = new.valid.mean()
    factor = _LONGER if share > _MANY_WORK else 1 / _LONGER if share < _FEW_WORK else 1.0
    return Rounds(
        networks=pyloric.joined(rounds.networks, new),
        chains=chains,
        eta=eta,
        bias=0.6 * rounds.bias + 0.4 * _bias(new, surrogate(ends)[0]),
        relevance=relevance,
        length=int(np.clip(rounds.length * factor, _SHORTEST, _LONGEST)),
        number=rounds.number + 1,
    )


def population(rounds, known, last, size, seed):
    """``size`` of the networks that the ``last`` rounds found to work, drawn by weights towards the twelve moments.

    Weights are exp(eta . T-bar), with T-bar of surrogates that have not seen the network; the moments are those of its
    simulation.  Networks that the surrogate says to fail often have no weight: where features lay tens of s.d. off in
    single runs, which rule a variance, they were of such networks; were T-bar known there, exp(eta . T-bar) would be
    next to none.  Returns the networks, and the effective number of those that they were drawn from.
    """
    generator = np.random.default_rng([seed, rounds.number, 1])
    surrogate, _, _ = _learned(rounds, known, generator)
    total = len(known.z) + len(rounds.networks.z)
    both = pyloric.joined(known, rounds.networks).part(surrogate.rows)
    works = np.exp(surrogate(pyloric.in_ranges(both.z))[1]) > _WORKS
    chosen = works & (surrogate.rows >= total - last * SIMULATED)
    expected, found = surrogate.unseen[chosen], both.part(chosen)
    weights = pyloric.tilted(expected, np.concatenate([found.standard, found.standard**2 - 1], axis=1))
    points = (np.arange(size) + generator.random()) / size
    drawn = np.minimum(np.cumsum(weights).searchsorted(points), len(weights) - 1)
    return found.part(drawn), 1 / np.sum(weights**2)


def settled(rounds, known, seed, adapt=True):
    """Long chains on what the rounds have learned: the surrogate, multipliers, and where they end, (n, 31)."""
    generator = np.random.default_rng([seed, rounds.number, 2])
    surrogate, _, chains = _learned(rounds, known, generator)
    chains, eta, _ = evolve(chains, surrogate, rounds.eta, rounds.bias, generator, rounds.length, adapt)
    return Settled(surrogate, eta, chains)


class Settled(NamedTuple):
    """A surrogate, multipliers, and chains (n, 31) in the unit cube."""

    surrogate: Surrogate
    eta: np.ndarray
    chains: np.ndarray


def _learned(rounds, known, generator):
    """The surrogate, which parameters count in it, and where chains start."""
    both = pyloric.joined(known, rounds.networks)
    u, x, worked = pyloric.in_ranges(both.z), both.standard, both.valid
    weights = _row_weights(len(known.z), len(rounds.networks.z))
    near = np.flatnonzero(worked & (np.abs(np.nan_to_num(x, nan=np.inf)).max(axis=1) < _NEAR))
    relevance = rounds.relevance
    if rounds.number % _REFRESHED == 0:
        relevance = relevances(u, x, worked, near, weights, generator)
    surrogate = Surrogate(u, x, worked, weights, relevance, generator)
    starts = u[generator.choice(near, size=_CHAINS, p=_start_weights(x[near]))]
    if len(rounds.chains):
        starts[:_KEPT] = rounds.chains[generator.permutation(_CHAINS)[:_KEPT]]
    return surrogate, relevance, starts


def _bias(new, expected):
    """What the surrogate's moments ``expected`` (n, 12) lack of those of ``new`` networks, which it has not seen."""
    x = np.clip(new.standard[new.valid], -_FARTHEST, _FARTHEST)
    if not len(x):
        return np.zeros(2 * _FEATURES)
    bias = np.concatenate([x.mean(axis=0), np.mean(x**2, axis=0) - 1]) - expected.mean(axis=0)
    return np.clip(bias, -_LARGEST_BIAS, _LARGEST_BIAS)


def _row_weights(n_known, n_own):
    """Of rows in what is learned, by where they came from alone: by their outcomes they may not count."""
    return np.repeat([0.12, 0.3, 1.0], [pyloric.SURVEYED, n_known - pyloric.SURVEYED, n_own])


def _start_weights(x):
    """Of networks with features ``x`` (n, 6), whose moments are as near to the targets as `_FEWEST` rows allow."""
    base = -0.5 * _TEMPERATURE * np.sum(x**2, axis=1)
    violations = np.concatenate([x, (x**2 - 1) / np.sqrt(2)], axis=1)
    step = minimise_dual(violations, base, np.zeros(2 * _FEATURES), min(_FEWEST, 0.3 * len(x)), max_steps=200)
    return (1 - _EVENLY) * normalised_weights(base + violations @ step.eta) + _EVENLY / len(x)


def save(path, rounds):
    """Keep all of it: the next call goes on to the same bits."""
    arrays = {f"networks_{name}": value for name, value in rounds.networks._asdict().items()}
    arrays |= {name: value for name, value in rounds._asdict().items() if name != "networks"}
    with replacing(path) as file:
        np.savez(file, **arrays)


def load(path):
    """What `save` kept."""
    with np.load(path) as stored:
        networks = pyloric.Networks(*(stored[f"networks_{name}"] for name in pyloric.Networks._fields))
        others = [stored[name] for name in Rounds._fields[1:5]]
        return Rounds(networks, *others, int(stored["length"]), int(stored["number"]))
