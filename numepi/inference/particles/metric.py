"""What lengths are told in where particles move: how a circuit's parameter vectors hang together at the solution.

Where statistics depend on overlaps of k vectors of n numbers, neurons are alike and vectors are not: the rank-2
network's solution has its four vectors along one direction, in which numbers spread by 1.6, and what is beside it by
0.2 (250 neurons).  So momenta have the covariance S^-1 in each neuron, S (k, k) the second moments of the particles'
own vectors: a step is then of the size of what it moves.  Under sign symmetries of whole vectors a particle lies in one
of several images, each with an S of its own; which one is drawn as if they were normals of a mixture, and the odds of
that draw, there and back, are part of those of the move.  Where images overlap those odds would cost more than S is
worth, and all have the same one.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from scipy.special import log_softmax

__all__ = ["Metric", "Vectors"]

_MOST_SETS = 6  # of sign symmetries: 64 images, more than a circuit of a few vectors has
_RIDGE = 1e-6  # of the mean eigenvalue: keeps S invertible where vectors are multiples of each other
_ROUNDS = 2  # in which images are told by the S of all, after one in which they are by the first particle's
# Mean chance of the likeliest image, from which on they are apart.  (a . b)^2 of two vectors of two normals each, its
# image certain by 0.74: steps of 0.25 with two metrics, of 1.1 with one.  Rank-2 network of 10 neurons: 0.85, of 25: 1.
_APART = 0.99
_ONE = np.ones((1, 1))


@dataclass(frozen=True)
class Vectors:
    """The vectors that a base point joins.

    Attributes
    ----------
    count : int
        k.
    signs : ndarray (images, k)
        Of the vectors in each image under the sign symmetries; those that all vectors share are left out.
    """

    count: int
    signs: np.ndarray

    @classmethod
    def of(cls, circuit):
        """Those of a circuit, with the symmetries that change the sign of whole vectors."""
        count, dim = circuit.parameter_vectors, circuit.support.dim
        length = dim // count
        sets = [np.bincount(np.array(each) // length, minlength=count) for each in circuit.sign_symmetries]
        whole = [members // length for members in sets if np.isin(members, (0, length)).all()][:_MOST_SETS]
        changes = np.array(list(product((0, 1), repeat=len(whole)))) @ np.array(whole).reshape(len(whole), count)
        signs = 1.0 - 2.0 * (changes % 2)
        return cls(count, np.unique(signs * signs[:, :1], axis=0))

    @classmethod
    def single(cls):
        """One: a base that knows of none."""
        return cls(1, _ONE)

    def split(self, u):
        """The vectors (P, k, n) of base points ``u`` (P, D)."""
        return u.reshape(len(u), self.count, -1)


@dataclass(frozen=True)
class Metric:
    """Lengths in the base: S = W W^T in each image of the vectors.

    Attributes
    ----------
    vectors : Vectors
    factors : ndarray (images, k, k)
        W.
    """

    vectors: Vectors
    factors: np.ndarray

    @classmethod
    def of(cls, vectors, u):
        """That of particles ``u`` (P, D); the unit one where there is one vector."""
        if vectors.count == 1:
            return cls(vectors, _ONE[None])
        parts = vectors.split(u)
        moments = parts @ parts.transpose(0, 2, 1) / parts.shape[2]
        images = vectors.signs[:, :, None] * vectors.signs[:, None, :]
        likeness = -moments[0]
        for _ in range(1 + _ROUNDS):
            nearest = np.einsum("pab,sab,ab->ps", moments, images, likeness).argmin(axis=1)
            S = np.mean(images[nearest] * moments, axis=0)
            S += _RIDGE * np.trace(S) / len(S) * np.eye(len(S))
            likeness = np.linalg.inv(S)
        metric = cls(vectors, vectors.signs[:, :, None] * np.linalg.cholesky(S))
        if np.exp(metric.log_chance(u)).max(axis=1).mean() >= _APART:
            return metric
        return cls(vectors, np.linalg.cholesky(np.mean(images * S, axis=0))[None])

    @cached_property
    def _precisions(self):
        inverse = np.linalg.inv(self.factors)
        return inverse.transpose(0, 2, 1) @ inverse

    def log_chance(self, u):
        """Log chance (P, images) that a particle at ``u`` (P, D) is taken for each image."""
        if len(self.factors) == 1:
            return np.zeros((len(u), 1))
        parts = self.vectors.split(u)
        with np.errstate(over="ignore", invalid="ignore"):  # a trajectory that ran off
            distance = np.einsum("pab,sab->ps", parts @ parts.transpose(0, 2, 1), self._precisions)
            return log_softmax(-0.5 * distance, axis=1)

    def drawn(self, u, generator):
        """The image (P,) that each particle at ``u`` (P, D) is taken for."""
        if len(self.factors) == 1:
            return np.zeros(len(u), int)
        below = np.cumsum(np.exp(self.log_chance(u)), axis=1)[:, :-1]
        return (generator.random((len(u), 1)) > below).sum(axis=1)

    def velocity(self, image, momentum):
        """W times ``momentum`` (P, D), of standard normals: how particles move."""
        return self._times(self.factors, image, momentum)

    def force(self, image, gradient):
        """W^T times ``gradient`` (P, D)."""
        return self._times(self.factors.transpose(0, 2, 1), image, gradient)

    def _times(self, factors, image, x):
        if self.vectors.count == 1:
            return x
        with np.errstate(over="ignore", invalid="ignore"):  # a trajectory that ran off
            return (factors[image] @ self.vectors.split(x)).reshape(x.shape)
