"""Multipliers of a flow's own, by which its draws meet the constraints.

Particles stay at the dual's optimum.  A flow leaks, meets fresh noise, and may lack a part of p*: where a property has
a share at its region's edge, say, what is left has too little variance.  Particles that followed the flow's multipliers
there would run off to that edge (docs/variance_and_dimension.md), and so would a flow that met them too late: there is
no stable bulk at the multipliers that give it the variance.  So they answer to the violation twice, as in an augmented
Lagrangian: what the last batches of draws show counts at once, and what stays is added up.
"""

from typing import NamedTuple

import numpy as np

from numepi.inference.dual_problem import free_gradient

__all__ = ["FlowMultipliers"]

# Ablated from the end of the learning by particles alone (rate and the answer at once), one run of each, all of seed 0:
# how much of a difference is chance is not known.  At 250 neurons 0.03 and 0 ran off, with 0.03 and 3 variances were a
# third too large 300 steps later, with 0.1 and 3 a tenth; at 50 neurons 0.1 and 3 swung, and ended 0.1 nats further
# away than 0.03 and 1.  The values below lie between these, and are those of the runs in
# docs/variance_and_dimension.md.
_RATE = 0.05  # Newton steps against the violation that a batch of draws adds up
_AT_ONCE = 2.0  # and those that answer to the mean of recent ones
_RECENT, _LONG = 10, 30  # batches over which violation and covariance are averaged
_FARTHEST = 0.5  # natural scales of a batch's violation that count, at the least,
_SIGMAS = 4.0  # and standard errors of it


class FlowMultipliers(NamedTuple):
    """Where the multipliers of a flow are, in natural scales.

    Attributes
    ----------
    total : ndarray (m,)
        What was added up.
    violation : ndarray (m,)
        Mean over the flow's recent draws.
    covariance : ndarray (m, m)
        Of their violations.
    batches : int
        How many they were.
    """

    total: np.ndarray
    violation: np.ndarray
    covariance: np.ndarray
    batches: int

    @classmethod
    def first(cls, eta):
        """Before any draws: the particles' (m,).  Their covariance says little: the flow may lack what makes it."""
        return cls(eta, np.zeros(len(eta)), np.zeros((len(eta), len(eta))), 0)

    def eta(self, constraints):
        """The multipliers (m,) now."""
        step = _newton(self.violation, self.total, self.covariance, constraints)
        return constraints.admissible(self.total + _AT_ONCE * step)

    def moved(self, x, constraints):
        """After a batch of draws with violations ``x`` (n, m).

        A flow that leaks far out must not drag the multipliers after it, but a rare draw at the region's edge counts.
        """
        batches = self.batches + 1
        covariance = self.covariance + (np.atleast_2d(np.cov(x.T)) - self.covariance) / min(batches, _LONG)
        farthest = np.maximum(_FARTHEST, _SIGMAS * np.sqrt(covariance.diagonal() / len(x)))
        mean = np.clip(x.mean(axis=0), -farthest, farthest)
        total = constraints.admissible(self.total + _RATE * _newton(mean, self.total, covariance, constraints))
        recent = self.violation + (mean - self.violation) / min(batches, _RECENT)
        return FlowMultipliers(total, recent, covariance, batches)


def _newton(violation, eta, covariance, constraints):
    """Newton's step (m,) against a mean violation."""
    gradient, free = free_gradient(violation, eta, constraints.is_bound)
    step = np.zeros_like(gradient)
    if free.any():
        step[free] = -np.linalg.pinv(covariance[np.ix_(free, free)], hermitian=True) @ gradient[free]
    return step
