"""Emergent properties: which moments of which statistics, and their targets.

An emergent property fixes E[T(f)] = mu_opt for sufficient statistics T of the circuit's statistics f (science:
section 1.1): means (T = f), variances about the target mean (T = (f - mu)^2), covariances, higher moments, or functions
the user gives.  `numepi.property.constraints` has T itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numepi.property.constraints import Constraints

__all__ = ["EmergentProperty", "Moment"]


@dataclass(frozen=True)
class Moment:
    """A user's own constraint: E[function(f)] = target.

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
    """

    name: str
    function: Callable[..., Any]
    target: float
    jacobian: Callable[..., Any] | None = None
    scale: float | None = None


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
        Any further functions of the statistics.

    Raises
    ------
    ValueError
        For lengths that differ, a variance that is zero, negative or not finite, a target that is not finite, or a
        variance about a free mean.  What needs the names of the statistics is checked by `constraints`.

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

    def __post_init__(self):
        mean = _targets(self.mean, "mean")
        variance = (None,) * len(mean) if self.variance is None else _targets(self.variance, "variance")
        if len(variance) != len(mean):
            raise ValueError(f"mean has {len(mean)} entries and variance {len(variance)}: give one each per statistic")
        for i, (m, v) in enumerate(zip(mean, variance)):
            if v is not None and v <= 0:
                raise ValueError(f"variance[{i}] = {v}: a target variance must be positive (use None to leave it free)")
            if v is not None and m is None:
                raise ValueError(f"variance[{i}] is set but mean[{i}] is None: the variance is taken about the mean")
        object.__setattr__(self, "mean", mean)
        object.__setattr__(self, "variance", variance)
        object.__setattr__(self, "covariance", _named_targets(self.covariance, "covariance"))
        object.__setattr__(self, "moments", _named_targets(self.moments, "moments"))
        object.__setattr__(self, "functions", tuple(self.functions))
        for moment in self.functions:
            if not isinstance(moment, Moment):
                raise ValueError(f"functions holds a {type(moment).__name__}: each must be a numepi.Moment")
            if not np.isfinite(moment.target):
                raise ValueError(f"Moment {moment.name!r} has target {moment.target}: it must be finite")
            if moment.scale is not None and not 0 < moment.scale < np.inf:
                raise ValueError(f"Moment {moment.name!r} has scale {moment.scale}: it must be positive and finite")
        for name, power in self.moments:
            if not isinstance(power, (int, float, np.number)) or power < 3 or power % 1 != 0:
                raise ValueError(f"moments[{name!r}, {power}]: powers are integers from 3 (use variance for 2)")

    def constraints(self, statistic_names: Sequence[str]) -> Constraints:
        """The property as `Constraints` on the statistics of these names, in this order.

        Raises
        ------
        ValueError
            If the number of targets is not the number of statistics, a name is unknown or given twice, a moment is
            about a free mean, or no distribution with these variances has the covariance or the even moment.
        """
        return Constraints(self, tuple(statistic_names))

    def description(self) -> dict[str, Any]:
        """A dict of plain numbers and strings; user functions appear by name only."""
        return {
            "mean": list(self.mean),
            "variance": list(self.variance or ()),
            "covariance": [[*names, value] for names, value in self.covariance.items()],
            "moments": [[name, int(power), value] for (name, power), value in self.moments.items()],
            "functions": [[m.name, float(m.target), m.scale] for m in self.functions],
        }

    @classmethod
    def from_description(cls, description: dict[str, Any], functions: Sequence[Moment] = ()) -> EmergentProperty:
        """Rebuild the property; ``functions`` are the `Moment` objects that the description names."""
        named = {m.name: m for m in functions}
        missing = [name for name, *_ in description["functions"] if name not in named]
        if missing:
            raise ValueError(f"functions: the stored property uses {missing}; pass those Moment objects again")
        for name, target, scale in description["functions"]:
            if (named[name].target, named[name].scale) != (target, scale):
                raise ValueError(
                    f"functions: the stored Moment {name!r} has target {target} and scale {scale}, the one given "
                    f"{named[name].target} and {named[name].scale}; pass the same"
                )
        return cls(
            mean=description["mean"],
            variance=description["variance"],
            covariance={(a, b): value for a, b, value in description["covariance"]},
            moments={(name, power): value for name, power, value in description["moments"]},
            functions=[named[name] for name, *_ in description["functions"]],
        )


def _targets(values, argument):
    if np.ndim(values) != 1:
        raise ValueError(f"{argument} = {values!r}: expected a sequence with one entry for each statistic")
    values = tuple(None if v is None else float(v) for v in values)
    for i, v in enumerate(values):
        if v is not None and not np.isfinite(v):
            raise ValueError(f"{argument}[{i}] = {v}: targets must be finite (use None to leave a moment free)")
    return values


def _named_targets(targets, argument):
    for key, value in dict(targets).items():
        if not isinstance(key, tuple) or len(key) != 2:
            raise ValueError(f"{argument} has the key {key!r}: expected a pair")
        if not np.isfinite(value):
            raise ValueError(f"{argument}[{key!r}] = {value}: targets must be finite")
    return {key: float(value) for key, value in dict(targets).items()}
