"""Densities along a path from a flow to the maximum-entropy solution, in the flow's base space.

A particle is a point u of the base; z(u) is its parameter.  Along the path the density of u is

    log pi(u) = log N(u) + b (log p0(z) - log q(z)) + eta . x(z),    x = (T - mu_opt) / scale,

at b = 0, eta = 0 the base's own normal, at b = 1 the exponential family p_eta ~ p0 exp(eta . x) seen in the base.
Where the property is *confined* to a region, parameters outside of it have no density.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from numepi.inference.particles.metric import Vectors
from numepi.inference.problem import Stream

__all__ = ["Particles", "PathPoint", "TemperedDensity", "Traits"]


class PathPoint(NamedTuple):
    """A place on the path.

    Attributes
    ----------
    exponent : float
        b, 0 to 1.
    eta : ndarray (m,)
        Multipliers of the violations in natural scales.
    confined : bool
        Whether only the property's region counts.
    """

    exponent: float
    eta: np.ndarray
    confined: bool


class Traits(NamedTuple):
    """All that densities along a path know of P particles, but for the base's normal: arrays as in `Particles`."""

    log_ratio: np.ndarray
    violation: np.ndarray
    inside: np.ndarray

    def tilt(self, point):
        """Log pi(u) - log N(u) (P,) at a point of the path, -inf where there is no density."""
        with np.errstate(invalid="ignore"):
            tilt = point.exponent * self.log_ratio + self.violation @ point.eta
        counts = self.inside if point.confined else np.isfinite(self.violation).all(axis=1)
        return np.where(counts, tilt, -np.inf)

    def take(self, rows):
        """The traits of these rows (indices or bool)."""
        return Traits(*(a[rows] for a in self))


@dataclass(frozen=True)
class Particles:
    """P particles at one point of the path; their simulations are done.

    Attributes
    ----------
    u, z : ndarray (P, D)
        In the base, and as parameters.
    log_ratio : ndarray (P,)
        log p0(z) - log q(z).
    violation : ndarray (P, m)
        x above; NaN where the simulation failed.
    inside : ndarray (P,), bool
        Whether the statistics lie in the property's region.
    log_density : ndarray (P,)
        log pi(u) up to a constant, -inf where there is none.
    gradient : ndarray (P, D) or None
        Of log pi in u; zero where the density is.
    """

    u: np.ndarray
    z: np.ndarray
    log_ratio: np.ndarray
    violation: np.ndarray
    inside: np.ndarray
    log_density: np.ndarray
    gradient: np.ndarray | None

    def __len__(self):
        return len(self.u)

    @property
    def traits(self):
        """What is to be kept of them for log Z."""
        return Traits(self.log_ratio, self.violation, self.inside)

    def take(self, rows):
        """The particles of these rows (indices or bool)."""
        return Particles(*(None if a is None else a[rows] for a in vars(self).values()))

    def where(self, accepted, other):
        """These particles where ``accepted`` (P,), and ``other`` elsewhere."""

        def choose(mine, theirs):
            return np.where(accepted.reshape(-1, *[1] * (mine.ndim - 1)), mine, theirs)

        arrays = zip(vars(self).values(), vars(other).values())
        return Particles(*(None if mine is None else choose(mine, theirs) for mine, theirs in arrays))


