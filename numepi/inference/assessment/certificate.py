"""How far a fitted flow is from the exact maximum-entropy solution (science: section 1).

For every eta,  H(q) + E_q[log p0] <= log Z(eta) - eta . mu_opt = D(eta)  for any q that meets the constraints, and
KL(q || p_eta) = E_q[log q - log p0 - eta . T] + log Z(eta).  Both need log Z, which is estimated by importance sampling
from a mixture of the flow and of where it started: the start's share finds modes that the flow has lost.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from numepi.inference.assessment.pareto import pareto_k
from numepi.inference.assessment.score import passes_apart
from numepi.inference.dual_problem import effective_sample_size, minimise_dual, normalised_weights
from numepi.inference.noise import average, correct_for_noise, replicated_statistics
from numepi.inference.problem import Stream

if TYPE_CHECKING:
    from numepi.flow.protocol import Flow

__all__ = ["Certificate", "certify", "has_minimum", "pareto_k", "uncertified"]

_DEFENSIVE = 0.25
_RELIABLE_PARETO_K = 0.7
_RELIABLE_ESS = 100.0
_PLENTY = 0.5  # effective share of the sample, from where the shape of the tail of the weights matters no more
_LEAST_ESS = 5.0
_FLOOR = 20.0  # least effective number of samples while the dual is minimised
_CORRECTIONS = 4
_SIGMAS = 3.0  # standard errors, and
_SLACK = 0.05  # nats, by which a quantity must miss what it has to be for a test to fail
_ROUND_TRIP = 0.05  # nats: what the two passes of a flow in float32 differ by is below 0.001
_VAGUE = 0.5  # nats, or share of the KL: an error above both says nothing of where the KL is
_RELIABLE_NOISE = 0.1  # nats


@dataclass(frozen=True)
class Certificate:
    """Distance to the exact maximum-entropy solution, and what speaks against the estimate.

    Parameters whose simulations fail, or lie outside of the property's region, are outside of the support of p*: the KL
    is then that of q given the others.

    Attributes
    ----------
    kl, kl_stderr : float
        KL(q || p*) in nats; NaN, as the bound, where next to no sample has weight.
    entropy_bound, entropy_bound_stderr : float
        No distribution with the property has more entropy (relative to the prior, where there is one).
    ess : float
        Effective number of the ``n`` samples under p*.
    pareto_k : float
        Shape of the tail of the importance weights (Vehtari et al. 2024); above 0.7 the estimates cannot be trusted,
        unless more than half of the samples are effective: then the few weights that make the tail weigh little.
    optimal : bool
        Whether the dual's optimum was reached on the sample.
    multipliers : tuple of float (m,)
        eta of p* ~ p0 exp(eta . T), as estimated here.
    n, replicates : int
        Parameters drawn, and simulations of each.
    round_trip : float
        Nats by which the flow's two passes disagree on the density of its own draws, on average; infinite where one of
        them is not finite.
    score_kl, score_kl_stderr : float
        The same KL from the score, by D(eta) - H(q) - eta . (E_q[T] - mu_opt): other draws, and the densities of the
        sampling pass.  NaN where there was no score.
    noise_bias : float
        Nats by which KL or bound change where only half of the simulations of each parameter are used: more than noise
        leaves after its correction; in both standard errors.  From a run's own rows: the most the correction may be.
    with_prior : bool
        Whether the bound is that of the entropy relative to a prior.
    """

    kl: float
    kl_stderr: float
    entropy_bound: float
    entropy_bound_stderr: float
    ess: float
    pareto_k: float
    optimal: bool
    multipliers: tuple
    n: int
    replicates: int
    round_trip: float = 0.0
    score_kl: float = np.nan
    score_kl_stderr: float = np.nan
    noise_bias: float = 0.0
    with_prior: bool = False

    @property
    def invertible(self) -> bool:
        """Whether the flow's two passes agree, in the precision that it computes in."""
        return self.round_trip <= _ROUND_TRIP

    @property
    def failures(self) -> tuple[str, ...]:
        """The tests that the certificate failed, each a sentence: nothing that it says then holds."""
        found = []
        if not self.invertible:
            found.append(
                "the flow is not invertible in its precision (its two passes give its draws log densities "
                f"{self.round_trip:.2g} nats apart on average)"
            )
        if self.kl < -_SIGMAS * self.kl_stderr - _SLACK:
            found.append(f"the KL divergence comes out negative ({self.kl:.2f} +- {self.kl_stderr:.2g} nats)")
        if abs(self.kl - self.score_kl) > _SIGMAS * np.hypot(self.kl_stderr, self.score_kl_stderr) + _SLACK:
            found.append(
                f"the KL divergence ({self.kl:.2f} nats) contradicts the bound less the entropy of the scored draws "
                f"({self.score_kl:.2f} nats)"
            )
        return tuple(found)

    @property
    def doubts(self) -> tuple[str, ...]:
        """What the estimates lack to be trusted, each a sentence."""
        if not self.ess >= _LEAST_ESS:
            return (f"the weights do not reach the solution (ESS {self.ess:.1f} of {self.n})",)
        found = []
        if not self.optimal:
            found.append("multipliers not optimal: the weights do not lead to the targets")
        if not self.ess > _RELIABLE_ESS:
            found.append(f"few samples have weight (ESS {self.ess:.0f} of {self.n})")
        # A heavy tail matters unless most samples count.
        if not (self.pareto_k < _RELIABLE_PARETO_K or self.ess > _PLENTY * self.n):
            found.append(f"the weights have a heavy tail (Pareto k {self.pareto_k:.2f})")
        if self._vague:
            found.append(f"the error is large (+- {self.kl_stderr:.2g} nats)")
        if self.score_kl_stderr > max(_VAGUE, _VAGUE * self.kl):
            found.append(f"the entropy of the scored draws is uncertain (+- {self.score_kl_stderr:.2g} nats)")
        if not self.noise_bias <= _RELIABLE_NOISE:
            found.append(
                f"noise in the statistics is beyond its correction (up to {self.noise_bias:.2g} nats from "
                f"{self.replicates} simulations of each parameter)"
            )
        return tuple(found)

    @property
    def bounds(self) -> bool:
        """Whether ``entropy_bound`` means anything: no test failed, at optimal multipliers, with a known error."""
        return not self.failures and self.optimal and not self._vague

    @property
    def _vague(self):
        return not self.kl_stderr <= max(_VAGUE, _VAGUE * self.kl)

    @property
    def reliable(self) -> bool:
        """Whether the estimates can be trusted: no test failed, and no diagnostic speaks against them."""
        return not (self.failures or self.doubts)

    def description(self) -> dict[str, Any]:
        """A dict of plain numbers."""
        return asdict(self) | {"multipliers": list(self.multipliers)}

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Certificate:
        """The certificate that has this `description`."""
        return cls(**(description | {"multipliers": tuple(description["multipliers"])}))

    def __str__(self):
        if self.failures:
            # Where densities mean nothing, no number that is made of them does.
            return f"no certificate: {'; '.join(self.failures if self.invertible else self.failures[:1])}"
        if not self.bounds:
            return f"the KL to the maximum-entropy solution is unknown: {'; '.join(self.doubts)}"
        bounded = "entropy relative to the prior" if self.with_prior else "entropy"
        text = (
            f"KL to the maximum-entropy solution {self.kl:.3f} +- {self.kl_stderr:.3f} nats; "
            f"{bounded} is at most {self.entropy_bound:.3f} +- {self.entropy_bound_stderr:.3f}"
        )
        return text if self.reliable else f"{text}; NOT RELIABLE: {'; '.join(self.doubts)}"


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


