"""Emergent properties: which moments of which statistics, and their targets.

An emergent property fixes E[T(f)] = mu_opt for sufficient statistics T of the circuit's statistics f (science:
section 1.1): means (T = f), variances about the target mean (T = (f - mu)^2), covariances, higher moments, or functions
the user gives.  `numepi.property.constraints` has T itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from numepi.arguments import check_flag, check_mapping, check_names, check_number, real_array, shown
from numepi.markup import card, table
from numepi.property.constraints import Constraints
from numepi.property.data import moments_of_data
from numepi.property.moments import Moment, moment_from_description

__all__ = ["EmergentProperty"]


@dataclass(frozen=True)
class EmergentProperty:
    """Moments of a circuit's statistics, all centred on the targets (paper: Eq. 1 and Methods).

    Parameters
    ----------
    mean : sequence of float or None
        Target mean of each statistic, in the statistic's unit; None leaves it free.
    variance : sequence of float or None, optional
        Target variance about the target mean, in the unit squared; None leaves it free.
    covariance : dict, optional
        ``{("a", "b"): value}`` fixes E[(a - mean_a)(b - mean_b)].
    moments : dict, optional
        ``{("a", p): value}`` fixes E[(a - mean_a)^p] for p >= 3.
    functions : sequence of `Moment`, optional
        Any further functions of the statistics: probabilities, quantiles, correlations, or the user's own.
    tolerance : dict, optional
        ``{"mean a": value, "variance b": value}``: how far from its target a constraint, by its name in the table of
        results, still counts as met.  What is not named takes `Constraints.tolerances`' defaults.
    standard_error : dict, optional
        Of targets that are estimates, by name as in ``tolerance``: a tolerance is no smaller, unless it is given.
    statistics : sequence of str, optional
        What the entries of ``mean`` and ``variance`` belong to, by name; the circuit's other statistics are left free.
        By default they are all of the circuit's, in its order.
    variance_at_most : sequence of float or None, optional
        Upper bounds of the variances about the target means, in the units squared, instead of ``variance``: the
        constraint's multiplier is then never positive, and zero where the variance lies below its bound.
    within : float, optional
        Asks for the solution among parameters whose *expected* statistics lie within this many units of their target
        means: a hard region, part of the support of p* (`numepi.property.region`).  The unit is the target standard
        deviation; of a mean without a variance, or a bound of one, it is the size of the mean, or 1 where that is zero.
        A free statistic is not bounded.  By default there is no region.

    Raises
    ------
    ValueError, TypeError
        For lengths that differ, a variance (or its bound) that is zero, negative or not finite, a target that is not
        finite, a variance about a free mean, or a region without a mean to lie about.  What needs the names of the
        statistics is checked by `constraints`.

    Examples
    --------
    >>> from numepi import EmergentProperty
    >>> prop = EmergentProperty(mean=[0, 6.283], variance=[0.0625, 0.395])
    """

    mean: Sequence[float | None]
    variance: Sequence[float | None] | None = None
    covariance: Mapping[tuple[str, str], float] = field(default_factory=dict)
    moments: Mapping[tuple[str, int], float] = field(default_factory=dict)
    functions: Sequence[Moment] = ()
    tolerance: Mapping[str, float] = field(default_factory=dict)
    standard_error: Mapping[str, float] = field(default_factory=dict)
    statistics: Sequence[str] | None = None
    variance_at_most: Sequence[float | None] | None = None
    within: float | None = None
    # What `from_data` was given, to be shown beside an answer: no part of the question, nor of files.
    data: np.ndarray | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self):
        mean = _targets(self.mean, "mean")
        variance, bound = (_variances(getattr(self, name), name, mean) for name in ("variance", "variance_at_most"))
        for i, (v, b) in enumerate(zip(variance, bound)):
            if v is not None and b is not None:
                raise ValueError(
                    f"variance[{i}] = {v} and variance_at_most[{i}] = {b}: give one of them, None in the other"
                )
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "variance", variance)
        object.__setattr__(self, "variance_at_most", bound)
        if self.within is not None:
            check_number("within", self.within, above=0)
            if all(m is None for m in mean):
                raise ValueError(f"within = {self.within}, but every mean is None: a region lies about target means")
        object.__setattr__(self, "covariance", _named_targets(self.covariance, "covariance"))
        object.__setattr__(self, "moments", _named_targets(self.moments, "moments"))
        if isinstance(self.functions, (str, Moment)) or not isinstance(self.functions, Iterable):
            raise TypeError(f"functions = {shown(self.functions)}: give a sequence of numepi.Moment")
        object.__setattr__(self, "functions", tuple(self.functions))
        for moment in self.functions:
            if not isinstance(moment, Moment):
                raise ValueError(f"functions holds a {type(moment).__name__}: each must be a numepi.Moment")
        for argument in ("tolerance", "standard_error"):
            values = _named_numbers(getattr(self, argument), argument)
            object.__setattr__(self, argument, values)
        if self.statistics is not None:
            object.__setattr__(self, "statistics", check_names("statistics", self.statistics, count=len(mean)))
        for name, power in self.moments:
            if not isinstance(power, (int, float, np.number)) or power < 3 or power % 1 != 0:
                raise ValueError(f"moments[{name!r}, {power}]: powers are integers from 3 (use variance for 2)")

    @classmethod
    def from_data(
        cls, data: ArrayLike, names: Sequence[str] | None = None, covariance: bool = False
    ) -> EmergentProperty:
        """The means and variances of measurements, with tolerances no smaller than their standard errors.

        Parameters
        ----------
        data : array (n, k)
            A row for each independent experiment (cell, animal), a column for each statistic, in its unit; (n,) for a
            single one.  NaN and masked entries are missing, and left out.  The property keeps them for reports
            (`measured`); a file of a result does not.
        names : sequence of str (k,), optional
            The circuit's statistics that the columns are of, in any order; by default all of them, in its order.
        covariance : bool
            Whether to fix the covariances, too.

        Raises
        ------
        ValueError, TypeError
            If a column has fewer than four values, or one only, or an infinite one.

        Examples
        --------
        >>> from numepi import EmergentProperty
        >>> prop = EmergentProperty.from_data([[1.0], [2.0], [4.0], [5.0]], names=["rate"])
        >>> prop.mean, round(prop.variance[0], 3), round(prop.standard_error["mean rate"], 3)
        ((3.0,), 3.333, 0.913)
        """
        prop = cls(**moments_of_data(data, names, check_flag("covariance", covariance)))
        object.__setattr__(prop, "data", real_array("data", data).reshape(-1, len(prop.mean)).copy())
        return prop

    def aligned(self, statistic_names: Sequence[str]) -> EmergentProperty:
        """The same property with an entry of ``mean`` and ``variance`` for each of a circuit's statistics, in order.

        Raises
        ------
        ValueError
            If a statistic is unknown, or the number of targets is not that of the statistics.
        """
        if self.statistics is None:
            if len(self.mean) != len(statistic_names):
                raise ValueError(
                    f"mean has {len(self.mean)} entries but the circuit has {len(statistic_names)} statistics: "
                    f"{', '.join(statistic_names)} (None leaves one free)"
                )
            return self
        for name in self.statistics:
            if name not in statistic_names:
                raise ValueError(f"statistics names {name!r}: choose from {', '.join(statistic_names)}")
        place = {name: i for i, name in enumerate(self.statistics)}
        mean, variance, bound = (
            tuple(values[place[name]] if name in place else None for name in statistic_names)
            for values in (self.mean, self.variance or (), self.variance_at_most or ())
        )
        names = tuple(statistic_names)
        prop = replace(self, mean=mean, variance=variance, variance_at_most=bound, statistics=names)
        object.__setattr__(prop, "data", self.measured(names))
        return prop

    def measured(self, statistic_names: Sequence[str]) -> np.ndarray | None:
        """What the property came from (`from_data`), as (n, k) in the order of a circuit's statistics.

        NaN is what was not measured; None of a property that came from no data, or from a file.
        """
        if self.data is None:
            return None
        columns = np.full((len(self.data), len(statistic_names)), np.nan)
        for name, values in zip(self.statistics or statistic_names, self.data.T):
            columns[:, list(statistic_names).index(name)] = values
        return columns

    @property
    def largest_variance(self) -> tuple[float | None, ...]:
        """Of each statistic, about its target mean: its variance, or the bound of it; None where neither is given."""
        pairs = zip(self.variance or (), self.variance_at_most or ())
        return tuple(bound if variance is None else variance for variance, bound in pairs)

    def constraints(self, statistic_names: Sequence[str]) -> Constraints:
        """The property as `Constraints` on the statistics of these names, in this order.

        Raises
        ------
        ValueError
            If the number of targets is not the number of statistics, a name is unknown or given twice, a moment is
            about a free mean, or no distribution with these variances has the covariance or the even moment.
        """
        return Constraints(self, tuple(statistic_names))

    @property
    def differentiable(self) -> bool:
        """Whether derivatives say how to meet it: not where a function has steps."""
        return all(moment.differentiable for moment in self.functions)

    def description(self) -> dict[str, Any]:
        """A dict of plain numbers and strings; user functions appear by name only."""
        return {
            "mean": list(self.mean),
            "variance": list(self.variance or ()),
            "covariance": [[*names, value] for names, value in self.covariance.items()],
            "moments": [[name, int(power), value] for (name, power), value in self.moments.items()],
            "functions": [moment.description() for moment in self.functions],
            "tolerance": dict(self.tolerance),
            "standard_error": dict(self.standard_error),
            "statistics": self.statistics and list(self.statistics),
            "variance_at_most": list(self.variance_at_most or ()),
            "within": self.within,
        }

    @classmethod
    def from_description(cls, description: dict[str, Any], functions: Sequence[Moment] = ()) -> EmergentProperty:
        """Rebuild the property; ``functions`` are the user's `Moment` objects that the description names."""
        named = {m.name: m for m in functions}
        moments = []
        for each in description["functions"]:
            moment = moment_from_description(each) or named.get(each["name"])
            if moment is None:
                missing = [e["name"] for e in description["functions"] if not e["function"] and e["name"] not in named]
                raise ValueError(f"functions: the stored property uses {missing}; pass those Moment objects again")
            for key, stored in each.items():
                given = moment.description()[key]
                if key != "function" and given != stored:
                    raise ValueError(
                        f"functions: the stored Moment {moment.name!r} has {key} {stored}, the one given {given}; pass "
                        "the same"
                    )
            moments.append(moment)
        return cls(
            mean=description["mean"],
            variance=description["variance"],
            covariance={(a, b): value for a, b, value in description["covariance"]},
            moments={(name, power): value for name, power, value in description["moments"]},
            functions=moments,
            tolerance=description["tolerance"],
            standard_error=description["standard_error"],
            statistics=description["statistics"],
            variance_at_most=description["variance_at_most"],
            within=description["within"],
        )

    def _repr_html_(self):
        names = self.statistics or [f"statistic {i + 1}" for i in range(len(self.mean))]
        rows = []
        for name, mean, variance, bound in zip(names, self.mean, self.variance, self.variance_at_most):
            spread = f"<= {bound:.6g}" if bound is not None else _free(variance)
            rows.append((name, _free(mean), spread))
        for (a, b), value in self.covariance.items():
            rows.append((f"covariance {a}, {b}", f"{value:.6g}", ""))
        for (name, power), value in self.moments.items():
            rows.append((f"moment {power} of {name}", f"{value:.6g}", ""))
        rows += [(moment.name, f"{moment.target:.6g}", "") for moment in self.functions]
        region = "" if self.within is None else f"<p>within {self.within:g} target s.d. of the means</p>"
        return card(
            "emergent property", table(("of", "mean, or target", "variance"), rows, "what is asked for"), region
        )


