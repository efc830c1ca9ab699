"""Shapes of a few vectors: the triangle L of X = L Q, its coordinates, its volume, and the way back of gradients."""

from typing import NamedTuple

import numpy as np
from scipy import special

from numepi.flow.passes.chain import LOG_SQRT_2PI

__all__ = ["Shape", "Shapes", "pull_shape"]


class Shape(NamedTuple):
    """X (n, K, N) as L Q: ``triangle`` L (n, K, K), lower with a positive diagonal, ``frame`` Q of orthonormal rows."""

    triangle: np.ndarray
    frame: np.ndarray


class Shapes:
    """The shapes of K vectors of length N, rows of X (n, K, N); see `numepi.flow.families.gram`.

    Attributes
    ----------
    n_vectors, length : int
    degrees : ndarray (K,)
        Of freedom of L_ii, for standard normal X.
    below : (ndarray, ndarray)
        Rows and columns of L below its diagonal.
    constant : float
        Of the log volume.
    """

    def __init__(self, n_vectors, length):
        self.n_vectors, self.length = n_vectors, length
        order = np.arange(n_vectors)
        self.degrees = (length - order).astype(float)
        self.below = np.tril_indices(n_vectors, -1)
        halves = 0.5 * self.degrees
        log_frames = np.sum(np.log(2) + halves * np.log(np.pi) - special.gammaln(halves))
        # d y_ii / d L_ii = sqrt(2 k_i) / L_ii, and d y_ij / d L_ij = sqrt(k_i) / L_ii
        slopes = 0.5 * np.sum(np.log(2 * self.degrees)) + 0.5 * order @ np.log(self.degrees)
        self.constant = float(slopes - log_frames)

    def decompose(self, flat):
        """The `Shape` of rows (n, K N)."""
        flat = np.asarray(flat, float)
        if flat.ndim != 2 or flat.shape[1] != self.n_vectors * self.length:
            raise ValueError(
                f"an argument has shape {flat.shape}: this flow expects (n, {self.n_vectors * self.length})"
            )
        x = flat.reshape(-1, self.n_vectors, self.length)
        triangle = np.linalg.cholesky(x @ x.swapaxes(1, 2))
        return Shape(triangle, np.linalg.solve(triangle, x))

    def joined(self, triangle, frame):
        """Rows (n, K N) of L Q."""
        return (triangle @ frame).reshape(-1, self.n_vectors * self.length)

    def _entries(self, triangle):
        """Diagonal (n, K) and what is below it (n, K (K - 1) / 2)."""
        return np.einsum("nii->ni", triangle), triangle[:, self.below[0], self.below[1]]

    def _filled(self, diagonal, below):
        triangle = np.zeros((len(diagonal), self.n_vectors, self.n_vectors))
        np.einsum("nii->ni", triangle)[:] = diagonal
        triangle[:, self.below[0], self.below[1]] = below
        return triangle

    def normals(self, triangle):
        """Standard normals from the shape of standard normals: the diagonal by its distribution function."""
        diagonal, below = self._entries(triangle)
        low, high = (f(0.5 * self.degrees, 0.5 * diagonal**2) for f in (special.gammainc, special.gammaincc))
        return np.concatenate([np.where(low < high, special.ndtri(low), -special.ndtri(high)), below], axis=1)

    def pull_normals(self, grad, triangle, normals):
        """Gradient in L from that in `normals`."""
        diagonal, _ = self._entries(triangle)
        half = 0.5 * self.degrees
        log_pdf = (2 * half - 1) * np.log(diagonal) - 0.5 * diagonal**2 - (half - 1) * np.log(2) - special.gammaln(half)
        k = self.n_vectors
        slope = np.exp(log_pdf + 0.5 * normals[:, :k] ** 2 + LOG_SQRT_2PI)
        return self._filled(grad[:, :k] * slope, grad[:, k:])

    def standardised(self, log_diagonal):
        """Log L_ii to about mean 0 and variance 1 under standard normal X."""
        return np.sqrt(2 * self.degrees) * (log_diagonal - 0.5 * np.log(self.degrees))

    def coordinates(self, triangle):
        """Log L_ii and L_ij / L_ii, about standard normal for standard normals: (n, m)."""
        diagonal, below = self._entries(triangle)
        row = self.below[0]
        ratios = below / diagonal[:, row] * np.sqrt(self.degrees[row])
        return np.concatenate([self.standardised(np.log(diagonal)), ratios], axis=1)

    def pull_coordinates(self, grad, triangle):
        """Gradient in L from that in `coordinates`."""
        diagonal, below = self._entries(triangle)
        k, row = self.n_vectors, self.below[0]
        slope = np.sqrt(self.degrees[row]) / diagonal[:, row]
        grad_diagonal = grad[:, :k] * np.sqrt(2 * self.degrees) / diagonal
        np.subtract.at(grad_diagonal, (slice(None), row), grad[:, k:] * slope * below / diagonal[:, row])
        return self._filled(grad_diagonal, grad[:, k:] * slope)

    def triangle(self, y):
        """L of its coordinates (n, m)."""
        k, row = self.n_vectors, self.below[0]
        diagonal = np.exp(y[:, :k] / np.sqrt(2 * self.degrees) + 0.5 * np.log(self.degrees))
        return self._filled(diagonal, y[:, k:] * diagonal[:, row] / np.sqrt(self.degrees[row]))

    def pull_triangle(self, grad, triangle):
        """Gradient in the coordinates from that in L."""
        (grad_diagonal, grad_below), (diagonal, below) = self._entries(grad), self._entries(triangle)
        row = self.below[0]
        grad_log = grad_diagonal * diagonal
        np.add.at(grad_log, (slice(None), row), grad_below * below)
        ratios = grad_below * diagonal[:, row] / np.sqrt(self.degrees[row])
        return np.concatenate([grad_log / np.sqrt(2 * self.degrees), ratios], axis=1)

    def log_volume(self, triangle):
        """Log of d y / d X: of y -> L, and of (L, Q) -> X."""
        return self.constant - self.length * np.log(self._entries(triangle)[0]).sum(axis=1)

    def volume_gradient(self, triangle, grad):
        """Gradient in L of ``grad`` (n,) times `log_volume`."""
        diagonal, below = self._entries(triangle)
        return self._filled(-grad[:, None] * self.length / diagonal, np.zeros_like(below))


def pull_shape(shape, grad_triangle, grad_frame):
    """Gradient in X (n, K N) from those in L and Q of X = L Q (Walter & Lehmann 2018, for rows)."""
    triangle, frame = shape
    m = triangle.swapaxes(1, 2) @ grad_triangle - grad_frame @ frame.swapaxes(1, 2)
    symmetric = np.tril(m) + np.tril(m, -1).swapaxes(1, 2)
    inner = grad_frame + symmetric @ frame
    return np.linalg.solve(triangle.swapaxes(1, 2), inner).reshape(len(frame), -1)
