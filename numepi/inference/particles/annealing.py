"""Sequential Monte Carlo from a flow to the maximum-entropy solution: Newton steps on the dual, cut by an ESS floor.

One population of particles follows the path of `numepi.inference.particles.density`.  First b goes to 1; then the
multipliers move by Newton steps on the dual (the covariance of the particles' own violations), each cut so that the
effective sample size of the step's weights stays above a floor; after every step particles are resampled and moved
until they have forgotten the copies that they are (Del Moral et al. 2006).  The weights' means give log Z on the way.

Constraints on the statistics themselves come first: with squares from the start a few stragglers run away in many
dimensions (measured: rank-2 network of 250 neurons).  Their products follow when all particles lie in the property's
region, and not only at the first ones' optimum.  Where more variance is asked for than there is, p* has a share at the
region's edge, beyond a valley: particles settle it while they are still spread (docs/variance_and_dimension.md).
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from numepi.inference.dual_problem import free_gradient
from numepi.inference.particles.density import Particles, PathPoint
from numepi.inference.particles.giving_up import hindrance, outside
from numepi.inference.particles.moves import Mover

__all__ = [
    "IN_REGION", "ParticleSettings", "Path", "Stage", "anneal", "begin", "connect", "effective_share", "forget",
    "go_on", "memory", "resample", "settle", "working",
]  # fmt: skip

_RIDGE = 1e-9  # relative to the mean eigenvalue of the covariance: keeps Newton's system solvable
_BISECTIONS = 40
_FORGOTTEN = 0.5  # correlation of the violations with those before the moves, below which particles count as fresh
IN_REGION = 0.1  # share of particles from which the region can be imposed: some tens of them carry on


@dataclass(frozen=True)
class ParticleSettings:
    """Numbers of the sampler.

    Parameters
    ----------
    particles : int
        P: a few hundred carry the m x m covariance of Newton's steps and an ESS floor of 0.9.
    moves, most_moves : int
        Of each particle after a step of the path: at the least, and at the most while they remember.
    leapfrogs : int
        Leapfrog steps of a move, at the least.
    length : float
        Of a move in units of the base, which may take more of them (`numepi.inference.particles.moves.Mover`).
    ess_floor : float
        Least effective share of the particles after a step of the path.
    settle : int
        Newton steps at the end of the path over which the multipliers are averaged.
    most_steps : int
        Of the path, before the run gives up.
    most_simulations : int, optional
        Rows, in all that the problem counts, from where the run gives up.
    """

    particles: int = 500
    moves: int = 5
    most_moves: int = 20
    leapfrogs: int = 8
    length: float = 0.0
    ess_floor: float = 0.9
    settle: int = 12
    most_steps: int = 2000
    most_simulations: int | None = None


@dataclass
class Path:
    """What an annealed population found.

    Attributes
    ----------
    points : list of PathPoint
        From the flow to the solution.
    log_ratios : list of ndarray (P,)
        log pi_(t+1) - log pi_t of the particles at point t, before they were resampled.
    samples : list of Traits
        Of the particles at each point but the first, after their moves.
    particles : Particles
        At the last point.
    mover : Mover
    inside : float
        Share of the particles that lay in the region when it was imposed; 1 without one.
    trace : dict of list
        "violation" (m,) means, "eta" (m,), "acceptance", a row for each step.
    failure : str or None
    """

    points: list
    log_ratios: list
    samples: list
    particles: Particles
    mover: Mover
    inside: float = 1.0
    trace: dict = field(default_factory=lambda: {"violation": [], "eta": [], "acceptance": []})
    failure: str | None = None

    @property
    def log_z(self):
        """Log of the integral of p0 exp(eta . x) over the support (or region), by the path's own weights."""
        return float(sum(logsumexp(r) - np.log(len(r)) for r in self.log_ratios))

    @property
    def point(self):
        """The last point."""
        return self.points[-1]

    def advance(self, density, point, settings, generator):
        """Reweight to ``point``, resample, and move until the copies are forgotten."""
        ratios = _ratio(density.log_density(self.particles, point), density.log_density(self.particles, self.point))
        self.log_ratios.append(ratios)
        self.points.append(point)
        rows = resample(ratios, generator)
        start = density.evaluate(self.particles.u[rows], point)
        self.particles, self.mover = forget(density, start, point, self.mover, settings, generator)
        self.samples.append(self.particles.traits)
        self.trace["violation"].append(working(self.particles.violation).mean(axis=0))
        self.trace["eta"].append(point.eta)
        self.trace["acceptance"].append(self.mover.acceptance)