def _free(target):
    return "free" if target is None else f"{target:.6g}"


def _named_numbers(values, argument):
    if not isinstance(values, dict):
        raise TypeError(f"{argument} = {shown(values)}: give a dict by constraint, such as {{'mean a': 0.1}}")
    return {name: check_number(f"{argument}[{name!r}]", value, above=0) for name, value in values.items()}


def _targets(values, argument):
    if np.ndim(values) != 1:
        raise ValueError(
            f"{argument} = {shown(values)}: expected a sequence, an entry for each statistic (None leaves one free)"
        )
    return tuple(None if v is None else check_number(f"{argument}[{i}]", v) for i, v in enumerate(values))


def _variances(values, argument, mean):
    """Variances, or bounds of them, one for each of the ``mean``; None where they are free."""
    if values is None:
        return (None,) * len(mean)
    variances = _targets(values, argument)
    if len(variances) != len(mean):
        raise ValueError(f"mean has {len(mean)} entries and {argument} {len(variances)}: give one each per statistic")
    for i, (m, v) in enumerate(zip(mean, variances)):
        if v is not None and v <= 0:
            raise ValueError(f"{argument}[{i}] = {v}: a target variance must be positive (use None to leave it free)")
        if v is not None and m is None:
            raise ValueError(f"{argument}[{i}] is set but mean[{i}] is None: the variance is taken about the mean")
    return variances


def _named_targets(targets, argument):
    targets = check_mapping(argument, targets, "give a dict of pairs and targets")
    for key in targets:
        if not isinstance(key, tuple) or len(key) != 2:
            raise ValueError(f"{argument} has the key {key!r}: expected a pair")
    return {key: check_number(f"{argument}[{key!r}]", value) for key, value in targets.items()}
