"""The maximum-entropy solution of a circuit on a box by quadrature: what the answers of a budget are measured with."""

import numpy as np
from scipy.stats import qmc

from numepi.inference.dual_problem import minimise_dual

__all__ = ["Exact"]

_TRUST = 50.0  # least effective number of points: fewer are no quadrature


class Exact:
    """The solution p*(z) ~ exp(eta . T-bar(z)) on the support's part that works, from a Sobol sequence.

    Parameters
    ----------
    circuit, prop
    points : int
        log2 of the points of the sequence.
    replicates : int
        Simulations of each point, over which T is averaged where the circuit is noisy: 1, or an even number.  What the
        noise that is left adds to log Z and takes from the multipliers falls as one over their number: it is
        extrapolated away from all of them and from halves (STG's entropy, by 6, 12, 24 and 48 simulations: 1.454,
        1.424, 1.413, 1.404 nats; extrapolated from the last two 1.395).

    Attributes
    ----------
    z : ndarray (n, D)
        The points that work.
    weights : ndarray (n,)
        Of p* there, with what noise all replicates leave; they sum to one.
    eta : ndarray (m,)
        Multipliers of (T - mu_opt) / scale.
    entropy : float
        H(p*) in nats.
    """

    def __init__(self, circuit, prop, points=21, replicates=1):
        support, self.circuit, self.prop = circuit.support, circuit, prop
        self.constraints = prop.constraints(circuit.statistic_names)
        low, high = np.array(support.lower), np.array(support.upper)
        z = low + (high - low) * qmc.Sobol(support.dim, seed=0).random_base2(points)
        runs = np.array([self.violation(z, rng=r) for r in range(replicates)])
        works = np.isfinite(runs).all(axis=(0, 2))
        self.z, runs = z[works], runs[:, works]
        area = np.log(high - low).sum()
        self.eta, self.weights, self.entropy = _solution(runs.mean(axis=0), len(z), area)
        if replicates > 1:
            halves = [_solution(half.mean(axis=0), len(z), area) for half in np.split(runs, 2)]
            self.eta = 2 * self.eta - np.mean([eta for eta, *_ in halves], axis=0)
            self.entropy = 2 * self.entropy - float(np.mean([entropy for *_, entropy in halves]))

    def violation(self, z, rng=0):
        """(T - mu_opt) / scale (n, m) of one simulation of each ``z``; NaN where it fails."""
        f = self.circuit.statistics(z, rng=rng)
        works, violation = np.isfinite(f).all(axis=1), np.full((len(f), len(self.constraints)), np.nan)
        T = self.constraints.sufficient_statistics(f[works])
        violation[works] = (T - self.constraints.target) / self.constraints.scale
        return violation

    def kl(self, q, n=300_000):
        """KL(q || p*) = H* - H(q) - eta . (E_q[T] - mu_opt) in nats, q a `numepi.flow.FlowDistribution` where it works.

        E_q[T] takes one simulation of each draw, noisy or not: T enters linearly.
        """
        z, log_q = q.sample_with_log_prob(n, rng=1)
        return self.kl_of_draws(z, log_q)

    def kl_of_draws(self, z, log_q):
        """`kl` of draws (n, D) with their log densities (n,)."""
        violation = self.violation(z, rng=1)
        works = np.isfinite(violation).all(axis=1)
        entropy = np.log(works.mean()) - log_q[works].mean()
        return float(self.entropy - entropy - violation[works].mean(axis=0) @ self.eta)


def _solution(violation, n, area):
    """Multipliers, weights and entropy of the solution, of ``n`` points of which those with a ``violation`` work."""
    step = minimise_dual(violation, np.zeros(len(violation)), np.zeros(violation.shape[1]), _TRUST)
    assert step.optimal, "the quadrature is too coarse for this property"
    exponent = violation @ step.eta
    density = np.exp(exponent - exponent.max())
    return step.eta, density / density.sum(), float(np.log(density.sum() / n) + exponent.max() + area)
