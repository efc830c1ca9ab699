"""Certificate of a flow from the run's own rows: each round's are fresh for the flow that they came from.

The surrogate, which has not seen them, is a control variate, as in the score (`numepi.inference.assessment.own_rows`).
With ok the success of a simulation and m = (1 - d) q + d q_0 the mixture that the rows came from,

    Z = E_m[1_ok p_0 exp(eta . T) / m],
    KL(q || p_eta) = E_q[log q - log p_0 - eta . T | ok] + log Z - log P(ok).

With noise exp(eta . T) of single draws is biased: `numepi.inference.assessment.single_draws` has two estimates without
that bias, and the one with the least doubt counts.

The bound holds for every eta, and is tight at the optimum of the dual.  Where the rows see that the solver's is not
there (by the surrogate it is: on SC, whose surrogate errs by 0.6 nats, p_eta misses a variance by 0.15 natural scales,
and the bound is 0.01 to 0.03 nats loose) Newton steps on the rows lead on.
"""

from dataclasses import dataclass

import numpy as np

from numepi.inference.assessment.certificate import PLENTY, RELIABLE_PARETO_K, Certificate
from numepi.inference.assessment.own_rows import LEAST_ROWS, Beliefs, Rows, level_of, variance_of
from numepi.inference.assessment.pareto import pareto_k
from numepi.inference.assessment.single_draws import Tilt, expanded, for_normal_noise, noiseless
from numepi.inference.assessment.weights import error_by_multipliers, has_minimum
from numepi.inference.dual_problem import free_gradient

__all__ = ["certify_rows"]

_OPTIMAL = 0.05  # gradient of the dual in natural scales: a thousandth of a nat in KL
_VAGUE = 0.3  # standard error of that gradient, above which it says nothing: of a rare part with much weight, say
_LEAST_ESS = 5.0  # rows with weight under p_eta: of a handful any number would be one of them
_LEAST_Z = 0.05  # of the surrogate's Z: below, the rows contradict it
_NEWTON_STEPS = 3  # of the multipliers: SC needs one or two
_RADIUS = 0.5  # standard deviation of eta . V under p_eta that a step may change: weights stay what they are


def certify_rows(problem, eta, rows, draws, start_draws, start_share, weights, replicates, round_trip=0.0, loud=False):
    """The `Certificate` of the flow against p_eta, or against the optimum where the rows see that eta misses it.

    Parameters
    ----------
    problem : numepi.inference.problem.Problem
    eta : ndarray (m,)
        Of the scaled constraints.
    rows : Rows
    draws, start_draws : Beliefs
        On draws of the flow and of the start.
    start_share : float
        d: share of the rows that came from the start.
    weights : ndarray
        Of all valid rows of the run under p_eta, normalised: what the estimate can rest on.
    replicates : int
        Simulations of each parameter that the noise asks for where there is no surrogate; 1 where there is no noise.
    loud : bool
        Whether noise makes up nearly all of a target variance.  What the surrogate misses is then too small beside the
        noise to be told from it (noise of 0.45 in a variance of 0.5: KL -0.03 +- 0.05 for 0.20), and the doubt is as
        large as the noise's own second order.
    """
    ess = 1 / np.sum(weights**2) if len(weights) else 0.0
    tail = pareto_k(weights) if len(weights) > LEAST_ROWS else np.inf
    seen = _Seen.of(problem.constraints, rows, draws, start_draws, start_share, replicates > 1)
    point = _at(eta, seen) if rows.valid[rows.own].sum() >= LEAST_ROWS and ess >= _LEAST_ESS else None
    if point is None:
        return _certificate(problem, eta, (np.nan,) * 4, len(weights), ess, tail, False, replicates, round_trip)
    is_bound = problem.constraints.is_bound
    point = _at_optimum(point, seen, is_bound)
    eta, residual = point.eta, seen.residual @ point.eta
    if replicates == 1:
        ess, tail = _worse(ess, tail, point.w_rows * point.tilt.factor, len(weights))
    # Influence of every draw and row on E_q[log q - log p_0 - eta . T | ok] - log P(ok), beside that on log Z.
    of_draws = draws.log_q - draws.log_prior - seen.V_draws @ eta
    believed = (rows.beliefs.log_q - rows.beliefs.log_prior - seen.V_hat @ eta)[rows.own]
    level, on_level = level_of(of_draws, believed, rows, draws, residual[rows.own])
    on_z, on_extra = point.on_z, (point.tilt.extra_stderr / point.z) ** 2
    variance = variance_of(on_z[0] + on_level[0], on_z[1], on_z[2] + on_level[1], on_z[3]) + on_extra
    met = rows.own & rows.valid
    gap = (seen.V_hat + seen.residual)[met].mean(axis=0)
    by_eta = error_by_multipliers(eta, point.gradient, point.of_gradient, point.covariance, gap, is_bound)
    bound_stderr = np.sqrt(variance_of(*on_z) + on_extra)
    numbers = level + point.log_z, np.sqrt(variance + by_eta**2), point.log_z, bound_stderr
    optimal = point.is_optimal(is_bound) and has_minimum((seen.V_hat + seen.residual)[rows.valid], is_bound)
    bias = (point.tilt.bias + point.tilt.unresolved) / point.z
    if loud:
        bias = max(bias, 0.5 * float(np.mean(residual[met] ** 2)))
    return _certificate(problem, eta, numbers, len(weights), ess, tail, optimal, replicates, round_trip, bias)


