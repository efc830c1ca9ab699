"""Connectivity of the superior colliculus circuit: weights z, matrix W, and eigenvalues lambda of its fixed eigenmodes.

The four-fold symmetry gives every W the same eigenvectors, the columns of `EIGENMODES` in the order all, side, task,
diag; the weights are linear in the eigenvalues, z = A lambda (science: section 4.5; paper: Figure 4).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["EIGENMODES", "EIGENMODE_NAMES", "eigenvalues", "matrix", "weights"]

EIGENMODE_NAMES = ("all", "side", "task", "diag")
EIGENMODES = 0.5 * np.array([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]]).T
EIGENMODES.setflags(write=False)
# Row: which eigenvalues raise and which lower sW, vW, hW, dW.  The matrix is its own inverse but for a factor 4.
_SIGNS = np.array([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]])


def matrix(z: ArrayLike) -> np.ndarray:
    """Connectivity W of z = (sW, vW, hW, dW): (..., 4) to (..., 4, 4); rows receive, in the order LP, LA, RP, RA."""
    s, v, h, d = np.moveaxis(np.asarray(z, np.float64), -1, 0)
    rows = [[s, v, h, d], [v, s, d, h], [h, d, s, v], [d, h, v, s]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def eigenvalues(z: ArrayLike) -> np.ndarray:
    """Eigenvalues (all, side, task, diag) of z = (sW, vW, hW, dW): (..., 4) to (..., 4)."""
    return np.asarray(z, np.float64) @ _SIGNS.T


def weights(eigenvalues: ArrayLike) -> np.ndarray:
    """Weights z = A lambda of the eigenvalues (all, side, task, diag): (..., 4) to (..., 4)."""
    return np.asarray(eigenvalues, np.float64) @ _SIGNS.T / 4
