"""Maximise the log-density of a fitted flow from many starts at once, on the whole support or on a slice of it.

Two methods: trust-region Newton steps by conjugate gradients (Steihaug 1983), which needs Hessian-vector products
only and so serves any dimension; and the paper's gradient ascent with a halving learning rate, shortened where the
curvature does not allow its steps.
"""

import numpy as np

from numepi.analysis.directions import column
from numepi.arguments import check_mapping, check_number, shown

__all__ = ["Slice", "gradient_ascent", "trust_region"]

_MARGIN = 1e-6  # of the width of the support: log q may be infinite on the bound itself
_SUFFICIENT = 0.1  # of the gain that the gradient promises; a parabola gives it up to curvature 2 * 0.9 / rate
_ROUNDING = 1e-12  # of a log-density: gains below it tell nothing
_LEAST_SHARE = 1e-8  # of a step of the schedule: at its 5e-3 enough for curvatures of 10^10


class Slice:
    """Log q over the free parameters, in units of ``scale``, the others fixed.

    Parameters
    ----------
    q : FlowDistribution
    fixed : dict of str or int to float
    scale : array (D,)
    """

    def __init__(self, q, fixed, scale):
        self.q = q
        fixed = check_mapping("fixed", fixed, "give a dict of parameters and values")
        columns = {
            column(q.parameter_names, name, "fixed"): check_number(f"fixed[{name!r}]", value)
            for name, value in fixed.items()
        }
        if len(columns) < len(fixed):
            raise ValueError(f"fixed = {shown(fixed)} names a parameter twice: give each once")
        lower, upper = q.support.lower, q.support.upper
        for i, value in columns.items():
            if not lower[i] < value < upper[i]:
                raise ValueError(
                    f"fixed: {q.parameter_names[i]} = {value} is not inside the support ({lower[i]}, {upper[i]})"
                )
        self.free = np.array([i for i in range(q.dim) if i not in columns], int)
        if len(self.free) == 0:
            raise ValueError("fixed holds every parameter: leave one free")
        self.template = np.zeros(q.dim)
        self.template[list(columns)] = list(columns.values())
        self.scale = np.asarray(scale)[self.free]
        width = np.where(np.isfinite(q.support.width), q.support.width, 0.0)
        self.low = ((lower + _MARGIN * width)[self.free]) / self.scale
        self.high = ((upper - _MARGIN * width)[self.free]) / self.scale

    def to_line(self, z):
        """Free coordinates (n, d) of ``z`` (n, D), moved inside the support."""
        return np.clip(z[:, self.free] / self.scale, self.low, self.high)

    def from_line(self, y):
        """Parameters (n, D) of free coordinates (n, d)."""
        z = np.repeat(self.template[None], len(y), axis=0)
        z[:, self.free] = y * self.scale
        return z

    def value(self, y):
        """Log q (n,)."""
        return self.q.log_prob(self.from_line(y))

    def gradient(self, y):
        """Gradient (n, d)."""
        return self.q.gradient(self.from_line(y))[:, self.free] * self.scale

    def product(self, y, v):
        """Hessian times ``v``: (n, d)."""
        direction = np.zeros((len(y), self.q.dim))
        direction[:, self.free] = v * self.scale
        return self.q.hessian_vector_product(self.from_line(y), direction)[:, self.free] * self.scale

    def blocked(self, y, gradient):
        """Which coordinates (n, d) rest on a bound that the gradient pushes them against."""
        return ((y <= self.low) & (gradient < 0)) | ((y >= self.high) & (gradient > 0))


