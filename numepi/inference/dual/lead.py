"""The default way: a surrogate leads.  Survey, then rounds of learning, fitting to the surrogate, and checking.

A survey of the start (the prior on a box) begins; where next to none of it works, rows that do are sought
(`numepi.inference.dual.seek`).  Each round then

- *learns* the statistics from all rows so far, and moves the multipliers by Newton on the dual over the real rows, with
  weights from the surrogate and moments from the simulations, as far as enough of them keep weight;
- *fits* the flow to the surrogate's exp(eta . T) p_0 on draws that cost no simulation (`numepi.inference.dual.fit`);
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
from numepi.inference.dual.fit import real_sample
from numepi.inference.dual.multipliers import move, unbounded_after, violation_of, weights_of
from numepi.inference.dual.nearby import sharpens
from numepi.inference.dual.rounds import dropped, proper, record_draws
from numepi.inference.dual.seek import next_stage
from numepi.inference.dual.state import kept, recorded, request
from numepi.inference.dual.surrogate import learn
from numepi.inference.dual_problem import effective_sample_size, free_gradient

__all__ = ["check", "draw", "go_on", "learn_rows", "survey", "take_survey", "worthless"]

_NEWTON_STEPS = 6  # on the moments of real rows
_RIDGE = 1e-4  # on the covariance of T-bar in natural scales
_NEGLIGIBLE_NOISE = 1e-3  # share of noise in the variance of T over the start
# Nats of an answer that is certified when rows are spent: half of what counts as near the optimum.  LDS's property 15
# ended at 0.269 (certified at 0.225 +- 0.018, R^2 0.39) from 60,000 rows; without surrogate at 0.115.
_NEAR_ENOUGH = 0.15
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
    return record_draws(state, log_q, problem.log_prior(z[valid]), violation_of(problem.constraints, T[valid]))


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
    sample, violation = real_sample(state, problem), violation_of(constraints, replay.T[replay.valid])
    floor = min(settings.least_effective, _LEAST_FLOOR_SHARE * len(violation))
    dual = move(state.dual, sample, floor, True, constraints.is_bound)
    if dual.optimal:
        eta = _meet_with_real_moments(dual, sample, violation, floor, constraints.is_bound)
        dual = replace(dual, eta=eta, optimal_eta=eta)
    failure = unbounded_after(dual, False, True)
    if failure is None and dual.stalled:
        failure = not_reached(constraints, constraints.target + dual.gradient * constraints.scale)
    return replace(state, dual=dual, failure=failure, phase="fit", fit=None, unsure=None)


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
        return replace(state, phase="look")
    if plan.round_size(settings, problem, state) == 0:
        return _spent(state, problem, settings)
    if state.unsure is None and affordable > 0:
        more = plan.confirmation_size(settings, problem, state, len(done.z), affordable)
        return _asked(replace(state, unsure=done), "check", more, problem, flow, settings)
    if worthless(state, problem, settings):
        return dropped(state, problem)
    explores = state.noisy and (explains or sharpens(state))
    return replace(state, phase="explore" if explores else "learn")


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
