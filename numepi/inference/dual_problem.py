"""The convex dual of maximum entropy, on a weighted sample (science: section 1).

    D(eta) = log E_p0[exp(eta . (T - mu_opt))],   grad D = E_eta[T] - mu_opt,   hess D = Cov_eta[T]

The expectation under the prior is estimated from samples drawn elsewhere with importance weights p0 / g.  Where a
target is an upper bound its multiplier may not be positive: the dual of the inequality (Boyd & Vandenberghe 2004, 5.9).
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["DualStep", "effective_sample_size", "free_gradient", "minimise_dual", "normalised_weights"]

_RIDGE = 1e-9  # relative to the mean eigenvalue of the covariance: keeps Newton's system solvable
_HALVINGS = 30
_AT_BOUND = 1e-9  # multipliers of violations of order one nearer to zero than this are at their bound


@dataclass(frozen=True)
class DualStep:
    """Where `minimise_dual` stopped.

    Attributes
    ----------
    eta : ndarray (m,)
    optimal : bool
        Whether the gradient vanishes; False where the trust region stopped the way.
    gradient : ndarray (m,)
        E_eta[T] - mu_opt; zero for a bound that holds, at a multiplier of zero.
    ess : float
        Effective number of samples at ``eta``.
    """

    eta: np.ndarray
    optimal: bool
    gradient: np.ndarray
    ess: float


def normalised_weights(log_weights):
    """exp(log_weights) over their sum, without overflow."""
    weights = np.exp(log_weights - np.max(log_weights))
    return weights / weights.sum()


def effective_sample_size(weights):
    """Kish's 1 / sum w^2 of normalised weights."""
    return 1.0 / np.sum(weights**2)


def minimise_dual(violation, log_base, eta, floor, max_steps=50, tolerance=1e-6, is_bound=False):
    """Minimise D by damped Newton steps from ``eta``, as far as the effective sample size stays above ``floor``.

    The steps are projected where multipliers are bounded (Bertsekas 1982).

    Parameters
    ----------
    violation : ndarray (n, m)
        T - mu_opt, in natural scales (of order one).
    log_base : ndarray (n,)
        log p0 - log g of each sample, up to a constant.
    eta : ndarray (m,)
        Start.
    floor : float
        Least effective sample size.  Where the start itself is below, the way leads back towards the prior (eta = 0).
    tolerance : float
        On the largest component of the gradient.
    is_bound : ndarray (m,), bool
        Which targets are upper bounds: their multipliers stay at or below zero.

    Returns
    -------
    DualStep
    """
    eta = _retreat(violation, log_base, np.where(is_bound, np.minimum(eta, 0.0), eta), floor)
    value, weights = _dual(violation, log_base, eta)
    for _ in range(max_steps):
        mean = weights @ violation
        gradient, free = free_gradient(mean, eta, is_bound)
        if np.max(np.abs(gradient)) < tolerance:
            return DualStep(eta, True, gradient, effective_sample_size(weights))
        centred = violation - mean
        covariance = (weights[:, None] * centred).T @ centred
        covariance += _RIDGE * np.trace(covariance) / len(eta) * np.eye(len(eta)) + 1e-12 * np.eye(len(eta))
        direction = np.zeros_like(eta)
        direction[free] = -np.linalg.solve(covariance[np.ix_(free, free)], gradient[free])
        size = 1.0
        for _ in range(_HALVINGS):
            trial = eta + size * direction
            trial = np.where(is_bound, np.minimum(trial, 0.0), trial)
            trial_value, trial_weights = _dual(violation, log_base, trial)
            enough = effective_sample_size(trial_weights) >= floor
            if enough and trial_value <= value + 1e-4 * (gradient @ (trial - eta)):
                break
            size /= 2
        else:
            break
        eta, value, weights = trial, trial_value, trial_weights
    gradient, _ = free_gradient(weights @ violation, eta, is_bound)
    return DualStep(eta, bool(np.max(np.abs(gradient)) < tolerance), gradient, effective_sample_size(weights))


def free_gradient(gradient, eta, is_bound):
    """The gradient (m,), zero where a bound holds and its multiplier is, and which multipliers are free to move."""
    free = ~(is_bound & (eta > -_AT_BOUND) & (gradient < 0))
    return np.where(free, gradient, 0.0), free


def _dual(violation, log_base, eta):
    log_weights = log_base + violation @ eta
    shift = log_weights.max()
    weights = np.exp(log_weights - shift)
    total = weights.sum()
    return shift + np.log(total), weights / total


def _retreat(violation, log_base, eta, floor):
    for _ in range(_HALVINGS):
        if effective_sample_size(_dual(violation, log_base, eta)[1]) >= floor:
            return eta
        eta = 0.8 * eta
    return np.zeros_like(eta)