@dataclass(frozen=True)
class _Seen:
    """What does not hang on eta: violations (n, m) in natural scales, of the surrogate, and what the circuit adds."""

    V_hat: np.ndarray
    V_draws: np.ndarray
    V_start: np.ndarray
    residual: np.ndarray  # zero where a row failed
    again: np.ndarray  # (r, m), the residual of the second simulations
    rows: Rows
    draws: Beliefs
    start_draws: Beliefs
    start_share: float
    noisy: bool

    @classmethod
    def of(cls, constraints, rows, draws, start_draws, start_share, noisy):
        V, V_hat, V_draws, V_start, twice = (
            (T - constraints.target) / constraints.scale
            for T in (rows.T, rows.beliefs.T, draws.T, start_draws.T, rows.repeats)
        )
        residual = np.where(rows.valid[:, None], V - V_hat, 0.0)
        again = twice - V_hat[rows.own][: len(twice)]
        return cls(V_hat, V_draws, V_start, residual, again, rows, draws, start_draws, start_share, noisy)

    def log_weights(self, eta):
        """Of the draws of flow and start, and of the rows: p_0 exp(eta . V-hat) P(success) over the mixture."""
        three = (self.draws, self.V_draws), (self.start_draws, self.V_start), (self.rows.beliefs, self.V_hat)
        return [beliefs.log_weights(V @ eta, self.start_share) for beliefs, V in three]

    def tilt(self, eta, w_rows, believed_z):
        """Of noisy rows the `Tilt` with the least doubt."""
        own, ok, V = self.rows.own, self.rows.valid, self.V_hat + self.residual
        if not self.noisy:
            return noiseless(V, self.residual, eta)
        several = (
            expanded(V, self.residual, self.again, eta, w_rows, own, ok, self.rows.z),
            for_normal_noise(V, self.residual, self.again, eta, w_rows, own, ok, self.rows.beliefs.f),
        )
        return min((t for t in several if t is not None), key=lambda t: t.doubt(believed_z, w_rows, own))


@dataclass(frozen=True)
class _Point:
    """Of multipliers: log Z with the influence of each stratum's draws and rows, and the dual's gradient.

    ``z`` is Z but for a factor that the weights of the rows, ``w_rows`` (n,), share.
    """

    eta: np.ndarray
    tilt: Tilt
    w_rows: np.ndarray
    z: float
    log_z: float
    on_z: list
    gradient: np.ndarray
    spread: np.ndarray
    of_gradient: np.ndarray
    covariance: np.ndarray

    def is_optimal(self, is_bound):
        gradient, _ = free_gradient(self.gradient, self.eta, is_bound)
        return self.is_known and bool(np.all(np.abs(gradient) < _OPTIMAL + 3 * self.spread))

    @property
    def is_known(self):
        return bool(np.all(self.spread < _VAGUE))


