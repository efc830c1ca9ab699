"""Which directions change a pyloric network's features: their metric at networks of the population.

The circuit has no derivatives: those of times of spikes do not exist with noise.  Those of the features' means do, and
a quadratic that is fitted to all simulations tells them (`numepi.simulator_metric` is for circuits that have them).
"""

from typing import NamedTuple

import numpy as np

from paper import pyloric

__all__ = ["Metric", "metric"]

_AROUND = 0.3  # weight of networks that kernels found, beside one for those of the population
# S.d. of a feature from its mean: beyond, networks of kernels do not count; beyond, all are alike.
_FAR, _FARTHEST = 5.0, 4.0
# Of slopes and of products: of .1 to 10 and 10 to 100 the best for networks left out, where tanh units explain less.
# The sizes of the greatest eigenvalues depend on them (86 to 298 by slopes'): the population is narrow there.
_RIDGES = 1.0, 30.0
_FOLDS = 3


class Metric(NamedTuple):
    """Eigenvalues, the largest first, and vectors (rows) of the mean of J^T J; and what J rests on.

    J are changes of the six features, in the animals' s.d., by those of parameters, in ranges of the box.
    ``explained`` (6,): of the features' variance over the population, at networks that were left out.
    """

    eigenvalues: np.ndarray
    vectors: np.ndarray
    explained: np.ndarray


def metric(networks, first, second):
    """The `Metric` of the population, simulated twice (``first``, ``second``), from these and all ``networks``."""
    both = first.valid & second.valid
    z, once = np.unique(first.z[both], axis=0, return_index=True)
    twice = 0.5 * (first.standard + second.standard)[both][once]  # half of the noise
    others = networks.part(networks.valid)
    others = others.part(np.abs(others.standard).max(axis=1) < _FAR)
    v = pyloric.in_ranges(np.concatenate([z, others.z])) - 0.5
    x = np.clip(np.concatenate([twice, others.standard]), -_FARTHEST, _FARTHEST)
    weights = np.repeat([1.0, _AROUND], [len(z), len(others.z)])
    fold, missed = np.arange(len(v)) % _FOLDS, np.empty((len(z), x.shape[1]))
    for k in range(_FOLDS):
        rows, left = fold != k, np.flatnonzero(fold[: len(z)] == k)
        missed[left] = x[left] - _terms(v[left]) @ _quadratic(v[rows], x[rows], weights[rows])
    jacobian = _slope(_quadratic(v, x, weights), v[: len(z)])
    values, vectors = np.linalg.eigh(np.mean(jacobian @ jacobian.transpose(0, 2, 1), axis=0))
    return Metric(values[::-1], vectors.T[::-1], 1 - np.mean(missed**2, axis=0) / x[: len(z)].var(axis=0))


def _terms(v):
    """One, parameters and their products: (n, 1 + D + D (D + 1) / 2), the latter as large as the former."""
    first, second = np.triu_indices(v.shape[1])
    return np.column_stack([np.ones(len(v)), v, 4 * v[:, first] * v[:, second]])


def _quadratic(v, x, weights):
    """Coefficients of `_terms` (p, 6), by weighted least squares with ridges on all but the constant."""
    terms, dim = _terms(v), v.shape[1]
    ridge = np.repeat([0.0, *_RIDGES], [1, dim, terms.shape[1] - 1 - dim])
    return np.linalg.solve(terms.T @ (weights[:, None] * terms) + np.diag(ridge), terms.T @ (weights[:, None] * x))


def _slope(coefficients, v):
    """Its derivatives at ``v`` (n, D): (n, D, 6)."""
    dim = v.shape[1]
    products = np.zeros((dim, dim, coefficients.shape[1]))
    products[np.triu_indices(dim)] = 4 * coefficients[1 + dim :]
    return coefficients[1 : 1 + dim] + np.einsum("nj,jik->nik", v, products + products.transpose(1, 0, 2))
