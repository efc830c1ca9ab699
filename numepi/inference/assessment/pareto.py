"""The tail of importance weights: whether their mean can be trusted."""

import numpy as np

from numepi.inference.dual_problem import normalised_weights

__all__ = ["pareto_k"]


def pareto_k(weights: np.ndarray) -> float:
    """Shape of a generalised Pareto distribution fitted to the largest weights (Zhang & Stephens 2009).

    The tail is the min(n / 5, 3 sqrt(n)) largest weights, as Vehtari et al. (2024) take it.
    """
    weights = np.sort(weights)
    size = int(min(len(weights) / 5, 3 * np.sqrt(len(weights))))
    tail = weights[-size:] - weights[-size - 1]
    tail = tail[tail > 0]
    if (n := len(tail)) < 5:
        return -np.inf  # equal weights have no tail
    grid = 30 + int(np.sqrt(n))
    prior = 3.0
    quartile = tail[int(n / 4 + 0.5) - 1]
    theta = 1 / tail[-1] + (1 - np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))) / (prior * quartile)
    k = np.mean(np.log1p(-theta[:, None] * tail), axis=1)
    # where theta is 0 the tail is exponential: -theta / k tends to one over its mean
    rate = np.full(grid, 1 / tail.mean())
    np.divide(-theta, k, out=rate, where=k != 0)
    log_likelihood = n * (np.log(rate) - k - 1)
    posterior = normalised_weights(log_likelihood)
    best = np.sum(theta * posterior)
    # Shrunk a little towards 0.5, as ArviZ and loo do.
    return float((np.mean(np.log1p(-best * tail)) * n + 0.5 * 10) / (n + 10))