def _at(eta, seen):
    """The `_Point` of multipliers; None where the rows contradict the surrogate altogether."""
    rows, d, n = seen.rows, seen.start_share, len(seen.rows.own)
    logs = seen.log_weights(eta)
    shift = max(each.max() for each in logs)
    w_draws, w_start, w_hat = (np.exp(each - shift) for each in logs)
    w_rows = np.where(rows.valid, w_hat / np.maximum(rows.beliefs.success, np.finfo(float).tiny), 0.0)
    believed_z = (1 - d) * w_draws.mean() + d * w_start.mean()
    tilt = seen.tilt(eta, w_rows, believed_z)
    gain = w_rows * tilt.factor - w_hat
    z = believed_z + gain.mean() + tilt.extra
    if not z > _LEAST_Z * believed_z:
        return None
    on_draws, on_start = (1 - d) * w_draws / z / len(w_draws), d * w_start / z / len(w_start)
    tilted = (w_rows[:, None] * tilt.moments - w_hat[:, None] * seen.V_hat) / z
    extra_stderr = tilt.extra_moments_stderr / z
    gradient = on_draws @ seen.V_draws + on_start @ seen.V_start + tilted.mean(axis=0) + tilt.extra_moments / z
    believed, share = np.concatenate([seen.V_draws, seen.V_start]), np.concatenate([on_draws, on_start])
    centred = believed - share @ believed / share.sum()
    return _Point(
        eta=eta,
        tilt=tilt,
        w_rows=w_rows,
        z=z,
        log_z=float(np.log(z) + shift),
        on_z=[on_draws, on_start, *(gain[part] / z / n for part in (rows.own, ~rows.own))],
        gradient=gradient,
        spread=np.hypot(tilted.std(axis=0) / np.sqrt(n), extra_stderr),
        of_gradient=(share[:, None] ** 2 * centred).T @ centred
        + np.atleast_2d(np.cov(tilted.T)) / n
        + np.diag(extra_stderr**2),
        covariance=(share[:, None] * centred).T @ centred / share.sum(),
    )


def _at_optimum(point, seen, is_bound):
    """The point that Newton steps lead to from one that is clearly not optimal; ``point`` if they do not arrive."""
    now = point
    for _ in range(_NEWTON_STEPS):
        if now is None or not now.is_known or now.is_optimal(is_bound):
            break
        gradient, free = free_gradient(now.gradient, now.eta, is_bound)
        step = np.zeros_like(gradient)
        step[free] = -np.linalg.pinv(now.covariance[np.ix_(free, free)], hermitian=True) @ gradient[free]
        length = np.sqrt(step @ now.covariance @ step)
        eta = now.eta + step * min(1.0, _RADIUS / max(length, np.finfo(float).tiny))
        now = _at(np.where(is_bound, np.minimum(eta, 0.0), eta), seen)
    return now if now is not None and now.is_optimal(is_bound) else point


def _worse(ess, tail, weights, n):
    """Effective number and Pareto k of the last rows' own ``weights``, where these have the heavy tail.

    The surrogate may miss what few rows show; then they alone tell, and there are too few of them.  Where the solution
    is so far from all of them that their weights underflow, nothing of it was seen.
    """
    largest = weights.max()
    if largest == 0:
        return 0.0, tail
    relative = weights / largest  # whose squares do not underflow
    k, own_ess = pareto_k(relative), relative.sum() ** 2 / np.sum(relative**2)
    heavy = k > max(tail, RELIABLE_PARETO_K) and own_ess < PLENTY * len(weights)
    return (min(own_ess, ess, PLENTY * n), k) if heavy else (ess, tail)


def _certificate(problem, eta, numbers, n, ess, tail, optimal, replicates, round_trip, noise_bias=0.0):
    kl, kl_stderr, bound, bound_stderr = (float(number) for number in numbers)
    return Certificate(
        kl=kl,
        kl_stderr=kl_stderr,
        entropy_bound=bound,
        entropy_bound_stderr=bound_stderr,
        ess=float(ess),
        pareto_k=tail,
        optimal=optimal,
        multipliers=tuple((eta / problem.constraints.scale).tolist()),
        n=n,
        replicates=replicates,
        round_trip=round_trip,
        noise_bias=float(noise_bias),
        with_prior=problem.prior is not None,
        method="rows",
    )
