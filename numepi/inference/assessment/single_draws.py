"""What noisy rows say of exp(eta . T-bar), T-bar = E[T | z], when each has one simulation, or two.

With r = eta . (T - T-hat), T-hat the surrogate's, and b = E[r | z] its error, the mean of exp(b) under the surrogate's
weights is wanted, and exp(r) picks lucky draws.  Two estimates do not:

*Expanded*, 1 + r + b^2 / 2.  Noise of any size and shape averages out, but b has to be small.

*For normal noise*, exp(r - s^2 / 2), s^2 = Var(r | z): right whatever b is.  Where a circuit's statistics fall off a
cliff that its surrogate rounds off b is -10, and p* has nothing there; the expansion says 1 - 10 + 50.  On SC, whose
rates of 200 trials are nearly normal, such rows moved the expanded bound of the entropy between 0.95 and 2.59 nats
(seeds 0 and 1, from 15,000 to 60,000 rows); this one stays within 0.97 and 1.09.  Pairs of simulations tell s^2, and
how far the noise is from normal: of a third cumulant k the mean keeps k / 6 with one simulation and a quarter of that
with the mean of two, so that 4/3 of the difference is taken off.  STG's noise is far from normal (k = -2.2).  Rare
outliers that no pair shows would pass for a cliff: what rows beyond all pairs change is in doubt as a whole.
"""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

__all__ = ["Tilt", "expanded", "for_normal_noise", "noiseless"]

_ROWS_A_FEATURE = 10  # of a fit
_LEAST_PAIRS = 8  # of simulations, for a variance
_OVERFLOW = 50.0  # nats by which the circuit may exceed the surrogate in a weight
_BY_TWO = 4 / 3  # of what two simulations change, is what one is off by: 1 / (1 - 1/4)
# Neighbours of a row whose errors are multiplied with its own; half of each axis must hold so many.  At the ends of six
# runs of STG (486 to 8,280 rows) the surrogates of four erred by 0.29 to 0.53 (mean square, beyond three nats clipped).
# 8 neighbours show 0.11 +- 0.04, 0.24 +- 0.06, 0.26 +- 0.09 and 0.36 +- 0.07 of it, 3 as much with errors of 0.08 to
# 0.13, and 32 0.05, 0.12, 0.13 and 0.31.
_NEAR = 8
_MOST_NOISE = 0.99  # quantile of what single pairs show of s^2, that no row is given more than


@dataclass(frozen=True)
class Tilt:
    """An estimate of exp(b) and exp(b) V-bar, V the violations in natural scales.

    Attributes
    ----------
    factor : ndarray (n,)
        Of exp(b), at each row.
    moments : ndarray (n, m)
        Of exp(b) V-bar.
    extra, extra_stderr : float
        What the mean of the rows' weights times ``factor`` lacks, and its standard error.
    extra_moments, extra_moments_stderr : ndarray (m,)
        The same of ``moments``.
    bias : float
        The most that what was taken off may be, in the units of the weights.
    unresolved : float
        What rows further out than any pair of simulations change: noise or circuit, which these do not tell.
    """

    factor: np.ndarray
    moments: np.ndarray
    extra: float
    extra_stderr: float
    extra_moments: np.ndarray
    extra_moments_stderr: np.ndarray
    bias: float
    unresolved: float = 0.0

    def doubt(self, believed, weights, own):
        """Nats by which log Z may be off: the bias, and two standard errors; ``believed`` is the surrogate's Z."""
        terms = weights * (self.factor - 1)
        z = believed + terms.mean() + self.extra
        variance = sum(part.var() * len(part) for part in (terms[own], terms[~own]) if len(part)) / len(own) ** 2
        return (self.bias + 2 * np.sqrt(variance + self.extra_stderr**2)) / z if z > 0 else np.inf


def noiseless(V, residual, eta):
    """The `Tilt` of rows without noise: ``V`` (n, m) as simulated, ``residual`` what it has beyond the surrogate's."""
    factor = np.exp(np.minimum(residual @ eta, _OVERFLOW))
    none = np.zeros(len(eta))
    return Tilt(factor, factor[:, None] * V, 0.0, 0.0, none, none, 0.0)


