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

A condition between parameters (``where``) cuts a region out of that product, on which nothing but membership is known:
flows live on the product, and rows outside of the region have no density.  An integer parameter is a real one whose
unit cells, [k - 1/2, k + 1/2], all mean k.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import Any

import autograd.numpy as anp
import numpy as np
from numpy.typing import ArrayLike

from numepi.annotations import Seed
from numepi.arguments import check_bounds, check_callable, check_count, shown
from numepi.conditions import Absent, alike, check_condition, name_of, portable
from numepi.line_functions import expit, log_logistic, log_normal, ndtr, ndtri, softplus, softplus_inverse
from numepi.markup import card, escaped, table
from numepi.random_streams import seed_sequence

__all__ = ["BOX_MAPS", "GAUSSIAN_CDF", "LINE", "LOWER", "SIGMOID", "UPPER", "Support"]

LINE, LOWER, UPPER, GAUSSIAN_CDF, SIGMOID = range(5)
BOX_MAPS = {"gaussian-cdf": GAUSSIAN_CDF, "sigmoid": SIGMOID}
_REGION_DRAWS = 2**18  # the standard error of a share s of the box is sqrt(1 / s - 1) / 512 of it: 0.2 % at 0.5
_REGION_SEED = 20210729  # the volume of a region is a property of it, not of a run
_SHOWN = 20  # parameters in a notebook
_LEAST_INSIDE = 20  # of those draws: with fewer, rejection sampling takes more than ten thousand draws for one


