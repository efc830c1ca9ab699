"""The convex dual of maximum entropy, on a weighted sample (science: section 1).

    D(eta) = log E_p0[exp(eta . (T - mu_opt))],   grad D = E_eta[T] - mu_opt,   hess D = Cov_eta[T]

The expectation under the prior is estimated from samples drawn elsewhere with importance weights p0 / g.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["DualStep", "effective_sample_size", "minimise_dual", "normalised_weights"]

_RIDGE = 1e-9  # relative to the mean eigenvalue of the covariance: keeps Newton's system solvable
_HALVINGS = 30


@dataclass(frozen=True)
class DualStep:
    """Where `minimise_dual` stopped.

    Attributes
    ----------
    eta : ndarray (m,)
    optimal : bool
        Whether the gradient vanishes; False where the trust region stopped the way.
    gradient : ndarray (m,)
        E_eta[T] - mu_opt.
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


def minimise_dual(violation, log_base, eta, floor, max_steps=50, tolerance=1e-6):
    """Minimise D by damped Newton steps from ``eta``, as far as the effective sample size stays above ``floor``.

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

    Returns
    -------
    DualStep
    """
    eta = _retreat(violation, log_base, eta, floor)
    value, weights = _dual(violation, log_base, eta)
    for _ in range(max_steps):
        gradient = weights @ violation
        if np.max(np.abs(gradient)) < tolerance:
            return DualStep(eta, True, gradient, effective_sample_size(weights))
        centred = violation - gradient
        covariance = (weights[:, None] * centred).T @ centred
        covariance += _RIDGE * np.trace(covariance) / len(eta) * np.eye(len(eta)) + 1e-12 * np.eye(len(eta))
        direction = -np.linalg.solve(covariance, gradient)
        size = 1.0
        for _ in range(_HALVINGS):
            trial = eta + size * direction
            trial_value, trial_weights = _dual(violation, log_base, trial)
            enough = effective_sample_size(trial_weights) >= floor
            if enough and trial_value <= value + 1e-4 * size * (gradient @ direction):
                break
            size /= 2
        else:
            break
        eta, value, weights = trial, trial_value, trial_weights
    gradient = weights @ violation
    return DualStep(eta, bool(np.max(np.abs(gradient)) < tolerance), gradient, effective_sample_size(weights))


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