def expanded(V, residual, again, eta, weights, own, ok, z):
    """The expanded `Tilt`.

    The square of a surrogate's errors: they are smooth, and a quadratic is fitted to them over all of the flow's rows,
    less what noise alone would make such a fit explain.  What is sharp the surrogate rounds off (where STG's rhythm
    changes it misses two nats), and a quadratic does not see that: where products of the errors of neighbours in z,
    whose noises are independent, show more, they count, with their error, and those of pairs of simulations, which are
    fewer, where they show clearly more.  Without enough rows for a quadratic or pairs the square has no bound.

    Parameters
    ----------
    V, residual : ndarray (n, m)
        At rows that failed: the surrogate's, and zero.
    again : ndarray (r, m)
        The residual of other simulations of the first r rows of ``own``; NaN where they failed.
    eta : ndarray (m,)
    weights : ndarray (n,)
        Of the rows, by the surrogate.
    own, ok : ndarray (n,), bool
        Rows of the flow, and those that succeeded.
    z : ndarray (n, D)
    """
    errors, once = residual @ eta, own & ok
    square, stderr = _smooth_square(z[once], errors[once], weights[once])
    near, near_stderr = _near_products(z[once], errors[once], weights[once])
    if near > square and max(stderr, near_stderr) < np.inf:
        square, stderr = near, near_stderr
    pairs = _pairs(residual, again, own, ok)
    if pairs is not None:
        first, second = pairs
        paired, paired_stderr = _mean(weights[first] * errors[first] * (second @ eta))
        if paired - 2 * paired_stderr > square or stderr == np.inf:
            square, stderr = max(0.0, float(paired)), float(paired_stderr)
    second, stderr = square / 2 * own.mean(), stderr / 2 * own.mean()
    factor = 1 + errors
    moments = factor[:, None] * (V - residual) + residual
    none = np.zeros(len(eta))
    # What the expansion leaves out is less than its last term where that is small: until it is seen to be, it is not.
    return Tilt(factor, moments, second, stderr, none, none, second + 2 * stderr)


def for_normal_noise(V, residual, again, eta, weights, own, ok, f_hat):
    """The `Tilt` for normal noise; None without enough pairs of simulations.

    Parameters are those of `expanded`; ``f_hat`` (n, k) are the surrogate's statistics, of which the noise's variance
    is taken to be a quadratic.
    """
    pairs = _pairs(residual, again, own, ok)
    if pairs is None:
        return None
    (first, second), errors = pairs, residual @ eta
    one, two, w = errors[first], second @ eta, weights[first]
    square = (one - two) ** 2 / 2
    noise = _fitted(f_hat[first], square, w, f_hat)
    factor = np.exp(np.minimum(errors - noise / 2, _OVERFLOW))
    each = np.array([np.exp(np.minimum(r - noise[first] / 2, _OVERFLOW)) for r in (one, two)])
    both = np.exp(np.minimum((one + two) / 2 - noise[first] / 4, _OVERFLOW))
    share = own.mean()
    skew, skew_stderr = _mean(_BY_TWO * share * w * (each.mean(axis=0) - both))
    # Beyond what pairs show noise cannot be told from the circuit: rare outliers look like a cliff, and count as one.
    beyond = own & ok & (errors < min(one.min(), two.min()))
    unresolved = abs(weights[beyond] @ (1 + errors[beyond] - factor[beyond])) / len(V)
    _, noise_stderr = _mean(share / 2 * w * (square - noise[first]))
    # exp(r - s^2 / 2) V has noise in both: of two simulations the one's factor and the other's V have none in common.
    chosen = (residual[first] - second) * (share / 2 * w * (each[0] - each[1]))[:, None]
    by_choice, by_choice_stderr = _mean(chosen)
    return Tilt(
        factor=factor,
        moments=factor[:, None] * V,
        extra=-float(skew),
        extra_stderr=float(np.hypot(skew_stderr, noise_stderr)),
        extra_moments=-by_choice,
        extra_moments_stderr=by_choice_stderr,
        bias=float(abs(skew) + 2 * skew_stderr),
        unresolved=float(unresolved),
    )


