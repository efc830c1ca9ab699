"""Problems whose solution is known in closed form, seen by a sampler of particles."""

import numpy as np

import numepi as ne
from numepi.inference.particles.density import TemperedDensity
from numepi.inference.particles.plain import plain_flow
from numepi.inference.problem import Problem


class Normal:
    """The standard normal prior."""

    def __init__(self, dim):
        self.dim = dim

    def log_prob(self, z):
        return -0.5 * (z * z).sum(axis=1) - 0.5 * self.dim * np.log(2 * np.pi)

    def gradient(self, z):
        return -z


MEAN, VARIANCE = np.array([2.0, -1.0]), np.array([0.25, 0.5])
# Along each of two directions the standard normal becomes N(mean, variance): -KL(p* || p0).
EXACT = -0.5 * float(np.sum(VARIANCE + MEAN**2 - 1 - np.log(VARIANCE)))


def projections(dim, differentiable=True):
    """Two orthonormal projections of ``dim`` parameters, and the circuit that has them as statistics."""
    rows = np.linalg.qr(np.random.default_rng(0).standard_normal((dim, 2)))[0].T
    jacobian = (lambda z: np.broadcast_to(rows, (len(z), 2, dim))) if differentiable else None
    return ne.circuits.FunctionCircuit(
        lambda z: z @ rows.T, ne.Support([-np.inf] * dim, [np.inf] * dim), statistic_names=["a", "b"],
        jacobian=jacobian, differentiable=differentiable,
    )  # fmt: skip


def density_of(circuit, prop, prior=None, region=None, seed=0):
    """The densities of a problem in the base space of its support's map."""
    problem = Problem(circuit, prop, np.random.SeedSequence(seed), prior, with_gradient=circuit.differentiable)
    return TemperedDensity(problem, plain_flow(circuit.support), np.zeros(0), region)


def gaussian(dim, differentiable=True, seed=0):
    """A normal prior in ``dim`` dimensions with means and variances of two projections."""
    prop = ne.EmergentProperty(mean=MEAN, variance=VARIANCE)
    return density_of(projections(dim, differentiable), prop, Normal(dim), seed=seed)


MEANS_FIRST = np.array([True, True, False, False])
