"""Constraints on functions of the statistics: the user's own, probabilities, quantiles, correlations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from numepi.arguments import check_array, check_callable, check_flag, check_names, check_number, check_text

__all__ = ["Correlation", "Indicator", "Moment", "moment_from_description"]

_LEAST_SPREAD = 1e-3  # probability from which on an event counts as nearly sure: what scales are taken from


@dataclass(frozen=True)
class Moment:
    """A constraint on a function of the statistics: E[function(f)] = target.

    `probability`, `quantile` and `correlation` make the usual ones.

    Parameters
    ----------
    name : str
    function : callable
        Maps statistics (n, k) to (n,), each row on its own.
    target : float
    jacobian : callable, optional
        Maps (n, k) to the derivatives (n, k).  Without it autograd differentiates ``function``, which must then be
        written with ``autograd.numpy``.
    scale : float, optional
        The size of a natural fluctuation of ``function(f)``; by default |target|, or 1 for a target of 0.
    statistics : sequence of str, optional
        The statistics, by name, that the function is of: its argument then has their columns alone, in this order.
    tolerance : float, optional
        How far from the target still counts as met; a tenth of ``scale``, or else of the function's standard deviation
        under the answer, by default.
    differentiable : bool
        False for a function with steps, whose derivative says nothing: ``gradient="auto"`` then does without.
    """

    name: str
    function: Callable[..., Any]
    target: float
    jacobian: Callable[..., Any] | None = None
    scale: float | None = None
    statistics: Sequence[str] | None = None
    tolerance: float | None = None
    differentiable: bool = True

    def __post_init__(self):
        check_text("name", self.name)
        check_callable(f"function of Moment {self.name!r}", self.function, "a function of f (n, k)")
        label = f"of Moment {self.name!r}"
        object.__setattr__(self, "target", check_number(f"target {label}", self.target))
        for field in ("scale", "tolerance"):
            value = getattr(self, field)
            if value is not None:
                object.__setattr__(self, field, check_number(f"{field} {label}", value, above=0))
        if self.jacobian is not None:
            check_callable(f"jacobian {label}", self.jacobian, "a function of f (n, k)")
        if self.statistics is not None:
            object.__setattr__(self, "statistics", check_names(f"statistics {label}", self.statistics))
        object.__setattr__(self, "differentiable", check_flag(f"differentiable {label}", self.differentiable))

    @classmethod
    def probability(
        cls, statistic: str, above: float | None = None, below: float | None = None, *, target: float,
        name: str | None = None, tolerance: float | None = None,
    ) -> Moment:  # fmt: skip
        """P(statistic > above), P(statistic < below), or P(above < statistic < below), is ``target``.

        The tolerance is a tenth of the binomial spread sqrt(p (1 - p)), but no more than a fifth of the rarer
        outcome's probability, and at least 0.001.  The density has a step at each threshold: such fits take more
        steps, and gradients are of no use to them.

        Parameters
        ----------
        statistic : str
            Name.
        above, below : float, optional
            Thresholds in the statistic's unit, one of them or both.
        target : float
            In [0, 1].  With 0 or 1 there is no density of greatest entropy among those that meet it to the last draw,
            only ever better ones: restrict the support where the parameters decide, or ask for 0.99.
        """
        statistic = check_text("statistic", statistic)
        if above is None and below is None:
            raise ValueError("give above=, below= or both: the thresholds of the probability")
        low = -np.inf if above is None else check_number("above", above)
        high = np.inf if below is None else check_number("below", below)
        if not low < high:
            raise ValueError(f"above = {low:g} and below = {high:g}: above must be the smaller one")
        target = check_number("target", target, least=0, most=1)
        sides = [f"{low:g} <"] * (above is not None) + [statistic] + [f"< {high:g}"] * (below is not None)
        return cls._indicator(
            Indicator(low, high, False), name or f"P({' '.join(sides)})", statistic, target, tolerance
        )

    @classmethod
    def quantile(
        cls, statistic: str, q: float, *, target: float, name: str | None = None, tolerance: float | None = None
    ) -> Moment:
        """The ``q``-quantile of the statistic is ``target``: P(statistic <= target) = q.

        As a moment it is a probability, and so are its tolerance and what the table of results shows: how far the
        quantile itself is off follows from the density there.

        Parameters
        ----------
        statistic : str
            Name.
        q : float
            In (0, 1): 0.5 for the median.
        target : float
            In the statistic's unit.
        """
        statistic = check_text("statistic", statistic)
        q, target = check_number("q", q, above=0, below=1), check_number("target", target)
        name = name or f"P({statistic} <= {target:g})"
        return cls._indicator(Indicator(-np.inf, target, True), name, statistic, q, tolerance)

    @classmethod
    def _indicator(cls, function, name, statistic, target, tolerance):
        spread = max(target * (1 - target), _LEAST_SPREAD * (1 - _LEAST_SPREAD)) ** 0.5
        return cls(
            name, function, target, jacobian=np.zeros_like, scale=spread, statistics=(statistic,),
            tolerance=tolerance, differentiable=False,
        )  # fmt: skip

    @classmethod
    def correlation(
        cls, a: str, b: str, *, target: float, centre: ArrayLike | None = None, spread: ArrayLike | None = None,
        name: str | None = None, tolerance: float | None = None,
    ) -> Moment:  # fmt: skip
        """The coefficient of correlation of two statistics is ``target``.

        With x and y the standardised statistics, (a - m_a) / s_a and (b - m_b) / s_b, the constraint is

            E[x y - (x^2 + y^2) target / 2] = 0.

        Where m are the means and s_b / s_a is the ratio of the standard deviations, that is correlation = target, and
        both constraints change alike with the distribution: so p* is that of the correlation, with means and variances
        as free as they are.  m and s are taken from the property's targets.  Where it leaves them free they must be
        given: the means and standard deviations of an answer without the correlation, say, and once or twice more
        those of the answer with it, which settle.  Where m is off by d_a s_a and d_b s_b, and the ratio by a factor
        1 + e, the correlation differs from its target r by about r (e^2 + d_a^2 + d_b^2) / 2 - d_a d_b.

        Parameters
        ----------
        a, b : str
            Names.
        target : float
            In (-1, 1).
        centre, spread : sequence of two floats, optional
            m and s, in the statistics' units.
        """
        a, b = check_names("a, b", (a, b))
        target = check_number("target", target, above=-1, below=1)
        if centre is not None:
            centre = tuple(check_array("centre", centre, (2,)).tolist())
        if spread is not None:
            spread = tuple(check_array("spread", spread, (2,)).tolist())
            for value in spread:
                check_number("spread", value, above=0)
        function = Correlation(target, centre, spread)
        return cls(
            name or f"correlation {a}, {b}", function, target, jacobian=function.derivative, scale=1 - target**2,
            statistics=(a, b), tolerance=tolerance,
        )  # fmt: skip

    def description(self) -> dict[str, Any]:
        """A dict of plain numbers and strings; a user's function appears by the moment's name only."""
        own = getattr(self.function, "description", None)
        fields = {"name": self.name, "target": self.target, "scale": self.scale, "tolerance": self.tolerance}
        return fields | {"statistics": self.statistics and list(self.statistics), "function": own}


def moment_from_description(description):
    """The probability, quantile or correlation that has this description; None for a user's own function."""
    function = description["function"]
    if function is None:
        return None
    name, target, tolerance = description["name"], description["target"], description["tolerance"]
    if function["kind"] == "correlation":
        a, b = description["statistics"]
        settings = {key: function[key] for key in ("target", "centre", "spread")}
        return Moment.correlation(a, b, name=name, tolerance=tolerance, **settings)
    low, high = function["low"], function["high"]
    low, high = -np.inf if low is None else low, np.inf if high is None else high
    indicator = Indicator(low, high, function["closed"])
    return Moment._indicator(indicator, name, *description["statistics"], target, tolerance)


