"""The set that parameters live on: a box, half-lines and lines, as smooth maps from the real line.

Each dimension is mapped from u in R by an increasing bijection, chosen by which of its bounds are finite:

=============  ==========================  =================================
bounds         name                        z(u)
=============  ==========================  =================================
both           ``gaussian-cdf`` (default)  lower + (upper - lower) Phi(u)
both           ``sigmoid``                 lower + (upper - lower) sigmoid(u)
lower only     softplus                    lower + log(1 + exp(u))
upper only     softplus                    upper - log(1 + exp(-u))
none           identity                    u
=============  ==========================  =================================

With a standard normal u the Gaussian-CDF map is exactly uniform on the box.
"""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from numpy.typing import ArrayLike
from scipy import special

__all__ = ["BOX_MAPS", "GAUSSIAN_CDF", "LINE", "LOWER", "SIGMOID", "UPPER", "Support"]

LINE, LOWER, UPPER, GAUSSIAN_CDF, SIGMOID = range(5)
BOX_MAPS = {"gaussian-cdf": GAUSSIAN_CDF, "sigmoid": SIGMOID}
_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)


class Support:
    """A product of D intervals, each bounded on both sides, one, or none.

    Parameters
    ----------
    lower, upper : array (D,)
        Bounds; ``-inf`` and ``inf`` leave a side open.

    Raises
    ------
    ValueError
        If the shapes differ, D < 1, a bound is NaN, or a lower bound is not below its upper one.
    """

    def __init__(self, lower: ArrayLike, upper: ArrayLike) -> None:
        self.lower = np.array(lower, dtype=np.float64)
        self.upper = np.array(upper, dtype=np.float64)
        if self.lower.ndim != 1 or self.lower.shape != self.upper.shape:
            raise ValueError(
                f"lower has shape {self.lower.shape} and upper {self.upper.shape}: give one bound a side for each of "
                "the D dimensions"
            )
        if self.dim < 1:
            raise ValueError("the support has no dimension: give lower and upper at least one bound each")
        for i, (low, high) in enumerate(zip(self.lower, self.upper)):
            if np.isnan(low) or np.isnan(high):
                raise ValueError(f"dimension {i} has the bounds [{low}, {high}]: a bound is a number, -inf or inf")
            if not low < high or low == np.inf or high == -np.inf:
                raise ValueError(f"dimension {i} has the bounds [{low}, {high}]: lower must be below upper")
            if np.isfinite(low) and np.isfinite(high) and not np.isfinite(float(high) - float(low)):
                raise ValueError(f"dimension {i} has the bounds [{low}, {high}]: the width overflows; use -inf or inf")
        self.lower.setflags(write=False)
        self.upper.setflags(write=False)

    @property
    def dim(self) -> int:
        """Number of dimensions D."""
        return len(self.lower)

    @property
    def width(self) -> np.ndarray:
        """``upper - lower`` (D,): inf where a side is open."""
        return self.upper - self.lower

    @property
    def volume(self) -> float:
        """Product of the widths: inf unless the support is a box."""
        return float(np.prod(self.width))

    @property
    def log_volume(self) -> float:
        """Sum of the log widths, which does not overflow in many dimensions."""
        return float(np.sum(np.log(self.width)))

    @property
    def is_box(self) -> bool:
        """Whether every side is bounded."""
        return bool(np.isfinite(self.width).all())

    def contains(self, z: ArrayLike) -> np.ndarray:
        """Whether each row of ``z`` (n, D) lies in the closed support: (n,) bool, False for NaN."""
        z = np.asarray(z, np.float64)
        if z.ndim != 2 or z.shape[1] != self.dim:
            raise ValueError(f"z has shape {z.shape}: the support expects (n, {self.dim})")
        return np.asarray(((z >= self.lower) & (z <= self.upper)).all(axis=1))

    def kinds(self, box_map: str = "gaussian-cdf") -> np.ndarray:
        """Which of the module's maps each dimension uses: (D,) int8."""
        if box_map not in BOX_MAPS:
            raise ValueError(f"box_map = {box_map!r}: choose one of {sorted(BOX_MAPS)}")
        has_lower, has_upper = np.isfinite(self.lower), np.isfinite(self.upper)
        kinds = np.full(self.dim, LINE, np.int8)
        kinds[has_lower] = LOWER
        kinds[has_upper] = UPPER
        kinds[has_lower & has_upper] = BOX_MAPS[box_map]
        return kinds

    def edge_distances(self) -> tuple[np.ndarray, ...]:
        """Least distance to the lower and to the upper bound that `to_line` tells from zero: (D,) and (D,).

        Half the distance to the next number inside: a sample that rounded to the bound is taken to lie there.
        """
        tiny = np.finfo(np.float64).tiny
        with np.errstate(invalid="ignore"):
            low = 0.5 * (np.nextafter(self.lower, np.inf) - self.lower)
            high = 0.5 * (self.upper - np.nextafter(self.upper, -np.inf))
        return tuple(np.maximum(np.where(np.isfinite(edge), edge, tiny), tiny) for edge in (low, high))

    def from_line(self, u: ArrayLike, box_map: str = "gaussian-cdf") -> tuple[np.ndarray, np.ndarray]:
        """Map ``u`` (n, D) to the support.

        Returns
        -------
        z : (n, D)
            In the closed support, whatever the rounding.
        log_det : (n,)
            log|det dz/du|, computed from ``u``: finite where z rounds to a bound.
        """
        return self._by_kind(u, box_map, self._from_line)

    def to_line(self, z: ArrayLike, box_map: str = "gaussian-cdf") -> tuple[np.ndarray, np.ndarray]:
        """Map ``z`` (n, D) of the support to the line: ``u`` (n, D), and log|det dz/du| (n,).

        A point on a bound, where u is infinite, is taken to lie half-way to the next number inside it.
        """
        return self._by_kind(z, box_map, self._to_line)

    def _by_kind(self, x, box_map, function):
        kinds = self.kinds(box_map)
        present = [(kind, np.flatnonzero(kinds == kind)) for kind in np.unique(kinds)]
        parts = [function(kind, columns, x[:, columns]) for kind, columns in present]
        order = np.argsort(np.concatenate([columns for _, columns in present]))
        y = anp.concatenate([y for y, _ in parts], axis=1)[:, order]
        return y, sum(anp.sum(log_det, axis=1) for _, log_det in parts)

    def _from_line(self, kind, columns, u):
        low, high = self.lower[columns], self.upper[columns]
        if kind == LINE:
            return u, 0 * u
        if kind == LOWER:
            return low + _softplus(u), -_softplus(-u)
        if kind == UPPER:
            return high - _softplus(-u), -_softplus(u)
        fraction, log_slope = (_ndtr(u), _log_normal(u)) if kind == GAUSSIAN_CDF else (_expit(u), _log_logistic(u))
        return anp.clip(low + (high - low) * fraction, low, high), anp.log(high - low) + log_slope

    def _to_line(self, kind, columns, z):
        low, high = self.lower[columns], self.upper[columns]
        edge_low, edge_high = (edge[columns] for edge in self.edge_distances())
        if kind == LINE:
            return z, 0 * z
        if kind == LOWER:
            u = _softplus_inverse(anp.maximum(z - low, edge_low))
            return u, -_softplus(-u)
        if kind == UPPER:
            u = -_softplus_inverse(anp.maximum(high - z, edge_high))
            return u, -_softplus(u)
        # The nearer bound gives the fraction, so that both tails keep their digits.
        below = anp.maximum(z - low, edge_low) / (high - low)
        above = anp.maximum(high - z, edge_high) / (high - low)
        if kind == GAUSSIAN_CDF:
            nearer = anp.maximum(anp.minimum(below, above), np.finfo(np.float64).tiny)
            u = anp.where(below < above, 1.0, -1.0) * _ndtri(nearer)
            return u, anp.log(high - low) + _log_normal(u)
        u = anp.log(below) - anp.log(above)
        return u, anp.log(high - low) + _log_logistic(u)

    @property
    def description(self) -> dict[str, Any]:
        """A JSON-able dict that `from_description` takes; open sides are None."""
        return {
            side: [float(b) if np.isfinite(b) else None for b in getattr(self, side)] for side in ("lower", "upper")
        }

    @classmethod
    def from_description(cls, description: dict[str, Any]) -> Support:
        """The support that has this `description`."""
        lower = [-np.inf if b is None else b for b in description["lower"]]
        return cls(lower, [np.inf if b is None else b for b in description["upper"]])

    def __eq__(self, other):
        if not isinstance(other, Support):
            return NotImplemented
        return np.array_equal(self.lower, other.lower) and np.array_equal(self.upper, other.upper)

    def __hash__(self):
        return hash((self.lower.tobytes(), self.upper.tobytes()))

    def __repr__(self):
        if self.dim <= 6:
            return f"Support(lower={self.lower.tolist()}, upper={self.upper.tolist()})"
        return f"Support(<{self.dim} dimensions, from {self.lower.min()} to {self.upper.max()}>)"


_ndtr = primitive(special.ndtr)
_ndtri = primitive(special.ndtri)
_expit = primitive(special.expit)
defvjp(_ndtr, lambda ans, u: lambda g: g * anp.exp(_log_normal(u)))
defvjp(_ndtri, lambda ans, p: lambda g: g * anp.exp(-_log_normal(ans)))
defvjp(_expit, lambda ans, u: lambda g: g * ans * (1 - ans))


def _log_normal(u):
    return -0.5 * u * u - _LOG_SQRT_2PI


def _softplus(u):
    return anp.logaddexp(0.0, u)


def _log_logistic(u):
    return -_softplus(u) - _softplus(-u)


def _softplus_inverse(y):
    """log(exp(y) - 1), for small and for large y."""
    return y + anp.log(-anp.expm1(-y))
