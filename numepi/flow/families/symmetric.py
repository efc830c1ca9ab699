"""Symmetric flow: a density that does not change under given changes of sign, as the exact solution does not."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from autograd.tracer import getval, isbox
from scipy import special

from numepi.annotations import Seed
from numepi.arguments import check_choice, check_indices, check_instance, shown
from numepi.flow.families.real_nvp import RealNVP
from numepi.flow.families.spline import SplineFlow
from numepi.flow.passes import primitives
from numepi.support import Support

__all__ = ["SymmetricFlow"]

_FAMILIES = {"RealNVP": RealNVP, "SplineFlow": SplineFlow}


class SymmetricFlow:
    """q(z) = q_half(fold(z)) / 2^r: a flow on one half for each of r independent sign symmetries, mirrored to the rest.

    Where statistics do not change when a set of parameters change sign together, neither does the maximum-entropy
    density: it has as many copies of each mode as the sets generate images.  A flow would have to learn every copy and
    their balance; this one learns one, and the others are exact.  Each independent set has a *pivot*, a parameter that
    no other set moves (they are brought to that form by elimination over signs); fold(z) makes all pivots positive.
    Base normals are folded alike, u -> Phi^-1(2 Phi(|u|) - 1), so that with the Gaussian-CDF map the initial flow is
    exactly uniform on the box.  The density may jump where a pivot is zero; its gradient there is one-sided.

    It satisfies `numepi.flow.Flow`.  With a prior it can be right only if the prior has the
    symmetries, too.

    Parameters
    ----------
    support : Support
        Symmetric about zero in every parameter that changes sign.
    sign_symmetries : sequence of sequences of int
        Each names the parameters that change sign together, by index.
    half_family : "SplineFlow" or "RealNVP"
        Of the flow on the half.
    **settings
        Of that family.

    Attributes
    ----------
    half : Flow
        The flow of the folded parameters; theta is its own.

    Raises
    ------
    ValueError
        If a set is empty or names no parameter, the support is not symmetric in one of its parameters, or the family is
        unknown.
    """

    def __init__(
        self,
        support: Support,
        sign_symmetries: Sequence[Sequence[int]],
        half_family: str = "SplineFlow",
        **settings: Any,
    ) -> None:
        check_instance("support", support, Support, "give a numepi.Support")
        check_choice("half_family", half_family, tuple(sorted(_FAMILIES)))
        if isinstance(sign_symmetries, str) or not isinstance(sign_symmetries, Iterable):
            raise TypeError(f"sign_symmetries = {shown(sign_symmetries)}: give a sequence of sets of indices")
        indices = range(support.dim)
        self.sign_symmetries = tuple(
            _set_of(f"sign_symmetries[{number}]", each, indices) for number, each in enumerate(sign_symmetries)
        )
        self._flips, self._pivots = _eliminate(support, self.sign_symmetries)
        lower = support.lower.copy()
        lower[self._pivots] = 0.0
        self.half = _FAMILIES[half_family](Support(lower, support.upper), **settings)
        self.support, self.dim = support, support.dim
        self.n_parameters, self.precision = self.half.n_parameters, self.half.precision
        self._log_images = len(self._pivots) * np.log(2)

    def initial_parameters(self, rng: Seed = 0) -> np.ndarray:
        """Parameters (n_parameters,) of the identity: the base, mapped to the support; hidden weights are random."""
        return self.half.initial_parameters(rng)

    def layout(self) -> list[tuple[str, tuple[int, ...], int]]:
        """What theta holds: list of (name, shape, offset)."""
        return self.half.layout()

    def sample(self, theta: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Push base normals (n, D) through the flow: z (n, D) and log q (n,)."""
        if isbox(theta) or isbox(base):
            return primitives.sample(self, theta, base, [])
        signs, folded, _ = self._fold_base(base)
        z, log_q = self.half.sample(theta, folded)
        return signs * z, log_q - self._log_images

    def sample_with_pullback(
        self, theta: np.ndarray, base: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
        """As `sample`, with the pullback (grad_z, grad_log_q) -> gradient in theta."""
        signs, folded, _ = self._fold_base(base)
        z, log_q, pull = self.half.sample_with_pullback(theta, folded)
        return signs * z, log_q - self._log_images, lambda grad_z, grad_log_q: pull(signs * grad_z, grad_log_q)

    def sample_with_full_pullback(
        self, theta: np.ndarray, base: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]]:
        """As `sample_with_pullback`, and the pullback gives the gradients in theta and in base (n, D)."""
        signs, folded, slope = self._fold_base(base)
        z, log_q, pull = self.half.sample_with_full_pullback(theta, folded)

        def pullback(grad_z, grad_log_q):
            grad_theta, grad_folded = pull(signs * grad_z, grad_log_q)
            return grad_theta, slope * grad_folded

        return signs * z, log_q - self._log_images, pullback

    def log_prob(self, theta: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Log q(z) (n,) at ``z`` (n, D): -inf outside of the support, NaN where z is NaN."""
        if isbox(theta) or isbox(z):
            return primitives.log_prob(self, theta, z, [])
        return self.half.log_prob(theta, self._signs(z) * z) - self._log_images

    def log_prob_with_pullback(
        self, theta: np.ndarray, z: np.ndarray
    ) -> tuple[np.ndarray, Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]]:
        """As `log_prob`, with the pullback grad_log_q -> gradients in theta and in z (n, D)."""
        signs = self._signs(z)
        log_q, pull = self.half.log_prob_with_pullback(theta, signs * z)

        def pullback(grad_log_q):
            grad_theta, grad_z = pull(grad_log_q)
            return grad_theta, signs * grad_z

        return log_q - self._log_images, pullback

    def log_prob_gradient(self, theta: np.ndarray, z: np.ndarray) -> np.ndarray:
        """d log q / dz (n, D) at ``z`` (n, D); NaN in rows outside of the support."""
        signs = self._signs(z)
        return signs * self.half.log_prob_gradient(theta, signs * z)

    def log_prob_hessian_product(self, theta: np.ndarray, z: np.ndarray, v: np.ndarray) -> np.ndarray:
        """d^2 log q / dz^2 times ``v`` (n, D), row by row, at ``z`` (n, D); NaN outside."""
        signs = self._signs(z)
        return signs * self.half.log_prob_hessian_product(theta, signs * z, signs * v)

    def sample_definition(self, theta: Any, base: Any) -> tuple[Any, Any]:
        """`sample` in plain `autograd.numpy`: the readable definition."""
        signs, is_pivot = self._signs(base), np.isin(np.arange(self.dim), self._pivots)
        folded = anp.where(is_pivot, _folded_normal(anp.where(is_pivot, anp.abs(base), 1.0)), base)
        z, log_q = self.half.sample_definition(theta, folded)
        return signs * z, log_q - self._log_images

    def log_prob_definition(self, theta: Any, z: Any) -> Any:
        """`log_prob` in plain `autograd.numpy`, for z inside the support."""
        return self.half.log_prob_definition(theta, self._signs(z) * z) - self._log_images

    def _signs(self, x):
        """The change of signs (n, D) that folds the rows of ``x`` (n, D), and unfolds them again."""
        x = np.asarray(getval(x), np.float64)
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ValueError(f"an argument has shape {x.shape}: this flow expects (n, {self.dim})")
        odd = (x[:, self._pivots] < 0).astype(np.int64) @ self._flips % 2
        return 1.0 - 2.0 * odd

    def _fold_base(self, base):
        """Signs (n, D) of ``base`` (n, D), the folded normals, and their slope d folded / d base (n, D)."""
        signs = self._signs(base)
        folded, slope = np.array(base, np.float64), np.ones_like(signs)
        u = folded[:, self._pivots]
        v = folded[:, self._pivots] = _folded_normal(np.abs(u))
        slope[:, self._pivots] = np.sign(u) * _folded_slope(v, u)
        return signs, folded, slope

    @property
    def description(self) -> dict[str, Any]:
        """A JSON-able dict that `numepi.flow.flow_from_description` takes."""
        return {
            "family": type(self).__name__,
            "support": self.support.description,
            "sign_symmetries": [list(each) for each in self.sign_symmetries],
            "half_family": type(self.half).__name__,
            **self.half.settings,
        }

    def __repr__(self):
        settings = ", ".join(f"{name}={value!r}" for name, value in self.half.settings.items())
        half = type(self.half).__name__
        return f"{type(self).__name__}({self.support!r}, {self.sign_symmetries!r}, half_family={half!r}, {settings})"


def _set_of(name, each, indices):
    """A set of different indices as a tuple."""
    if isinstance(each, str) or not isinstance(each, Iterable):
        raise TypeError(f"{name} = {shown(each)}: give a sequence of the indices that change sign together")
    return check_indices(name, tuple(each), indices)


def _eliminate(support, sets):
    """Independent sets of signs with a pivot each: flips (r, D) of 0 and 1, and the pivots (r,), as indices.

    Gauss-Jordan elimination over GF(2): a flip of two sets is a flip of their symmetric difference.
    """
    rows = np.zeros((len(sets), support.dim), np.int64)
    for number, each in enumerate(sets):
        rows[number, list(each)] = 1
    for i in np.flatnonzero(rows.any(axis=0) & (support.lower != -support.upper)):
        raise ValueError(
            f"sign_symmetries moves parameter {i}, whose bounds [{support.lower[i]}, {support.upper[i]}] are not "
            "symmetric about zero: make them so, or leave the set out"
        )
    pivots = []
    for column in range(support.dim):
        below = np.flatnonzero(rows[len(pivots) :, column])
        if not len(below):
            continue
        rank = len(pivots)
        rows[[rank, rank + below[0]]] = rows[[rank + below[0], rank]]
        others = (rows[:, column] == 1) & (np.arange(len(rows)) != rank)
        rows[others] ^= rows[rank]
        pivots.append(column)
    return rows[: len(pivots)], np.array(pivots, int)


@primitive
def _folded_normal(u):
    """Phi^-1(2 Phi(u) - 1) for u >= 0: standard normal where u is the absolute value of one."""
    below, above = special.erf(u / np.sqrt(2)), special.erfc(u / np.sqrt(2))
    # The smaller of the two keeps its digits; zero would go to minus infinity.
    tail = special.ndtri(np.maximum(np.minimum(below, above), np.finfo(np.float64).tiny))
    return np.where(below < above, tail, -tail)


def _folded_slope(v, u):
    return 2 * anp.exp(0.5 * (v * v - u * u))


defvjp(_folded_normal, lambda v, u: lambda g: g * _folded_slope(v, u))
