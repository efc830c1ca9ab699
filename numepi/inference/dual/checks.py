"""What a round's fresh rows say of the flow that they came from, and of the surrogate that has not seen them."""

from dataclasses import replace

import numpy as np

from numepi.inference.assessment.own_rows import Beliefs, Rows, score_rows
from numepi.inference.assessment.row_certificate import certify_rows
from numepi.inference.assessment.score import passes_apart
from numepi.inference.assessment.verdict import constraints_met
from numepi.inference.dual.pool import without_identities
from numepi.inference.dual.state import Answer
from numepi.inference.dual_problem import normalised_weights
from numepi.inference.problem import Stream

__all__ = [
    "NOISY_REPLICATES", "affordable_errors", "assess", "better", "explained", "joined", "noise_in_targets",
    "noise_share", "passes",
]  # fmt: skip

NOISY_REPLICATES = 4  # simulations of each parameter, where a noisy circuit has no surrogate to average for it
_LEAST_SIGNAL = 0.05  # share of the variance of eta . T that is taken to be there besides noise
_NEGLIGIBLE = 1e-6  # variance of eta . T, nats squared: what is known to a thousandth of a nat is known
_ROUND_TRIP_DRAWS = 2000  # that compare the flow's two passes
_BLOCK = 8192  # draws evaluated at once


def noise_share(request, constraints):
    """Largest share of noise in the variance of a component of T, from repeated rows; None where no pair worked."""
    r = request.n_repeat
    if r == 0:
        return None
    first = request.n_start % len(request.z)
    half = (request.T[first : first + r] - request.T[-r:]) / constraints.scale
    both = np.isfinite(half).all(axis=1)
    if not both.any():
        return None
    spread = np.var(request.T[np.isfinite(request.T).all(axis=1)] / constraints.scale, axis=0)
    return float(np.max(np.mean(half[both] ** 2, axis=0) / 2 / (spread + np.finfo(float).tiny)))


def noise_in_targets(request, constraints):
    """Largest share of a target variance that noise given z may make up at the flow's repeated rows; 0 without any.

    It is two standard errors above the estimate, those of normal noise: few pairs tell a share badly, and one that is
    missed costs more than a look in vain.
    """
    targets = np.array([np.inf if v is None else v for v in constraints.prop.largest_variance])
    if request.n_repeat == 0:
        return 0.0
    half = request.f[request.n_start : request.n_start + request.n_repeat] - request.f[-request.n_repeat :]
    half = half[np.isfinite(half).all(axis=1)]
    if not len(half):
        return 0.0
    return float(np.max(np.mean(half**2, axis=0) / 2 / targets) * (1 + 2 * np.sqrt(2 / len(half))))


def explained(state, problem):
    """Share of the variance of eta . T-bar over the flow's fresh rows that the surrogate explains; its standard error.

    Noise has no part in it; where noise is nearly all of the variance the share is hardly known.
    """
    done, constraints = state.request, problem.constraints
    own = slice(done.n_start, len(done.z) - done.n_repeat)
    eta = state.dual.eta / constraints.scale
    T = done.T[own]
    ok = np.isfinite(T).all(axis=1)
    if ok.sum() < 3:
        return -np.inf, 0.0
    residual = (T[ok] - state.surrogate.expected(constraints, done.z[own][ok])) @ eta
    pairs = (done.T[done.n_start : done.n_start + done.n_repeat] - done.T[len(done.T) - done.n_repeat :]) @ eta
    noise, noise_variance = _mean(pairs[np.isfinite(pairs)] ** 2 / 2)
    error, error_variance = _mean(residual**2)
    variance = np.var(T[ok] @ eta)
    whole = max(variance - noise, _LEAST_SIGNAL * variance, _NEGLIGIBLE)
    share = 1 - max(error - noise, 0.0) / whole
    return float(share), float(np.sqrt(error_variance + noise_variance) / whole)


def _mean(values):
    """The mean and its variance; zero without any."""
    return (values.mean(), values.var() / len(values)) if len(values) else (0.0, 0.0)


def passes(answer, constraints, kl, certainty, constraint_certainty):
    """Whether the answer meets the constraints and is within ``kl`` nats, by so many standard errors each.

    Nor may a standard error exceed what it is to tell: the tolerance, or ``kl``.  That of the entropy's bound neither:
    where noise makes up most of a variance, KL and bound err together, by as much as the multipliers are not known.
    """
    return affordable_errors(answer, constraints, kl, certainty, constraint_certainty) >= 1


