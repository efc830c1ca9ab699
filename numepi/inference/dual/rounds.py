"""Where the surrogate was dropped: rounds on the replay of real rows, Newton on the dual, and maximum likelihood.

Draw parameters from the flow (and a share from where it started, which keeps looking everywhere), simulate, and keep
them in the replay.  Move eta by Newton steps on the dual, as far as the effective sample size allows: the target is
annealed from the prior to p*.  Fit the flow by maximum likelihood to the weighted replay.  This needs no gradient of T,
reuses every simulation, and does not lose a mode that it has seen.  Where the circuit is noisy T-bar is still the
surrogate's: single draws of T in an exponent pick the lucky ones.
"""

from dataclasses import replace

import numpy as np

from numepi.inference.assessment.verdict import not_reached
from numepi.inference.dual import plan
from numepi.inference.dual.draws import with_density
from numepi.inference.dual.multipliers import Sample, dual_start, move, out_of_reach, unbounded_after, weights_of
from numepi.inference.dual.state import Fit, kept, recorded, request
from numepi.inference.dual.surrogate import learn
from numepi.inference.dual_problem import normalised_weights
from numepi.inference.optimiser import Adam, Moments
from numepi.inference.problem import Stream

__all__ = [
    "CLIP_NORM", "CLOSE", "NOT_FINITE", "anneal", "ask", "dropped", "proper", "record_draws", "refit",
    "replay_sample", "resampler",
]  # fmt: skip

CLIP_NORM = 5.0  # of a gradient
CLOSE = 0.2  # effective share of the flow's samples under the target, from where the flow follows it
NOT_FINITE = "the gradient is not finite: lower replay_rate, or use precision='float64'"
_HELD_OUT = 5  # every fifth row of the replay tells whether a fit goes too far
_TOLERATED_LOSS = 0.05  # nats of held-out likelihood that a fit may lose
_MINIMUM_GAIN = 0.005  # nats that a few more steps of a fit should gain
_LONGEST_FIT = 5  # times replay_fit_steps
_SLOW_ROUNDS = 5  # annealing rounds before gradients are called for
_SLOW_DECREASE = 0.7  # share of the distance to the targets that may be left by then
_CHUNK = 50  # fitting steps a call
_LAST_RATE = 0.03  # of the learning rate, over the last third of the final rounds
_LEAST_SPREAD = 1e-12  # of T in natural scales, where a violation is counted in standard errors


def dropped(state, problem):
    """The state that goes on without the surrogate: on the replay of real rows, and gradients of T.

    Where the flow did not follow its target, importance weights on what a limited run has left reach nothing (RNN
    N = 10, 50,000 rows: ten rounds leave every multiplier far off).  With gradients all of it is for a descent, from
    the start: from a flow that followed a surrogate astray it ends a fifth of a nat further off.
    """
    allowance = None if problem.limit is None else problem.left(problem.limit)
    state = replace(
        state, phase="round", leads=False, dual=dual_start(len(state.dual.eta)), fit=None, answer=None,
        rounds=replace(state.rounds, allowance=allowance), adam=Moments.zero(len(state.theta)),
    )  # fmt: skip
    lost = len(state.trace.ess) > 0 and state.trace.ess[-1] < CLOSE
    if allowance is None or not (lost and problem.with_gradient and proper(problem)):
        return state
    return _last_phase(replace(state, theta=state.theta_start), problem)


def ask(state, problem, flow, settings):
    """Ask for a round's rows, or go on to the last phase where the rounds' share of the rows is spent."""
    n = plan.replay_round_size(settings, problem, state.rounds)
    if n == 0:
        failure = out_of_reach(state.dual, proper(problem))
        return replace(state, failure=failure) if failure else _last_phase(state, problem)
    n_start = int(settings.defensive * n)
    parts = [(state.theta_start, n_start), (state.theta, n - n_start)]
    start, own = with_density(problem, flow, parts, state.rounds.number)
    return request(state, "anneal", problem, np.concatenate([start, own]), len(start))


def anneal(state, problem, flow, settings):
    """Take a round's rows into the replay, and move the multipliers."""
    done = state.request
    own_valid = np.isfinite(done.T[done.n_start :]).all(axis=1)
    state = kept(state, problem, flow)
    failure = problem.too_many_failures(own_valid, done.z[done.n_start :], settings.max_failed_fraction)
    if failure is None and own_valid.sum() < settings.least_valid:
        failure = problem.too_many_failures(own_valid, done.z[done.n_start :], 0.0)
    if failure is not None:
        return replace(state, failure=failure)
    if state.noisy:
        eta = state.dual.eta / problem.constraints.scale
        surrogate = learn(state.surrogate, state.replay, eta, problem, True, settings, state.rounds.number)
        state = replace(state, surrogate=surrogate)
    sample = replay_sample(state, problem)
    floor = settings.ess_floor * len(sample.violation)
    dual = move(state.dual, sample, floor, proper(problem), problem.constraints.is_bound)
    if state.descended is not None and not dual.optimal:
        # p* is where the flow is not, and the way there would begin anew: the descent's end stands.
        end = state.descended
        return replace(state, theta=end.theta, dual=replace(dual, eta=end.eta, optimal_eta=end.eta), phase="done")
    n = int(own_valid.sum())
    log_q = flow.log_prob(state.theta, done.z[done.n_start :][own_valid])
    state = record_draws(
        replace(state, dual=dual), log_q, problem.log_prior(done.z[done.n_start :][own_valid]), sample.violation[-n:]
    )
    left = state.rounds.left
    if left is not None and left > 0:
        left -= 1
    elif left is None and (dual.optimal or state.rounds.number >= settings.max_annealing_rounds):
        left = settings.final_rounds
    failure = unbounded_after(dual, left is not None, proper(problem))
    follows = state.trace.ess[-1] >= CLOSE and left is None
    spent = state.rounds.number >= settings.max_annealing_rounds and not dual.optimal
    if failure is None and not problem.with_gradient and (spent or (dual.stalled and follows)):
        failure = not_reached(
            problem.constraints, problem.constraints.target + dual.gradient * problem.constraints.scale
        )
    fit = Fit(0, settings.replay_fit_steps, state.theta, state.theta, False, state.theta, np.inf, 0)
    return replace(state, rounds=replace(state.rounds, left=left), failure=failure, fit=fit, phase="refit")


