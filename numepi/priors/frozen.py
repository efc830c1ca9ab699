"""A frozen distribution of scipy.stats as the prior of one parameter."""

import numpy as np

__all__ = ["Frozen", "is_frozen"]

# Of the interquartile range, and of the distance to a bound: fourth-order differences of a log density err by about
# 1e-12 of its fifth derivative there, and by 1e-13 from rounding.
_STEP = 1e-3


def is_frozen(distribution):
    """Whether this is a univariate distribution of scipy.stats with its parameters set, of the old kind or the new."""
    methods = ("cdf", "support") + (("rvs", "ppf") if hasattr(distribution, "ppf") else ("sample", "icdf"))
    return _log_density_of(distribution) is not None and all(hasattr(distribution, name) for name in methods)


def _log_density_of(distribution):
    if isinstance(distribution, type):
        return None
    if hasattr(distribution, "args"):  # of the old kind, frozen: the generic ones have no args
        return getattr(distribution, "logpmf" if _is_discrete(distribution) else "logpdf", None)
    return getattr(distribution, "logpdf", None) if hasattr(distribution, "icdf") else None


def _is_discrete(distribution):
    return hasattr(getattr(distribution, "dist", None), "pmf") or not hasattr(distribution, "logpdf")


class Frozen:
    """One column, in the manner of `numepi.priors.marginals`.

    A continuous one has the derivative of its log density by central differences of fourth order.  A discrete one, on
    the integers, spreads the mass of each over the unit cell around it.
    """

    size = 1

    def __init__(self, distribution):
        self.distribution = distribution
        self.discrete = _is_discrete(distribution)
        self._log_density = _log_density_of(distribution)
        quantile = getattr(distribution, "ppf", None) or distribution.icdf
        low, high = (float(bound) for bound in distribution.support())
        margin = 0.5 if self.discrete else 0.0
        self.lower, self.upper = np.array([low - margin]), np.array([high + margin])
        self._spread = float(quantile(0.75) - quantile(0.25)) or 1.0

    @property
    def description(self):
        """A JSON-able dict."""
        if not hasattr(self.distribution, "args"):
            return {"family": "scipy", "distribution": repr(self.distribution)}
        arguments = [np.asarray(value).tolist() for value in self.distribution.args]
        keywords = {name: np.asarray(value).tolist() for name, value in self.distribution.kwds.items()}
        return {"family": "scipy", "distribution": self.distribution.dist.name, "args": arguments, "kwds": keywords}

    def log_density(self, z):
        """Of the column."""
        return np.asarray(self._log_density(np.rint(z) if self.discrete else z), np.float64)

    def derivative(self, z):
        """Of the log density."""
        if self.discrete:
            return np.zeros_like(z)
        edge = _STEP * _STEP * self._spread
        z = np.clip(z, self.lower + edge, self.upper - edge)  # a bound itself is taken just inside
        h = _STEP * np.minimum(self._spread, np.minimum(z - self.lower, self.upper - z))
        near = self.log_density(z + h) - self.log_density(z - h)
        far = self.log_density(z + 2 * h) - self.log_density(z - 2 * h)
        return (8 * near - far) / (12 * h)

    def draw(self, n, generator):
        """``n`` draws (n, 1)."""
        if hasattr(self.distribution, "rvs"):
            values = self.distribution.rvs(size=n, random_state=generator)
        else:
            values = self.distribution.sample(n, rng=generator)
        values = np.asarray(values, np.float64).reshape(n, 1)
        return values + generator.random((n, 1)) - 0.5 if self.discrete else values

    def cdf(self, z):
        """P(below z)."""
        if not self.discrete:
            return np.asarray(self.distribution.cdf(z), np.float64)
        cell = np.rint(z)
        inside = np.exp(self.log_density(cell)) * (z - cell + 0.5)
        return np.asarray(self.distribution.cdf(cell - 1), np.float64) + inside