def affordable_errors(answer, constraints, kl, certainty, constraint_certainty):
    """The answer passes with standard errors so many times its own, at the most; 0 where not even with none."""
    score, certificate = answer.score, answer.certificate
    error, spread = constraints.miss(score.constraint), score.constraint_stderr
    tolerance, _ = constraints.tolerances(score.constraint_spread)
    room = [*(tolerance - error), *tolerance, kl - max(certificate.kl, 0.0), kl, kl]
    of_kl = certificate.kl_stderr, certificate.entropy_bound_stderr
    taken = [*(constraint_certainty * spread), *spread, certainty * of_kl[0], *of_kl]
    known = certificate.reliable and not np.isnan(taken).any()
    if not (known and constraints_met(constraints, score) and np.min(room) >= 0):
        return 0.0
    return float(np.min(np.divide(room, taken, out=np.full(len(room), np.inf), where=np.array(taken) > 0)))


def joined(first, second):
    """One request of the rows of two, of the same flow."""

    def rows(name):
        parts = []
        for each in (first, second):
            values, n = getattr(each, name), len(each.z) - each.n_repeat
            parts.append(np.split(values, [each.n_start, each.n_start + each.n_repeat, n]))
        return np.concatenate([part for pair in zip(*parts) for part in pair])

    n_start, n_repeat = first.n_start + second.n_start, first.n_repeat + second.n_repeat
    return replace(second, z=rows("z"), n_start=n_start, n_repeat=n_repeat, f=rows("f"), T=rows("T"))


def better(before, now, constraints):
    """The later of two answers (the earlier may be None), unless it misses a constraint and the other does not.

    By their KL they are not told apart: the least of several estimates is too small.
    """
    if before is None or constraints_met(constraints, now.score):
        return now
    return before if constraints_met(constraints, before.score) else now


def assess(state, done, problem, flow, settings):
    """The `Answer` that the fulfilled request ``done`` gives for the state's flow and multipliers."""
    constraints, eta = problem.constraints, state.dual.eta
    once = slice(None, len(done.z) - done.n_repeat)
    z = done.z[once]
    start = without_identities(flow, state.theta_start)
    rows = Rows(
        own=np.arange(len(z)) >= done.n_start,
        inside=problem.inside(z),
        valid=np.isfinite(done.T[once]).all(axis=1),
        z=z,
        f=done.f[once],
        T=done.T[once],
        beliefs=_beliefs(state, problem, start, z, flow.log_prob(state.theta, z)),
        repeats=done.T[len(z) :],
    )
    generator = np.random.Generator(np.random.Philox(problem.seed(Stream.SCORE_BASE, state.rounds.number)))
    round_trip = _round_trip(state, flow, generator)
    draws, start_draws = (
        _drawn(state, problem, flow, start, source, n, generator)
        for source, n in (((flow, state.theta), settings.score_draws), (start, settings.score_draws // 4))
    )
    keep = state.replay.valid
    expected = state.surrogate.expected(constraints, state.replay.z[keep])
    weights = normalised_weights(state.replay.log_base + (expected - constraints.target) / constraints.scale @ eta)
    certificate = certify_rows(
        problem,
        eta,
        rows,
        draws,
        start_draws,
        done.n_start / len(z),
        weights,
        NOISY_REPLICATES if state.noisy else 1,
        round_trip,
        state.loud,
    )
    return Answer(state.theta, score_rows(problem, rows, draws, round_trip), certificate)


def _round_trip(state, flow, generator):
    z, log_sampled = flow.sample(state.theta, generator.standard_normal((_ROUND_TRIP_DRAWS, flow.dim)))
    return passes_apart(log_sampled, flow.log_prob(state.theta, z))


def _drawn(state, problem, flow, start, source, n, generator):
    """`Beliefs` at ``n`` draws of the ``source``, the flow or the ``start``: each a flow and its parameters."""
    parts, (drawn, theta) = [], source
    for first in range(0, n, _BLOCK):
        z, log_density = drawn.sample(theta, generator.standard_normal((min(_BLOCK, n - first), flow.dim)))
        log_q = log_density if theta is state.theta else flow.log_prob(state.theta, z)
        parts.append(_beliefs(state, problem, start, z, log_q))
    names = ("log_q", "log_start", "log_prior", "success", "f", "T")
    return Beliefs(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _beliefs(state, problem, start, z, log_q):
    surrogate, (first, theta_first) = state.surrogate, start
    T, log_success = surrogate.evaluate(problem.constraints, z)
    log_prior = problem.log_prior(z)
    inside = log_prior > -np.inf
    return Beliefs(
        log_q=log_q,
        log_start=first.log_prob(theta_first, z),
        log_prior=np.where(inside, log_prior, 0.0),
        success=np.where(inside, np.exp(log_success), 0.0),
        f=surrogate.statistics(z),
        T=T,
    )