def trust_region(target, y, iterations=200, tolerance=1e-8):
    """Climb from each row of ``y`` (n, d) by trust-region Newton steps; returns where they end, (n, d)."""
    y = y.copy()
    value, gradient = target.value(y), target.gradient(y)
    radius = np.full(len(y), 0.5)
    running = np.isfinite(value)
    for _ in range(iterations):
        gradient = np.where(target.blocked(y, gradient), 0.0, gradient)
        running = running & (radius > tolerance) & (np.linalg.norm(gradient, axis=1) > tolerance)
        rows = np.flatnonzero(running)
        if len(rows) == 0:
            break
        free = ~target.blocked(y[rows], target.gradient(y[rows]))
        step = _steihaug(target, y[rows], gradient[rows], free, radius[rows])
        trial = np.clip(y[rows] + step, target.low, target.high)
        step = trial - y[rows]
        predicted = np.sum(step * (gradient[rows] + 0.5 * target.product(y[rows], step)), axis=1)
        gain = target.value(trial) - value[rows]
        better = gain > 0
        # a gain beyond the parabola's, or against it, is as good as expected
        ratio = np.divide(gain, np.maximum(predicted, gain), out=np.zeros(len(rows)), where=better)
        length = np.linalg.norm(step, axis=1)
        grown = np.where(
            (ratio > 0.75) & (length > 0.9 * radius[rows]), np.minimum(2 * radius[rows], 4.0), radius[rows]
        )
        radius[rows] = np.where(ratio < 0.25, 0.25 * np.maximum(length, 0.25 * radius[rows]), grown)
        moved = rows[better]
        y[moved] = trial[better]
        value[moved] += gain[better]
        gradient[moved] = target.gradient(y[moved])
    return y


def _steihaug(target, y, gradient, free, radius):
    """Steps (n, d) that maximise g.s + s.H s / 2 within the radius, by conjugate gradients, a row at a time."""
    step = np.zeros_like(y)
    residual, direction = gradient.copy(), gradient.copy()
    square = np.sum(residual**2, axis=1)
    # looser far from the maximum, quadratic convergence near it
    enough = square * np.minimum(0.25, square)
    active = np.arange(len(y))
    for _ in range(2 * y.shape[1]):
        d = direction[active]
        bent = -np.where(free[active], target.product(y[active], d), 0.0)
        curvature = np.sum(d * bent, axis=1)
        length = np.where(curvature > 0, square[active] / np.where(curvature > 0, curvature, 1.0), np.inf)
        to_edge = _distance_to_edge(step[active], d, radius[active])
        at_edge = length >= to_edge
        length = np.minimum(length, to_edge)[:, None]
        step[active] += length * d
        residual[active] -= length * bent
        new_square = np.sum(residual[active] ** 2, axis=1)
        direction[active] = residual[active] + (new_square / square[active])[:, None] * d
        square[active] = new_square
        active = active[~at_edge & (new_square > enough[active])]
        if len(active) == 0:
            break
    return step


def _distance_to_edge(step, direction, radius):
    """How many times ``direction`` leads from ``step`` to the sphere of ``radius``."""
    a, b = np.sum(direction**2, axis=1), np.sum(step * direction, axis=1)
    c = np.maximum(radius**2 - np.sum(step**2, axis=1), 0.0)
    return c / (b + np.sqrt(b * b + a * c))


def gradient_ascent(target, y, steps, learning_rate, halve_every):
    """The paper's schedule: ``steps`` of z <- z + rate d log q/dz, the rate halved every ``halve_every`` steps.

    Where the curvature exceeds 2 / rate such a step leaps over the ridge and ever farther away.  A step that gains less
    than a tenth of what the gradient promises is therefore halved until it does not; one for which the curvature is
    below 1.8 / rate is the paper's.
    """
    y, value = y.copy(), target.value(y)
    share = np.ones(len(y))  # of the scheduled rate that the curvature allows, in each row
    for t in range(steps):
        gradient = target.gradient(y)
        # y is z / scale, so that a step in z is one of scale^-2 in y
        step = learning_rate * 0.5 ** (t // halve_every) / target.scale**2 * gradient
        share = np.minimum(1.0, 2 * share)
        rows = np.flatnonzero(np.isfinite(step).all(axis=1) & (step != 0).any(axis=1))
        while len(rows):
            trial = np.clip(y[rows] + share[rows, None] * step[rows], target.low, target.high)
            found = target.value(trial)
            promised = np.sum((trial - y[rows]) * gradient[rows], axis=1)
            good = found - value[rows] >= _SUFFICIENT * promised - _ROUNDING * (1 + np.abs(value[rows]))
            y[rows[good]], value[rows[good]] = trial[good], found[good]
            rows = rows[~good]
            share[rows] *= 0.5
            rows = rows[share[rows] > _LEAST_SHARE]
    return y
