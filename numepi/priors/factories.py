"""The priors by name."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from numepi.arguments import check_array, check_number, real_array
from numepi.priors import marginals
from numepi.priors.distributions import IndependentPrior, NormalPrior
from numepi.priors.frozen import Frozen, is_frozen

__all__ = ["beta", "independent", "log_uniform", "multivariate_normal", "normal", "truncated_normal", "uniform"]


def uniform(lower: ArrayLike, upper: ArrayLike) -> IndependentPrior:
    """Uniform on [lower, upper], numbers or arrays (D,), both finite.

    It is what an inference without a prior assumes on a box, but normalised, and may cover a part of the support only.
    """
    columns = _columns(lower=lower, upper=upper)
    return IndependentPrior([marginals.Uniform(**_ordered(columns))])


def log_uniform(lower: ArrayLike, upper: ArrayLike) -> IndependentPrior:
    """Uniform in log z, density proportional to 1 / z, on [lower, upper], 0 < lower: for a scale that spans decades."""
    columns = _positive(_columns(lower=lower, upper=upper), "lower")
    return IndependentPrior([marginals.LogUniform(**_ordered(columns))])


def normal(mean: ArrayLike, standard_deviation: ArrayLike) -> IndependentPrior:
    """Normal of ``mean`` and ``standard_deviation``, numbers or arrays (D,), independent of each other."""
    columns = _positive(_columns(mean=mean, standard_deviation=standard_deviation), "standard_deviation")
    return IndependentPrior([marginals.Normal(**columns)])


def truncated_normal(
    mean: ArrayLike, standard_deviation: ArrayLike, lower: ArrayLike, upper: ArrayLike
) -> IndependentPrior:
    """A normal cut to [lower, upper], of which a side may be open (-inf, inf).

    ``mean`` and ``standard_deviation`` are those before the cut, and the mean may lie outside: unlike
    `scipy.stats.truncnorm`, whose bounds count standard deviations, all four are in the parameter's own unit.
    """
    columns = _columns(mean=mean, standard_deviation=standard_deviation, lower=lower, upper=upper)
    return IndependentPrior([marginals.TruncatedNormal(**_ordered(_positive(columns, "standard_deviation")))])


def beta(a: ArrayLike, b: ArrayLike, lower: ArrayLike = 0.0, upper: ArrayLike = 1.0) -> IndependentPrior:
    """Beta distribution of shapes ``a`` and ``b`` (above 0), stretched to [lower, upper]."""
    columns = _columns(a=a, b=b, lower=lower, upper=upper)
    return IndependentPrior([marginals.Beta(**_ordered(_positive(_positive(columns, "a"), "b")))])


def independent(distributions: Any) -> IndependentPrior:
    """One distribution for each parameter, in the circuit's order.

    Parameters
    ----------
    distributions : sequence
        Each a prior of this module with independent parameters, which counts for as many as it has, or a frozen
        univariate distribution of `scipy.stats`: a continuous one, whose gradient comes from central differences of
        fourth order, or a discrete one, which spreads the mass of each integer over the unit cell around it, for an
        integer parameter of a `numepi.Support`.

    Raises
    ------
    TypeError
        For anything else; a correlated normal is `multivariate_normal`.
    """
    if is_frozen(distributions) or isinstance(distributions, IndependentPrior) or np.ndim(distributions) == 0:
        distributions = [distributions]
    parts: list[Any] = []
    for i, each in enumerate(distributions):
        if isinstance(each, IndependentPrior):
            parts += each.parts
        elif is_frozen(each):
            parts.append(Frozen(each))
            if np.isnan([parts[-1].lower, parts[-1].upper]).any():
                raise ValueError(f"distributions[{i}] has no support: check the parameters of that scipy.stats one")
        else:
            raise TypeError(
                f"distributions[{i}] is a {type(each).__name__}: give a prior of independent parameters, such as "
                "numepi.priors.normal(0, 1), or a frozen univariate distribution of scipy.stats"
            )
    if not parts:
        raise ValueError("distributions is empty: give one for each parameter")
    return IndependentPrior(parts)


def multivariate_normal(mean: ArrayLike, covariance: ArrayLike) -> NormalPrior:
    """Normal of ``mean`` (D,) and ``covariance`` (D, D), symmetric and positive definite."""
    mean = np.atleast_1d(check_array("mean", mean, None))
    mean = check_array("mean", mean, ("D",))
    if not len(mean):
        raise ValueError("mean is empty: give one number for each parameter")
    covariance = check_array("covariance", covariance, (len(mean), len(mean)))
    if not np.allclose(covariance, covariance.T, rtol=1e-10, atol=0):
        raise ValueError("covariance is not symmetric: give (C + C.T) / 2")
    least = np.linalg.eigvalsh(covariance)[0]
    if not least > 0:
        raise ValueError(f"covariance has the eigenvalue {least:.3g}: give a positive definite matrix")
    return NormalPrior(mean, 0.5 * (covariance + covariance.T))


def _columns(**arguments):
    """Numbers and arrays (D,) as arrays that share one length; bounds may be infinite."""
    columns = {}
    for name, value in arguments.items():
        array = real_array(name, value)
        if array.ndim > 1 or array.size == 0:
            raise ValueError(f"{name} has shape {array.shape}: give a number, or one for each parameter")
        if array.ndim == 0:
            check_number(name, float(array), open_ended=name in ("lower", "upper"))
        columns[name] = np.atleast_1d(array)
    length = max(len(column) for column in columns.values())
    for name, column in columns.items():
        if len(column) not in (1, length):
            raise ValueError(f"{name} has {len(column)} entries: give {length} as the others have, or one number")
        bad = np.isnan(column) if name in ("lower", "upper") else ~np.isfinite(column)
        if bad.any():
            index = int(np.argmax(bad))
            raise ValueError(f"{name}[{index}] = {column[index]}: give finite numbers")
        columns[name] = np.array(np.broadcast_to(column, length))
    return columns


def _positive(columns, name):
    for i, value in enumerate(columns[name]):
        if not value > 0:
            raise ValueError(f"{name}[{i}] = {value}: give a number above 0")
    return columns


def _ordered(columns):
    may_be_open = "mean" in columns
    for i, (low, high) in enumerate(zip(columns["lower"], columns["upper"])):
        if not low < high:
            raise ValueError(f"lower[{i}] = {low} and upper[{i}] = {high}: lower must be below upper")
        if not may_be_open and not np.isfinite(0.5 * high - 0.5 * low):
            raise ValueError(f"lower[{i}] = {low} and upper[{i}] = {high}: give finite bounds")
        if may_be_open and (np.isposinf(low) or np.isneginf(high)):
            raise ValueError(f"lower[{i}] = {low} and upper[{i}] = {high}: a bound is a number, or open outwards")
    return columns
