"""The fit of a round: the flow follows the surrogate's exp(eta . T) p_0 on draws that cost no simulation.

An *approach* at a constant rate leads to the target, a *landing* whose rate falls ends on it.  Either is repeated while
it leaves too much.  At the dual's optimum the multipliers are those by which the target itself, over many draws, has
the property.  Where the flow that these draws come from is still far, a few of them decide: each landing that is
repeated has the multipliers anew, by draws of the flow that the last one left.
"""

from dataclasses import replace

import numpy as np

from numepi.inference.dual.multipliers import Sample, confined, violation_of, weights_of
from numepi.inference.dual.pool import divergence, draw_pool, fit_steps, in_single_precision, without_identities
from numepi.inference.dual.rounds import CLIP_NORM
from numepi.inference.dual.state import Fit
from numepi.inference.dual_problem import effective_sample_size, minimise_dual, normalised_weights
from numepi.inference.optimiser import Adam, Moments
from numepi.inference.problem import Stream

__all__ = ["fit", "real_sample"]

_CHUNK = 50  # fitting steps a call, and between renewals of the pool
_POOL_START = 0.2  # share of a pool from the start: weights in it are at most 5
_FAR = 0.1  # effective share of a pool, below which the flow is far from its target: then likelihood alone,
_WIDER = 4  # on a pool so many times larger; with reverse KL from there leaks stay (LDS: 0.2 to 14 nats)
_APPROACH_REVERSE = 1.0  # weight of reverse KL in the approach, as the LDS needs to hold its leaks down
_LANDING_DISTANCE = 0.3  # nats from the target, from where to land,
_POLISH_DISTANCE = 0.2  # and to polish: from 0.25 it ends at 0.02 to 0.04 (LDS), from 0.45 it may run away
# Of the distance asked for, that the fit may leave to the surrogate, and by the rest of it the multipliers may be off.
_KEPT_CLOSER = 0.6


def fit(state, problem, flow, settings):
    """A few steps of the fit of the flow to the surrogate; at its end the better of before and after."""
    fast = in_single_precision(flow)
    start = without_identities(fast, state.theta_start)
    log_target = _target(state, problem, flow)
    generator = np.random.Generator(np.random.Philox(problem.seed(Stream.POOL, state.steps)))
    now = state.fit or _begun(fast, state.theta, start, log_target, settings, generator)
    if now.step < now.n_steps:
        adam = Adam(len(now.theta), clip_norm=CLIP_NORM).continue_from(state.adam)
        size = settings.pool_size
        pool = draw_pool(fast, now.average, start, log_target, size, _POOL_START, generator)
        far = effective_sample_size(normalised_weights(pool.log_target - pool.log_proposal)) < _FAR * size
        if far:
            pool = draw_pool(fast, now.average, start, log_target, _WIDER * size, _POOL_START, generator)
        polish = now.landing and now.distance < _POLISH_DISTANCE
        reverse = 0.0 if far else settings.reverse_weight if polish else _APPROACH_REVERSE
        steps = np.arange(now.step, min(now.step + _CHUNK, now.n_steps))
        theta, average = fit_steps(
            fast, now.theta, now.average, adam, pool, _rates(now, steps, settings), settings.batch_size, reverse,
            settings.averaging, generator, polish=polish,
        )  # fmt: skip
        now = replace(now, step=int(steps[-1]) + 1, theta=theta, average=average)
        return replace(state, adam=adam.moments, fit=now)
    pool = draw_pool(fast, now.average, start, log_target, settings.check_size, _POOL_START, generator)
    state, now = _better(state, now, pool)
    if not now.landing and now.distance > _LANDING_DISTANCE and now.repeated < settings.most_repeated:
        again = replace(now, step=0, theta=now.best, average=now.best, repeated=now.repeated + 1)
        return replace(state, fit=again)
    dual = _to_land_at(state, now, pool, problem, settings)
    if dual is None:
        return replace(state, theta=now.best, fit=None, phase="draw")
    state = replace(state, dual=dual)
    landing = _begun(fast, now.best, start, _target(state, problem, flow), settings, generator)
    repeated = now.repeated + 1 if now.landing else 0
    return replace(state, fit=replace(landing, n_steps=settings.landing_steps, landing=True, repeated=repeated))


