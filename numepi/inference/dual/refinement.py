"""Last phase of the dual solver where the flow follows its target: multipliers and flow settle together.

Maximum likelihood covers p* and leaks beyond it, and the moments of the flow are off a little.  Each step simulates a
few samples z of the flow, and

- moves eta by a share of Newton's step against their violation, after a lead for the flow;
- fits the replay, under the shifted weights, by likelihood: the gradient of KL(p_eta || q);
- evens out r = log q - log p_eta over the samples: the gradient of KL(q || p_eta), E_q[(r - b) d log q / d theta], by
  the score function with a baseline b, which next to the optimum has little variance since r is nearly constant there
  (Richter et al. 2020).  It needs no gradient of T and feels the balance between modes; path gradients do not, and
  tilt it.
"""

import numpy as np

from numepi.inference.dual_problem import free_gradient
from numepi.inference.problem import Stream

__all__ = ["Refinement", "reverse_kl_weights"]

_RATE = 0.5  # of the learning rate, at the start
_MULTIPLIER_RATE = 0.02  # share of a Newton step that the multipliers take at each step
_LEAD = 1 / 3  # of the steps, in which the flow settles first: multipliers would overshoot to make up for its leaks
_REVERSE_WEIGHT = 3.0  # of the gradient of KL(q || p_eta) beside that of KL(p_eta || q)
_CLIP = 3.0  # nats of r about its median: a sample far out in a leak says where to go, not how far


def reverse_kl_weights(log_ratio):
    """Weights w (n,) of log q in the gradient of KL(q || p): sum w d log q / d theta, from r = log q - log p (n,)."""
    clipped = np.clip(log_ratio - np.median(log_ratio), -_CLIP, _CLIP)
    return (clipped - clipped.mean()) / len(clipped)


class Refinement:
    """Steps of the refinement on the state of a `numepi.inference.dual.solver.Dual`."""

    def __init__(self, solver):
        self.solver = solver
        self.n_steps = solver.settings.refine_steps

    def take(self, steps):
        """Take the steps of these numbers; stop early where the solver fails."""
        solver = self.solver
        draw = solver.resampler(solver.annealing.weights(solver.replay), solver.generator(Stream.REFINE, steps[0]))
        # At the dual's optimum: at shifted multipliers a small covariance would make the next shift larger yet.
        weights = solver.annealing.weights(solver.replay, solver.annealing.optimal_eta)
        covariance = np.atleast_2d(np.cov(solver.replay.violation.T, aweights=weights, ddof=0))
        constraints = solver.problem.constraints
        for number in steps:
            sample = solver.simulate_flow(number, with_jacobian=False)
            if sample is None:
                return
            gradient = solver.likelihood_gradient(draw()) + _REVERSE_WEIGHT * self._reverse_gradient(sample)
            if not solver.descend(gradient, _RATE * solver.decay(number / self.n_steps)):
                return
            if number >= _LEAD * self.n_steps:
                eta = solver.annealing.eta.copy()
                gradient, free = free_gradient(sample.violation.mean(axis=0), eta, constraints.is_bound)
                newton = np.linalg.pinv(covariance[np.ix_(free, free)])
                eta[free] -= _MULTIPLIER_RATE * newton @ gradient[free]
                solver.annealing.eta = constraints.admissible(eta)
            solver.record_sample(sample)

    def _reverse_gradient(self, sample):
        solver = self.solver
        z = sample.z[sample.batch.valid]
        log_q, pullback = solver.flow.log_prob_with_pullback(solver.theta, z)
        log_ratio = log_q - solver.problem.log_prior(z) - sample.violation @ solver.annealing.eta
        return pullback(reverse_kl_weights(log_ratio))[0]
