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

from numepi.inference.dual_problem import effective_sample_size, minimise_dual, normalised_weights
from numepi.inference.noise import averaged_statistics, correct_for_noise
from numepi.inference.problem import Stream

if TYPE_CHECKING:
    from numepi.flow.protocol import Flow

__all__ = ["Certificate", "certify", "pareto_k"]

_DEFENSIVE = 0.25
_RELIABLE_PARETO_K = 0.7
_RELIABLE_ESS = 100.0
_PLENTY = 0.5  # effective share of the sample, from where the shape of the tail of the weights matters no more
_LEAST_ESS = 5.0
_FLOOR = 20.0  # least effective number of samples while the dual is minimised
_CORRECTIONS = 4


@dataclass(frozen=True)
class Certificate:
    """Distance to the exact maximum-entropy solution.

    Parameters whose simulations fail are outside of the support of p*: the KL is then that of q given success.

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

    @property
    def reliable(self) -> bool:
        """Whether the diagnostics allow the estimates to be trusted: a heavy tail matters unless most samples count."""
        light = self.pareto_k < _RELIABLE_PARETO_K or self.ess > _PLENTY * self.n
        return self.optimal and light and self.ess > _RELIABLE_ESS

    def description(self) -> dict[str, Any]:
        """A dict of plain numbers."""
        return asdict(self) | {"multipliers": list(self.multipliers)}

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Certificate:
        """The certificate that has this `description`."""
        return cls(**(description | {"multipliers": tuple(description["multipliers"])}))

    def __str__(self):
        trust = (
            "" if self.reliable else f"; NOT RELIABLE (ESS {self.ess:.0f} of {self.n}, Pareto k {self.pareto_k:.2f})"
        )
        return (
            f"KL to the maximum-entropy solution {self.kl:.3f} +- {self.kl_stderr:.3f} nats; "
            f"entropy is at most {self.entropy_bound:.3f} +- {self.entropy_bound_stderr:.3f}{trust}"
        )


def certify(
    problem: Any,
    flow: Flow,
    theta: np.ndarray,
    theta_start: np.ndarray,
    n: int = 20_000,
    replicates: int = 1,
    multipliers: ArrayLike | None = None,
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
    """
    start_size = int(_DEFENSIVE * n)
    base = problem.normals(Stream.CERTIFICATE_BASE, 0, n)
    z = np.concatenate([flow.sample(theta, base[start_size:])[0], flow.sample(theta_start, base[:start_size])[0]])
    valid, T, covariance = averaged_statistics(problem, z, Stream.CERTIFICATE_NOISE, 0, replicates)
    own = np.arange(n) < n - start_size
    if valid.sum() < _FLOOR or not valid[own].any():
        return _nothing(len(problem.constraints), n, replicates)
    z = z[valid]
    scale = problem.constraints.scale
    violation = (T - problem.constraints.target) / scale
    covariance = covariance / np.outer(scale, scale)
    log_q = flow.log_prob(theta, z)
    log_prior = problem.log_prior(z)
    log_start = flow.log_prob(theta_start, z) + np.log(_DEFENSIVE)
    log_base = log_prior - np.logaddexp(log_q + np.log1p(-_DEFENSIVE), log_start)
    eta = np.zeros(len(scale))
    if multipliers is not None and effective_sample_size(normalised_weights(log_base)) < _FLOOR:
        eta = multipliers * scale
    for _ in range(_CORRECTIONS if replicates > 1 else 1):
        corrected, corrected_base = correct_for_noise(violation, covariance, log_base, eta)
        step = minimise_dual(corrected, corrected_base, eta, _FLOOR)
        eta = step.eta
    if not step.optimal and multipliers is not None:
        # Too few samples near p*: the solver's multipliers say more than where the way from the prior got stuck.
        eta = multipliers * scale
        corrected, corrected_base = correct_for_noise(violation, covariance, log_base, eta)
    log_weights, log_ratio = np.full(n, -np.inf), np.zeros(n)
    log_weights[valid] = corrected_base + corrected @ eta
    log_ratio[valid] = log_q - log_prior - violation @ eta
    return _assemble(log_weights, log_ratio, valid, own, step, eta / scale, replicates)


def _nothing(n_constraints, n, replicates):
    """The certificate of a flow with next to no valid simulation: it certifies nothing."""
    return Certificate(
        kl=np.nan, kl_stderr=np.nan, entropy_bound=np.nan, entropy_bound_stderr=np.nan, ess=0.0, pareto_k=np.inf,
        optimal=False, multipliers=(np.nan,) * n_constraints, n=n, replicates=replicates,
    )  # fmt: skip


def _assemble(log_weights, log_ratio, valid, own, step, multipliers, replicates):
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
    return Certificate(
        kl=kl,
        kl_stderr=float(np.sqrt(variance)),
        entropy_bound=bound,
        entropy_bound_stderr=float(np.sqrt(bound_variance)),
        ess=ess,
        pareto_k=pareto_k(weights),
        optimal=step.optimal,
        multipliers=tuple(multipliers.tolist()),
        n=len(own),
        replicates=replicates,
    )


def pareto_k(weights: np.ndarray) -> float:
    """Shape of a generalised Pareto distribution fitted to the largest weights (Zhang & Stephens 2009).

    The tail is the min(n / 5, 3 sqrt(n)) largest weights, as Vehtari et al. (2024) take it.
    """
    weights = np.sort(weights)
    size = int(min(len(weights) / 5, 3 * np.sqrt(len(weights))))
    tail = weights[-size:] - weights[-size - 1]
    tail = tail[tail > 0]
    if len(tail) < 5:
        return -np.inf  # equal weights have no tail
    n = len(tail)
    grid = 30 + int(np.sqrt(n))
    prior = 3.0
    quartile = tail[int(n / 4 + 0.5) - 1]
    theta = 1 / tail[-1] + (1 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))) / (prior * quartile)
    k = np.mean(np.log1p(-theta[:, None] * tail), axis=1)
    log_likelihood = n * (np.log(-theta / k) - k - 1)
    posterior = normalised_weights(log_likelihood)
    best = np.sum(theta * posterior)
    # Shrunk a little towards 0.5, as ArviZ and loo do.
    return float((np.mean(np.log1p(-best * tail)) * n + 0.5 * 10) / (n + 10))
