"""The constraints of an emergent property on a circuit's statistics: T, its derivatives, targets and scales."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from numepi.arguments import filled
from numepi.differentiation import autograd_errors_named, forward_where_not_finite
from numepi.property.feasibility import check_feasible
from numepi.property.moments import Correlation
from numepi.property.region import Region
from numepi.property.tolerances import GIVEN, SHARE, SPREAD, TARGET, Rule, moment_rule, tolerances

__all__ = ["Constraints"]

_BY_SPREAD = Rule(None, SPREAD)
_LARGEST = 1e75  # scale whose fourth power is a double still: squares of T, and their squares, are taken
# A target this many times its neighbour's scale makes one penalty or step size unfit for both.
_SCALE_RATIO_WARNING = 1e4


class Constraints:
    """An emergent property bound to a circuit's statistics: T, its derivatives and its targets.

    Attributes
    ----------
    names : tuple of str (m,)
    target : ndarray (m,)
        mu_opt.
    scale : ndarray (m,)
        The size of a natural fluctuation of each T: sigma for a mean, sqrt(2) sigma^2 for a variance (the spread of a
        squared normal), and so on.  Where no variance is given, |target| or 1 for a mean, and sigma = 1 in the others.
    tolerance : ndarray (m,)
        How far E[T] may be from its target for the constraint to count as met, as far as that is known before there is
        an answer: where its spread decides, `tolerances` says so once it is there, and here ``scale`` stands in.
    is_mean, is_variance : ndarray (m,), bool
        Which constraints are means, and which variances or bounds of them.
    is_bound : ndarray (m,), bool
        Which targets are upper bounds: their multipliers are never positive.
    region : Region or None
        Where expected statistics have to lie.
    """

    def __init__(self, prop: Any, statistic_names: Sequence[str]) -> None:
        self.prop = prop = prop.aligned(statistic_names)
        self.statistic_names = statistic_names
        self._centre = np.array([0.0 if m is None else m for m in prop.mean])
        names, target, scale, powers, rules = [], [], [], [], []
        for name, power, value, size, rule in self._monomials():
            names.append(name)
            powers.append(power)
            target.append(value)
            scale.append(size)
            rules.append(rule)
        self._powers = np.array(powers, dtype=int).reshape(len(names), len(statistic_names))
        self._factors = [np.repeat(np.arange(len(power)), power).tolist() for power in self._powers]
        # A mean is a constraint on f itself, every other monomial on f - mean.
        self._is_mean = np.array([p.sum() == 1 for p in self._powers], dtype=bool)
        self.is_mean = np.zeros(len(names) + len(prop.functions), dtype=bool)
        self.is_mean[: len(powers)] = self._is_mean
        self._functions = [self._bound(moment) for moment in prop.functions]
        for moment, _ in self._functions:
            names.append(moment.name)
            target.append(moment.target)
            scale.append(abs(moment.target) or 1.0 if moment.scale is None else moment.scale)
            rules.append(moment_rule(moment))
        if not names:
            raise ValueError("the emergent property is empty: give at least one target")
        if len(set(names)) != len(names):
            raise ValueError(f"constraint names repeat: {sorted({n for n in names if names.count(n) > 1})}")
        self.names = tuple(names)
        self.target = np.array(target, float)
        self.scale = np.array(scale, float)
        self._check_sizes()
        self.is_variance = np.zeros(len(names), dtype=bool)
        self.is_variance[: len(powers)] = (self._powers == 2).any(axis=1)
        bounded = {f"variance {name}" for name, v in zip(statistic_names, prop.variance_at_most) if v is not None}
        self.is_bound = np.array([i < len(powers) and name in bounded for i, name in enumerate(names)])
        self.region = None if prop.within is None else self.region_within(prop.within)
        for argument in ("tolerance", "standard_error"):
            for name in getattr(prop, argument):
                if name not in names:
                    raise ValueError(f"{argument} names the constraint {name!r}: choose from {', '.join(names)}")
        self._rules = [Rule(prop.tolerance[n], GIVEN) if n in prop.tolerance else r for n, r in zip(names, rules)]
        self._standard_errors = np.array([prop.standard_error.get(name, 0.0) for name in names])
        self.tolerance = self.tolerances(self.scale)[0]
        check_feasible(prop, statistic_names)
        self._monomial_offset = np.where(self._is_mean, self.target[: len(powers)], 0.0)

    def _check_sizes(self):
        for name, size in zip(self.names, self.scale):
            if not 1 / _LARGEST <= size <= _LARGEST:
                raise ValueError(
                    f"the constraint {name!r} varies by about {size:.2g}: its powers leave double precision; give the "
                    f"statistic in a unit in which this lies between {1 / _LARGEST:.0e} and {_LARGEST:.0e}"
                )

    def __len__(self):
        return len(self.names)

    def region_within(self, within: float) -> Region:
        """Statistics within so many units of the target means (`numepi.property.region`)."""
        unit = [
            np.inf if mean is None else abs(mean) or 1.0 if variance is None else np.sqrt(variance)
            for mean, variance in zip(self.prop.mean, self.prop.largest_variance)
        ]
        return Region(float(within), self._centre, np.array(unit, float))

    def tolerances(self, spread: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """How far E[T] may be from its target for the constraint to count as met, and where that comes from.

        Parameters
        ----------
        spread : array (m,)
            Standard deviation of each T under the answer.

        Returns
        -------
        tolerance : ndarray (m,)
        source : tuple of str (m,)
            ``"given"`` by the user; ``"target"``: 0.1 sigma for a mean with a target variance sigma^2, 0.1 sigma_a
            sigma_b for a covariance, a tenth of the target for variances and other even moments; ``"binomial"`` and
            ``"scale"``: see `numepi.Moment`; ``"data"``: the target's own standard error, where that is the larger
            one; ``"spread"``: 0.1 of ``spread``, for what is left.
        """
        return tolerances(self._rules, self._standard_errors, spread)

    def inside(self, T: np.ndarray) -> np.ndarray:
        """Rows of expected ``T`` (n, m) in the property's region, all without one: (n,) bool."""
        if self.region is None:
            return np.ones(len(T), bool)
        f = np.tile(self._centre, (len(T), 1))  # free statistics lie anywhere
        f[:, [mean is not None for mean in self.prop.mean]] = T[:, self.is_mean]
        return self.region.contains(f)

    def miss(self, achieved: np.ndarray) -> np.ndarray:
        """How far moments E[T] (m,) are from their targets: |E[T] - mu_opt|, zero where a bound holds."""
        error = achieved - self.target
        return np.where(self.is_bound, np.maximum(error, 0.0), np.abs(error))

    def admissible(self, multipliers: np.ndarray) -> np.ndarray:
        """The nearest multipliers (m,) that the bounds allow: theirs are never positive."""
        return np.where(self.is_bound, np.minimum(multipliers, 0.0), multipliers)

    def _monomials(self):
        prop, names = self.prop, self.statistic_names
        k = len(names)
        variances = prop.largest_variance
        sigma = [1.0 if v is None else np.sqrt(v) for v in variances]
        unit = np.eye(k, dtype=int)
        for i, m in enumerate(prop.mean):
            if m is not None:
                known = variances[i] is not None
                size = sigma[i] if known else (abs(m) or 1.0)
                yield f"mean {names[i]}", unit[i], m, size, Rule(SHARE * size, TARGET) if known else _BY_SPREAD
        for i, v in enumerate(variances):
            if v is not None:
                yield f"variance {names[i]}", 2 * unit[i], v, np.sqrt(2.0) * v, Rule(SHARE * v, TARGET)
        for (a, b), value in prop.covariance.items():
            i, j = self._index(a, "covariance"), self._index(b, "covariance")
            if i == j:
                raise ValueError(f"covariance of {a!r} with itself: use variance")
            if (b, a) in prop.covariance:
                raise ValueError(f"covariance of {a!r} and {b!r} is given in both orders: give it once")
            if None not in (variances[i], variances[j]) and abs(value) >= sigma[i] * sigma[j]:
                raise ValueError(
                    f"covariance[{a!r}, {b!r}] = {value}: its size must be below {sigma[i] * sigma[j]:.6g}, "
                    "the product of the standard deviations"
                )
            size = sigma[i] * sigma[j]
            rule = _BY_SPREAD if None in (variances[i], variances[j]) else Rule(SHARE * size, TARGET)
            yield f"covariance {a}, {b}", unit[i] + unit[j], value, size, rule
        for (name, power), value in prop.moments.items():
            i = self._index(name, "moments")
            least = 0.0 if prop.variance[i] is None else sigma[i] ** power
            if power % 2 == 0 and value <= least:
                raise ValueError(f"moments[{name!r}, {int(power)}] = {value}: an even moment must exceed {least:.6g}")
            # Standard deviation of the power of a normal variable.
            size = sigma[i] ** power * np.sqrt(float(prod(range(1, 2 * power, 2))))
            rule = Rule(SHARE * value, TARGET) if power % 2 == 0 else _BY_SPREAD
            yield f"moment {int(power)} {name}", int(power) * unit[i], value, size, rule

    def _index(self, name, argument):
        if name not in self.statistic_names:
            raise ValueError(f"{argument} names the statistic {name!r}: choose from {', '.join(self.statistic_names)}")
        index = self.statistic_names.index(name)
        if self.prop.mean[index] is None:
            raise ValueError(f"{argument} of {name!r} needs its mean target: moments are centred on it")
        return index

    def _bound(self, moment):
        """The moment, with what a correlation takes from the targets, and the columns of its statistics."""
        if moment.statistics is None:
            return moment, slice(None)
        for name in moment.statistics:
            if name not in self.statistic_names:
                known = ", ".join(self.statistic_names)
                raise ValueError(f"Moment {moment.name!r} names the statistic {name!r}: choose from {known}")
        columns = [self.statistic_names.index(name) for name in moment.statistics]
        if isinstance(moment.function, Correlation):
            moment = self._standardised(moment, columns)
        return moment, columns

    def _standardised(self, moment, columns):
        mean, variance = ([values[i] for i in columns] for values in (self.prop.mean, self.prop.variance))
        for argument, values, what in (("centre", mean, "mean"), ("spread", variance, "variance")):
            if getattr(moment.function, argument) is None and None in values:
                name = moment.statistics[values.index(None)]
                raise ValueError(
                    f"Moment {moment.name!r} has no {argument}, and the {what} of {name} is free: give {argument}=, "
                    "say that of an answer without this moment, or fix it"
                )
        spread = [1.0 if v is None else np.sqrt(v) for v in variance]
        function = moment.function.standardised_by([0.0 if m is None else m for m in mean], spread)
        return replace(moment, function=function, jacobian=function.derivative)

    def sufficient_statistics(self, f: np.ndarray) -> np.ndarray:
        """T of statistics ``f`` (n, k): (n, m)."""
        f = self._check(f)
        centred = f - self._centre
        values = np.empty((len(f), len(self._powers)))
        for column, factors in zip(values.T, self._factors):
            column[:] = centred[:, factors[0]]
            for j in factors[1:]:
                column *= centred[:, j]
        values += self._monomial_offset
        extra = [_user_values(moment, f[:, columns]) for moment, columns in self._functions]
        return np.column_stack([values, *extra]) if extra else values

    def derivative(self, f: np.ndarray) -> np.ndarray:
        """dT/df at statistics ``f`` (n, k): (n, m, k)."""
        f = self._check(f)
        out = np.zeros((len(f), len(self), f.shape[1]))
        for row, j, slope in self._slopes(f):
            out[:, row, j] += slope
        for row, (moment, columns) in enumerate(self._functions, start=len(self._powers)):
            out[:, row, columns] = _user_derivative(moment, f[:, columns])
        return out

    def _slopes(self, f):
        """Row of T, statistic, and share (n,) or 1 in the derivative, of each factor of a monomial: product rule."""
        centred = f - self._centre
        for row, factors in enumerate(self._factors):
            for place, j in enumerate(factors):
                yield row, j, prod(centred[:, i] for i in factors[:place] + factors[place + 1 :])

    def remainder(self, f: np.ndarray, about: np.ndarray) -> np.ndarray:
        """What T(f) is beyond its value at ``about`` and, for moments, the linear part of the way: (n, m).

        With ``about`` = E[f | z] its conditional mean is what the noise in f adds to E[T | z] beyond T(E[f | z]): for a
        variance the square of the noise alone, whose mean takes fewer rows to learn than that of T itself.
        """
        f, about = self._check(f), self._check(about)
        remainder = self.sufficient_statistics(f) - self.sufficient_statistics(about)
        way = f - about
        for row, j, slope in self._slopes(about):
            remainder[:, row] -= slope * way[:, j]
        return remainder

    def pullback(self, f: np.ndarray, jacobian: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Gradient in z of sum_i weights_i T_i(f(z)) for one sample per row.

        ``f`` (n, k), ``jacobian`` df/dz (n, k, D), ``weights`` (m,) or (n, m); returns (n, D).
        """
        f = self._check(f)
        weights, in_f = np.broadcast_to(weights, (len(f), len(self))), np.zeros(f.shape)
        for row, j, slope in self._slopes(f):  # without the tensor of all derivatives, most of which are zero
            in_f[:, j] += weights[:, row] * slope
        for row, (moment, columns) in enumerate(self._functions, start=len(self._powers)):
            in_f[:, columns] += weights[:, row, None] * _user_derivative(moment, f[:, columns])
        return np.einsum("nk,nkd->nd", in_f, jacobian)

    def recentred(self, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Products of two statistics about the present means mu + ``offset`` (k,), as a linear map of T - mu_opt.

        Far from the targets a variance about the target mean says little but how far the mean is; about the present
        mean the two can move independently.

        Returns
        -------
        A : ndarray (m, m)
            A (T - mu_opt) has, in the rows of products, (f_i - m_i)(f_j - m_j) up to constants, and else T - mu_opt.
        excess : ndarray (m,)
            offset_i offset_j in the rows of products: what the offset alone adds to E[T].
        """
        matrix, excess = np.eye(len(self)), np.zeros(len(self))
        for row in np.flatnonzero(self._powers.sum(axis=1) == 2):
            i, j = self._factors[row]
            excess[row] = offset[i] * offset[j]
            for one, other in ((i, j), (j, i)):
                mean = np.flatnonzero(self._is_mean & (self._powers[:, one] == 1))
                matrix[row, mean] -= offset[other]
        return matrix, excess

    def gaussian_multipliers(self) -> np.ndarray:
        """Natural parameters (m,) of independent normals about the target means: -1 / (2 variance), else 0."""
        multipliers = np.zeros(len(self))
        multipliers[self.is_variance] = -0.5 / self.target[self.is_variance]
        return multipliers

    def _check(self, f):
        f = np.asarray(f, float)
        if f.ndim != 2 or f.shape[1] != len(self.statistic_names):
            raise ValueError(f"statistics have shape {f.shape}: expected (n, {len(self.statistic_names)})")
        return f

    def warn_if_badly_conditioned(self) -> None:
        """Warn, naming the constraints, when their scales differ so much that one step size cannot serve them all."""
        low, high = int(np.argmin(self.scale)), int(np.argmax(self.scale))
        if self.scale[high] > _SCALE_RATIO_WARNING * self.scale[low]:
            warnings.warn(
                f"badly conditioned emergent property: {self.names[low]!r} varies by about {self.scale[low]:.2g} and "
                f"{self.names[high]!r} by {self.scale[high]:.2g}; rescale the statistics to similar sizes",
                UserWarning,
                stacklevel=3,
            )


def _user_values(moment, f):
    values = moment.function(f.copy())  # which may write into what it is given
    values = filled(values) if np.ma.isMaskedArray(values) else np.asarray(values)
    if values.shape != (len(f),) or values.dtype.kind not in "fiub":
        raise ValueError(
            f"Moment {moment.name!r} returned {values.dtype} of shape {values.shape}: "
            f"expected real numbers of shape ({len(f)},)"
        )
    return values.astype(float)


def _user_derivative(moment, f):
    if moment.jacobian is None:
        from autograd import elementwise_grad

        remedy = "write its function with autograd.numpy, give a jacobian, or use gradient='none'"
        with autograd_errors_named(f"Moment {moment.name!r}", remedy):
            derivative = elementwise_grad(moment.function)(f)
            derivative = forward_where_not_finite(moment.function, f, np.asarray(derivative, float))
    else:
        derivative = moment.jacobian(f.copy())
    derivative = np.asarray(derivative, float)
    if derivative.shape != f.shape:
        raise ValueError(f"jacobian of Moment {moment.name!r} has shape {derivative.shape}: expected {f.shape}")
    return derivative
