"""The default way: a surrogate leads.  Survey, then rounds of learning, fitting to the surrogate, and checking.

A survey of the start (the prior on a box) begins; where next to none of it works, rows that do are sought
(`numepi.inference.dual.seek`).  Each round then

- *learns* the statistics from all rows so far, and moves the multipliers by Newton on the dual over the real rows, with
  weights from the surrogate and moments from the simulations, as far as enough of them keep weight;
- *fits* the flow to the surrogate's exp(eta . T) p_0 on draws that cost no simulation;
- *checks* the flow on fresh rows of its own, which are its score and certificate at once, and the surrogate on the
  same rows: it leads on, or is dropped for the replay of real rows and gradients (`numepi.inference.dual.rounds`).

The run is over when the certificate says that the flow is as near as asked for and the constraints are met, or when the
rows are spent.
"""

from dataclasses import replace

import numpy as np

from numepi.inference.assessment.infeasible import WORTH_A_LOOK
from numepi.inference.assessment.verdict import constraints_met, not_reached
from numepi.inference.dual import checks, plan
from numepi.inference.dual.draws import with_density
from numepi.inference.dual.multipliers import Sample, confined, move, unbounded_after, weights_of
from numepi.inference.dual.nearby import sharpens
from numepi.inference.dual.pool import divergence, draw_pool, fit_steps, in_single_precision
from numepi.inference.dual.rounds import CLIP_NORM, dropped, proper, record_draws
from numepi.inference.dual.seek import next_stage
from numepi.inference.dual.state import Fit, kept, recorded, request
from numepi.inference.dual.surrogate import learn
from numepi.inference.dual_problem import (
    effective_sample_size,
    free_gradient,
    minimise_dual,
    normalised_weights,
)
from numepi.inference.optimiser import Adam, Moments
from numepi.inference.problem import Stream

__all__ = ["check", "draw", "fit", "go_on", "learn_rows", "survey", "take_survey", "worthless"]

_NEWTON_STEPS = 6  # on the moments of real rows
_RIDGE = 1e-4  # on the covariance of T-bar in natural scales
_NEGLIGIBLE_NOISE = 1e-3  # share of noise in the variance of T over the start
_CHUNK = 50  # fitting steps a call, and between renewals of the pool
_POOL_START = 0.2  # share of a pool from the start: weights in it are at most 5
_FAR = 0.1  # effective share of a pool, below which the flow is far from its target: then likelihood alone,
_WIDER = 4  # on a pool so many times larger; with reverse KL from there leaks stay (LDS: 0.2 to 14 nats)
_APPROACH_REVERSE = 1.0  # weight of reverse KL in the approach, as the LDS needs to hold its leaks down
_LANDING_DISTANCE = 0.3  # nats from the target, from where to land,
_POLISH_DISTANCE = 0.2  # and to polish: from 0.25 it ends at 0.02 to 0.04 (LDS), from 0.45 it may run away
# Nats of an answer that is certified when rows are spent: half of what counts as near the optimum.  LDS's property 15
# ended at 0.269 (certified at 0.225 +- 0.018, R^2 0.39) from 60,000 rows; without surrogate at 0.115.
_NEAR_ENOUGH = 0.15
_KEPT_CLOSER = (
    0.6  # of the distance asked for, that the fit may leave to the surrogate: the rest is the surrogate's own
)
_SIGMAS = 2.0  # standard errors by which a surrogate may explain more than it seems to
_LEAST_FLOOR_SHARE = 0.3  # of the rows that must keep weight at the most