class Stage(NamedTuple):
    """Where an annealing is: ``name`` as below, and Newton steps of it in a row that were not cut.

    "temper" takes b to 1; "means" the multipliers of the first constraints to their optimum, or all particles into the
    property's region; "confine" imposes that; "all" takes all multipliers to their optimum; "average" goes to the mean
    of the last of those steps.
    """

    name: str
    whole: int = 0


def anneal(density, first, settings, generator):
    """Follow the path to the solution.

    Parameters
    ----------
    density : TemperedDensity
    first : ndarray (m,), bool
        The constraints that come first: those on the statistics themselves.
    settings : ParticleSettings
    generator : numpy.random.Generator

    Returns
    -------
    Path
        Its last point has the average of the multipliers over the last ``settle`` Newton steps.
    """
    path, stage = begin(density, settings, generator), Stage("temper")
    while path.failure is None and stage.name != "done":
        stage = go_on(density, path, stage, first, settings, generator)
    return path


def go_on(density, path, stage, first, settings, generator):
    """Take one step of an annealing along ``path``; return its next `Stage`, "done" at the end."""
    if stage.name == "temper":
        share = _largest(lambda s: density.log_density(path.particles, _tempered(path, s)), path, settings)
        path.advance(density, _tempered(path, share), settings, generator)
        stage = Stage("means") if path.point.exponent == 1 else stage
    elif stage.name == "means":
        whole = _newton(density, path, first, settings, generator)
        if density.region is None:
            stage = Stage("all") if whole else stage
        elif whole or path.particles.inside.all():
            stage = Stage("confine")
    elif stage.name == "confine":
        path.inside = float(path.particles.inside.mean())
        if path.inside < IN_REGION:
            path.failure = outside(path)
            return stage
        path.advance(density, path.point._replace(confined=True), settings, generator)
        stage = Stage("all")
    elif stage.name == "all":
        every = np.ones(len(first), bool)
        whole = stage.whole + 1 if _newton(density, path, every, settings, generator) else 0
        stage = Stage("average") if whole == settings.settle else Stage("all", whole)
    else:
        eta = np.mean(path.trace["eta"][-settings.settle :], axis=0)
        path.advance(density, path.point._replace(eta=eta), settings, generator)
        stage = Stage("done")
    path.failure = hindrance(density, path, settings)
    return stage


def settle(density, path, settings, generator):
    """Take the end of a path to the dual's optimum: Newton steps, and the average of the last of them."""
    stage, first = Stage("all"), np.ones(len(density.scale), bool)
    while path.failure is None and stage.name != "done":
        stage = go_on(density, path, stage, first, settings, generator)
    return path


def connect(density, target, settings, generator):
    """Follow the straight path in (b, eta) from the flow to a known ``target`` (PathPoint): a `Path`."""
    path = begin(density, settings, generator)
    start = path.point
    if target.confined and path.failure is None:
        start = start._replace(confined=True)
        path.inside = float(path.particles.inside.mean())
        if path.inside < IN_REGION:
            path.failure = outside(path)
        else:
            path.advance(density, start, settings, generator)
    while path.failure is None and path.point.exponent < 1:

        def ahead(share, done=path.point.exponent / target.exponent):
            share = done + share * (1 - done)
            return start._replace(exponent=share * target.exponent, eta=share * target.eta)

        share = _largest(lambda s, at=ahead: density.log_density(path.particles, at(s)), path, settings)
        path.advance(density, ahead(share), settings, generator)
        path.failure = hindrance(density, path, settings)
    return path


def forget(density, particles, point, mover, settings, generator):
    """Move particles until their violations correlate little with what they were: particles, and the next mover."""
    before = particles.violation
    for number in range(settings.most_moves):
        particles, mover = mover.move(density, particles, point, generator)
        if number + 1 >= settings.moves and memory(before, particles.violation) < _FORGOTTEN:
            break
    return particles, mover


