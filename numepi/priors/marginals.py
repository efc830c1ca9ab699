"""Distributions of one parameter, in closed form, d of a family at a time.

Each has ``lower`` and ``upper`` (d,), ``log_density(z)`` and its ``derivative(z)`` for z (n, d) *inside* these bounds,
``quantile(u)`` and ``cdf(z)``; who calls decides what is outside.
"""

import numpy as np
from scipy import special

__all__ = ["Beta", "LogUniform", "Normal", "TruncatedNormal", "Uniform"]

_LOG_SQRT_2PI = 0.5 * np.log(2 * np.pi)


class _Family:
    """Parameters by name, (d,) each."""

    def __init__(self, **parameters):
        self.parameters = parameters
        for name, value in parameters.items():
            setattr(self, name, value)

    @property
    def size(self):
        """Number of columns d."""
        return len(next(iter(self.parameters.values())))

    @property
    def description(self):
        """A JSON-able dict."""
        return {"family": type(self).__name__} | {name: value.tolist() for name, value in self.parameters.items()}


class Uniform(_Family):
    """On [lower, upper]."""

    def log_density(self, z):
        """Of each column."""
        return np.broadcast_to(-np.log(self.upper - self.lower), z.shape)

    def derivative(self, z):
        """Of the log density."""
        return np.zeros_like(z)

    def quantile(self, u):
        """Inverse of `cdf`."""
        return self.lower + u * (self.upper - self.lower)

    def cdf(self, z):
        """P(below z)."""
        return np.clip((z - self.lower) / (self.upper - self.lower), 0, 1)


class LogUniform(_Family):
    """Density proportional to 1 / z on [lower, upper], 0 < lower: log z is uniform."""

    @property
    def _decades(self):
        """Width in log z: the ratio of the bounds may be more than a float holds."""
        return np.log(self.upper) - np.log(self.lower)

    def log_density(self, z):
        """Of each column."""
        return -np.log(z) - np.log(self._decades)

    def derivative(self, z):
        """Of the log density."""
        return -1 / z

    def quantile(self, u):
        """Inverse of `cdf`."""
        return np.clip(np.exp(np.log(self.lower) + u * self._decades), self.lower, self.upper)

    def cdf(self, z):
        """P(below z)."""
        return (np.log(np.clip(z, self.lower, self.upper)) - np.log(self.lower)) / self._decades


class Normal(_Family):
    """Of ``mean`` and ``standard_deviation``, on the line."""

    @property
    def lower(self):
        """-inf."""
        return np.full(self.size, -np.inf)

    @property
    def upper(self):
        """inf."""
        return np.full(self.size, np.inf)

    def log_density(self, z):
        """Of each column."""
        t = (z - self.mean) / self.standard_deviation
        return -0.5 * t * t - np.log(self.standard_deviation) - _LOG_SQRT_2PI

    def derivative(self, z):
        """Of the log density."""
        return (self.mean - z) / self.standard_deviation**2

    def quantile(self, u):
        """Inverse of `cdf`."""
        return self.mean + self.standard_deviation * special.ndtri(u)

    def cdf(self, z):
        """P(below z)."""
        return special.ndtr((z - self.mean) / self.standard_deviation)


class TruncatedNormal(_Family):
    """A normal of ``mean`` and ``standard_deviation`` *before* it is cut to [lower, upper]."""

    def __init__(self, **parameters):
        super().__init__(**parameters)
        low, high = (self._standard(bound) for bound in (self.lower, self.upper))
        # In the lower tail, where log Phi keeps its digits: an interval above the mean is reflected.
        self._sign = np.where(low > 0, -1.0, 1.0)
        self._low = np.where(low > 0, -high, low)
        self._log_below = special.log_ndtr(self._low)
        log_high = special.log_ndtr(np.where(low > 0, -low, high))
        with np.errstate(invalid="ignore", divide="ignore"):
            self._log_mass = log_high + np.log(-np.expm1(self._log_below - log_high))
        if not np.isfinite(self._log_mass).all():
            i = int(np.argmin(np.isfinite(self._log_mass)))
            raise ValueError(
                f"lower[{i}] = {self.lower[i]} and upper[{i}] = {self.upper[i]}: the normal has no mass there, so far "
                "from its mean: move one of the two"
            )

    def _standard(self, z):
        return (z - self.mean) / self.standard_deviation

    def log_density(self, z):
        """Of each column."""
        t = self._standard(z)
        return -0.5 * t * t - np.log(self.standard_deviation) - _LOG_SQRT_2PI - self._log_mass

    def derivative(self, z):
        """Of the log density."""
        return (self.mean - z) / self.standard_deviation**2

    def quantile(self, u):
        """Inverse of `cdf`."""
        with np.errstate(divide="ignore"):
            share = np.log(np.where(self._sign > 0, u, 1 - u))
        t = special.ndtri_exp(np.logaddexp(self._log_below, share + self._log_mass))
        return np.clip(self.mean + self.standard_deviation * self._sign * t, self.lower, self.upper)

    def cdf(self, z):
        """P(below z)."""
        t = self._sign * self._standard(np.clip(z, self.lower, self.upper))
        log_p = special.log_ndtr(np.maximum(t, self._low))
        below = np.exp(log_p - self._log_mass) * -np.expm1(self._log_below - log_p)
        return np.clip(np.where(self._sign > 0, below, 1 - below), 0, 1)


class Beta(_Family):
    """A beta distribution of shapes ``a`` and ``b``, stretched to [lower, upper]."""

    def _shares(self, z):
        """Shares of the width on both sides of z; a bound, where the density may be infinite, is taken just inside."""
        width = self.upper - self.lower
        below = np.maximum(z - self.lower, 0.5 * (np.nextafter(self.lower, np.inf) - self.lower)) / width
        above = np.maximum(self.upper - z, 0.5 * (self.upper - np.nextafter(self.upper, -np.inf))) / width
        return below, above

    def log_density(self, z):
        """Of each column."""
        below, above = self._shares(z)
        constant = special.betaln(self.a, self.b) + np.log(self.upper - self.lower)
        return special.xlogy(self.a - 1, below) + special.xlogy(self.b - 1, above) - constant

    def derivative(self, z):
        """Of the log density."""
        below, above = self._shares(z)
        return ((self.a - 1) / below - (self.b - 1) / above) / (self.upper - self.lower)

    def quantile(self, u):
        """Inverse of `cdf`."""
        return self.lower + (self.upper - self.lower) * special.betaincinv(self.a, self.b, u)

    def cdf(self, z):
        """P(below z)."""
        return special.betainc(self.a, self.b, np.clip((z - self.lower) / (self.upper - self.lower), 0, 1))
