"""The exact maximum-entropy solution on given points, from several noisy draws of T on each."""

import numpy as np

_NEWTON_STEPS = 50


def tilted(T):
    """Multipliers (m,) and probabilities (n,) of p ~ exp(eta . E[T | z]) with E_p[T] = 0, from draws T (n, draws, m).

    The exponent is corrected for the noise of the draws' mean as in the science, section 1.
    """
    draws, mean = T.shape[1], T.mean(axis=1)
    noise = np.einsum("nda,ndb->nab", T - mean[:, None], T - mean[:, None]) / (draws - 1) / draws
    eta = np.zeros(T.shape[2])
    for _ in range(_NEWTON_STEPS):
        log_w = mean @ eta - 0.5 * np.einsum("a,nab,b->n", eta, noise, eta)
        p = np.exp(log_w - log_w.max())
        p /= p.sum()
        gradient = p @ mean
        hessian = (mean - gradient).T @ (p[:, None] * (mean - gradient))
        step = -np.linalg.solve(hessian, gradient)
        eta = eta + step * min(1.0, 1 / np.sqrt(step @ hessian @ step))
    assert np.abs(p @ mean).max() < 1e-6
    return eta, p