@dataclass(frozen=True)
class _Rows:
    """The draws of a certificate: which work, which are the flow's own, and log densities (n,) of all."""

    valid: np.ndarray
    own: np.ndarray
    log_q: np.ndarray
    log_prior: np.ndarray
    log_drawn: np.ndarray  # of the mixture that they were drawn from


def uncertified(n_constraints, n, replicates, round_trip):
    """The certificate of a flow with next to no valid simulation: it certifies nothing."""
    return Certificate(
        kl=np.nan, kl_stderr=np.nan, entropy_bound=np.nan, entropy_bound_stderr=np.nan, ess=0.0, pareto_k=np.inf,
        optimal=False, multipliers=(np.nan,) * n_constraints, n=n, replicates=replicates, round_trip=round_trip,
    )  # fmt: skip


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
    return step, eta, _weighted(log_weights, log_ratio, rows.valid, rows.own)


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
    if ess < _LEAST_ESS:  # a handful of samples: any number would be one of them
        kl = bound = variance = bound_variance = np.nan
    return {
        "kl": kl,
        "kl_stderr": float(np.sqrt(variance)),
        "entropy_bound": bound,
        "entropy_bound_stderr": float(np.sqrt(bound_variance)),
        "ess": ess,
        "pareto_k": pareto_k(weights),
    }
