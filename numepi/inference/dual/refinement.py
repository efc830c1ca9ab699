"""Last phase on real rows where the flow follows its target: multipliers and flow settle together.

Maximum likelihood covers p* and leaks beyond it, and the moments of the flow are off a little.  Each step simulates a
few samples z of the flow, and

- moves eta by a share of Newton's step against their violation, after a lead for the flow;
- fits the replay, under the shifted weights, by likelihood: the gradient of KL(p_eta || q);
- evens out r = log q - log p_eta over the samples: the gradient of KL(q || p_eta), E_q[(r - b) d log q / d theta], by
  the score function with a baseline b, which next to the optimum has little variance since r is nearly constant there
  (Richter et al. 2020).  It needs no gradient of T and feels the balance between modes; path gradients do not, and
  tilt it.
"""

from dataclasses import replace

import numpy as np

from numepi.inference.dual import plan
from numepi.inference.dual.multipliers import weights_of
from numepi.inference.dual.rounds import (
    CLIP_NORM,
    NOT_FINITE,
    likelihood_gradient,
    record_draws,
    replay_sample,
    resampler,
)
from numepi.inference.dual_problem import free_gradient
from numepi.inference.optimiser import Adam
from numepi.inference.problem import Stream

__all__ = ["CHUNK", "refine", "reverse_kl_weights"]

_RATE = 0.5  # of the learning rate, at the start
_LAST_RATE = 0.03  # of that, at the end
_MULTIPLIER_RATE = 0.02  # share of a Newton step that the multipliers take at each step
_LEAD = 1 / 3  # of the steps, in which the flow settles first: multipliers would overshoot to make up for its leaks
_REVERSE_WEIGHT = 3.0  # of the gradient of KL(q || p_eta) beside that of KL(p_eta || q)
_CLIP = 3.0  # nats of r about its median: a sample far out in a leak says where to go, not how far
CHUNK = 10  # steps a call: a few thousand rows at the most


def reverse_kl_weights(log_ratio):
    """Weights w (n,) of log q in the gradient of KL(q || p): sum w d log q / d theta, from r = log q - log p (n,)."""
    clipped = np.clip(log_ratio - np.median(log_ratio), -_CLIP, _CLIP)
    return (clipped - clipped.mean()) / len(clipped)


def refine(state, problem, flow, settings):
    """A few steps of the refinement."""
    constraints = problem.constraints
    n_steps, size = plan.last_phase(settings, state.rounds, "refine")
    sample, first = replay_sample(state, problem), state.last_step
    last = min(first + CHUNK, n_steps)
    rows = state.replay.z[state.replay.valid]
    draw = resampler(
        weights_of(state.dual, sample), settings.replay_batch,
        np.random.Generator(np.random.Philox(problem.seed(Stream.REFINE, first))),
    )  # fmt: skip
    # At the dual's optimum: at shifted multipliers a small covariance would make the next shift larger yet.
    weights = weights_of(state.dual, sample, state.dual.optimal_eta)
    covariance = np.atleast_2d(np.cov(sample.violation.T, aweights=weights, ddof=0))
    adam = Adam(len(state.theta), clip_norm=CLIP_NORM).continue_from(state.adam)
    for step in range(first, last):
        counter = step + settings.descent_steps
        z, log_q = flow.sample(state.theta, problem.normals(Stream.EPOCH_BASE, counter, size))
        batch = problem.simulate(z, Stream.EPOCH_NOISE, counter)
        failure = problem.too_many_failures(batch.valid, z, settings.max_failed_fraction)
        if failure is not None or len(batch.T) < 2:
            return replace(state, failure=failure or problem.too_many_failures(batch.valid, z, 0.0))
        z, log_q = z[batch.valid], log_q[batch.valid]
        violation = (batch.T - constraints.target) / constraints.scale
        log_prior = problem.log_prior(z)
        ratio = log_q - log_prior - violation @ state.dual.eta
        _, pullback = flow.log_prob_with_pullback(state.theta, z)
        gradient = likelihood_gradient(flow, state.theta, rows[draw()])
        gradient = gradient + _REVERSE_WEIGHT * pullback(reverse_kl_weights(ratio))[0]
        if not np.isfinite(gradient @ gradient):
            return replace(state, failure=NOT_FINITE)
        rate = settings.replay_rate * _RATE * _LAST_RATE ** (step / n_steps)
        eta = state.dual.eta
        if step >= _LEAD * n_steps:
            downhill, free = free_gradient(violation.mean(axis=0), eta, constraints.is_bound)
            change = np.zeros_like(eta)
            change[free] = _MULTIPLIER_RATE * np.linalg.pinv(covariance[np.ix_(free, free)]) @ downhill[free]
            eta = constraints.admissible(eta - change)
        theta = adam.step(state.theta, gradient, rate)
        state = record_draws(
            replace(state, theta=theta, dual=replace(state.dual, eta=eta)), log_q, log_prior, violation
        )
    return replace(state, adam=adam.moments, last_step=last, phase="done" if last >= n_steps else "refine")
