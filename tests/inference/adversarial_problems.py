"""Problems that lure an inference into saying what is not so, in two dimensions, with exact solutions by quadrature.

Each is a circuit with a property, and what is known of it: the mean and the noise of its statistics at each parameter,
where it fails, and the maximum entropy, or that no distribution has the property.  `solution` computes multipliers and
entropy on a grid, from nothing but the equations.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache

import autograd.numpy as anp
import numpy as np

import numepi as ne

__all__ = ["PROBLEMS", "Adversarial", "Solution", "solution"]

SQUARE = ne.Support([0.0, 0.0], [1.0, 1.0])
BOX = ne.Support([-2.0, -2.0], [2.0, 2.0])
WIDE = ne.Support([-3.0, -3.0], [3.0, 3.0])
PLANE = ne.Support([-np.inf, -np.inf], [np.inf, np.inf])


@dataclass(frozen=True)
class Adversarial:
    """A problem.

    Parameters
    ----------
    name : str
    mean : callable
        z (n, 2) -> E[f | z] (n, k), in `autograd.numpy`.
    prop : EmergentProperty
    entropy : float or None
        Of the exact solution, relative to the prior where there is one; None where no distribution has the property,
        or none has the most entropy.
    support : Support
    noise : callable, optional
        z -> standard deviation of the noise (n, k), which is normal.
    works : callable, optional
        z -> whether the simulation works (n,).
    prior : object, optional
    settings : dict
        Of `numepi.infer`, beyond the budget: what makes the problem hard.
    family : str
        Of the flow: splines break down where affine couplings do not.
    grid : tuple
        Of the quadrature: (low, high, number of nodes) for each axis.
    """

    name: str
    mean: Callable
    prop: ne.EmergentProperty
    entropy: float | None
    support: ne.Support = BOX
    noise: Callable | None = None
    works: Callable | None = None
    prior: object = None
    settings: dict = field(default_factory=dict)
    family: str = "RealNVP"
    grid: tuple = ((-2.0, 2.0, 400), (-2.0, 2.0, 400))

    def circuit(self):
        """The circuit, whose statistics have a name each."""
        names = tuple(f"f{i + 1}" for i in range(len(self.prop.mean)))

        def function(z, rng):
            f = self.mean(z)
            if self.noise is not None:
                f = f + self.noise(z) * rng.standard_normal(f.shape)
            if self.works is not None:
                f = anp.where(self.works(z)[:, None], f, np.nan)
            return f

        return ne.circuits.FunctionCircuit(function, self.support, statistic_names=names)

    def violation(self, z):
        """E[T | z] - mu_opt (n, m)."""
        constraints = self.prop.constraints(self.circuit().statistic_names)
        T = constraints.sufficient_statistics(np.asarray(self.mean(z)))
        if self.noise is not None:
            variance = np.broadcast_to(self.noise(z) ** 2, self.mean(z).shape)
            fixed = [i for i, v in enumerate(self.prop.variance) if v is not None]
            rows = [constraints.names.index(f"variance f{i + 1}") for i in fixed]
            T[:, rows] += variance[:, fixed]
        return T - constraints.target

    def log_prior(self, z):
        """Log density of the prior (n,), zero without one; -inf where the simulation fails."""
        log_prior = np.zeros(len(z)) if self.prior is None else self.prior.log_prob(z)
        return log_prior if self.works is None else np.where(self.works(z), log_prior, -np.inf)


@dataclass(frozen=True)
class Solution:
    """Of the dual on the grid: log Z of exp(eta . (T - mu_opt)) is the entropy."""

    eta: np.ndarray
    entropy: float
    gradient: float


@cache
def solution(name):
    """The exact `Solution` of the problem of this name, by Newton's method on a midpoint grid."""
    problem = PROBLEMS[name]
    axes = [low + (high - low) * (np.arange(n) + 0.5) / n for low, high, n in problem.grid]
    z = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    area = np.prod([(high - low) / n for low, high, n in problem.grid])
    log_prior = problem.log_prior(z)
    z, log_prior = z[np.isfinite(log_prior)], log_prior[np.isfinite(log_prior)]
    violation = problem.violation(z)
    constraints = problem.prop.constraints(problem.circuit().statistic_names)
    scale = constraints.scale
    violation = violation / scale

    def dual(eta):
        exponent = log_prior + violation @ eta
        shift = exponent.max()
        weights = np.exp(exponent - shift)
        return shift + np.log(weights.sum() * area), weights / weights.sum()

    eta = constraints.gaussian_multipliers() * scale
    value, weights = dual(eta)
    for _ in range(60):
        gradient = weights @ violation
        covariance = (weights[:, None] * violation).T @ violation - np.outer(gradient, gradient)
        step = -np.linalg.lstsq(covariance, gradient, rcond=1e-14)[0]
        size = 1.0
        while size > 1e-6 and not dual(eta + size * step)[0] <= value + 1e-4 * size * gradient @ step:
            size /= 2
        eta = eta + size * step
        value, weights = dual(eta)
        if np.abs(weights @ violation).max() < 1e-10:
            break
    return Solution(eta / scale, float(value), float(np.abs(weights @ violation).max()))


