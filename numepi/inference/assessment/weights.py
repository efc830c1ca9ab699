"""The certificate by weights: log Z of the exact solution by importance sampling.

The proposal is a mixture of the flow and of where it started: the start's share finds modes that the flow has lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from numepi.inference.assessment.certificate import LEAST_ESS, Certificate, uncertified
from numepi.inference.assessment.pareto import pareto_k
from numepi.inference.assessment.score import passes_apart
from numepi.inference.dual_problem import effective_sample_size, free_gradient, minimise_dual, normalised_weights
from numepi.inference.noise import average, correct_for_noise, replicated_statistics
from numepi.inference.problem import Stream

if TYPE_CHECKING:
    from numepi.flow.protocol import Flow

__all__ = ["certify", "error_by_multipliers", "has_minimum"]

_DEFENSIVE = 0.25
_FLOOR = 20.0  # least effective number of samples while the dual is minimised
_CORRECTIONS = 4


def certify(
    problem: Any,
    flow: Flow,
    theta: np.ndarray,
    theta_start: np.ndarray,
    n: int = 20_000,
    replicates: int = 1,
    multipliers: ArrayLike | None = None,
    score: Any = None,
) -> Certificate:
    """Estimate the `Certificate` of the flow at ``theta`` from ``n`` fresh parameters.

    Parameters
    ----------
    problem : Problem
    theta_start : array
        Flow parameters of the broad start (the identity flow).
    replicates : int
        Simulations of each parameter; more than one where the statistics are noisy given z.
    multipliers : array (m,), optional
        The solver's: where to start when the sample says too little of the prior (an unbounded support, say) to start
        from there, and where to stay when the optimum is not reached.
    score : numepi.inference.assessment.score.Score, optional
        Of the same flow, on draws of its own: what the KL must agree with.
    """
    start_size = int(_DEFENSIVE * n)
    base = problem.normals(Stream.CERTIFICATE_BASE, 0, n)
    drawn, log_drawn = flow.sample(theta, base[start_size:])
    z = np.concatenate([drawn, flow.sample(theta_start, base[:start_size])[0]])
    valid, draws = replicated_statistics(problem, z, Stream.CERTIFICATE_NOISE, 0, replicates, confined=True)
    own = np.arange(n) < n - start_size
    round_trip = passes_apart(log_drawn, flow.log_prob(theta, drawn))
    if score is not None:
        round_trip = max(round_trip, score.round_trip)
    if valid.sum() < _FLOOR or not valid[own].any():
        return uncertified(len(problem.constraints), n, replicates, round_trip)
    log_q = flow.log_prob(theta, z)
    log_start = flow.log_prob(theta_start, z) + np.log(_DEFENSIVE)
    rows = _Rows(valid, own, log_q, problem.log_prior(z), np.logaddexp(log_q + np.log1p(-_DEFENSIVE), log_start))
    scale, is_bound = problem.constraints.scale, problem.constraints.is_bound
    draws = (draws - problem.constraints.target) / scale
    eta = None if multipliers is None else multipliers * scale
    step, eta, estimate = _estimate(rows, draws, eta, is_bound)
    noise_bias = 0.0
    if replicates > 1:
        halves = [_estimate(rows, half, eta, is_bound)[2] for half in (draws[::2], draws[1::2])]
        for name in ("kl", "entropy_bound"):
            bias = abs(estimate[name] - np.mean([half[name] for half in halves]))
            estimate[f"{name}_stderr"] = float(np.hypot(estimate[f"{name}_stderr"], bias))
            noise_bias = float(np.maximum(noise_bias, bias))  # NaN stays
    score_kl, score_kl_stderr = _by_score(problem, eta / scale, estimate["entropy_bound"], score)
    return Certificate(
        **estimate,
        optimal=step.optimal and has_minimum(draws.mean(axis=0), is_bound),
        multipliers=tuple((eta / scale).tolist()),
        n=n,
        replicates=replicates,
        round_trip=round_trip,
        score_kl=score_kl,
        score_kl_stderr=score_kl_stderr,
        noise_bias=noise_bias,
        with_prior=problem.prior is not None,
    )


def has_minimum(violation, is_bound):
    """Whether the dual can have a minimum on these rows (n, m).

    Where all lie on one side of a target it falls for ever, and ever more slowly: its gradient vanishes all the same.
    """
    low, high = violation.min(axis=0), violation.max(axis=0)
    return bool(np.all(((low < 0) & (is_bound | (high > 0))) | ((low == 0) & (high == 0))))


def error_by_multipliers(eta, gradient, stderr_covariance, covariance, gap, is_bound):
    """Nats by which the KL is off because eta is: to first order gap . (eta - eta*), where q misses its targets.

    Where they are met it is next to nothing, since log Z is flat at the optimum.

    Parameters
    ----------
    eta, gradient : ndarray (m,)
        The multipliers, and E_eta[V] as estimated: a Newton step from there leads to eta*.
    stderr_covariance, covariance : ndarray (m, m)
        Of that estimate, and of V under p_eta: the step's matrix.
    gap : ndarray (m,)
        E_q[V].
    is_bound : ndarray (m,), bool
    """
    gradient, free = free_gradient(gradient, eta, is_bound)
    step = np.zeros_like(eta)
    step[free] = np.linalg.pinv(covariance[np.ix_(free, free)], hermitian=True) @ gap[free]
    return float(np.sqrt((step @ gradient) ** 2 + max(0.0, step @ stderr_covariance @ step)))


@dataclass(frozen=True)
class _Rows:
    """The draws of a certificate: which work, which are the flow's own, and log densities (n,) of all."""

    valid: np.ndarray
    own: np.ndarray
    log_q: np.ndarray
    log_prior: np.ndarray
    log_drawn: np.ndarray  # of the mixture that they were drawn from


