"""Statistics averaged over several simulations of the same parameters, with what noise is left in the average.

T is random given z, and exp(eta . T) of one noisy draw picks lucky draws.  Let T be the mean of R draws and C the
covariance of that mean: eta . T - (eta . C eta) / 2 then has the right exponential to second order, and the mean of
T - C eta under the weights is free of the selection.
"""

import numpy as np

__all__ = [
    "average", "averaged_statistics", "correct_for_noise", "least_noise", "least_noise_rows", "replicated_statistics",
    "replicates_needed",
]  # fmt: skip

_NEGLIGIBLE = 1e-3  # share of noise in the variance of T over a distribution
_LEAST_REPLICATES, _MOST_REPLICATES = 4, 64
_NOISE_LEFT = 0.1  # variance of the log weights
# Simulations of each parameter, and the share that goes on to the next stage of the race for where noise is least: what
# is clearly quieter survives two draws (a tenth of the noise: 9 times in 10), and the race takes a quarter of the rows
# that 16 draws of each would.
_RACE = ((2, 0.25), (4, 0.25), (16, 0.0))
_MANY = 64  # simulations of each parameter that measure it there
_QUIETEST = 20  # parameters where it is least


def averaged_statistics(problem, z, purpose, iteration, replicates, confined=False):
    """Simulate each row of ``z`` (n, D) ``replicates`` times, with independent noise.

    Returns
    -------
    valid : ndarray (n,), bool
        Rows whose simulations all succeeded and, if ``confined``, whose mean statistics lie in the property's region.
    T : ndarray (n_valid, m)
        Mean over the replicates.
    covariance : ndarray (n_valid, m, m)
        Of that mean, estimated from the replicates; zero for a single one.
    """
    valid, draws = replicated_statistics(problem, z, purpose, iteration, replicates, confined)
    return valid, *average(draws)


def replicated_statistics(problem, z, purpose, iteration, replicates, confined=False):
    """As `averaged_statistics`, but ``valid`` and the draws of T themselves (replicates, n_valid, m)."""
    n, m = len(z), len(problem.constraints)
    draws = np.full((replicates, n, m), np.nan)
    expected = np.zeros((n, len(problem.circuit.statistic_names)))
    for r in range(replicates):
        batch = problem.simulate(z, purpose, iteration, first_index=r * n)
        draws[r, batch.valid] = batch.T
        expected[batch.valid] += batch.f / replicates
    valid = np.isfinite(draws).all(axis=(0, 2))
    if confined and problem.constraints.region is not None:
        valid &= problem.constraints.region.contains(expected)
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


def least_noise(problem, z, purpose, statistic):
    """Variance of a statistic given z where on ``z`` (n, D) it is least: (20,), a value for each such z, ascending.

    The rows are chosen by a race, which goes on with the quieter part at each stage, and measured by fresh simulations:
    the estimates are free of the selection.  NaN where too few rows work.
    """
    for stage, (replicates, share) in enumerate(_RACE):
        z, draws = _working(problem, z, purpose, 10 * (1 + statistic) + stage, replicates)
        survivors = max(_QUIETEST, int(share * len(z)))
        z = z[np.sort(np.argsort(draws[:, :, statistic].var(axis=0))[:survivors])]
    z, draws = _working(problem, z, purpose, 10 * (1 + statistic) + len(_RACE), _MANY)
    variance = np.sort(draws[:, :, statistic].var(axis=0, ddof=1))
    return variance if len(variance) == _QUIETEST else np.full(_QUIETEST, np.nan)


def least_noise_rows(n):
    """Simulations that `least_noise` takes for ``n`` parameters."""
    rows = 0
    for replicates, share in _RACE:
        rows, n = rows + replicates * n, max(_QUIETEST, int(share * n))
    return rows + _MANY * n


def _working(problem, z, purpose, iteration, replicates):
    """The rows of ``z`` whose simulations all succeed, and their statistics (replicates, n, k)."""
    draws = np.full((replicates, len(z), len(problem.circuit.statistic_names)), np.nan)
    for r in range(replicates):
        batch = problem.simulate(z, purpose, iteration, first_index=r * len(z))
        draws[r, batch.valid] = batch.f
    valid = np.isfinite(draws).all(axis=(0, 2))
    return z[valid], draws[:, valid]