def _target(state, problem, flow):
    """Log of the surrogate's target at the present multipliers, up to a constant, as a function of z (n, D)."""
    dual, surrogate, constraints = state.dual, state.surrogate, problem.constraints
    replay = state.replay
    within = constraints.region is not None and confined(constraints.inside(replay.T[replay.valid]))

    def log_target(z):
        log_prior = problem.log_prior(z)
        T, log_success = surrogate.evaluate(constraints, z)
        value = log_prior + violation_of(constraints, T) @ dual.eta + log_success
        if dual.exponent is not None and dual.exponent < 1:
            first, theta_first = without_identities(flow, state.theta_start)
            value += (1 - dual.exponent) * (first.log_prob(theta_first, z) - log_prior)
        return np.where(constraints.inside(T), value, -np.inf) if within else value

    return log_target


def _begun(fast, theta, start, log_target, settings, generator):
    """An approach from ``theta``, which knows how far that is from the target."""
    pool = draw_pool(fast, theta, start, log_target, settings.check_size, _POOL_START, generator)
    distance = divergence(pool)[0]
    distance = distance if np.isfinite(distance) else np.inf
    return Fit(0, settings.fit_steps, theta, theta, False, theta, distance, 0)


def _rates(now, steps, settings):
    progress = steps / now.n_steps if now.landing else np.zeros(len(steps))
    return settings.learning_rate * (
        settings.last_rate + (1 - settings.last_rate) * 0.5 * (1 + np.cos(np.pi * progress))
    )


def _better(state, now, pool):
    """State and fit after a stretch that led to where the pool is from: the nearer of before and after is kept."""
    distance = divergence(pool)[0]
    if distance < now.distance:
        return state, replace(now, best=now.average, distance=distance)
    return replace(state, adam=Moments.zero(len(now.theta))), now  # what led away from the target must not lead on


def _to_land_at(state, now, pool, problem, settings):
    """The `DualPoint` whose target the flow is to land on, or to land on once more; None where the fit is over."""
    if not state.dual.optimal or (now.landing and now.repeated >= settings.most_repeated):
        return None
    dual, off = _with_many_draws(state, problem, pool, settings)
    near = now.distance <= _KEPT_CLOSER * settings.kl and off <= (1 - _KEPT_CLOSER) * settings.kl
    return None if now.landing and near else dual


def real_sample(state, problem):
    """The valid rows of the replay as a `Sample` for the multipliers: T-bar is of what has not seen their noise."""
    constraints, replay, eta = problem.constraints, state.replay, state.dual.eta / problem.constraints.scale
    return Sample.of(constraints, replay, state.surrogate.expected_unseen(constraints, replay, eta))


def _with_many_draws(state, problem, pool, settings):
    """The multipliers by Newton on a pool's draws, the targets shifted by what the surrogate misses on real rows.

    It misses what its mean does: noise that this has learned does not count where the row's weight is free of it.  With
    them the nats by which the entropy of the present target is off, to first order.
    """
    constraints, sample, replay = problem.constraints, real_sample(state, problem), state.replay
    expected = state.surrogate.expected(constraints, replay.z[replay.valid])
    residual = (replay.T[replay.valid] - expected) / constraints.scale
    drawn = violation_of(constraints, state.surrogate.expected(constraints, pool.z))
    log_weights = pool.log_target - pool.log_proposal
    missed = normalised_weights(log_weights) @ drawn + weights_of(state.dual, sample) @ residual
    eta = state.dual.eta
    for _ in range(3):
        shift = weights_of(state.dual, sample, eta) @ residual
        floor = settings.least_pool_share * len(drawn)
        log_base = log_weights - drawn @ state.dual.eta
        step = minimise_dual(drawn + shift, log_base, eta, floor, is_bound=constraints.is_bound)
        if not step.optimal:
            return state.dual, 0.0
        eta = step.eta
    return replace(state.dual, eta=eta, optimal_eta=eta), abs(float(missed @ state.dual.eta))
