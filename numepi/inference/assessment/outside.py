"""What lies far from the targets, where the dual gives it weight: said aloud, with the remedies.

The multiplier of a square is negative where the property asks for less variance than the circuits near the targets
have, and exp(eta . T) then vanishes far out.  Where it asks for more than they have the multiplier is positive, and
exp(eta . T) grows with the square of the distance: on the whole support the solution may then keep its bulk and make up
the variance with a vanishing mass that lies anywhere.  Draws from the start of the flow (the prior, on a box), or those
of the run where its budget is spent, tell how much weight there is, from below: they find some of it, not all.

A run that misses its constraints for this very reason, by particles that ran off or a budget that a far mass does not
fit in, needs to hear of it most.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp

from numepi.inference.problem import Stream

__all__ = ["log_z_outside", "weight_outside"]

_SIZE = 5000  # draws from the start,
_SIZE_UNMET = 1000  # of a run that missed its constraints, a quarter of what scores one that failed,
_LEAST_SIZE = 100  # unless a budget leaves fewer: fewer than this tell nothing
_WITHIN = 6.0  # units: what a property without a region is asked about, and offered; a normal has 1e-9 beyond
_MATTERS = 0.01  # share of the mass outside, where what it makes of the variance is within the tolerance
_POSITIVE = 1e-3  # of a multiplier in natural scales: less is that of a solution without the constraint


class _Rows(NamedTuple):
    """Simulations that worked.

    Attributes
    ----------
    f, T : ndarray (n, k), (n, m)
    log_base : ndarray (n,)
        Log of p0 over the density that they were drawn from.
    drawn : int
        How many there were, with those that failed.
    """

    f: np.ndarray
    T: np.ndarray
    log_base: np.ndarray
    drawn: int

    @classmethod
    def of_start(cls, problem, flow, theta_start, size):
        """Fresh ones, of the flow's start."""
        z, log_start = flow.sample(theta_start, problem.normals(Stream.CERTIFICATE_BASE, 1, size))
        batch = problem.simulate(z, Stream.CERTIFICATE_NOISE, 1)
        return cls(batch.f, batch.T, (problem.log_prior(z) - log_start)[batch.valid], size)

    @classmethod
    def kept(cls, problem, simulations):
        """Those of a run (`Simulations`) whose density is known."""
        known = np.isfinite(simulations.log_density)
        z, log_density = simulations.z[known], simulations.log_density[known]
        f, T = problem.known_rows(z, simulations.statistics[known])
        valid = np.isfinite(T).all(axis=1)
        return cls(f[valid], T[valid], (problem.log_prior(z) - log_density)[valid], len(z))

    def log_z(self, where, multipliers, target, times=1.0):
        """Log of the integral of p0 exp(eta . (T - mu_opt)) ``times``, over ``where`` (n,), as the rows find it."""
        if not where.any():
            return -np.inf
        log_weights = self.log_base + (self.T - target) @ multipliers
        times = np.broadcast_to(times, where.shape)[where]
        return float(logsumexp(log_weights[where], b=times) - np.log(self.drawn))


def weight_outside(problem, flow, theta_start, multipliers, log_z, kept=None, met=True):
    """A clause about the outside of the property's region, or None where no square's multiplier gives it weight.

    Parameters
    ----------
    problem : Problem
    theta_start : array
        Flow parameters of the broad start.
    multipliers : ndarray (m,)
        Of the solution, in the constraints' own units.
    log_z : float
        Log of the integral of p0 exp(eta . (T - mu_opt)) where the flow is; NaN where it is not known.
    kept : Simulations, optional
        Of the run: they stand in where its budget leaves next to nothing.
    met : bool
        Whether the constraints are: else the multipliers may be on their way, and the clause says "may".
    """
    constraints = problem.constraints
    natural = multipliers * constraints.scale
    squares = constraints.is_variance & (natural > _POSITIVE)
    if not squares.any() or not np.isfinite(natural).all() or not (met or constraints.region is None):
        return None
    name = constraints.names[int(np.argmax(np.where(squares, natural, -np.inf)))]
    rows = _rows(problem, flow, theta_start, kept, _SIZE if met else _SIZE_UNMET)
    if rows is not None:
        found = _found(constraints, rows, name, multipliers, log_z)
    else:
        found = None if met else f"and no rows are left to look farther than {_WITHIN:g} standard deviations from them"
    if found is None or constraints.region is not None:
        return found
    return (
        f"the multiplier of {name!r} is positive: more variance {'is' if met else 'may be'} asked for than the "
        f"circuits near the targets have, {found}; ask for the solution near the targets with "
        f"EmergentProperty(..., within={_WITHIN:g}), or give variance_at_most= and no variance="
    )


def _found(constraints, rows, name, multipliers, log_z):
    """What ``rows`` find outside, about the variance ``name``; None where it does not matter."""
    if constraints.region is not None:
        outside = rows.log_z(~constraints.region.contains(rows.f), multipliers, constraints.target)
        if not outside > log_z + np.log(_MATTERS):
            return None
        return (
            f"the multiplier of {name!r} is positive, and the solution that of the region alone (log Z {log_z:.1f}): "
            f"outside of it draws find log Z of {outside:.1f} or more"
        )
    square = constraints.names.index(name)
    deviations = rows.T[:, constraints.is_variance] / constraints.target[constraints.is_variance]
    inside = np.all(deviations <= _WITHIN**2, axis=1)
    near, outside = (rows.log_z(where, multipliers, constraints.target) for where in (inside, ~inside))
    if np.isneginf(outside):
        return None
    found = f"and farther than {_WITHIN:g} standard deviations from them draws find log Z of {outside:.1f} or more"
    log_z = near if np.isnan(log_z) else log_z
    if not np.isfinite(log_z):
        return found
    whole = np.logaddexp(log_z, outside)
    share = np.exp(outside - whole)
    made = np.exp(rows.log_z(~inside, multipliers, constraints.target, rows.T[:, square]) - whole)
    if share < _MATTERS and made < constraints.tolerance[square]:
        return None
    return f"{found}, where it is {log_z:.1f} near them: {share:.2g} of the mass and {made:.2g} of the variance"


def _rows(problem, flow, theta_start, kept, size):
    """What can be had: fresh rows, those of the run, or None."""
    size = size if problem.limit is None else min(size, problem.left(problem.limit))
    if size >= _LEAST_SIZE:
        return _Rows.of_start(problem, flow, theta_start, size)
    return None if kept is None or len(kept) < _LEAST_SIZE else _Rows.kept(problem, kept)


def log_z_outside(problem, flow, theta_start, multipliers, region, size=_SIZE):
    """Log of the integral of p0 exp(eta . (T - mu_opt)) outside of the ``region``, as draws of the start find it."""
    rows = _Rows.of_start(problem, flow, theta_start, size)
    return rows.log_z(~region.contains(rows.f), multipliers, problem.constraints.target)
