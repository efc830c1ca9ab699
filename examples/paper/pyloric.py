"""Simulated networks of the pyloric circuit: draws of its box, then of kernels about those that worked.

Of the box one draw in a hundred and twenty has all features, and none comes near the animals'.  Population Monte Carlo
(Cappe et al. 2004) leads there: each generation draws from a mixture of truncated normals about networks that worked,
most of them chosen by weights that bring the moments of all that is known as near to their targets as fifteen networks'
worth of weight allows.  The mixture's density is kept.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp, ndtr, ndtri

import numepi as ne
from numepi.archive import replacing
from numepi.circuits.pyloric.bursts import FEATURES
from numepi.circuits.pyloric.constants import TARGETS
from numepi.inference.dual_problem import minimise_dual, normalised_weights

__all__ = [
    "CIRCUIT",
    "FIXED",
    "SURVEYED",
    "Networks",
    "generation",
    "in_ranges",
    "joined",
    "load",
    "reach",
    "save",
    "standardised",
    "survey",
    "tilted",
]

CIRCUIT = ne.circuits.Pyloric(features=(*FEATURES, "pyloric"))
_SUPPORT = CIRCUIT.support
SURVEYED = 5632  # of the stored networks are draws of the box, and come first
_LOG_VOLUME = np.log(_SUPPORT.width).sum()
FIXED = ne.circuits.Pyloric(features="A").statistic_names
_COLUMNS = [CIRCUIT.statistic_names.index(name) for name in FIXED]
_KERNELS, _DRAWS = 128, 2  # of a generation; of each of them
# Parameters that move widely, how widely, and how far the others do, in widths of the box: a third of each kind works.
_KINDS = ((0, 0.0, 0.05), (0, 0.0, 0.09), (8, 0.3, 0.03), (16, 0.15, 0.03))
_TEMPERATURE = 0.5  # of the normal density about the animals' means that the weights start from
_FEWEST = 5.0  # networks with weight in a population
_FARTHEST = 5.0  # s.d. of a feature from its mean, beyond which a network is no centre: it would rule the variances
_NEWTON_STEPS = 100
_LEAST, _EVENLY = 15.0, 0.2  # networks with weight, at the least; share of the kernels chosen evenly


def standardised(f):
    """The six features ``f`` (n, 6) of property A, from the animals' means in their standard deviations."""
    centre, spread = np.array([TARGETS[name] for name in FIXED]).T
    return (f - centre) / spread


class Networks(NamedTuple):
    """Parameters ``z`` (n, 31), features ``f`` (n, 16), NaN where there is none, and the log density of the draws."""

    z: np.ndarray
    f: np.ndarray
    log_density: np.ndarray

    @property
    def valid(self):
        """Which have the six features of property A, and with them all: (n,)."""
        return np.isfinite(self.f[:, _COLUMNS]).all(axis=1)

    @property
    def standard(self):
        """The six features from the animals' means in their standard deviations: (n, 6)."""
        return standardised(self.f[:, _COLUMNS])

    @property
    def distance(self):
        """Squared distance to the six means in standard deviations: 6 in the mean over a population that meets A."""
        return np.sum(self.standard**2, axis=1)

    def part(self, rows):
        """Some of them."""
        return Networks(*(each[rows] for each in self))


def in_ranges(z):
    """Parameters ``z`` (n, 31) in ranges of the box, from 0 to 1."""
    return (z - _SUPPORT.lower) / _SUPPORT.width


def joined(*parts):
    """Networks of all parts, in their order."""
    return Networks(*(np.concatenate(each) for each in zip(*parts)))


def survey(n, seed):
    """Uniform draws of the box."""
    z = _SUPPORT.lower + _SUPPORT.width * np.random.default_rng(seed).random((n, _SUPPORT.dim))
    return Networks(z, CIRCUIT.statistics(z, rng=seed), np.full(n, -_LOG_VOLUME))


def generation(known, seed):
    """`_KERNELS` * `_DRAWS` draws about networks that worked."""
    rng = np.random.default_rng(seed)
    worked = known.part(known.valid)
    worked = worked.part(np.abs(worked.standard).max(axis=1) < _FARTHEST)
    weights = (1 - _EVENLY) * _weights(worked) + _EVENLY / len(worked.z)
    centres = worked.z[rng.choice(len(weights), size=_KERNELS, p=weights)]
    u = in_ranges(centres)
    size = np.stack([_sizes(*_KINDS[kind], rng) for kind in rng.integers(len(_KINDS), size=_KERNELS)])
    low, high = ndtr(-u / size), ndtr((1 - u) / size)
    draws = [u + size * ndtri(low + (high - low) * rng.random(u.shape)) for _ in range(_DRAWS)]
    x = np.clip(np.concatenate(draws), 0.0, 1.0)
    offset = np.log(size * np.sqrt(2 * np.pi) * (high - low))
    each = [np.sum(-0.5 * ((x - a) / s) ** 2 - b, axis=1) for a, s, b in zip(u, size, offset)]
    z = _SUPPORT.lower + _SUPPORT.width * x
    density = logsumexp(each, axis=0) - np.log(_KERNELS) - _LOG_VOLUME
    return Networks(z, CIRCUIT.statistics(z, rng=seed), density)


def _sizes(number, wide, near, rng):
    sizes = np.full(_SUPPORT.dim, near)
    sizes[rng.permutation(_SUPPORT.dim)[:number]] = wide
    return sizes


def _violations(worked):
    """Of the twelve moments, in natural scales: (n, 12)."""
    x = worked.standard
    return np.concatenate([x, (x**2 - 1) / np.sqrt(2)], axis=1)


def _weights(worked):
    """Weights of networks that worked, whose moments are as near to the targets as `_LEAST` networks allow."""
    base, violations = -0.5 * _TEMPERATURE * worked.distance, _violations(worked)
    eta = minimise_dual(violations, base, np.zeros(12), _LEAST, max_steps=200).eta
    return normalised_weights(base + violations @ eta)


def reach(worked):
    """Weights (n,) of networks that worked: the most even ones with the twelve moments; and whether they have them.

    Where no weights have them, those whose moments are as near as `_FEWEST` networks' worth of weight allows.
    """
    base, violations = -0.5 * _TEMPERATURE * worked.distance, _violations(worked)
    step = minimise_dual(violations, base, np.zeros(12), _FEWEST, max_steps=400)
    return normalised_weights(base + violations @ step.eta), step.optimal


def tilted(expected, seen):
    """Weights (n,) from expected moments (n, 12), exp(eta . T-bar), with which the ``seen`` ones (n, 12) vanish.

    Moments of single runs would choose those that were lucky.
    """
    eta, ridge = np.zeros(expected.shape[1]), 0.01 * np.eye(expected.shape[1])
    for _ in range(_NEWTON_STEPS):
        weights = normalised_weights(expected @ eta)
        centred = expected - weights @ expected
        covariance = (weights[:, None] * centred).T @ centred
        step = np.linalg.solve(covariance + ridge, weights @ seen)
        eta -= step * min(0.5, 0.15 / np.abs(step).max())
    return normalised_weights(expected @ eta)


def save(path, networks):
    """Keep networks in single precision: their features' noise is far larger."""
    with replacing(path) as file:
        np.savez_compressed(file, **{name: np.asarray(value, np.float32) for name, value in networks._asdict().items()})


def load(path):
    """What `save` kept; parameters that rounding took out of the box are put back on its side."""
    with np.load(path) as stored:
        networks = Networks(*(stored[name].astype(float) for name in Networks._fields))
    return networks._replace(z=np.clip(networks.z, _SUPPORT.lower, _SUPPORT.upper))
