"""Statistics averaged over several simulations of the same parameters, with what noise is left in the average.

T is random given z, and exp(eta . T) of one noisy draw picks lucky draws.  Let T be the mean of R draws and C the
covariance of that mean: eta . T - (eta . C eta) / 2 then has the right exponential to second order, and the mean of
T - C eta under the weights is free of the selection.
"""

import numpy as np

__all__ = [
    "average", "averaged_statistics", "correct_for_noise", "least_noise", "replicated_statistics", "replicates_needed",
]  # fmt: skip

_NEGLIGIBLE = 1e-3  # share of noise in the variance of T over a distribution
_LEAST_REPLICATES, _MOST_REPLICATES = 4, 64
_NOISE_LEFT = 0.1  # variance of the log weights
_HALF = 8  # simulations of each parameter that choose where noise is least, and as many that measure it there


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
    valid, draws = replicated_statistics(problem, z, purpose, iteration, replicates)
    return valid, *average(draws)


def replicated_statistics(problem, z, purpose, iteration, replicates):
    """As `averaged_statistics`, but ``valid`` and the draws of T themselves (replicates, n_valid, m)."""
    n, m = len(z), len(problem.constraints)
    draws = np.full((replicates, n, m), np.nan)
    for r in range(replicates):
        batch = problem.simulate(z, purpose, iteration, first_index=r * n)
        draws[r, batch.valid] = batch.T
    valid = np.isfinite(draws).all(axis=(0, 2))
    return valid, draws[:, valid]


def average(draws):
    """Mean (n, m) of ``draws`` (R, n, m), and its covariance (n, m, m) as they show it; zero for a single one."""
    replicates, n, m = draws.shape
    mean = draws.mean(axis=0)
    if replicates == 1:
        return mean, np.zeros((n, m, m))
    centred = draws - mean
    return mean, np.einsum("rni,rnj->nij", centred, centred) / (replicates * (replicates - 1))


def correct_for_noise(violation, covariance, log_base, eta):
    """Violations (n, m) and log base weights (n,) whose exp(log_base + eta . violation) is free of the noise's bias.

    The quadratic correction is linearised at ``eta`` (m,), so that the dual stays that of an exponential family; near
    ``eta`` it is exact to second order.
    """
    drift = covariance @ eta
    return violation - drift, log_base + 0.5 * drift @ eta


def replicates_needed(problem, z, purpose, multipliers):
    """Simulations of each parameter that a sample of T needs before its noise can be corrected for.

    One where two simulations of the rows of ``z`` (n, D) differ by a negligible share of T's spread over z.  Else as
    many as bring the variance of eta . T at the ``multipliers`` (m,) that is due to noise below 0.1, between 4 and 64.
    """
    valid, mean, covariance = averaged_statistics(problem, z, purpose, 0, 2)
    if valid.sum() < 2:
        return _LEAST_REPLICATES
    noise = np.einsum("nii->ni", covariance).mean(axis=0)
    if not np.any(noise > _NEGLIGIBLE * (mean.var(axis=0) + np.finfo(float).tiny)):
        return 1
    one_draw = 2 * float((covariance @ multipliers @ multipliers).mean())
    return int(np.clip(np.ceil(one_draw / _NOISE_LEFT), _LEAST_REPLICATES, _MOST_REPLICATES))


def least_noise(problem, z, purpose):
    """Variance of each statistic given z (k,) where on ``z`` (n, D) it is least, and its standard error (k,).

    The tenth of the rows with the least noise is chosen by one half of the simulations and measured by the other: the
    estimate is free of the selection.  NaN where too few rows work.
    """
    n, k = len(z), len(problem.circuit.statistic_names)
    draws = np.full((2 * _HALF, n, k), np.nan)
    for r in range(len(draws)):
        batch = problem.simulate(z, purpose, 1, first_index=r * n)
        draws[r, batch.valid] = batch.f
    draws = draws[:, np.isfinite(draws).all(axis=(0, 2))]
    size = draws.shape[1] // 10
    if size < 2:
        return np.full(k, np.nan), np.full(k, np.nan)
    chosen = np.argsort(draws[:_HALF].var(axis=0), axis=0)[:size]
    variance = np.take_along_axis(draws[_HALF:].var(axis=0, ddof=1), chosen, axis=0)
    return variance.mean(axis=0), variance.std(axis=0, ddof=1) / np.sqrt(size)