def survey(state, problem, flow, settings):
    """Ask for rows from the start, the first of them twice, to see how noisy they are."""
    n = plan.survey_size(settings, problem, state.replay.n_simulated)
    enough = settings.least_valid
    if state.replay.n_simulated == 0 and (state.replay.counts.sum() >= enough or next_stage(state.replay, enough)):
        n = min(n, 2 * settings.repeats)  # rows from elsewhere take its place, but cannot tell how noisy they are
    n_repeat = min(settings.repeats, n // 10)
    (z,) = with_density(problem, flow, [(state.theta_start, n - n_repeat)], state.rounds.number)
    return request(state, "take survey", problem, np.concatenate([z, z[:n_repeat]]), len(z) + n_repeat, n_repeat)


def take_survey(state, problem, flow, settings):
    """Take the survey into the replay; where too few rows work to learn from, seek them or ask for more."""
    done = state.request
    state = replace(kept(state, problem, flow), noisy=_noisy(state, problem))
    if np.isfinite(done.T[done.n_start % len(done.z) :]).all(axis=1).any():
        state = _recorded_survey(state, done, problem, flow)
    n, n_valid = state.replay.n_simulated, int(state.replay.valid.sum())
    failure = problem.too_many_failures(state.replay.valid, state.replay.z, settings.max_failed_fraction)
    if failure is None and n_valid < settings.least_valid:
        further = proper(problem) and next_stage(state.replay, settings.least_valid) is not None
        size = plan.seek_size if further else plan.survey_size
        if size(settings, problem, n) >= settings.least_valid:
            return replace(state, phase="seek" if further else "survey")
        failure = problem.too_many_failures(state.replay.valid, state.replay.z, 0.0)
    if failure is None and not proper(problem):
        # Without a distribution to start from the way leads far out, where a surrogate would be believed blindly.
        return dropped(state, problem)
    return replace(state, phase="learn", failure=failure)


def _noisy(state, problem):
    """Whether T is random given z, as far as the request's repeated rows tell."""
    share = checks.noise_share(state.request, problem.constraints)
    return state.noisy if share is None else bool(state.noisy or share > _NEGLIGIBLE_NOISE)


def _recorded_survey(state, done, problem, flow):
    """The state with rows in its traces: the start's before anything is learned, then those of the flow."""
    own = slice(done.n_start % len(done.z), None)
    z, T = done.z[own], done.T[own]
    valid = np.isfinite(T).all(axis=1)
    log_q = flow.log_prob(state.theta, z[valid])
    return record_draws(state, log_q, problem.log_prior(z[valid]), _violation(problem.constraints, T[valid]))


def learn_rows(state, problem, flow, settings):
    """Learn the statistics from all rows, and move the multipliers as far as enough of them keep weight."""
    constraints, replay = problem.constraints, state.replay
    surrogate = learn(
        state.surrogate,
        replay,
        state.dual.eta / constraints.scale,
        problem,
        bool(state.noisy),
        settings,
        state.rounds.number,
    )
    state = replace(state, surrogate=surrogate)
    sample, violation = real_sample(state, problem), _violation(constraints, replay.T[replay.valid])
    floor = min(settings.least_effective, _LEAST_FLOOR_SHARE * len(violation))
    dual = move(state.dual, sample, floor, True, constraints.is_bound)
    if dual.optimal:
        eta = _meet_with_real_moments(dual, sample, violation, floor, constraints.is_bound)
        dual = replace(dual, eta=eta, optimal_eta=eta)
    failure = unbounded_after(dual, False, True)
    if failure is None and dual.stalled:
        failure = not_reached(constraints, constraints.target + dual.gradient * constraints.scale)
    return replace(state, dual=dual, failure=failure, phase="fit", fit=None, unsure=None)


def real_sample(state, problem):
    """The valid rows of the replay as a `Sample` for the multipliers: T-bar is of what has not seen their noise."""
    constraints, replay, eta = problem.constraints, state.replay, state.dual.eta / problem.constraints.scale
    return Sample.of(constraints, replay, state.surrogate.expected_unseen(constraints, replay, eta))


def _meet_with_real_moments(dual, sample, violation, floor, is_bound):
    """Eta at which the real rows, ``violation`` (n, m), meet the targets under weights from the surrogate."""
    eta = dual.eta
    for _ in range(_NEWTON_STEPS):
        weights = weights_of(dual, sample, eta)
        centred = sample.violation - weights @ sample.violation
        covariance = (weights[:, None] * centred).T @ centred + _RIDGE * np.eye(len(eta))
        gradient, free = free_gradient(weights @ violation, eta, is_bound)
        trial = eta.copy()
        trial[free] -= np.linalg.solve(covariance[np.ix_(free, free)], gradient[free])
        trial = np.where(is_bound, np.minimum(trial, 0.0), trial)
        if not effective_sample_size(weights_of(dual, sample, trial)) >= floor:
            break
        eta = trial
    return eta


def target(state, problem, flow):
    """Log of the surrogate's target at the present multipliers, up to a constant, as a function of z (n, D)."""
    dual, surrogate, constraints = state.dual, state.surrogate, problem.constraints
    replay = state.replay
    within = constraints.region is not None and confined(constraints.inside(replay.T[replay.valid]))

    def log_target(z):
        log_prior = problem.log_prior(z)
        T, log_success = surrogate.evaluate(constraints, z)
        value = log_prior + _violation(constraints, T) @ dual.eta + log_success
        if dual.exponent is not None and dual.exponent < 1:
            value += (1 - dual.exponent) * (flow.log_prob(state.theta_start, z) - log_prior)
        return np.where(constraints.inside(T), value, -np.inf) if within else value

    return log_target


def fit(state, problem, flow, settings):
    """A few steps of the fit of the flow to the surrogate; at its end the better of before and after."""
    fast, log_target = in_single_precision(flow), target(state, problem, flow)
    counter = state.steps
    generator = np.random.Generator(np.random.Philox(problem.seed(Stream.POOL, counter)))
    now = state.fit or _begin_fit(state, fast, log_target, settings, generator)
    if now.step < now.n_steps:
        adam = Adam(len(now.theta), clip_norm=CLIP_NORM).continue_from(state.adam)
        size = settings.pool_size
        pool = draw_pool(fast, now.average, state.theta_start, log_target, size, _POOL_START, generator)
        far = effective_sample_size(normalised_weights(pool.log_target - pool.log_proposal)) < _FAR * size
        if far:
            pool = draw_pool(fast, now.average, state.theta_start, log_target, _WIDER * size, _POOL_START, generator)
        polish = now.landing and now.distance < _POLISH_DISTANCE
        reverse = 0.0 if far else settings.reverse_weight if polish else _APPROACH_REVERSE
        steps = np.arange(now.step, min(now.step + _CHUNK, now.n_steps))
        theta, average = fit_steps(
            fast, now.theta, now.average, adam, pool, _rates(now, steps, settings), settings.batch_size, reverse,
            settings.averaging, generator, polish=polish,
        )  # fmt: skip
        now = replace(now, step=int(steps[-1]) + 1, theta=theta, average=average)
        return replace(state, adam=adam.moments, fit=now)
    return _end_stretch(state, now, fast, log_target, problem, settings, generator)


def _rates(now, steps, settings):
    progress = steps / now.n_steps if now.landing else np.zeros(len(steps))
    return settings.learning_rate * (
        settings.last_rate + (1 - settings.last_rate) * 0.5 * (1 + np.cos(np.pi * progress))
    )


def _begin_fit(state, fast, log_target, settings, generator):
    pool = draw_pool(fast, state.theta, state.theta_start, log_target, settings.check_size, _POOL_START, generator)
    distance = divergence(pool)[0]
    distance = distance if np.isfinite(distance) else np.inf
    return Fit(0, settings.fit_steps, state.theta, state.theta, False, state.theta, distance, 0)


def _end_stretch(state, now, fast, log_target, problem, settings, generator):
    """Keep the better of before and after; go on to a landing, repeat it, or end the fit."""
    pool = draw_pool(fast, now.average, state.theta_start, log_target, settings.check_size, _POOL_START, generator)
    distance = divergence(pool)[0]
    if distance < now.distance:
        now = replace(now, best=now.average, distance=distance)
    else:  # what led away from the target must not lead on
        state = replace(state, adam=Moments.zero(len(now.theta)))
    again = replace(now, step=0, theta=now.best, average=now.best)
    if not now.landing and now.distance > _LANDING_DISTANCE and now.repeated < settings.most_repeated:
        return replace(state, fit=replace(again, repeated=now.repeated + 1))
    if state.dual.optimal and not now.landing:
        state = replace(state, dual=_with_many_draws(state, problem, pool, settings))
        return replace(state, fit=replace(again, n_steps=settings.landing_steps, landing=True, repeated=0))
    if now.landing and now.distance > _KEPT_CLOSER * settings.kl and now.repeated < settings.most_repeated:
        return replace(state, fit=replace(again, repeated=now.repeated + 1))
    return replace(state, theta=now.best, fit=None, phase="draw")


def _with_many_draws(state, problem, pool, settings):
    """The multipliers by Newton on a pool's draws, the targets shifted by what the surrogate misses on real rows.

    It misses what its mean does: noise that this has learned does not count where the row's weight is free of it.
    """
    constraints, sample, replay = problem.constraints, real_sample(state, problem), state.replay
    expected = state.surrogate.expected(constraints, replay.z[replay.valid])
    residual = (replay.T[replay.valid] - expected) / constraints.scale
    drawn = _violation(constraints, state.surrogate.expected(constraints, pool.z))
    log_base = pool.log_target - pool.log_proposal - drawn @ state.dual.eta
    eta = state.dual.eta
    for _ in range(3):
        shift = weights_of(state.dual, sample, eta) @ residual
        floor = settings.least_pool_share * len(drawn)
        step = minimise_dual(drawn + shift, log_base, eta, floor, is_bound=constraints.is_bound)
        if not step.optimal:
            return state.dual
        eta = step.eta
    return replace(state.dual, eta=eta, optimal_eta=eta)


def draw(state, problem, flow, settings):
    """Ask for a round of fresh rows, most from the flow, a few from the start; end where the rows are spent."""
    if not state.surrogate.members:
        n = plan.seek_size(settings, problem, state.replay.n_simulated)
        return _asked(state, "take survey", n, problem, flow, settings) if n else _spent(state, problem, settings)
    n = plan.round_size(settings, problem, state)
    if n == 0:
        return _spent(state, problem, settings)
    return _asked(replace(state, rounds=replace(state.rounds, size=n)), "check", n, problem, flow, settings)


def _asked(state, phase, n, problem, flow, settings):
    """The state that wants ``n`` rows of the flow and of the start simulated, and goes on with ``phase``."""
    n_start = int(settings.defensive * n)
    n_repeat = int(settings.repeat_share * (n - n_start)) if state.noisy is not False else 0
    parts = [(state.theta_start, n_start), (state.theta, n - n_repeat - n_start)]
    start, own = with_density(problem, flow, parts, state.rounds.number)
    return request(state, phase, problem, np.concatenate([start, own, own[:n_repeat]]), len(start), n_repeat)


def check(state, problem, flow, settings):
    """Score and certify the flow on its fresh rows; end, ask for more of them, learn, or drop the surrogate."""
    share, share_stderr = checks.explained(state, problem)
    done = state.request if state.unsure is None else checks.joined(state.unsure, state.request)
    loud = checks.noise_in_targets(done, problem.constraints) > WORTH_A_LOOK
    state = replace(kept(state, problem, flow), noisy=_noisy(state, problem), loud=loud)
    answer = checks.assess(state, done, problem, flow, settings)
    state = replace(state, answer=checks.better(state.answer, answer, problem.constraints))
    score, certificate = answer.score, answer.certificate
    violation = (score.constraint - problem.constraints.target) / problem.constraints.scale
    state = recorded(
        state, -score.relative_entropy, violation, score.constraint_stderr / problem.constraints.scale,
        certificate.ess / max(certificate.n, 1), state.dual.eta, share,
    )  # fmt: skip
    explains = share + _SIGMAS * share_stderr >= settings.least_explained
    misses = 0 if explains else state.rounds.misses + 1
    state = replace(state, rounds=replace(state.rounds, misses=misses))
    sure = settings.kl, settings.certainty, settings.constraint_certainty
    affordable = checks.affordable_errors(answer, problem.constraints, *sure) if state.dual.optimal else 0.0
    if affordable >= 1:
        return replace(state, phase="done")
    if plan.round_size(settings, problem, state) == 0:
        return _spent(state, problem, settings)
    if state.unsure is None and affordable > 0:
        more = plan.confirmation_size(settings, problem, state, len(done.z), affordable)
        return _asked(replace(state, unsure=done), "check", more, problem, flow, settings)
    if worthless(state, problem, settings):
        return dropped(state, problem)
    return replace(state, phase="explore" if sharpens(state) else "learn")


def worthless(state, problem, settings):
    """Whether the surrogate has missed so often that the rows which are left serve better without it."""
    early = 0 if state.dual.optimal else settings.most_early_misses
    if state.rounds.misses < max(settings.most_misses, early):
        return False
    if problem.limit is None:
        return True
    enough = problem.left(problem.limit) >= settings.replay_share * problem.limit
    return enough and not constraints_met(problem.constraints, state.answer.score)


def _spent(state, problem, settings):
    """The end of a run whose rows are spent; a failure where no distribution has come in sight.

    A limited run is not over: it waits for a larger limit.  Without a limit, an answer that misses a constraint or that
    its certificate cannot speak for, or puts too far away, is not the end: the run goes on without the surrogate.
    """
    failure = unbounded_after(state.dual, False, True)
    if problem.limit is not None:
        return replace(state, phase="spent", failure=failure)
    if failure is None and not state.dual.optimal:
        constraints = problem.constraints
        failure = not_reached(constraints, constraints.target + state.dual.gradient * constraints.scale)
    if failure is None and not (_stands(state, problem) or _certain(state, problem, settings)):
        return dropped(state, problem)
    return replace(state, phase="done", failure=failure)


def _certain(state, problem, settings):
    near = max(settings.kl, _NEAR_ENOUGH)
    return checks.passes(state.answer, problem.constraints, near, 0.0, settings.constraint_certainty)


def _stands(state, problem):
    """Whether rounds without the surrogate would be no better: it would still average the noise, by rows less near."""
    return sharpens(state) and constraints_met(problem.constraints, state.answer.score)


def go_on(state, problem, flow, settings):
    """Learn from the last rows: the limit was raised."""
    return replace(state, phase="learn")


def _violation(constraints, T):
    return (T - constraints.target) / constraints.scale