class Support:
    """A product of D intervals, each bounded on both sides, one, or none; or the part of it where a condition holds.

    Parameters
    ----------
    lower, upper : array (D,)
        Bounds; ``-inf`` and ``inf`` leave a side open.
    where : callable, optional
        ``where(z)`` (n,) bool for z (n, D): which rows satisfy a condition between the parameters, such as
        ``lambda z: z[:, 0] < z[:, 1]``.  Rows where it does not hold have no density and are never simulated; volumes,
        and so entropies of uniform distributions, are those of the region, from 262,144 draws.
    integer : sequence of int
        Indices of parameters that are whole numbers; their bounds, both included, are too.  ``lower`` and ``upper`` of
        the support are those of the unit cells, half a unit further out: a circuit simulates z at `rounded` (z), so
        that the exact density is constant in a cell, and the mass of a cell is the probability of its number.

    Raises
    ------
    ValueError
        If the shapes differ, D < 1, a bound is NaN, a lower bound is not below its upper one, ``where`` returns another
        shape than (n,) or holds for next to nothing of the box, or a bound of an integer is no whole number.
    TypeError
        If ``upper`` is missing, or ``where`` cannot be called or returns numbers.
    """

    def __init__(
        self,
        lower: ArrayLike,
        upper: ArrayLike | None = None,
        where: Callable[..., Any] | None = None,
        integer: Sequence[int] = (),
    ) -> None:
        self.lower, self.upper = check_bounds(lower, upper)
        self.where = where if where is None else check_callable("where", where, "a function of z (n, D)")
        if self.lower.ndim != 1 or self.lower.shape != self.upper.shape:
            raise ValueError(
                f"lower has shape {self.lower.shape} and upper {self.upper.shape}: give one bound a side for each of "
                "the D dimensions"
            )
        if self.dim < 1:
            raise ValueError("the support has no dimension: give lower and upper at least one bound each")
        self.integer = self._widen_integers(integer)
        for i, (low, high) in enumerate(zip(self.lower, self.upper)):
            if np.isnan(low) or np.isnan(high):
                raise ValueError(f"dimension {i} has the bounds [{low}, {high}]: a bound is a number, -inf or inf")
            if not low < high or low == np.inf or high == -np.inf:
                raise ValueError(f"dimension {i} has the bounds [{low}, {high}]: lower must be below upper")
            if np.isfinite(low) and np.isfinite(high) and not np.isfinite(float(high) - float(low)):
                raise ValueError(f"dimension {i} has the bounds [{low}, {high}]: the width overflows; use -inf or inf")
        self.lower.setflags(write=False)
        self.upper.setflags(write=False)
        if self.where is not None and not isinstance(self.where, Absent):
            self._check_where()

    def _widen_integers(self, indices):
        if isinstance(indices, str) or not isinstance(indices, Iterable):
            raise TypeError(f"integer = {shown(indices)}: give a sequence of indices, such as (0,)")
        indices = tuple(check_count("integer", i, least=0, most=self.dim - 1) for i in indices)
        for i in indices:
            for side, bounds, outwards in (("lower", self.lower, -0.5), ("upper", self.upper, 0.5)):
                if np.isfinite(bounds[i]) and bounds[i] % 1:
                    raise ValueError(f"{side}[{i}] = {bounds[i]}: bounds of an integer parameter are whole numbers")
                bounds[i] += outwards
        return tuple(sorted(set(indices)))

    def _check_where(self):
        check_condition(self.where, self.rounded(self.from_line(np.zeros((3, self.dim)))[0]))
        held = round(self.share[0] * _REGION_DRAWS)
        if held < _LEAST_INSIDE:
            raise ValueError(f"where holds for {held} of {_REGION_DRAWS:,} draws: narrow the bounds around the region")

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
        """Product of the widths, times the region's `share`: inf unless the support is bounded."""
        return float(np.prod(self.width) * self.share[0])

    @property
    def log_volume(self) -> float:
        """Log of the `volume`, which does not overflow in many dimensions."""
        return float(np.sum(np.log(self.width)) + np.log(self.share[0]))

    @cached_property
    def share(self) -> tuple[float, float]:
        """Share of the product of intervals where the condition holds, and its standard error: (1.0, 0.0) without one.

        On a box it is the share of its volume; where a side is open, that of a standard normal on the line.
        """
        if self.where is None:
            return 1.0, 0.0
        share = float(self._draw_box(_REGION_DRAWS, np.random.default_rng(_REGION_SEED))[1].mean())
        return share, float(np.sqrt(share * (1 - share) / _REGION_DRAWS))

    def sample(self, n: int, rng: Seed = 0) -> np.ndarray:
        """``n`` uniform draws (n, D), whole numbers where parameters are integers.

        Raises
        ------
        ValueError
            If a side is open: there is no uniform distribution.
        """
        n = check_count("n", n, least=0)
        if not self.is_box:
            raise ValueError(f"{self!r} has an open side: there is no uniform distribution to sample from")
        generator, kept, count = np.random.default_rng(seed_sequence(rng)), [], 0
        while count < n:
            z, inside = self._draw_box(min(65_536, int((n - count) / self.share[0] * 1.1) + 16), generator)
            kept.append(z[inside])
            count += len(kept[-1])
        return self.rounded(np.concatenate(kept)[:n]) if kept else np.empty((0, self.dim))

    def probes(self, n: int) -> np.ndarray:
        """``n`` points (n, D) of the support, always the same: around its middle, unless the condition says no."""
        z = self.from_line(np.linspace(-0.25, 0.25, n)[:, None] * np.ones(self.dim))[0]
        if self.where is not None and not self.contains(z).all():
            z, inside = self._draw_box(_REGION_DRAWS, np.random.default_rng(_REGION_SEED))
            z = z[inside][:n]
        return z

    def _draw_box(self, n, generator):
        if self.is_box:
            z = self.lower + self.width * generator.random((n, self.dim))
        else:
            z = self.from_line(generator.standard_normal((n, self.dim)))[0]
        return z, self.contains(z)

    @property
    def is_box(self) -> bool:
        """Whether every side is bounded."""
        return bool(np.isfinite(self.width).all())

    def contains(self, z: ArrayLike) -> np.ndarray:
        """Whether each row of ``z`` (n, D) lies in the closed support: (n,) bool, False for NaN."""
        inside = self.within_bounds(z)
        if self.where is not None and inside.any():
            inside[inside] = self.where(self.rounded(np.array(z, np.float64)[inside]))
        return inside

    def within_bounds(self, z: ArrayLike) -> np.ndarray:
        """As `contains`, but for the condition: whether each row lies in the product of the intervals."""
        z = np.asarray(z, np.float64)
        if z.ndim != 2 or z.shape[1] != self.dim:
            raise ValueError(f"z has shape {z.shape}: the support expects (n, {self.dim})")
        return np.asarray(((z >= self.lower) & (z <= self.upper)).all(axis=1))

    def rounded(self, z: np.ndarray) -> np.ndarray:
        """``z`` (n, D) with whole numbers where parameters are integers: the values that a circuit simulates."""
        if not self.integer:
            return z
        z, columns = np.array(z, np.float64), list(self.integer)
        z[:, columns] = np.clip(np.rint(z[:, columns]), self.lower[columns] + 0.5, self.upper[columns] - 0.5)
        return z

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
            return low + softplus(u), -softplus(-u)
        if kind == UPPER:
            return high - softplus(-u), -softplus(u)
        fraction, log_slope = (ndtr(u), log_normal(u)) if kind == GAUSSIAN_CDF else (expit(u), log_logistic(u))
        return anp.clip(low + (high - low) * fraction, low, high), anp.log(high - low) + log_slope

    def _to_line(self, kind, columns, z):
        low, high = self.lower[columns], self.upper[columns]
        edge_low, edge_high = (edge[columns] for edge in self.edge_distances())
        if kind == LINE:
            return z, 0 * z
        if kind == LOWER:
            u = softplus_inverse(anp.maximum(z - low, edge_low))
            return u, -softplus(-u)
        if kind == UPPER:
            u = -softplus_inverse(anp.maximum(high - z, edge_high))
            return u, -softplus(u)
        # The nearer bound gives the fraction, so that both tails keep their digits.
        below = anp.maximum(z - low, edge_low) / (high - low)
        above = anp.maximum(high - z, edge_high) / (high - low)
        if kind == GAUSSIAN_CDF:
            nearer = anp.maximum(anp.minimum(below, above), np.finfo(np.float64).tiny)
            u = anp.where(below < above, 1.0, -1.0) * ndtri(nearer)
            return u, anp.log(high - low) + log_normal(u)
        u = anp.log(below) - anp.log(above)
        return u, anp.log(high - low) + log_logistic(u)

    @property
    def description(self) -> dict[str, Any]:
        """A JSON-able dict that `from_description` takes; open sides are None, a condition is there by name."""
        bounds = {"lower": self.lower.copy(), "upper": self.upper.copy()}
        for side, inwards in (("lower", 0.5), ("upper", -0.5)):
            bounds[side][list(self.integer)] += inwards
        description = {side: [float(b) if np.isfinite(b) else None for b in bounds[side]] for side in bounds}
        description |= {"integer": list(self.integer)} if self.integer else {}
        return description | ({"where": name_of(self.where)} if self.where is not None else {})

    @classmethod
    def from_description(cls, description: dict[str, Any], where: Callable[..., Any] | None = None) -> Support:
        """The support that has this `description`; ``where`` is the function that it names, if it names one.

        Without the function the support has all of its maps, but cannot say what it contains.
        """
        lower = [-np.inf if b is None else b for b in description["lower"]]
        upper = [np.inf if b is None else b for b in description["upper"]]
        if "where" in description and where is None:
            where = Absent(description["where"])
        return cls(lower, upper, where, description.get("integer", ()))

    def __eq__(self, other):
        if not isinstance(other, Support):
            return NotImplemented
        return (
            np.array_equal(self.lower, other.lower)
            and np.array_equal(self.upper, other.upper)
            and self.integer == other.integer
            and alike(self.where, other.where)
        )

    def __hash__(self):
        return hash((self.lower.tobytes(), self.upper.tobytes(), self.integer))

    def __getstate__(self):
        # A process that simulates for another one does not need the condition, and a lambda cannot be pickled.
        return self.__dict__ | {"where": portable(self.where)}

    def __repr__(self):
        more = f", where={name_of(self.where)}" if self.where is not None else ""
        more += f", integer={self.integer}" if self.integer else ""
        if self.dim <= 6:
            return f"Support(lower={self.lower.tolist()}, upper={self.upper.tolist()}{more})"
        return f"Support(<{self.dim} dimensions, from {self.lower.min()} to {self.upper.max()}>{more})"

    def _repr_html_(self):
        kinds = ["whole numbers" if i in self.integer else "" for i in range(self.dim)]
        rows = [
            (i + 1, f"{a:.6g}", f"{b:.6g}", kind) for i, (a, b, kind) in enumerate(zip(self.lower, self.upper, kinds))
        ]
        more = f"<p>and {self.dim - _SHOWN} more</p>" if self.dim > _SHOWN else ""
        where = "" if self.where is None else f"<p>where {escaped(name_of(self.where))}</p>"
        head = ("parameter", "from", "to", "")
        return card("support", table(head, rows[:_SHOWN], f"{self.dim} parameters"), more, where)
