"""Phase of the dual solver where the flow does not follow its target: descent along path gradients.

In many dimensions, or for sharp targets, importance weights reach nothing.  What is left is the gradient of T: each
step simulates a few samples of the flow with their Jacobian, moves eta towards the targets within a trust region, and
takes d/dz (log q - log p_eta), pulled back through the samples alone (Roeder et al. 2017), as the gradient of the flow.

Where the density of circuits falls steeply the multiplier of a square comes out positive, and p_eta grows again far
out.  A few outliers there would draw the whole flow after them: they get a normal's multipliers instead, and a stretch
of steps that diverges all the same is undone.
"""

from dataclasses import replace

import numpy as np

from numepi.inference.assessment.verdict import not_reached
from numepi.inference.dual import plan
from numepi.inference.dual.moment_step import moment_step
from numepi.inference.dual.rounds import CLIP_NORM, CLOSE, NOT_FINITE, record_draws
from numepi.inference.dual.state import Stretch
from numepi.inference.optimiser import Adam, Moments
from numepi.inference.problem import Stream

__all__ = ["CHUNK", "descend", "multipliers_of_samples", "path_gradient"]

_RATE = 1.5  # times the learning rate; at 2 flows of 400 dimensions blow up
_WINDOW = 8  # batches that the moments are taken from
_MULTIPLIER_SHARE = 0.1  # of the Newton step that the multipliers take at each step
_RADIUS = 0.1  # of their trust region
_LANDING = 0.3  # share of the steps in which rates fall to zero
_OUTLIER = 4.0  # standard deviations of the target from its mean, once the bulk of the samples is there
_DIVERGENCE_FACTOR = 3.0  # times the least violation of a stretch so far that takes one back,
_DIVERGENCE_FLOOR = 0.25  # from this violation, in natural scales,
_DIVERGENCE_SIGMAS = 2.0  # by so many standard errors: an outlier among few rows took RNN N = 10 back by 900 steps
_LEAST_MOMENTS = 160  # rows from which multipliers move: 20 say too little (RNN N = 10: KL 0.46 for 0.44)
_ENOUGH = 300  # steps that should have come near any targets within reach
_FAR = 0.5  # natural scales from the targets
CHUNK = 50  # steps of a stretch, which a call takes


def descend(state, problem, flow, settings):
    """Take a stretch of steps; go back to the best stretch so far if it led away from the targets."""
    constraints, scale = problem.constraints, problem.constraints.scale
    (n_steps, size), first = plan.last_phase(settings, state.rounds, "descend"), state.last_step
    last = min(first + CHUNK, n_steps)
    adam = Adam(len(state.theta), clip_norm=CLIP_NORM).continue_from(state.adam)
    recent = []
    for step in range(first, last):
        z, log_q, pullback = flow.sample_with_pullback(state.theta, problem.normals(Stream.EPOCH_BASE, step, size))
        batch = problem.simulate(z, Stream.EPOCH_NOISE, step, with_jacobian=True)
        failure = problem.too_many_failures(batch.valid, z, settings.max_failed_fraction)
        if failure is not None or len(batch.T) < 2:
            return replace(state, failure=failure or problem.too_many_failures(batch.valid, z, 0.0))
        violation = (batch.T - constraints.target) / scale
        recent = [*recent[1 - _WINDOW :], (batch.f, batch.T)]
        landing = min(1.0, (1 - step / n_steps) / _LANDING)
        f, T = (np.concatenate(parts) for parts in zip(*recent))
        if len(f) >= _LEAST_MOMENTS or len(recent) == _WINDOW:
            shift = moment_step(constraints, f, T, _MULTIPLIER_SHARE * landing, _RADIUS) * scale
            eta = constraints.admissible(state.dual.eta + shift)
            state = replace(state, dual=replace(state.dual, eta=eta, optimal_eta=eta))
        gradient = pullback(path_gradient(state, problem, flow, z, batch), np.zeros(len(z)))
        if not np.isfinite(gradient @ gradient):
            return replace(state, failure=NOT_FINITE)
        theta = adam.step(state.theta, gradient, settings.replay_rate * _RATE * landing)
        z, log_q = z[batch.valid], log_q[batch.valid]
        state = record_draws(replace(state, theta=theta), log_q, problem.log_prior(z), violation)
    state = _best_of(replace(state, adam=adam.moments, last_step=last), last - first)
    return state if last < n_steps else _end(state, problem, settings, last - first)


