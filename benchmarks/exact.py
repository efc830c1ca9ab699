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
        Simulations of each point, over which T is averaged where the circuit is noisy.

    Attributes
    ----------
    z : ndarray (n, D)
        The points that work.
    weights : ndarray (n,)
        Of p* there; they sum to one.
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
        violation = np.mean([self.violation(z, rng=r) for r in range(replicates)], axis=0)
        works = np.isfinite(violation).all(axis=1)
        self.z, violation = z[works], violation[works]
        step = minimise_dual(violation, np.zeros(len(violation)), np.zeros(violation.shape[1]), _TRUST)
        assert step.optimal, "the quadrature is too coarse for this property"
        self.eta = step.eta
        exponent = violation @ step.eta
        density = np.exp(exponent - exponent.max())
        self.weights = density / density.sum()
        self.entropy = float(np.log(density.sum() / len(z)) + exponent.max() + np.log(high - low).sum())

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
