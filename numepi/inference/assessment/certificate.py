"""How far a fitted flow is from the exact maximum-entropy solution (science: section 1), and when to trust that.

For every eta,  H(q) + E_q[log p0] <= log Z(eta) - eta . mu_opt = D(eta)  for any q that meets the constraints, and
KL(q || p_eta) = E_q[log q - log p0 - eta . T] + log Z(eta).  Both need log Z: `weights` estimates it by importance
sampling, `particle_certificate` by sequential Monte Carlo.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

__all__ = ["APART", "LEAST_ESS", "PLENTY", "RELIABLE_PARETO_K", "Certificate", "uncertified"]

RELIABLE_PARETO_K = 0.7
_RELIABLE_ESS = 100.0
PLENTY = 0.5  # effective share of the sample, from where the shape of the tail of the weights matters no more
LEAST_ESS = 5.0  # fewer are a handful of samples: any number would be one of them
_SIGMAS = 3.0  # standard errors, and
_SLACK = 0.05  # nats, by which a quantity must miss what it has to be for a test to fail
_ROUND_TRIP = 0.05  # nats: what the two passes of a flow in float32 differ by is below 0.001
_VAGUE = 0.5  # nats, or share of the KL: an error above both says nothing of where the KL is
_RELIABLE_NOISE = 0.1  # nats
APART = 0.3  # nats that two estimates of one log Z may differ by beyond their errors: as near as an answer is to be


@dataclass(frozen=True)
class Certificate:
    """Distance to the exact maximum-entropy solution, and what speaks against the estimate.

    Parameters whose simulations fail, or lie outside of the property's region, are outside of the support of p*: the KL
    is then that of q given the others.

    Attributes
    ----------
    kl, kl_stderr : float
        KL(q || p*) in nats; NaN, as the bound, where next to no sample has weight.  The error counts that of the
        multipliers, which matters where q misses its targets.
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
    method : str
        ``"weights"``: importance sampling from the flow and its start; ``"particles"``: sequential Monte Carlo
        (`numepi.inference.assessment.particle_certificate`), whose ``ess`` is the number of particles but for what they
        remember of each other, and whose weights have no tail (``pareto_k`` -inf); ``"rows"``: the rows of the run
        itself, each simulated once or twice, with its surrogate as control variate
        (`numepi.inference.assessment.row_certificate`).
    forward, backward : float, optional
        Of particles: the bound by the way to p* alone, which tends to say too little, and by the way back; both are in
        ``entropy_bound``.  None where draws of the flow were set against particles without a way between them.
    from_flow, from_start : float, optional
        Of particles: the bound by the population that started at the flow, and by the one that started where the flow
        did and can know modes that it lost; what they differ by is in the errors.
    from_flow_stderr, from_start_stderr : float
        Their errors: a start that is far away, in hundreds of dimensions, says little.
    noise_shift : float
        Of particles: nats of the bound that are owed to fresh noise, which takes from it what particles had made of the
        noise that they have met.  The bound less this is that of the same noise throughout.
    failure : str
        Why particles did not reach p*; empty where they did.
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
    method: str = "weights"
    forward: float | None = None
    backward: float | None = None
    from_flow: float | None = None
    from_start: float | None = None
    from_flow_stderr: float = 0.0
    from_start_stderr: float = 0.0
    noise_shift: float = 0.0
    failure: str = ""

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
        if self.failure:
            return (self.failure,)
        if not self.ess >= LEAST_ESS:
            reached = f"the weights do not reach the solution (ESS {self.ess:.1f} of {self.n})"
            return (reached if self.n and self.ess >= 0 else "no draw has a weight",)
        found = [text for doubtful, text in self._disagreements if doubtful]
        if not self.optimal:
            found.append("multipliers not optimal: the weights do not lead to the targets")
        if not self.ess > _RELIABLE_ESS:
            found.append(f"few samples have weight (ESS {self.ess:.0f} of {self.n})")
        # A heavy tail matters unless most samples count.
        if not (self.pareto_k < RELIABLE_PARETO_K or self.ess > PLENTY * self.n):
            found.append(f"the weights have a heavy tail (Pareto k {self.pareto_k:.2f})")
        if self._vague:
            found.append(f"the error is large (+- {self.kl_stderr:.2g} nats)")
        if self.score_kl_stderr > max(_VAGUE, _VAGUE * self.kl):
            found.append(f"the entropy of the scored draws is uncertain (+- {self.score_kl_stderr:.2g} nats)")
        if not self.noise_bias <= _RELIABLE_NOISE:
            found.append(
                f"noise in the statistics and the surrogate's errors are beyond their correction (up to "
                f"{self.noise_bias:.2g} nats)"
                if self.method == "rows"
                else f"noise in the statistics is beyond its correction (up to {self.noise_bias:.2g} nats from "
                f"{self.replicates} simulations of each parameter)"
            )
        return tuple(found)

    @property
    def _disagreements(self):
        """Where estimates of one log Z differ: whether that is in doubt of them, and both."""
        one, other = self.forward, self.backward
        if one is not None and other is not None and abs(one - other) > APART:
            # Half of it is the error.
            text = f"particles on the way to the solution and the way back find {one:.2f} and {other:.2f} nats"
            yield abs(one - other) > 2 * _VAGUE, text
        one, other = self.from_flow, self.from_start
        if one is not None and other is not None and abs(one - other) > APART:
            errors = (self.from_flow_stderr, self.from_start_stderr)
            text = (
                "particles on the flow and its start, of which the flow may have lost a part, find "
                f"{one:.2f} +- {errors[0]:.2f} and {other:.2f} +- {errors[1]:.2f} nats"
            )
            yield abs(one - other) > max(2 * _VAGUE, _SIGMAS * np.hypot(*errors)), text

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
        if self.method == "particles":
            text += " (by particles)"
            text += "".join(f"; {note}" for doubtful, note in self._disagreements if not doubtful)
        return text if self.reliable else f"{text}; NOT RELIABLE: {'; '.join(self.doubts)}"


def uncertified(n_constraints: int, n: int, replicates: int, round_trip: float, **others: Any) -> Certificate:
    """The certificate of a flow with next to no valid simulation, or of a failure: it certifies nothing."""
    return Certificate(
        kl=np.nan, kl_stderr=np.nan, entropy_bound=np.nan, entropy_bound_stderr=np.nan, ess=0.0, pareto_k=np.inf,
        optimal=False, multipliers=(np.nan,) * n_constraints, n=n, replicates=replicates, round_trip=round_trip,
        **others,
    )  # fmt: skip
