"""Gram flow: for parameters that are a few vectors whose density depends on their norms and overlaps alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from autograd import make_hvp
from autograd.tracer import isbox
from scipy import special

from numepi.annotations import Seed
from numepi.arguments import check_count, check_instance
from numepi.flow.elementwise.support import SupportMap
from numepi.flow.families.composition import ComposedFlow
from numepi.flow.families.spline import SplineFlow
from numepi.flow.passes import primitives
from numepi.flow.passes.chain import LOG_SQRT_2PI
from numepi.support import Support

__all__ = ["GramFlow"]


class _Shape(NamedTuple):
    """X (n, K, N) as L Q: ``triangle`` L (n, K, K), lower with a positive diagonal, ``frame`` Q of orthonormal rows."""

    triangle: np.ndarray
    frame: np.ndarray


class GramFlow:
    """q(X) = q_shape(L) / volume,  X X^T = L L^T: a flow of the K (K + 1) / 2 numbers of a Gram matrix.

    Before the map to the support the parameters are ``vectors`` = K vectors of equal length N, the rows of X (K, N).
    X = L Q has a *shape* L, lower triangular, which holds all norms and overlaps, and a *frame* Q of orthonormal rows.
    Where a density does not change when all vectors are rotated together, Q is uniform and independent of L: a density
    of L is all that there is to learn, whatever N.  Of standard normals the entries of L are independent, chi with
    N - i degrees of freedom on the diagonal (i = 0 ... K - 1) and normal below (Bartlett 1933): turned into normals,
    they are the base of an inner flow, whose output is log L_ii, standardised, and L_ij.  The volume is that of
    X -> (L, Q), prod L_ii^(N - 1 - i) times that of all frames (Muirhead 1982, theorem 2.1.14).

    A box turns rotations of the line's side into something else only where parameters come near its bounds: the
    connectivity U V^T of a low-rank network whose statistics ask for vectors much shorter than the box allows has next
    to nothing that this flow lacks.  `numepi.DirectionalFlow` is for the others.

    It satisfies `numepi.flow.Flow`; theta is that of the inner flow.

    Parameters
    ----------
    support : Support
        Where the samples live; D is a multiple of ``vectors``.
    vectors : int
        K, at least 2 and at most N.  Vector k takes the coordinates k N ... (k + 1) N - 1.
    stages, hidden, bins
        Of the inner flow, a `SplineFlow` with an element-wise scale and shift.
    box_map : "gaussian-cdf" or "sigmoid"

    Attributes
    ----------
    inner : SplineFlow
        Of the shape, K (K + 1) / 2 numbers: the diagonal, then the rows below it.

    Raises
    ------
    TypeError, ValueError
        If ``support`` is no `Support`, or a number is out of its range.
    """

    def __init__(
        self,
        support: Support,
        vectors: int,
        stages: int = 6,
        hidden: Sequence[int] = (32, 32),
        bins: int = 8,
        box_map: str = "gaussian-cdf",
        precision: str = "float64",
    ) -> None:
        check_instance("support", support, Support, "give a numepi.Support")
        check_count("vectors", vectors, least=2)
        self.support, self.dim = support, support.dim
        self.n_vectors, self.length = int(vectors), support.dim // int(vectors)
        if support.dim % vectors or vectors > self.length:
            raise ValueError(
                f"vectors = {vectors}: choose a divisor of the {support.dim} parameters, which are split into that many"
                " vectors, each at least as long as their number"
            )
        size = vectors * (vectors + 1) // 2
        line = Support([-np.inf] * size, [np.inf] * size)
        self.inner = SplineFlow(line, stages, hidden, bins, post_affine=True, precision=precision)
        self.n_parameters, self.precision = self.inner.n_parameters, precision
        self._outer = ComposedFlow(support, [SupportMap(support, box_map, "float64")], "float64")
        self._box_map = box_map
        order = np.arange(vectors)
        self._degrees = (self.length - order).astype(float)
        self._power = self.length - 1.0 - order  # of L_ii in the volume
        self._below = np.tril_indices(vectors, -1)
        halves = 0.5 * self._degrees
        log_frames = np.sum(np.log(2) + halves * np.log(np.pi) - special.gammaln(halves))
        # d y_i / d L_ii = sqrt(2 k_i) / L_ii
        self._constant = float(np.sum(0.5 * np.log(2 * self._degrees)) - log_frames)

    def initial_parameters(self, rng: Seed = 0) -> np.ndarray:
        """Parameters of the inner identity: nearly the base (chi as log-normal), mapped to the support."""
        return self.inner.initial_parameters(rng)

    def layout(self) -> list[tuple[str, tuple[int, ...], int]]:
        """What theta holds: list of (name, shape, offset)."""
        return self.inner.layout()

    def fitted_parameters(self, z: np.ndarray, rng: Seed = 0) -> np.ndarray:
        """Parameters of the identity, scaled and shifted to the means and deviations of the shapes of ``z`` (n, D)."""
        y = self._coordinates(self._decompose(self.support.to_line(z, self._box_map)[0]).triangle)
        theta = self.inner.initial_parameters(rng)
        self.inner.absorb_affine(theta, np.log(y.std(axis=0)), y.mean(axis=0))
        return theta

    def sample(self, theta: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Push base normals (n, D) through the flow: z (n, D) and log q (n,)."""
        if isbox(theta) or isbox(base):
            return primitives.sample(self, theta, base, [])
        start = self._decompose(base)
        y, log_q = self.inner.sample(theta, self._normals(start.triangle))
        triangle = self._triangle(y)
        moved = self._joined(triangle, start.frame)
        z, log_outer = self._outer.sample(np.empty(0), moved)
        return z, log_q + self._log_volume(triangle) + log_outer - _log_normal(moved)

    def sample_with_pullback(
        self, theta: np.ndarray, base: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
        """As `sample`, with the pullback (grad_z, grad_log_q) -> gradient in theta."""
        z, log_q, pull = self.sample_with_full_pullback(theta, base)
        return z, log_q, lambda grad_z, grad_log_q: pull(grad_z, grad_log_q)[0]

    def sample_with_full_pullback(
        self, theta: np.ndarray, base: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]]:
        """As `sample_with_pullback`, and the pullback gives the gradients in theta and in base (n, D)."""
        start = self._decompose(base)
        normals = self._normals(start.triangle)
        y, log_q, pull_inner = self.inner.sample_with_full_pullback(theta, normals)
        triangle = self._triangle(y)
        moved = self._joined(triangle, start.frame)
        z, log_outer, pull_outer = self._outer.sample_with_full_pullback(np.empty(0), moved)

        def pullback(grad_z, grad_log_q):
            grad = pull_outer(grad_z, grad_log_q)[1] + grad_log_q[:, None] * moved
            grad = grad.reshape(start.frame.shape)
            grad_triangle = np.tril(grad @ start.frame.swapaxes(1, 2)) + self._volume_gradient(triangle, grad_log_q)
            grad_y = self._pull_triangle(grad_triangle, triangle)
            grad_theta, grad_normals = pull_inner(grad_y, grad_log_q)
            grad_start = self._pull_normals(grad_normals, start.triangle, normals)
            return grad_theta, _pull_shape(start, grad_start, triangle.swapaxes(1, 2) @ grad)

        return z, log_q + self._log_volume(triangle) + log_outer - _log_normal(moved), pullback

    def log_prob(self, theta: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Log q(z) (n,) at ``z`` (n, D): -inf outside of the support, NaN where z is NaN."""
        if isbox(theta) or isbox(z):
            return primitives.log_prob(self, theta, z, [])
        return self.log_prob_with_pullback(theta, z)[0]

    def log_prob_with_pullback(
        self, theta: np.ndarray, z: np.ndarray
    ) -> tuple[np.ndarray, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]]:
        """As `log_prob`, with the pullback grad_log_q -> gradients in theta and in z (n, D)."""
        log_outer, pull_outer = self._outer.log_prob_with_pullback(np.empty(0), z)
        inside = np.isfinite(log_outer)
        moved = self.support.to_line(np.asarray(z, float)[inside], self._box_map)[0]
        shape = self._decompose(moved)
        inner, pull_inner = self.inner.log_prob_with_pullback(theta, self._coordinates(shape.triangle))
        log_q = log_outer.copy()
        log_q[inside] += inner + self._log_volume(shape.triangle) - _log_normal(moved)

        def pullback(grad_log_q):
            grad = grad_log_q[inside]
            grad_theta, grad_y = pull_inner(grad)
            grad_triangle = self._pull_coordinates(grad_y, shape.triangle) + self._volume_gradient(shape.triangle, grad)
            grad_moved = _pull_shape(shape, grad_triangle, np.zeros_like(shape.frame)) + grad[:, None] * moved
            _, _, pull = self._outer.sample_with_full_pullback(np.empty(0), moved)
            slope = pull(np.ones_like(moved), np.zeros(len(moved)))[1]  # dz / d line, element by element
            grad_z = pull_outer(grad_log_q)[1]
            grad_z[inside] += grad_moved / slope
            return grad_theta, grad_z

        return log_q, pullback

    def log_prob_gradient(self, theta: np.ndarray, z: np.ndarray) -> np.ndarray:
        """d log q / dz (n, D) at ``z`` (n, D); NaN in rows outside of the support."""
        return self.log_prob_with_pullback(theta, z)[1](np.ones(len(z)))[1]

    def log_prob_hessian_product(self, theta: np.ndarray, z: np.ndarray, v: np.ndarray) -> np.ndarray:
        """d^2 log q / dz^2 times ``v`` (n, D), row by row, at ``z`` (n, D), by the definition; NaN outside."""
        product = np.full(np.shape(z), np.nan)
        inside = np.isfinite(self.log_prob(theta, z))
        times, _ = make_hvp(lambda x: anp.sum(self.log_prob_definition(theta, x)))(z[inside])
        product[inside] = times(v[inside])
        return product

    def log_prob_definition(self, theta: Any, z: Any) -> Any:
        """`log_prob` in plain `autograd.numpy`, for z inside the support."""
        line, log_slope = self.support.to_line(z, self._box_map)
        x = anp.reshape(line, (-1, self.n_vectors, self.length))
        rows = _cholesky_rows(anp.einsum("nij,nkj->nik", x, x))
        diagonal = anp.stack([rows[i][i] for i in range(self.n_vectors)], axis=1)
        below = [rows[i][j] for i, j in zip(*self._below)]
        y = anp.concatenate([self._standardised(anp.log(diagonal)), *(b[:, None] for b in below)], axis=1)
        volume = self._constant - anp.sum((self._power + 1) * anp.log(diagonal), axis=1)
        return self.inner.log_prob_definition(theta, y) + volume - log_slope

    def _decompose(self, flat):
        flat = np.asarray(flat, float)
        if flat.ndim != 2 or flat.shape[1] != self.dim:
            raise ValueError(f"an argument has shape {flat.shape}: this flow expects (n, {self.dim})")
        x = flat.reshape(-1, self.n_vectors, self.length)
        triangle = np.linalg.cholesky(x @ x.swapaxes(1, 2))
        return _Shape(triangle, np.linalg.solve(triangle, x))

    def _joined(self, triangle, frame):
        return (triangle @ frame).reshape(-1, self.dim)

    def _entries(self, triangle):
        """Diagonal (n, K) and what is below it (n, K (K - 1) / 2)."""
        return np.einsum("nii->ni", triangle), triangle[:, self._below[0], self._below[1]]

    def _filled(self, diagonal, below):
        triangle = np.zeros((len(diagonal), self.n_vectors, self.n_vectors))
        np.einsum("nii->ni", triangle)[:] = diagonal
        triangle[:, self._below[0], self._below[1]] = below
        return triangle

    def _normals(self, triangle):
        """Standard normals from the shape of standard normals: the diagonal by its distribution function."""
        diagonal, below = self._entries(triangle)
        low, high = (f(0.5 * self._degrees, 0.5 * diagonal**2) for f in (special.gammainc, special.gammaincc))
        return np.concatenate([np.where(low < high, special.ndtri(low), -special.ndtri(high)), below], axis=1)

    def _pull_normals(self, grad, triangle, normals):
        diagonal, _ = self._entries(triangle)
        half = 0.5 * self._degrees
        log_pdf = (2 * half - 1) * np.log(diagonal) - 0.5 * diagonal**2 - (half - 1) * np.log(2) - special.gammaln(half)
        k = self.n_vectors
        slope = np.exp(log_pdf + 0.5 * normals[:, :k] ** 2 + LOG_SQRT_2PI)
        return self._filled(grad[:, :k] * slope, grad[:, k:])

    def _standardised(self, log_diagonal):
        return np.sqrt(2 * self._degrees) * (log_diagonal - 0.5 * np.log(self._degrees))

    def _coordinates(self, triangle):
        """What the inner flow is of: log L_ii, about standard normal for standard normals, and L_ij."""
        diagonal, below = self._entries(triangle)
        return np.concatenate([self._standardised(np.log(diagonal)), below], axis=1)

    def _pull_coordinates(self, grad, triangle):
        diagonal, _ = self._entries(triangle)
        k = self.n_vectors
        return self._filled(grad[:, :k] * np.sqrt(2 * self._degrees) / diagonal, grad[:, k:])

    def _triangle(self, y):
        k = self.n_vectors
        log_diagonal = y[:, :k] / np.sqrt(2 * self._degrees) + 0.5 * np.log(self._degrees)
        return self._filled(np.exp(log_diagonal), y[:, k:])

    def _pull_triangle(self, grad, triangle):
        diagonal, below = self._entries(grad)
        return np.concatenate([diagonal * self._entries(triangle)[0] / np.sqrt(2 * self._degrees), below], axis=1)

    def _log_volume(self, triangle):
        """Log d(inner) / d(line): of y -> L, and of (L, Q) -> X."""
        return self._constant - np.log(self._entries(triangle)[0]) @ (self._power + 1)

    def _volume_gradient(self, triangle, grad):
        diagonal, below = self._entries(triangle)
        return self._filled(-grad[:, None] * (self._power + 1) / diagonal, np.zeros_like(below))

    @property
    def description(self) -> dict[str, Any]:
        """A JSON-able dict that `numepi.flow.flow_from_description` takes."""
        return {"family": type(self).__name__, "support": self.support.description, **self._settings}

    @property
    def _settings(self):
        inner = self.inner.settings
        return {
            "vectors": self.n_vectors, **{name: inner[name] for name in ("stages", "hidden", "bins")},
            "box_map": self._box_map, "precision": self.precision,
        }  # fmt: skip

    def __repr__(self):
        settings = ", ".join(f"{name}={value!r}" for name, value in self._settings.items())
        return f"{type(self).__name__}({self.support!r}, {settings})"


def _log_normal(x):
    return -0.5 * np.einsum("nd,nd->n", x, x) - x.shape[1] * LOG_SQRT_2PI


def _pull_shape(shape, grad_triangle, grad_frame):
    """Gradient in X (n, K N) from those in L and Q of X = L Q (Walter & Lehmann 2018, for rows)."""
    triangle, frame = shape
    m = triangle.swapaxes(1, 2) @ grad_triangle - grad_frame @ frame.swapaxes(1, 2)
    symmetric = np.tril(m) + np.tril(m, -1).swapaxes(1, 2)
    inner = grad_frame + symmetric @ frame
    return np.linalg.solve(triangle.swapaxes(1, 2), inner).reshape(len(frame), -1)


def _cholesky_rows(gram):
    """Cholesky factor of ``gram`` (n, K, K) in autograd's numpy: rows of its lower triangle, entries (n,)."""
    rows = []
    for i in range(gram.shape[1]):
        row = []
        for j in range(i + 1):
            rest = gram[:, i, j] - sum((row[k] * (row if j == i else rows[j])[k] for k in range(j)), 0.0)
            row.append(anp.sqrt(rest) if j == i else rest / rows[j][j])
        rows.append(row)
    return rows
