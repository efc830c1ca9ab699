"""The constraints of an emergent property on a circuit's statistics: T, its derivatives, targets and scales."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from numepi.differentiation import autograd_errors_named, forward_where_not_finite

__all__ = ["Constraints"]

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
        How far E[T] may be from its target for the constraint to count as met: 0.1 sigma for a mean, 10 % for a
        variance, 0.1 of the scale for the others.
    """

    def __init__(self, prop: Any, statistic_names: Sequence[str]) -> None:
        self.prop = prop
        self.statistic_names = statistic_names
        if len(prop.mean) != len(statistic_names):
            raise ValueError(
                f"mean has {len(prop.mean)} entries but the circuit has {len(statistic_names)} statistics: "
                f"{', '.join(statistic_names)}"
            )
        self._centre = np.array([0.0 if m is None else m for m in prop.mean])
        names, target, scale, powers = [], [], [], []
        for name, power, value, size in self._monomials():
            names.append(name)
            powers.append(power)
            target.append(value)
            scale.append(size)
        self._powers = np.array(powers, dtype=int).reshape(len(names), len(statistic_names))
        self._factors = [np.repeat(np.arange(len(power)), power).tolist() for power in self._powers]
        # A mean is a constraint on f itself, every other monomial on f - mean.
        self._is_mean = np.array([p.sum() == 1 for p in self._powers], dtype=bool)
        for moment in prop.functions:
            names.append(moment.name)
            target.append(moment.target)
            scale.append(abs(moment.target) or 1.0 if moment.scale is None else moment.scale)
        if not names:
            raise ValueError("the emergent property is empty: give at least one target")
        if len(set(names)) != len(names):
            raise ValueError(f"constraint names repeat: {sorted({n for n in names if names.count(n) > 1})}")
        self.names = tuple(names)
        self.target = np.array(target, float)
        self.scale = np.array(scale, float)
        self._is_variance = np.zeros(len(names), dtype=bool)
        self._is_variance[: len(powers)] = (self._powers == 2).any(axis=1)
        self.tolerance = 0.1 * np.where(self._is_variance, np.abs(self.target), self.scale)
        self._monomial_offset = np.where(self._is_mean, self.target[: len(powers)], 0.0)

    def __len__(self):
        return len(self.names)

    def _monomials(self):
        prop, names = self.prop, self.statistic_names
        k = len(names)
        sigma = [1.0 if v is None else np.sqrt(v) for v in prop.variance]
        unit = np.eye(k, dtype=int)
        for i, m in enumerate(prop.mean):
            if m is not None:
                size = sigma[i] if prop.variance[i] is not None else (abs(m) or 1.0)
                yield f"mean {names[i]}", unit[i], m, size
        for i, v in enumerate(prop.variance):
            if v is not None:
                yield f"variance {names[i]}", 2 * unit[i], v, np.sqrt(2.0) * v
        for (a, b), value in prop.covariance.items():
            i, j = self._index(a, "covariance"), self._index(b, "covariance")
            if i == j:
                raise ValueError(f"covariance of {a!r} with itself: use variance")
            if (b, a) in prop.covariance:
                raise ValueError(f"covariance of {a!r} and {b!r} is given in both orders: give it once")
            if None not in (prop.variance[i], prop.variance[j]) and abs(value) >= sigma[i] * sigma[j]:
                raise ValueError(
                    f"covariance[{a!r}, {b!r}] = {value}: its size must be below {sigma[i] * sigma[j]:.6g}, "
                    "the product of the standard deviations"
                )
            yield f"covariance {a}, {b}", unit[i] + unit[j], value, sigma[i] * sigma[j]
        for (name, power), value in prop.moments.items():
            i = self._index(name, "moments")
            least = 0.0 if prop.variance[i] is None else sigma[i] ** power
            if power % 2 == 0 and value <= least:
                raise ValueError(f"moments[{name!r}, {int(power)}] = {value}: an even moment must exceed {least:.6g}")
            # Standard deviation of the power of a normal variable.
            size = sigma[i] ** power * np.sqrt(float(prod(range(1, 2 * power, 2))))
            yield f"moment {int(power)} {name}", int(power) * unit[i], value, size

    def _index(self, name, argument):
        if name not in self.statistic_names:
            raise ValueError(f"{argument} names the statistic {name!r}: choose from {', '.join(self.statistic_names)}")
        index = self.statistic_names.index(name)
        if self.prop.mean[index] is None:
            raise ValueError(f"{argument} of {name!r} needs its mean target: moments are centred on it")
        return index

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
        extra = [_user_values(moment, f) for moment in self.prop.functions]
        return np.column_stack([values, *extra]) if extra else values

    def derivative(self, f: np.ndarray) -> np.ndarray:
        """dT/df at statistics ``f`` (n, k): (n, m, k)."""
        f = self._check(f)
        centred = f - self._centre
        out = np.zeros((len(f), len(self), f.shape[1]))
        for row, power in enumerate(self._powers):
            for j in np.flatnonzero(power):
                lowered = power.copy()
                lowered[j] -= 1
                out[:, row, j] = power[j] * np.prod(centred**lowered, axis=1)
        for row, moment in enumerate(self.prop.functions, start=len(self._powers)):
            out[:, row] = _user_derivative(moment, f)
        return out

    def pullback(self, f: np.ndarray, jacobian: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Gradient in z of sum_i weights_i T_i(f(z)) for one sample per row.

        ``f`` (n, k), ``jacobian`` df/dz (n, k, D), ``weights`` (m,) or (n, m); returns (n, D).
        """
        weights = np.broadcast_to(weights, (len(f), len(self)))
        in_f = np.einsum("nm,nmk->nk", weights, self.derivative(f))
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
        multipliers[self._is_variance] = -0.5 / self.target[self._is_variance]
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
    values = np.asarray(moment.function(f))
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
        derivative = moment.jacobian(f)
    derivative = np.asarray(derivative, float)
    if derivative.shape != f.shape:
        raise ValueError(f"jacobian of Moment {moment.name!r} has shape {derivative.shape}: expected {f.shape}")
    return derivative
