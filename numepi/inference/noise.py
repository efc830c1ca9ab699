"""Statistics averaged over several simulations of the same parameters, with what noise is left in the average.

T is random given z, and exp(eta . T) of one noisy draw picks lucky draws.  Let T be the mean of R draws and C the
covariance of that mean: eta . T - (eta . C eta) / 2 then has the right exponential to second order, and the mean of
T - C eta under the weights is free of the selection.
"""

import numpy as np

__all__ = ["averaged_statistics", "correct_for_noise", "is_noisy"]

_NEGLIGIBLE = 1e-3  # share of noise in the variance of T over a distribution


def averaged_statistics(problem, z, purpose, iteration, replicates):
    """Simulate each row of ``z`` (n, D) ``replicates`` times, with independent noise.

    Returns
    -------
    valid : ndarray (n,), bool
        Rows whose simulations all succeeded.
    T : ndarray (n_valid, m)
        Mean over the replicates.
    covariance : ndarray (n_valid, m, m)
        Of that mean, estimated from the replicates; zero for a single one.
    """
    n, m = len(z), len(problem.constraints)
    draws = np.full((replicates, n, m), np.nan)
    for r in range(replicates):
        batch = problem.simulate(z, purpose, iteration, first_index=r * n)
        draws[r, batch.valid] = batch.T
    valid = np.isfinite(draws).all(axis=(0, 2))
    draws = draws[:, valid]
    mean = draws.mean(axis=0)
    if replicates == 1:
        return valid, mean, np.zeros((len(mean), m, m))
    centred = draws - mean
    return valid, mean, np.einsum("rni,rnj->nij", centred, centred) / (replicates * (replicates - 1))


def correct_for_noise(violation, covariance, log_base, eta):
    """Violations (n, m) and log base weights (n,) whose exp(log_base + eta . violation) is free of the noise's bias.

    The quadratic correction is linearised at ``eta`` (m,), so that the dual stays that of an exponential family; near
    ``eta`` it is exact to second order.
    """
    drift = covariance @ eta
    return violation - drift, log_base + 0.5 * drift @ eta


def is_noisy(problem, z, purpose):
    """Whether two simulations of the rows of ``z`` differ by more than a negligible share of T's spread over z."""
    valid, mean, covariance = averaged_statistics(problem, z, purpose, 0, 2)
    if valid.sum() < 2:
        return True
    noise = np.einsum("nii->ni", covariance).mean(axis=0)
    return bool(np.any(noise > _NEGLIGIBLE * (mean.var(axis=0) + np.finfo(float).tiny)))
