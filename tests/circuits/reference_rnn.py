"""The rank-2 network in plain NumPy, from the N x N matrix: slow, and independent of numepi's reduced problems."""

import numpy as np

__all__ = ["connectivity", "statistics"]


def connectivity(z, chi, g):
    """U V^T (N, N) and V^T U (2, 2) of one parameter z (4N,) with the noise chi (2, N, 2)."""
    u1, u2, v1, v2 = np.split(z, 4)
    u = np.stack([u1, u2], axis=1) + g * chi[0]
    v = np.stack([v1, v2], axis=1) + g * chi[1]
    return u @ v.T, v.T @ u


def statistics(z, chi, g):
    """Re lambda_1 and the largest eigenvalue of the symmetric part: (n, 2)."""
    f = np.empty((len(z), 2))
    for i in range(len(z)):
        w, reduced = connectivity(z[i], chi[i], g)
        f[i] = np.linalg.eigvals(reduced).real.max(), np.linalg.eigvalsh((w + w.T) / 2)[-1]
    return f