def _pairs(residual, again, own, ok):
    """Rows that were simulated twice, and the second simulation's residual; None where they are too few."""
    first = np.flatnonzero(own)[: len(again)]
    both = ok[first] & np.isfinite(again).all(axis=1)
    return (first[both], again[both]) if both.sum() >= _LEAST_PAIRS else None


def _mean(values):
    return values.mean(axis=0), values.std(axis=0) / np.sqrt(len(values))


def _fitted(at, values, weights, everywhere):
    """A weighted quadratic for ``values`` >= 0 at ``at`` (n, k), a constant if they are few, ``everywhere`` (N, k)."""
    centre, spread = at.mean(axis=0), at.std(axis=0)
    features = _quadratic((at - centre) / np.where(spread > 0, spread, 1.0))
    if features.shape[1] * _ROWS_A_FEATURE > len(values):
        return np.full(len(everywhere), weights @ values / weights.sum())
    root = np.sqrt(weights)
    slopes = np.linalg.lstsq(features * root[:, None], values * root, rcond=1e-8)[0]
    # Far from the pairs the quadratic says nothing: rows there get what the nearest along each axis would.
    x = np.clip(everywhere, at.min(axis=0), at.max(axis=0))
    most = np.quantile(values, _MOST_NOISE)
    found = np.clip(_quadratic((x - centre) / np.where(spread > 0, spread, 1.0)) @ slopes, 0.0, most)
    said = weights @ np.clip(features @ slopes, 0.0, most)
    return found * (weights @ values / said if said > 0 else 1.0)


def _quadratic(x):
    products = [x[:, i] * x[:, j] for i in range(x.shape[1]) for j in range(i + 1)]
    return np.column_stack([np.ones(len(x)), x, *products])


def _near_products(z, errors, weights):
    """Mean weighted product of ``errors`` (n,) with those of the nearest rows in z (n, D), and its error.

    Noise has no part in it, which is another's at each row: what is left is the square of the part of the surrogate's
    error that neighbours share.  Infinite errors where the rows are so few in so many dimensions that none is near.
    """
    n, dim = z.shape
    if n < _NEAR * 2.0**dim:
        return 0.0, np.inf
    spread = z.std(axis=0)
    x = z / np.where(spread > 0, spread, 1.0)
    nearest = cKDTree(x).query(x, k=_NEAR + 1)[1][:, 1:]  # the first is the row itself
    found, stderr = _mean(weights * errors * errors[nearest].mean(axis=1))
    return float(found), float(np.sqrt(2) * stderr)  # nearly each product is there twice


def _smooth_square(z, errors, weights):
    """Mean weighted square of the best quadratic in z (n, D) for ``errors`` (n,), less what is noise; its error."""
    n = len(z)
    spread = z.std(axis=0) if n else np.ones(z.shape[1])
    features = _quadratic((z - z.mean(axis=0)) / np.where(spread > 0, spread, 1.0)) if n else _quadratic(z)
    if features.shape[1] * _ROWS_A_FEATURE > n:
        return 0.0, np.inf
    normal = (weights[:, None] * features).T @ features
    slopes = np.linalg.lstsq(normal, features.T @ (weights * errors), rcond=1e-10)[0]
    fitted = features @ slopes
    scatter = (features * (weights * (errors - fitted))[:, None]).T
    by_noise = np.trace(np.linalg.lstsq(normal, scatter @ scatter.T, rcond=1e-10)[0]) / n
    square = max(0.0, float(weights @ fitted**2 / n - by_noise))
    variance = 2 * by_noise**2 / len(slopes) + 4 * square * by_noise / len(slopes)
    return square, float(np.sqrt(variance))
