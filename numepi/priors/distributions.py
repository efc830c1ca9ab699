"""The two kinds of priors: independent parameters, and a correlated normal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from numepi.priors.prior import Prior
from numepi.support import Support

__all__ = ["IndependentPrior", "NormalPrior"]

_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)


class IndependentPrior(Prior):
    """Product of distributions of single parameters.

    Parameters
    ----------
    parts : sequence
        Families of `numepi.priors.marginals` and `numepi.priors.frozen.Frozen`, whose columns follow each other.
    """

    def __init__(self, parts: Any) -> None:
        self.parts = tuple(parts)
        lower = np.concatenate([part.lower for part in self.parts])
        self.support = Support(lower, np.concatenate([part.upper for part in self.parts]))
        ends = np.cumsum([part.size for part in self.parts])
        self._columns = [slice(end - part.size, end) for end, part in zip(ends, self.parts)]

    @property
    def description(self) -> dict[str, Any]:  # type: ignore[override]
        """A JSON-able dict."""
        return {"prior": "independent", "parts": [part.description for part in self.parts]}

    def log_prob(self, z: ArrayLike) -> np.ndarray:
        """See `Prior`."""
        return self._inside(z, lambda part, x: part.log_density(x).sum(axis=1), -np.inf, 1)

    def gradient(self, z: ArrayLike) -> np.ndarray:
        """See `Prior`."""
        return self._inside(z, lambda part, x: part.derivative(x), np.nan, None)

    def _inside(self, z, function, outside, axis):
        """``function`` of each part's columns, of rows inside; summed over parts, or side by side for ``axis`` None."""
        z = self._rows(z)
        good = self.support.contains(z)
        columns = [function(part, z[good, where]) for part, where in zip(self.parts, self._columns)]
        values = np.concatenate(columns, axis=1) if axis is None else sum(columns)
        out = np.full((len(z), *values.shape[1:]), outside)
        out[good] = values
        out[np.isnan(z).any(axis=1)] = np.nan
        return out

    def _draw(self, n, generator):
        columns = [
            part.draw(n, generator) if hasattr(part, "draw") else part.quantile(generator.random((n, part.size)))
            for part in self.parts
        ]
        return np.concatenate(columns, axis=1)

    def _box_mass(self, lower, upper):
        mass = 1.0
        for part, where in zip(self.parts, self._columns):
            mass *= np.prod(part.cdf(upper[where]) - part.cdf(lower[where]))
        return mass


class NormalPrior(Prior):
    """Normal of ``mean`` (D,) and ``covariance`` (D, D)."""

    def __init__(self, mean: np.ndarray, covariance: np.ndarray) -> None:
        self.mean, self.covariance = mean, covariance
        self.support = Support(np.full(len(mean), -np.inf), np.full(len(mean), np.inf))
        self._root = np.linalg.cholesky(covariance)
        self._precision = np.linalg.inv(covariance)
        self._log_norm = np.log(np.diag(self._root)).sum() + len(mean) * _LOG_SQRT_2PI

    @property
    def description(self) -> dict[str, Any]:  # type: ignore[override]
        """A JSON-able dict."""
        return {"prior": "normal", "mean": self.mean.tolist(), "covariance": self.covariance.tolist()}

    def log_prob(self, z: ArrayLike) -> np.ndarray:
        """See `Prior`."""
        whitened = np.linalg.solve(self._root, (self._rows(z) - self.mean).T)
        return -0.5 * np.sum(whitened**2, axis=0) - self._log_norm

    def gradient(self, z: ArrayLike) -> np.ndarray:
        """See `Prior`."""
        return (self.mean - self._rows(z)) @ self._precision

    def _draw(self, n, generator):
        return self.mean + generator.standard_normal((n, self.dim)) @ self._root.T

    def _box_mass(self, lower, upper):
        return 1.0 if np.isneginf(lower).all() and np.isposinf(upper).all() else None