def proper(problem):
    """Whether the reference measure is a distribution: a box, or a prior."""
    return problem.prior is not None or problem.circuit.support.is_box


def replay_sample(state, problem):
    """The valid rows of the replay as a `Sample`: with their own T, or the surrogate's T-bar where they are noisy."""
    replay, constraints = state.replay, problem.constraints
    keep = replay.valid
    T = state.surrogate.expected(constraints, replay.z[keep]) if state.noisy else replay.T[keep]
    return Sample.of(constraints, replay, T)


def refit(state, problem, flow, settings):
    """Steps of the round's fit; it ends where it goes too far, or gains no more."""
    now, sample = state.fit, replay_sample(state, problem)
    weights, z = weights_of(state.dual, sample), state.replay.z[state.replay.valid]
    held_out = np.arange(len(weights)) % _HELD_OUT == 0
    generator = np.random.Generator(np.random.Philox(problem.seed(Stream.FIT, state.steps)))
    rows = resampler(np.where(held_out, 0.0, weights), settings.replay_batch, generator)
    adam = Adam(len(state.theta), clip_norm=CLIP_NORM).continue_from(state.adam)
    theta = state.theta
    for step in range(now.step, now.step + _CHUNK):
        gradient = likelihood_gradient(flow, theta, z[rows()])
        if not np.isfinite(gradient @ gradient):
            return replace(state, failure=NOT_FINITE)
        progress = step / max(now.n_steps, 1)
        rate = settings.replay_rate * _LAST_RATE ** _landed(state.rounds, settings, progress)
        theta = adam.step(theta, gradient, rate)
    gain, stderr = _gain(flow, theta, state.theta, z[held_out], weights[held_out])
    if gain < -max(_TOLERATED_LOSS, 2 * stderr):
        return _after_fit(replace(state, adam=Moments.zero(len(theta)), fit=None), problem)
    step = now.step + _CHUNK
    may_go_on = _landed(state.rounds, settings, 0.0) == 0 and state.rounds.left != 0
    more = may_go_on and step < _LONGEST_FIT * now.n_steps and gain > max(_MINIMUM_GAIN, 2 * stderr)
    state = replace(state, theta=theta, adam=adam.moments, fit=replace(now, step=step))
    return state if step < now.n_steps or more else _after_fit(replace(state, fit=None), problem)


def resampler(weights, size, generator):
    """Draws batches of ``size`` rows in proportion to ``weights``, stratified."""
    cumulative = np.cumsum(weights)
    width = cumulative[-1] / size
    strata = np.arange(size) * width
    cumulative[-1] = np.inf  # a point that rounds up to the end belongs to the last row
    return lambda: cumulative.searchsorted(strata + generator.random() * width)


def likelihood_gradient(flow, theta, z):
    """Gradient of the negative mean log-likelihood of ``z``."""
    _, pullback = flow.log_prob_with_pullback(theta, z)
    return pullback(np.full(len(z), -1.0 / len(z)))[0]


def record_draws(state, log_q, log_prior, violation):
    """The state with samples of the flow, log densities (n,) and violations (n, m), in its traces."""
    weights = normalised_weights(log_prior + violation @ state.dual.eta - log_q)
    spread = np.maximum(violation.std(axis=0), _LEAST_SPREAD) / np.sqrt(len(violation))
    ess = float(1 / (np.sum(weights**2) * len(weights)))
    return recorded(state, float((log_prior - log_q).mean()), violation.mean(axis=0), spread, ess, state.dual.eta)


def _gain(flow, theta, before, z, weights):
    """How much the likelihood of held-out rows gained on that at ``before``, in nats, and its standard error."""
    weights = weights / weights.sum()
    change = flow.log_prob(theta, z) - flow.log_prob(before, z)
    mean = weights @ change
    return mean, np.sqrt(weights**2 @ (change - mean) ** 2)


def _landed(rounds, settings, progress):
    """How far the last third of the final rounds has gone, 0 to 1."""
    if rounds.left is None:
        return 0.0
    third = max(1, settings.final_rounds // 3)
    return min(1.0, max(0.0, (third - 1 - rounds.left + progress) / third))


def _after_fit(state, problem):
    guided = problem.with_gradient and state.descended is None
    lost = state.rounds.left is None and state.dual.exponent == 1 and (_slow(state.dual) or state.dual.stalled)
    if state.rounds.left == 0 or (guided and lost):
        return _last_phase(state, problem)
    return replace(state, phase="round")


def _slow(dual):
    return len(dual.gaps) >= _SLOW_ROUNDS and dual.gaps[-1] > _SLOW_DECREASE * dual.gaps[0]


def _last_phase(state, problem):
    """Refinement where the flow follows its target, a descent where it does not and there are gradients."""
    follows = state.rounds.left == 0 and len(state.trace.ess) > 0 and state.trace.ess[-1] >= CLOSE
    guided = problem.with_gradient and state.descended is None
    phase = "descend" if guided and not follows else "refine"
    rounds = replace(state.rounds, last=plan.rows_of_last_phase(problem))
    return replace(state, phase=phase, rounds=rounds, last_step=0, adam=Moments.zero(len(state.theta)), fit=None)