def _column(function):
    return lambda z: function(z)[:, None]


def _spot(z, centre, radius):
    return ((z[:, 0] - centre[0]) ** 2 + (z[:, 1] - centre[1]) ** 2) < radius**2


def _prop(mean, variance=None, **more):
    return ne.EmergentProperty(mean=[mean], variance=[variance], **more)


def _two(mean, variance, covariance):
    return ne.EmergentProperty(mean=mean, variance=variance, covariance=covariance)


_first = _column(lambda z: z[:, 0])


class _Normal:
    """Independent normals about zero."""

    def __init__(self, width):
        self.width = width

    def log_prob(self, z):
        return np.sum(-0.5 * (z / self.width) ** 2 - 0.5 * np.log(2 * np.pi * self.width**2), axis=1)

    def gradient(self, z):
        return -z / self.width**2


_ONE = ((-2.0, 2.0, 20_000), (-2.0, 2.0, 1))  # where the second parameter does nothing
_UNIT = ((0.0, 1.0, 1000), (0.0, 1.0, 1000))
_SPLINE_NEAR_AN_END = {
    "mean": _first, "prop": _prop(1.9), "entropy": 0.0834, "family": "SplineFlow", "grid": _ONE,
}  # fmt: skip
_TWO_MODES = {"mean": _column(lambda z: z[:, 0] ** 2), "prop": _prop(1.0, 0.05), "grid": _ONE}
_NOISY = {"support": WIDE, "mean": _first, "prop": _prop(0.0, 0.5), "grid": ((-3.0, 3.0, 400), (-3.0, 3.0, 400))}
_CERTAIN = ne.Moment("above", lambda f: 1.0 * (f[:, 0] > 1.0), 1.0, jacobian=lambda f: 0 * f)
_SPOT = _column(lambda z: anp.exp(-((z[:, 0] - 0.7) ** 2 + (z[:, 1] - 0.4) ** 2) / (2 * 0.0056**2)))
_LIST = [
    # Flows that break down
    Adversarial("near an end", _first, _prop(1.9), 0.0834, grid=_ONE),
    Adversarial("collapse", settings={"replay_rate": 0.2}, **_SPLINE_NEAR_AN_END),
    Adversarial("high rate", settings={"learning_rate": 0.05}, **_SPLINE_NEAR_AN_END),
    Adversarial(
        "collapse of two modes", entropy=1.3211, settings={"replay_rate": 0.1}, family="SplineFlow", **_TWO_MODES
    ),
    Adversarial("needle", _first, _prop(0.3, 1e-8), -6.4051, grid=((0.299, 0.301, 2000), (-2.0, 2.0, 1))),
    # Targets that look met and are not, or cannot be
    Adversarial("far from the origin", _column(lambda z: 0.5 * z[:, 0] - 64), _prop(-58.0), None),
    Adversarial("just beyond the maximum", _column(lambda z: 2 - z[:, 0] ** 2), _prop(2.001), None),
    Adversarial("met before any work", _first, _prop(0.0), 2.7726, settings={"max_time": 1e-9}, grid=_ONE),
    Adversarial("no distribution", _first, _prop(1.0), None, support=PLANE),
    Adversarial("certain", _first, ne.EmergentProperty(mean=[None], functions=[_CERTAIN]), 1.3863),
    Adversarial("a fourth moment", _first, _prop(0.0, 1.0, moments={("f1", 4): 1.3}), 2.2836, grid=_ONE),
    # What few draws see
    Adversarial(
        "explosion", _column(lambda z: anp.exp(30 * z[:, 0]) * (0.5 + z[:, 1])), _prop(1e3, 1e5), -3.0672,
        support=SQUARE, grid=((0.0, 0.35, 1000), (0.0, 1.0, 1000)),
    ),
    Adversarial(
        "a spot of 1e-4", _SPOT, _prop(0.8, 0.02), -8.9723, support=SQUARE, grid=((0.6, 0.8, 1000), (0.3, 0.5, 1000))
    ),
    Adversarial(
        "a rare mode", _column(lambda z: z[:, 0] + 200.0 * _spot(z, (0.2, 0.7), 0.02)), _prop(1.5), -0.0032,
        support=SQUARE, grid=_UNIT,
    ),
    Adversarial(
        "heavy tail", _column(lambda z: 1 / (0.01 + z[:, 0])), _prop(20.0), -0.4781, support=SQUARE,
        grid=((0.0, 1.0, 20_000), (0.0, 1.0, 1)),
    ),
    Adversarial(
        "needle of a prior", _first, _prop(0.02), -2.0, prior=_Normal(0.01), grid=((-0.1, 0.14, 600), (-0.1, 0.1, 600))
    ),
    # Shapes
    Adversarial("two modes", entropy=1.3211, **_TWO_MODES),
    Adversarial("a mode that is lost", entropy=1.3211, settings={"solver": "augmented-lagrangian"}, **_TWO_MODES),
    Adversarial("nine modes", _column(lambda z: anp.cos(6 * z[:, 0]) + anp.cos(6 * z[:, 1])), _prop(1.8, 0.02), -0.039),
    Adversarial(
        "unequal modes", _column(lambda z: (z[:, 0] ** 2 - 1) ** 2 + 0.3 * z[:, 0]), _prop(-0.25, 0.01), 0.6328,
        grid=_ONE,
    ),
    Adversarial("ridge", _column(lambda z: z[:, 0] * z[:, 1]), _prop(1.0, 0.01), 0.1372),
    Adversarial("ring", _column(lambda z: anp.sqrt(z[:, 0] ** 2 + z[:, 1] ** 2 + 1e-12)), _prop(1.5, 1e-3), 0.2082),
    Adversarial(
        "staircase", _column(lambda z: anp.floor(4 * z[:, 0])), _prop(2.5, 4.0), 2.1056, settings={"gradient": "none"},
        grid=_ONE,
    ),
    Adversarial(
        "correlation", lambda z: 1.0 * z, _two([0.0, 0.0], [0.3, 0.3], {("f1", "f2"): 0.297}), -0.3249,
        grid=((-2.0, 2.0, 800), (-2.0, 2.0, 800)),
    ),
    # Failures
    Adversarial(
        "failing part", _column(lambda z: z[:, 1]), _prop(0.5), -0.478, support=SQUARE, works=lambda z: z[:, 0] > 0.38,
        grid=_UNIT,
    ),
    Adversarial(
        "mostly failing", _column(lambda z: z[:, 1]), _prop(0.6, 0.02), -1.5381, support=SQUARE,
        works=lambda z: z[:, 0] + z[:, 1] > 1.2, grid=_UNIT,
    ),
    # Noise
    Adversarial("noise of 0.42 in 0.5", noise=lambda z: np.full((len(z), 1), np.sqrt(0.42)), entropy=1.9478, **_NOISY),
    Adversarial("noise of 0.45 in 0.5", noise=lambda z: np.full((len(z), 1), np.sqrt(0.45)), entropy=1.7128, **_NOISY),
    Adversarial("noise of 0.62 in 0.5", noise=lambda z: np.full((len(z), 1), np.sqrt(0.62)), entropy=None, **_NOISY),
    Adversarial("noise that depends", noise=lambda z: 0.2 + 0.5 * anp.abs(z[:, 1:]), entropy=1.7478, **_NOISY),
    # Supports without bounds
    Adversarial(
        "prior on the plane", _first, _prop(1.0), -0.5, support=PLANE, prior=_Normal(1.0),
        grid=((-7.0, 9.0, 400), (-8.0, 8.0, 400)),
    ),
    Adversarial(
        "plane", lambda z: 1.0 * z, _two([0.3, -0.2], [0.7, 0.9], {}), 2.6069, support=PLANE,
        grid=((-8.0, 8.0, 400), (-8.0, 8.0, 400)),
    ),
]  # fmt: skip
PROBLEMS = {problem.name: problem for problem in _LIST}
