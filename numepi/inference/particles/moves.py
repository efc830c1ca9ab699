"""Moves that leave a density along the path invariant: Hamiltonian Monte Carlo, or Crank-Nicolson without gradients.

Both are vectorised over particles, and adapt one step size for all by the rate of acceptance (Robbins & Monro).
"""

from dataclasses import dataclass, replace

import numpy as np

from numepi.inference.particles.metric import Metric

__all__ = ["Mover"]

_HMC_ACCEPTANCE = 0.75  # between the optima for one step (0.65) and for long trajectories (0.8; Betancourt et al. 2014)
_WALK_ACCEPTANCE = 0.25  # Roberts et al. 1997; Cotter et al. 2013 for Crank-Nicolson
_ADAPTATION = 0.15  # of log step size, for an acceptance that is off by one
_JITTER = 0.3  # relative: keeps trajectories from closing on themselves
_FIRST_HMC_STEP = 0.5  # times D^(-1/4), the scaling of HMC (Beskos et al. 2013)
_HALVINGS = 40  # of a first step: 10^12 from any sensible one
_MOST_LEAPFROGS = 200  # of a trajectory that is to be long: where steps are tiny, its cost keeps a bound


@dataclass(frozen=True)
class Mover:
    """The step size of the moves, and what they have cost; a move returns the mover of the next one.

    Attributes
    ----------
    step_size : float
        Of HMC in units of the base, or of its `Metric` where it knows vectors; or the share (0, 1] of a Crank-Nicolson
        step that is drawn anew.
    leapfrogs : int
        Leapfrog steps of a trajectory, at the least.
    length : float
        Of a trajectory in the same units: as many steps as reach so far, up to 200.  Where one stiff direction makes
        steps tiny, trajectories of a fixed number of them walk at random in all others.
    acceptance : float
        Of the last move.
    """

    step_size: float
    leapfrogs: int
    length: float = 0.0
    acceptance: float = np.nan

    @classmethod
    def first(cls, dim, leapfrogs, with_gradient, length=0.0):
        """Before any move in ``dim`` dimensions."""
        return cls(_FIRST_HMC_STEP / dim**0.25 if with_gradient else 0.5, leapfrogs, length)

    def steps(self, moves=0):
        """Leapfrog steps of the next move; at the most, after so many ``moves``, each of which may be rejected."""
        step_size = self.step_size * np.exp(-_ADAPTATION * _HMC_ACCEPTANCE * moves)
        return max(self.leapfrogs, min(int(np.ceil(self.length / step_size)), _MOST_LEAPFROGS))

    def shortened(self, density, particles, point, generator):
        """This mover, its step halved until single leapfrogs are accepted (Hoffman & Gelman 2014)."""
        trial = replace(self, leapfrogs=1, length=0.0)
        for _ in range(_HALVINGS):
            if trial.move(density, particles, point, generator)[1].acceptance >= _HMC_ACCEPTANCE:
                break
            trial = replace(trial, step_size=trial.step_size / 2)
        return replace(self, step_size=trial.step_size)

    def move(self, density, particles, point, generator):
        """One move of every particle; returns the particles and the next mover.

        Without gradients it is u' = sqrt(1 - s^2) u + s xi, reversible with respect to the base: at s = 1 an
        independent draw from the flow.
        """
        proposed, log_odds = (self._trajectory if density.with_gradient else self._walk)(
            density, particles, point, generator
        )
        # A trajectory that runs off ends where there is no density, or where the flow's gradient has no digits left.
        possible = np.isfinite(proposed.log_density) & ~np.isnan(log_odds)
        chance = np.exp(np.minimum(np.where(possible, log_odds, -np.inf), 0.0))
        accepted = generator.random(len(chance)) < chance
        rate = float(chance.mean())
        wanted, largest = (_HMC_ACCEPTANCE, np.inf) if density.with_gradient else (_WALK_ACCEPTANCE, 1.0)
        step_size = min(self.step_size * np.exp(_ADAPTATION * (rate - wanted)), largest)
        return proposed.where(accepted, particles), replace(self, step_size=step_size, acceptance=rate)

    def _walk(self, density, particles, point, generator):
        fresh = generator.standard_normal(particles.u.shape)
        u = np.sqrt(1 - self.step_size**2) * particles.u + self.step_size * fresh
        proposed = density.evaluate(u, point)
        # The proposal's own density cancels that of the base.
        return proposed, _odds(_tilt(proposed), _tilt(particles))

    def _trajectory(self, density, particles, point, generator):
        metric = Metric.of(density.vectors, particles.u)
        image = metric.drawn(particles.u, generator)
        momentum = generator.standard_normal(particles.u.shape)
        jitter = generator.uniform(1 - _JITTER, 1 + _JITTER, (len(particles), 1))
        step = self.step_size * jitter
        before = particles.log_density - _kinetic(momentum)
        momentum = momentum + 0.5 * step * metric.force(image, particles.gradient)
        now, steps = particles, self.steps()
        for number in range(steps):
            now = density.evaluate(now.u + step * metric.velocity(image, momentum), point)
            momentum = momentum + (1.0 if number < steps - 1 else 0.5) * step * metric.force(image, now.gradient)
        way_back = metric.log_chance(now.u)[np.arange(len(image)), image]
        chosen = metric.log_chance(particles.u)[np.arange(len(image)), image]
        return now, _odds(now.log_density - _kinetic(momentum), before) + way_back - chosen


def _odds(after, before):
    """Log odds (P,) of a proposal; NaN for a particle without density whose proposal has none either."""
    with np.errstate(invalid="ignore"):
        return after - before


def _tilt(particles):
    return particles.log_density + 0.5 * np.einsum("nd,nd->n", particles.u, particles.u)


def _kinetic(momentum):
    return 0.5 * np.einsum("nd,nd->n", momentum, momentum)
