"""Densities with known modes and curvature, and a random real NVP."""

import numpy as np
import pytest

import numepi as ne
from numepi.flow import FlowDistribution


class Mixture:
    """Equal mixture of two Gaussians of one covariance, with the interface of a FlowDistribution."""

    def __init__(self, means, covariance, support=None):
        self.means = np.asarray(means, float)
        self.covariance = np.asarray(covariance, float)
        self.precision = np.linalg.inv(self.covariance)
        self.dim = self.means.shape[1]
        self.support = ne.Support([-np.inf] * self.dim, [np.inf] * self.dim) if support is None else support
        self.parameter_names = tuple("abcdefgh"[: self.dim])

    def sample(self, n, rng=0):
        generator = np.random.default_rng(rng)
        noise = generator.multivariate_normal(np.zeros(self.dim), self.covariance, n)
        return self.means[generator.integers(len(self.means), size=n)] + noise

    def _parts(self, z):
        deviation = z[:, None, :] - self.means
        slopes = -deviation @ self.precision
        logs = 0.5 * np.sum(slopes * deviation, axis=2)
        return logs, slopes

    def log_prob(self, z):
        logs, _ = self._parts(z)
        inside = self.support.contains(z)
        return np.where(inside, np.logaddexp.reduce(logs, axis=1), -np.inf)

    def _weights(self, logs):
        return np.exp(logs - np.logaddexp.reduce(logs, axis=1)[:, None])

    def gradient(self, z):
        logs, slopes = self._parts(z)
        return np.einsum("nm,nmd->nd", self._weights(logs), slopes)

    def hessian(self, z):
        logs, slopes = self._parts(z)
        weights = self._weights(logs)
        mean = np.einsum("nm,nmd->nd", weights, slopes)
        second = np.einsum("nm,nmd,nme->nde", weights, slopes, slopes)
        return second - mean[:, :, None] * mean[:, None, :] - self.precision

    def hessian_vector_product(self, z, v):
        return np.einsum("nde,ne->nd", self.hessian(z), v)


COVARIANCE = np.array([[1.0, 0.6, 0.0], [0.6, 0.8, -0.2], [0.0, -0.2, 0.25]])


@pytest.fixture
def gaussian():
    """One Gaussian in three dimensions."""
    return Mixture([[1.0, -2.0, 0.5]], COVARIANCE)


@pytest.fixture
def mixture():
    """Two well separated Gaussians, the second mode at minus the first."""
    return Mixture([[4.0, -4.0, 2.0], [-4.0, 4.0, -2.0]], COVARIANCE)


@pytest.fixture
def half_gaussian():
    """A Gaussian whose mean lies beyond the upper bound of its first parameter."""
    return Mixture([[1.0, -2.0, 0.5]], COVARIANCE, ne.Support([-9.0] * 3, [0.0, 9.0, 9.0]))


@pytest.fixture
def ridge():
    """Two parameters on a box with b = a / 2 to within 0.01: a curvature of 10^4 along b."""
    support = ne.Support([-5.0] * 2, [5.0] * 2)
    return Mixture([[0.0, 0.0]], [[1.0, 0.5], [0.5, 0.25 + 1e-4]], support)


@pytest.fixture
def nvp():
    """A real NVP on a box with random weights: smooth, curved, nothing known about it."""
    flow = ne.RealNVP(ne.Support([-5.0] * 4, [5.0] * 4), stages=3, hidden=(20, 20), box_map="sigmoid")
    theta = flow.initial_parameters(0)
    theta = theta + 0.15 * np.random.default_rng(1).normal(size=len(theta))
    return FlowDistribution(flow, theta, ("sW", "vW", "hW", "dW"))
