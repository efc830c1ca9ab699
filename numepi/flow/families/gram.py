"""Gram flow: for parameters that are a few vectors whose density depends on their norms and overlaps alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import autograd.numpy as anp
import numpy as np
from autograd import make_hvp
from autograd.tracer import isbox

from numepi.annotations import Seed
from numepi.arguments import check_choice, check_count, check_instance
from numepi.flow.couplings.lens.basis import cholesky_rows
from numepi.flow.elementwise.support import SupportMap
from numepi.flow.families.composition import ComposedFlow
from numepi.flow.families.elementwise import ElementwiseFlow
from numepi.flow.families.shapes import Shapes, pull_shape
from numepi.flow.families.spline import SplineFlow
from numepi.flow.passes import primitives
from numepi.flow.passes.chain import LOG_SQRT_2PI
from numepi.support import BOX_MAPS, Support

__all__ = ["GramFlow"]

_RIDGE = 1e-9  # relative, on the variances of shapes: keeps their covariance positive definite


class _Linear(NamedTuple):
    """y = shift + factor w, with log|det| of the factor."""

    shift: np.ndarray
    factor: np.ndarray
    log_det: float


class GramFlow:
    """q(X) = q_shape(L) / volume,  X X^T = L L^T: a flow of the m = K (K + 1) / 2 numbers of a Gram matrix.

    Before the map to the support the parameters are ``vectors`` = K vectors of equal length N, the rows of X (K, N).
    X = L Q has a *shape* L, lower triangular, which holds all norms and overlaps, and a *frame* Q of orthonormal rows.
    Where a density does not change when all vectors are rotated together, Q is uniform and independent of L: a density
    of L is all that there is to learn, whatever N.  Of standard normals the entries of L are independent, chi with
    N - i degrees of freedom on the diagonal (i = 0 ... K - 1) and normal below (Bartlett 1933): turned into normals,
    they are the base of an inner flow, which a linear map follows, and the result is log L_ii, standardised, and
    L_ij / L_ii: where statistics only see products of vectors, these split into a few that are sharp and some that are
    free.  The volume is that of X -> (L, Q), prod L_ii^(N - 1 - i) times that of all frames (Muirhead 1982, theorem
    2.1.14).

    The map to a box is no rotation: vectors that are to be *aligned* within one, as those of the rank-2 network are,
    are not so on the line's side, and `numepi.DirectionalFlow` is for them.  This flow is for supports without bounds,
    or with bounds far out.

    It satisfies `numepi.flow.Flow`; theta is that of the inner flow, and shift (m,) and triangular factor of the linear
    map: logarithms of its diagonal (m,), and what is below.

    Parameters
    ----------
    support : Support
        Where the samples live; D is a multiple of ``vectors``.
    vectors : int
        K, at most N.  Vector k takes the coordinates k N ... (k + 1) N - 1.
    stages, hidden, bins
        Of the inner flow, a `SplineFlow`; of a single norm an `ElementwiseFlow` with these bins.
    box_map : "gaussian-cdf" or "sigmoid"
    precision : "float64" or "float32"

    Attributes
    ----------
    inner : SplineFlow or ElementwiseFlow
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
        check_count("vectors", vectors)
        check_choice("box_map", box_map, tuple(BOX_MAPS))
        self.support, self.dim = support, support.dim
        length = support.dim // int(vectors)
        if support.dim % vectors or vectors > length:
            raise ValueError(
                f"vectors = {vectors}: choose a divisor of the {support.dim} parameters, which are split into that many"
                " vectors, each at least as long as their number"
            )
        self.shapes = Shapes(int(vectors), length)
        size = vectors * (vectors + 1) // 2
        line = Support([-np.inf] * size, [np.inf] * size)
        self.inner: Any = ElementwiseFlow(line, bins=bins, precision=precision)
        if size > 1:
            self.inner = SplineFlow(line, stages, hidden, bins, precision=precision)
        self._inner_settings = {"stages": stages, "hidden": list(hidden), "bins": bins}
        self.n_parameters = self.inner.n_parameters + size + size * (size + 1) // 2
        self.precision = precision
        self._outer = ComposedFlow(support, [SupportMap(support, box_map, "float64")], "float64")
        self._box_map = box_map
        self._factor_below = np.tril_indices(size, -1)

    def initial_parameters(self, rng: Seed = 0) -> np.ndarray:
        """Parameters of the inner identity: nearly the base (chi as log-normal), mapped to the support."""
        return np.concatenate(
            [self.inner.initial_parameters(rng), np.zeros(self.n_parameters - self.inner.n_parameters)]
        )

    def layout(self) -> list[tuple[str, tuple[int, ...], int]]:
        """What theta holds: list of (name, shape, offset)."""
        size, start = self.inner.dim, self.inner.n_parameters
        linear = [("shift", (size,), start), ("log_diagonal", (size,), start + size)]
        return [*self.inner.layout(), *linear, ("below", (size * (size - 1) // 2,), start + 2 * size)]

    def fitted_parameters(self, z: np.ndarray, rng: Seed = 0) -> np.ndarray:
        """Parameters of the inner identity, mapped to the mean and covariance of the shapes of ``z`` (n, D)."""
        y = self.shapes.coordinates(self.shapes.decompose(self.support.to_line(z, self._box_map)[0]).triangle)
        covariance = np.atleast_2d(np.cov(y.T))
        factor = np.linalg.cholesky(covariance + _RIDGE * np.diag(np.diag(covariance)))
        linear = (y.mean(axis=0), np.log(np.diag(factor)), factor[self._factor_below])
        return np.concatenate([self.inner.initial_parameters(rng), *linear])

    def sample(self, theta: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Push base normals (n, D) through the flow: z (n, D) and log q (n,)."""
        if isbox(theta) or isbox(base):
            return primitives.sample(self, theta, base, [])
        start = self.shapes.decompose(base)
        inner, linear = self._parts(theta)
        w, log_q = self.inner.sample(inner, self.shapes.normals(start.triangle))
        y, log_q = w @ linear.factor.T + linear.shift, log_q - linear.log_det
        triangle = self.shapes.triangle(y)
        moved = self.shapes.joined(triangle, start.frame)
        z, log_outer = self._outer.sample(np.empty(0), moved)
        return z, log_q + self.shapes.log_volume(triangle) + log_outer - _log_normal(moved)

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
        start = self.shapes.decompose(base)
        normals = self.shapes.normals(start.triangle)
        inner, linear = self._parts(theta)
        w, log_q, pull_inner = self.inner.sample_with_full_pullback(inner, normals)
        y, log_q = w @ linear.factor.T + linear.shift, log_q - linear.log_det
        triangle = self.shapes.triangle(y)
        moved = self.shapes.joined(triangle, start.frame)
        z, log_outer, pull_outer = self._outer.sample_with_full_pullback(np.empty(0), moved)

        def pullback(grad_z, grad_log_q):
            grad = pull_outer(grad_z, grad_log_q)[1] + grad_log_q[:, None] * moved
            grad = grad.reshape(start.frame.shape)
            grad_triangle = np.tril(grad @ start.frame.swapaxes(1, 2)) + self.shapes.volume_gradient(
                triangle, grad_log_q
            )
            grad_y = self.shapes.pull_triangle(grad_triangle, triangle)
            grad_inner, grad_normals = pull_inner(grad_y @ linear.factor, grad_log_q)
            grad_start = self.shapes.pull_normals(grad_normals, start.triangle, normals)
            grad_theta = self._joined_gradient(grad_inner, linear, grad_y, w, grad_log_q)
            return grad_theta, pull_shape(start, grad_start, triangle.swapaxes(1, 2) @ grad)

        return z, log_q + self.shapes.log_volume(triangle) + log_outer - _log_normal(moved), pullback

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
        shape = self.shapes.decompose(moved)
        inner, linear = self._parts(theta)
        w = np.linalg.solve(linear.factor, (self.shapes.coordinates(shape.triangle) - linear.shift).T).T
        log_inner, pull_inner = self.inner.log_prob_with_pullback(inner, w)
        log_q = log_outer.copy()
        log_q[inside] += log_inner - linear.log_det + self.shapes.log_volume(shape.triangle) - _log_normal(moved)

        def pullback(grad_log_q):
            grad = grad_log_q[inside]
            grad_inner, grad_w = pull_inner(grad)
            grad_y = np.linalg.solve(linear.factor.T, grad_w.T).T
            grad_theta = self._joined_gradient(grad_inner, linear, -grad_y, w, grad)
            grad_triangle = self.shapes.pull_coordinates(grad_y, shape.triangle) + self.shapes.volume_gradient(
                shape.triangle, grad
            )
            grad_moved = pull_shape(shape, grad_triangle, np.zeros_like(shape.frame)) + grad[:, None] * moved
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
        x = anp.reshape(line, (-1, self.shapes.n_vectors, self.shapes.length))
        rows = cholesky_rows(anp.einsum("nij,nkj->nik", x, x))
        diagonal = anp.stack([rows[i][i] for i in range(self.shapes.n_vectors)], axis=1)
        below = [rows[i][j] for i, j in zip(*self.shapes.below)]
        ratios = [b / diagonal[:, i] * np.sqrt(self.shapes.degrees[i]) for b, i in zip(below, self.shapes.below[0])]
        y = anp.concatenate([self.shapes.standardised(anp.log(diagonal)), *(r[:, None] for r in ratios)], axis=1)
        inner, linear = self._parts(theta)
        w = anp.dot(y - linear.shift, np.linalg.inv(linear.factor).T)
        volume = self.shapes.constant - linear.log_det - self.shapes.length * anp.sum(anp.log(diagonal), axis=1)
        return self.inner.log_prob_definition(inner, w) + volume - log_slope

    def _parts(self, theta):
        """Theta of the inner flow, and the linear map."""
        theta = np.asarray(theta, float)
        if theta.shape != (self.n_parameters,):
            raise ValueError(f"theta has shape {theta.shape}: this flow expects ({self.n_parameters},)")
        size = self.inner.dim
        ends = np.cumsum([self.inner.n_parameters, size, size])
        inner, shift, log_diagonal, below = np.split(theta, ends)
        factor = np.diag(np.exp(log_diagonal))
        factor[self._factor_below] = below
        return inner, _Linear(shift, factor, float(log_diagonal.sum()))

    def _joined_gradient(self, grad_inner, linear, grad_y, w, grad_log_q):
        """Gradient in theta from that in y = shift + factor w, ``grad_y`` (n, m), and in log q, which loses log_det."""
        grad_factor = grad_y.T @ w
        grad_diagonal = np.diag(grad_factor) * np.diag(linear.factor) - grad_log_q.sum()
        return np.concatenate([grad_inner, grad_y.sum(axis=0), grad_diagonal, grad_factor[self._factor_below]])

    @property
    def description(self) -> dict[str, Any]:
        """A JSON-able dict that `numepi.flow.flow_from_description` takes."""
        return {"family": type(self).__name__, "support": self.support.description, **self._settings}

    @property
    def _settings(self):
        how = {"box_map": self._box_map, "precision": self.precision}
        return {"vectors": self.shapes.n_vectors, **self._inner_settings, **how}

    def __repr__(self):
        settings = ", ".join(f"{name}={value!r}" for name, value in self._settings.items())
        return f"{type(self).__name__}({self.support!r}, {settings})"


def _log_normal(x):
    return -0.5 * np.einsum("nd,nd->n", x, x) - x.shape[1] * LOG_SQRT_2PI