def resample(log_weights, generator):
    """Rows in proportion to their weights, by systematic resampling: (P,) indices."""
    weights = np.exp(log_weights - logsumexp(log_weights))
    points = (generator.random() + np.arange(len(weights))) / len(weights)
    return np.minimum(np.searchsorted(np.cumsum(weights), points), len(weights) - 1)


def begin(density, settings, generator):
    """A `Path` at its start: draws of the flow, those that work."""
    start = PathPoint(0.0, np.zeros(len(density.scale)), False)
    u = generator.standard_normal((settings.particles, density.flow.dim))
    particles = density.evaluate(u, start)
    valid = np.isfinite(particles.log_density)
    mover = Mover.first(density.flow.dim, settings.leapfrogs, density.with_gradient, settings.length)
    path = Path([start], [], [], particles, mover)
    if valid.sum() < 2:
        path.failure = f"{len(u) - valid.sum()} of {len(u)} simulations failed (not finite): narrow the support"
    else:
        # The support of the solution is where simulations succeed: the others' weight is lost at the first step.
        path.log_ratios.append(np.where(valid, 0.0, -np.inf))
        path.points.append(start)
        path.samples.append(particles.take(valid).traits)
        rows = np.flatnonzero(valid)[generator.integers(valid.sum(), size=len(u))]
        path.particles = particles.take(rows)
    return path


def _tempered(path, share):
    """The path's point with b taken ``share`` of the way that is left."""
    done = path.point.exponent
    return path.point._replace(exponent=done + share * (1 - done))


def _newton(density, path, active, settings, generator):
    """A Newton step on the dual of the ``active`` constraints; return whether it was not cut."""
    constraints = density.problem.constraints
    x, eta = working(path.particles.violation), path.point.eta
    gradient, free = free_gradient(x.mean(axis=0), eta, constraints.is_bound)
    free &= active
    step = np.zeros(len(active))
    if free.any():
        covariance = np.atleast_2d(np.cov(x[:, free].T))
        covariance += _RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        step[free] = np.linalg.solve(covariance, -gradient[free])

    def shifted(size):
        return path.point._replace(eta=constraints.admissible(eta + size * step))

    size = _largest(lambda s: density.log_density(path.particles, shifted(s)), path, settings)
    path.advance(density, shifted(size), settings, generator)
    return size == 1


def _largest(log_density_at, path, settings):
    """The largest of [0, 1] at which the effective sample size is above the floor."""

    # Copies that met noise with which they fail have no weight whatever the step is; those that left the region count.
    alive = np.isfinite(path.particles.violation).all(axis=1)

    def enough(size):
        ratio = _ratio(log_density_at(size), path.particles.log_density)
        return effective_share(ratio[alive]) >= settings.ess_floor

    if enough(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if enough(middle) else (low, middle)
    return low


def effective_share(log_weights):
    """Kish's effective number of weights, relative to their number."""
    return np.exp(2 * logsumexp(log_weights) - logsumexp(2 * log_weights)) / len(log_weights)


def _ratio(after, before):
    """Log weights ``after`` - ``before`` (P,).

    A particle that was copied to another row meets other noise, with which it may lie outside of the region: it has no
    density before, and no weight until it is moved.
    """
    return np.where(np.isneginf(before), -np.inf, after - np.where(np.isneginf(before), 0.0, before))


def working(violation):
    """The rows (n, m) of particles whose simulation worked: a copy may fail with other noise, and waits to be moved."""
    return violation[np.isfinite(violation).all(axis=1)]


def memory(before, after):
    """The largest correlation, over constraints, between the violations of the same particles."""
    known = np.isfinite(before).all(axis=1) & np.isfinite(after).all(axis=1)
    if not known.any():
        return 1.0
    before, after = before[known], after[known]
    before, after = before - before.mean(axis=0), after - after.mean(axis=0)
    spread = np.sqrt((before**2).sum(axis=0) * (after**2).sum(axis=0))
    return float(np.max(np.abs((before * after).sum(axis=0)) / np.maximum(spread, np.finfo(float).tiny)))