def path_gradient(state, problem, flow, z, batch):
    """d/dz (log q - log p_eta) / n (n, D) at the samples ``z`` that ``batch`` simulated; zero where they failed."""
    valid = batch.valid
    gradient = np.zeros_like(z)
    gradient[valid] = (
        flow.log_prob_gradient(state.theta, z[valid])
        - problem.log_prior_gradient(z[valid])
        - problem.constraints.pullback(
            batch.f, batch.jacobian, multipliers_of_samples(problem.constraints, state.dual.optimal_eta, batch.f)
        )
    ) / valid.sum()
    return gradient


def multipliers_of_samples(constraints, eta, f):
    """Multipliers (n, m) that pull each sample: those of p_eta, ``eta`` (m,) scaled, but a normal's for outliers."""
    rows = np.tile(eta / constraints.scale, (len(f), 1))
    mean, variance = constraints.prop.mean, constraints.prop.variance
    fixed = [i for i, (m, v) in enumerate(zip(mean, variance)) if m is not None and v is not None]
    if fixed:
        deviation = (f[:, fixed] - [mean[i] for i in fixed]) / np.sqrt([variance[i] for i in fixed])
        if np.all(np.abs(np.median(deviation, axis=0)) < 1):
            rows[(np.abs(deviation) > _OUTLIER).any(axis=1)] = constraints.gaussian_multipliers()
    return rows


def _best_of(state, n):
    """The state at the best stretch so far, if the last ``n`` steps led away from the targets."""
    steps = state.trace.violation[-n:]
    distance, stderr = np.abs(steps.mean(axis=0)), steps.std(axis=0) / np.sqrt(n)
    violation, best = float(distance.max()), state.best
    if best is None or violation <= best.violation:
        return replace(state, best=Stretch(violation, state.theta, state.dual.eta))
    surely = np.max(distance - _DIVERGENCE_SIGMAS * stderr)
    if surely <= max(_DIVERGENCE_FLOOR, _DIVERGENCE_FACTOR * best.violation):
        return state
    dual = replace(state.dual, eta=best.eta, optimal_eta=best.eta)
    return replace(state, theta=best.theta, dual=dual, adam=Moments.zero(len(best.theta)))


def _end(state, problem, settings, n):
    """Back to the rounds where the flow follows; a failure where no stretch of ``n`` steps came near the targets."""
    if state.last_step < _ENOUGH:
        return replace(state, phase="done")
    violation = state.trace.violation[-state.last_step :]
    stretches = violation[: len(violation) // n * n].reshape(-1, n, violation.shape[1]).mean(axis=1)
    distance = np.abs(stretches).max(axis=1)
    # A descent that ended far from its best broke down: that says nothing of what is within reach.
    if distance.min() > _FAR and distance[-1] <= _DIVERGENCE_FACTOR * distance.min():
        return replace(
            state,
            failure=not_reached(
                problem.constraints,
                problem.constraints.target + stretches[np.argmin(distance)] * problem.constraints.scale,
            ),
        )
    if state.rounds.last is not None or np.mean(state.trace.ess[-_ENOUGH // 2 :]) < CLOSE:
        return replace(state, phase="done")  # all that a limited run had left was for the descent
    # Importance weights work again: they cover what the descent missed, and need no more steps.
    descended = Stretch(float(distance[-1]), state.theta, state.dual.eta)
    rounds = replace(state.rounds, left=settings.final_rounds)
    return replace(
        state, phase="round", rounds=rounds, descended=descended, adam=Moments.zero(len(state.theta)), last_step=0
    )