class TemperedDensity:
    """The densities of one problem, seen in the base space of a flow.

    Parameters
    ----------
    problem : numepi.inference.problem.Problem
        Simulated without noise, or at fixed noise: row i of a batch always draws the same.  The density is then that of
        parameters with their noise, and shifts as the noise shifts the statistics (`noise_shift`).
    flow : numepi.flow.Flow
    theta : ndarray (n_parameters,)
        The flow's parameters, those of the identity for the base space of the support map.
    region : callable, optional
        ``region(f)`` (P,) bool: which statistics (P, k) lie in the property's region.
    stream : int
        Of the noise, and what the simulations are counted as (`numepi.inference.problem.Stream`).
    population : int
        Populations of other numbers have other noise.
    """

    def __init__(self, problem, flow, theta, region=None, stream=Stream.PARTICLES, population=0):
        self.problem, self.flow, self.theta, self.region = problem, flow, theta, region
        self.stream, self.noise = stream, 2 * population
        self.scale = problem.constraints.scale
        self.with_gradient = problem.with_gradient
        # A flow's base is close to a normal where the flow is good; that of the support's map keeps the vectors.
        self.vectors = Vectors.single() if flow.n_parameters else Vectors.of(problem.circuit)

    def evaluate(self, u, point):
        """Simulate base points ``u`` (P, D): the `Particles` there at this point of the path."""
        problem, constraints = self.problem, self.problem.constraints
        if self.with_gradient:
            z, log_q, pullback = self.flow.sample_with_full_pullback(self.theta, u)
        else:
            z, log_q = self.flow.sample(self.theta, u)
        batch = problem.simulate(z, self.stream, self.noise, with_jacobian=self.with_gradient)
        violation, inside = self._told(batch)
        gradient = None
        if self.with_gradient:
            grad_z = constraints.pullback(batch.f, batch.jacobian, point.eta / self.scale)
            if problem.prior is not None:
                grad_z += point.exponent * problem.log_prior_gradient(z[batch.valid])
            if len(grad_z) < len(z):
                working, grad_z = grad_z, np.zeros_like(z)
                grad_z[batch.valid] = working
            with np.errstate(invalid="ignore"):  # a trajectory that ran off
                _, grad_base = pullback(grad_z, np.full(len(u), -point.exponent))
            gradient = grad_base - u
            gradient[~batch.valid] = 0.0
        log_ratio = problem.log_prior(z) - log_q
        particles = Particles(u, z, log_ratio, violation, inside, np.empty(len(u)), gradient)
        return replace(particles, log_density=self.log_density(particles, point))

    def traits(self, z, log_q, first_index):
        """The `Traits` of ``z`` (n, D), of log densities ``log_q`` (n,) in a flow, with the noise from that row on."""
        batch = self.problem.simulate(z, self.stream, self.noise, first_index=first_index)
        violation, inside = self._told(batch)
        return Traits(self.problem.log_prior(z) - log_q, violation, inside)

    def _told(self, batch):
        """Violations (n, m) of a batch, and which rows lie in the region (n,)."""
        violation = np.full((len(batch.valid), len(self.scale)), np.nan)
        with np.errstate(over="ignore"):  # a trajectory that ran off
            violation[batch.valid] = (batch.T - self.problem.constraints.target) / self.scale
        inside = batch.valid.copy()
        if self.region is not None:
            inside[batch.valid] = self.region(batch.f)
        return violation, inside

    def noise_shift(self, particles, eta, draws, repeats):
        """Nats by which log Z of E[T | z] is above that of the fixed noise, and the error of that.

        On the straight way from the one T to the other log Z rises by the mean of d = eta . (E[T | z] - T of the fixed
        noise).  That is known at ``particles``, which chose their z for their noise, and zero at the end, where z knows
        nothing of it; it rises by Var d, known at either end too.  The trapezoid rule with its end correction takes all
        four; the correction, which a normal d would not need, is in the error, as is what noise of so many particles,
        of which ``repeats`` count as one for what they remember, leaves of the two ends.
        """
        fresh = np.full((draws, len(particles)), np.nan)
        for r in range(draws):
            batch = self.problem.simulate(particles.z, self.stream, self.noise + 1, first_index=r * len(particles))
            fresh[r, batch.valid] = (batch.T - self.problem.constraints.target) / self.scale @ eta
        known = (np.isfinite(fresh).sum(axis=0) >= 2) & np.isfinite(particles.violation).all(axis=1)
        if known.sum() < 2:
            return np.nan, np.inf
        fresh = fresh[:, known]
        d, at_end = np.nanmean(fresh, axis=0) - particles.violation[known] @ eta, np.nanvar(fresh, axis=0, ddof=1)
        at_start = d.var(ddof=1) - np.mean(at_end / np.isfinite(fresh).sum(axis=0))
        correction = (at_start - at_end.mean()) / 12
        ends = (d.var(ddof=1) * repeats + at_end.mean()) / len(d)
        return 0.5 * float(d.mean()) + float(correction), float(np.hypot(0.5 * np.sqrt(ends), correction))

    def log_density(self, particles, point):
        """Log pi (P,) of particles at another point of the path, without simulating them again."""
        return particles.traits.tilt(point) - 0.5 * np.einsum("nd,nd->n", particles.u, particles.u)