@dataclass(frozen=True)
class Indicator:
    """1 where low < f < high (f <= high if ``closed``), else 0; of one statistic."""

    low: float
    high: float
    closed: bool

    def __call__(self, f):
        """(n, 1) -> (n,)."""
        x = f[:, 0]
        below = x <= self.high if self.closed else x < self.high
        return np.where(np.isnan(x), np.nan, (x > self.low) & below)

    @property
    def description(self):
        """A JSON-able dict."""
        low, high = (bound if np.isfinite(bound) else None for bound in (self.low, self.high))
        return {"kind": "indicator", "low": low, "high": high, "closed": self.closed}


@dataclass(frozen=True)
class Correlation:
    """target + x y - (x^2 + y^2) target / 2 of two statistics, standardised by ``centre`` and ``spread``."""

    target: float
    centre: tuple[float, ...] | None = None
    spread: tuple[float, ...] | None = None

    def standardised_by(self, centre, spread):
        """The same with what it lacks of centre and spread."""
        return Correlation(self.target, self.centre or tuple(centre), self.spread or tuple(spread))

    def __call__(self, f):
        """(n, 2) -> (n,)."""
        x, y = ((f[:, i] - self.centre[i]) / self.spread[i] for i in range(2))
        return self.target + x * y - 0.5 * self.target * (x * x + y * y)

    def derivative(self, f):
        """(n, 2) -> (n, 2)."""
        x, y = ((f[:, i] - self.centre[i]) / self.spread[i] for i in range(2))
        return np.stack([y - self.target * x, x - self.target * y], axis=1) / self.spread

    @property
    def description(self):
        """A JSON-able dict."""
        centre, spread = (None if value is None else list(value) for value in (self.centre, self.spread))
        return {"kind": "correlation", "target": self.target, "centre": centre, "spread": spread}
