"""Draws from the exact maximum-entropy solution, by importance resampling from a fitted flow."""

import numpy as np

from numepi.inference.dual_problem import effective_sample_size, normalised_weights
from numepi.inference.noise import averaged_statistics, correct_for_noise
from numepi.inference.problem import Stream

__all__ = ["corrected_sample"]

_DEFENSIVE = 0.1
_PROPOSALS_PER_DRAW = 5
_MIN_PROPOSALS = 2000


def corrected_sample(problem, flow, theta, theta_start, multipliers, n, replicates=1):
    """Draw ``n`` parameters from p* ~ p0 exp(eta . T), eta the ``multipliers`` (m,), in the property's region.

    Proposals come from the flow and, for a share, from where it started; each is kept with a probability in proportion
    to its importance weight (systematic resampling, so that a proposal repeats only if its weight exceeds 1 / n).

    Returns
    -------
    z : ndarray (n, D)
    efficiency : float
        Effective number of proposals under p*, as a share of those made.
    """
    size = max(_MIN_PROPOSALS, _PROPOSALS_PER_DRAW * n)
    n_start = int(_DEFENSIVE * size)
    base = problem.normals(Stream.CORRECTION, 0, size)
    z = np.concatenate([flow.sample(theta, base[n_start:])[0], flow.sample(theta_start, base[:n_start])[0]])
    valid, T, covariance = averaged_statistics(problem, z, Stream.CORRECTION, 1, replicates, confined=True)
    z = z[valid]
    violation = T - problem.constraints.target
    log_start = flow.log_prob(theta_start, z) + np.log(_DEFENSIVE)
    log_base = problem.log_prior(z) - np.logaddexp(flow.log_prob(theta, z) + np.log1p(-_DEFENSIVE), log_start)
    violation, log_base = correct_for_noise(violation, covariance, log_base, multipliers)
    weights = normalised_weights(log_base + violation @ multipliers)
    generator = np.random.default_rng(problem.seed(Stream.CORRECTION, 2))
    cumulative = np.cumsum(weights)
    points = (generator.random() + np.arange(n)) / n * cumulative[-1]
    rows = np.minimum(np.searchsorted(cumulative, points), len(z) - 1)
    return problem.circuit.support.rounded(z[generator.permutation(rows)]), float(
        effective_sample_size(weights) / len(weights)
    )