def _by_score(problem, multipliers, bound, score):
    """KL by the score's entropy and moments, and the standard error that the score adds; NaN without a score."""
    if score is None:
        return np.nan, np.nan
    gap = score.constraint - problem.constraints.target
    stderr = score.entropy_stderr + np.abs(multipliers) @ score.constraint_stderr  # errors add up at the worst
    return float(bound + score.relative_entropy - multipliers @ gap), float(stderr)


def _estimate(rows, draws, multipliers, is_bound):
    """Where the dual stopped, eta, and the numbers of the `Certificate` that come from the weights, by name.

    ``draws`` (R, n_valid, m) of the violations and ``multipliers`` (m,) are in natural scales.
    """
    violation, covariance = average(draws)
    log_base = (rows.log_prior - rows.log_drawn)[rows.valid]
    eta = np.zeros(violation.shape[1])
    if multipliers is not None and effective_sample_size(normalised_weights(log_base)) < _FLOOR:
        eta = multipliers
    for _ in range(_CORRECTIONS if len(draws) > 1 else 1):
        corrected, corrected_base = correct_for_noise(violation, covariance, log_base, eta)
        step = minimise_dual(corrected, corrected_base, eta, _FLOOR, is_bound=is_bound)
        eta = step.eta
    if not step.optimal and multipliers is not None:
        # Too few samples near p*: the solver's multipliers say more than where the way from the prior got stuck.
        eta = multipliers
        corrected, corrected_base = correct_for_noise(violation, covariance, log_base, eta)
    log_weights, log_ratio = np.full(len(rows.own), -np.inf), np.zeros(len(rows.own))
    log_weights[rows.valid] = corrected_base + corrected @ eta
    log_ratio[rows.valid] = (rows.log_q - rows.log_prior)[rows.valid] - violation @ eta
    estimate = _weighted(log_weights, log_ratio, rows.valid, rows.own)
    weights = normalised_weights(log_weights[rows.valid])
    mean, gap = weights @ violation, violation[rows.own[rows.valid]].mean(axis=0)
    centred = violation - mean
    covariance, of_mean = ((w[:, None] * centred).T @ centred for w in (weights, weights**2))
    by_multipliers = error_by_multipliers(eta, step.gradient, of_mean, covariance, gap, is_bound)
    return step, eta, estimate | {"kl_stderr": float(np.hypot(estimate["kl_stderr"], by_multipliers))}


def _weighted(log_weights, log_ratio, valid, own):
    """Estimates from weights p* / g (n,), up to their constant, and log q / p* likewise."""
    shift = log_weights.max()
    ratios = np.exp(log_weights - shift)
    mean = ratios.mean()
    bound = float(np.log(mean) + shift)
    # Influence of each draw on log Z, and on E_q[...] + log Z; the two parts of the mixture are independent strata.
    log_z_influence = ratios / mean
    n, n_own, n_valid = len(own), own.sum(), (own & valid).sum()
    mean_ratio = log_ratio[own & valid].mean()
    kl = float(mean_ratio) + bound - float(np.log(n_valid / n_own))
    own_part = valid[own] * (log_ratio[own] - mean_ratio - 1) * (n / n_valid) + log_z_influence[own]
    variance = own_part.var() * n_own / n**2 + log_z_influence[~own].var() * (n - n_own) / n**2
    bound_variance = (log_z_influence[own].var() * n_own + log_z_influence[~own].var() * (n - n_own)) / n**2
    weights = normalised_weights(log_weights)
    ess = float(effective_sample_size(weights))
    if ess < LEAST_ESS:  # a handful of samples: any number would be one of them
        kl = bound = variance = bound_variance = np.nan
    return {
        "kl": kl,
        "kl_stderr": float(np.sqrt(variance)),
        "entropy_bound": bound,
        "entropy_bound_stderr": float(np.sqrt(bound_variance)),
        "ess": ess,
        "pareto_k": pareto_k(weights),
    }
