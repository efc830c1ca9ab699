"""Log Z of the maximum-entropy solution from two samples: draws of a flow beside it, and particles that move there.

In hundreds of dimensions a path takes a hundred steps, at each of which particles lag behind, and log Z is off by what
they lag (rank-2 network of 250 neurons: -347 by the way there, -329 by all else).  Where draws of the flow and
particles of the solution overlap no path is needed: log Z is where as many of the ones are taken for the others as the
other way round (Bennett 1976).  The particles move without the flow, whose gradient costs twenty times that of the
support's map, for as long as it takes to forget where they came from; and images of them under the circuit's
symmetries stand for modes that a population has left.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from numepi.inference.dual_problem import DualStep
from numepi.inference.particles.annealing import IN_REGION, Path, forget
from numepi.inference.particles.density import Particles, PathPoint, Traits
from numepi.inference.particles.evidence import Evidence, Mixture
from numepi.inference.particles.giving_up import outside, spent
from numepi.inference.particles.images import image, parities
from numepi.inference.particles.moves import Mover

__all__ = ["FAR", "bridge", "placed"]

FAR = 1.0  # nats: an error above says that flow and solution do not overlap, and that a path is to be taken
_DRAWS = 20  # of the flow, for each particle: they are cheap
_LENGTH = 0.5  # of trajectories, in units of the base: what is to be forgotten are places, not statistics alone
# Multipliers and particles settle in rounds: with the rank-2 network's edge beyond a valley they take three or four.
_ROUNDS, _MOST_ROUNDS, _LOOKS = 4, 12, 2  # at the least and at the most, and looks at the particles in each
# Correlation of the particles' places with those that they started at: up to the first rounds go on, and above the
# second no answer is made of them.  What a flow has wrong fades like it; what may be left is in the error.
_FORGOTTEN, _KEPT = 0.3, 0.5
_SNAPSHOTS = 6  # of the particles at the end: between two of them the violations' correlation falls below a half
_LEAST_WAY = 0.05  # of such a correlation: less is chance
_NOWHERE = -1e6  # nats: log density of a flow where it has none, or no digits of one


def placed(density, z, point, settings, generator):
    """A `Path` that starts, and ends, at ``point``: particles at the parameters ``z`` (P, D) that have a density there.

    ``density`` is seen from the support's map alone.
    """
    u = density.flow.support.to_line(z)[0]
    particles = density.evaluate(u, point)
    alive = np.flatnonzero(np.isfinite(particles.log_density))
    mover = Mover.first(density.flow.dim, settings.leapfrogs, density.with_gradient, settings.length)
    path = Path([point], [], [], particles, mover, len(alive) / len(u))
    if path.inside < IN_REGION:
        path.failure = outside(path)
        return path
    if len(alive) < len(u):
        path.particles = density.evaluate(u[alive[np.arange(len(u)) % len(alive)]], point)
    path.mover = mover.shortened(density, path.particles, point, generator)
    return path


def bridge(density, flow, theta, path, settings, generator):
    """Move the particles of ``path`` on from its end, and set draws of the flow against them.

    Parameters
    ----------
    density : TemperedDensity
        Where particles move; its noise is that of the draws, too.
    flow, theta : numepi.flow.Flow, ndarray (n_parameters,)
    path : Path
        Its last point has exponent 1; the multipliers are taken on to the dual's optimum.
    settings : ParticleSettings
    generator : numpy.random.Generator

    Returns
    -------
    evidence : Evidence
        The error is that of Bennett's ratio, of as many particles as chains are independent, half of what the first and
        the second half of them differ by, and what they may still have to go.  Infinite where the two do not overlap,
        particles do not forget where they started, or rows were spent.
    particles : Particles
        At the end.
    """
    beside = _Beside(density, flow, theta, settings, generator)
    end = _End(path.particles, replace(path.mover, length=max(_LENGTH, settings.length)), path.point)
    way = []
    for number in range(1, _MOST_ROUNDS + 1):
        end, looks = beside.moved(end, _LOOKS)
        found = beside.set_against(looks, end.point)
        if found is None:
            return _nothing(end.point), end.particles
        end = beside.led(end, found.optimum.eta)
        kept = _correlation(path.particles.u, end.particles.u)
        way.append((kept, found.log_z_there))
        # Correlations fall like a power of the rounds: whether the most of them will do shows soon.
        if number >= _ROUNDS and (kept < _FORGOTTEN or kept ** (_MOST_ROUNDS / number) > _KEPT):
            break
    if not kept < _KEPT:
        return _nothing(end.point), end.particles
    end, snapshots = beside.moved(end, _SNAPSHOTS)
    # A particle that met other noise, and has not moved since, has no density.
    alive = np.all([np.isfinite(each.tilt(end.point)) for each in snapshots], axis=0)
    snapshots = [each.take(alive) for each in snapshots]
    half = len(snapshots) // 2
    whole, *parts = (beside.set_against(each, end.point) for each in (snapshots, snapshots[:half], snapshots[half:]))
    if whole is None or None in parts or spent(density, settings):
        return _nothing(end.point), end.particles
    left = _left(way, _correlation(path.particles.u, end.particles.u), whole.log_z_there)
    return _evidence(beside, whole, parts, int(alive.sum()), left), end.particles


def _correlation(one, other):
    """Of the coordinates of two arrays (P, D) of the same particles: over particles, and then over coordinates."""
    one, other = one - one.mean(axis=0), other - other.mean(axis=0)
    return float(np.mean((one * other).mean(axis=0) / np.maximum(one.std(axis=0) * other.std(axis=0), 1e-300)))


class _End(NamedTuple):
    """Particles at the solution, their mover, and where that is."""

    particles: Particles
    mover: Mover
    point: PathPoint


@dataclass(frozen=True)
class _Against:
    """The flow's draws and particles set against each other at one point.

    Attributes
    ----------
    mixture : Mixture
    optimum : DualStep
        Of the dual, by both.
    log_z_there : float
        At the optimum.
    taken : ndarray (N,)
        Chance that a row is a particle, draws first.
    """

    mixture: Mixture
    optimum: DualStep
    log_z_there: float
    taken: np.ndarray

    def missed(self, n_draws, chains):
        """Chance that a particle is a draw, snapshot after snapshot of so many ``chains``: (snapshots, chains)."""
        return 1 - self.taken[n_draws:].reshape(-1, chains)

    def stderr(self, n_draws, chains):
        """Of log Z, where particles are so many ``chains`` that are independent."""
        missed = self.missed(n_draws, chains)
        noise = n_draws * self.taken[:n_draws].var() + len(missed) ** 2 * chains * missed.mean(axis=0).var()
        steepness = np.sum(self.taken * (1 - self.taken))
        return float(np.sqrt(noise) / steepness) if steepness > 0 else np.inf


class _Beside:
    """What particles at the solution are set against: draws of the flow, simulated with the noise of their rows."""

    def __init__(self, density, flow, theta, settings, generator):
        self.density, self.flow, self.theta = density, flow, theta
        self.settings, self.generator = replace(settings, moves=1), generator  # long ones
        self.parities = parities(density.problem)
        n = _DRAWS * settings.particles
        z, log_q = flow.sample(theta, generator.standard_normal((n, flow.dim)))
        traits = density.traits(z, log_q, first_index=settings.particles)
        works = np.isfinite(traits.log_ratio) & np.isfinite(traits.violation).all(axis=1)
        self.worked, self.draws = works.mean(), traits.take(works)

    def moved(self, end, times):
        """The particles after ``times`` moves that forget, and a `look` at them after each, while rows are left."""
        looks = []
        for _ in range(times):
            if spent(self.density, self.settings):
                break
            particles, mover = forget(
                self.density, end.particles, end.point, end.mover, self.settings, self.generator
            )  # fmt: skip
            end = end._replace(particles=particles, mover=mover)
            looks.append(self.look(particles))
        return end, looks

    def led(self, end, eta):
        """The same particles where the multipliers are ``eta`` (m,)."""
        point = end.point._replace(eta=eta)
        return end._replace(particles=self.density.evaluate(end.particles.u, point), point=point)

    def look(self, particles):
        """The `Traits` of images of the particles, as the flow sees them."""
        z = image(particles.z, self.parities, self.generator)
        log_q = self.flow.log_prob(self.theta, z)
        log_q = np.where(np.isfinite(log_q), log_q, _NOWHERE)
        return Traits(self.density.problem.log_prior(z) - log_q, particles.violation, particles.inside)

    def set_against(self, looks, point):
        """The `_Against` of the draws and ``looks`` (list of Traits) at ``point``; None where they do not overlap."""
        base = PathPoint(0.0, np.zeros(len(point.eta)), False)
        if not looks or len(self.draws.inside) < 2:
            return None
        particles = Traits(*(np.concatenate(arrays) for arrays in zip(*looks)))
        particles = particles.take(np.isfinite(particles.tilt(point)))
        if not len(particles.inside):
            return None
        mixture = Mixture.of([base, point], [self.draws, particles])
        if not np.isfinite(mixture.variance):
            return None
        found, log_z_there = mixture.optimum(point, self.density.problem.constraints.is_bound)
        tilt = mixture.traits.tilt(point)
        taken = np.exp(np.log(len(particles.inside)) + tilt - mixture.log_z - mixture.log_density)
        return _Against(mixture, found, log_z_there, taken)


def _nothing(point):
    return Evidence(np.nan, np.inf, None, None, point.eta, np.nan, 0.0, np.inf, False, 0)


def _left(way, kept, log_z):
    """Nats of log Z that particles may still have to go, by how far they came while they forgot all but ``kept``."""
    at_first, log_z_first = way[0]
    return (log_z - log_z_first) * max(kept, 0.0) / max(at_first - kept, _LEAST_WAY)


def _evidence(beside, whole, parts, chains, left):
    n = len(beside.draws.inside)
    worked = np.log(beside.worked)
    failed = (1 / beside.worked - 1) / (n / beside.worked)  # variance of the log of that share
    apart = parts[0].log_z_there - parts[1].log_z_there
    stderr = np.sqrt(whole.stderr(n, chains) ** 2 + failed + (0.5 * apart) ** 2 + left**2)
    missed = whole.missed(n, chains)
    repeats = max(1.0, len(missed) * missed.mean(axis=0).var() / max(missed.var(), np.finfo(float).tiny))
    return Evidence(
        whole.mixture.log_z + worked, float(stderr), None, None, whole.optimum.eta, whole.log_z_there + worked,
        whole.optimum.ess / repeats, repeats, whole.optimum.optimal, len(whole.taken),
    )  # fmt: skip
