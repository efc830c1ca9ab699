"""What lies far from the targets, where the dual gives it weight: said aloud, with the remedies.

The multiplier of a square is negative where the property asks for less variance than the circuits near the targets
have, and exp(eta . T) then vanishes far out.  Where it asks for more than they have the multiplier is positive, and
exp(eta . T) grows with the square of the distance: on the whole support the solution may then keep its bulk and make up
the variance with a vanishing mass that lies anywhere.  Draws from the start of the flow (the prior, on a box) tell how
much weight there is, from below: they find some of it, not all.
"""

import numpy as np
from scipy.special import logsumexp

from numepi.inference.problem import Stream

__all__ = ["log_z_outside", "weight_outside"]

_SIZE = 5000  # draws from the start,
_LEAST_SIZE = 100  # unless a budget leaves fewer: fewer than this tell nothing
_WITHIN = 6.0  # units: what a property without a region is asked about, and offered; a normal has 1e-9 beyond
_MATTERS = 0.01  # share of the mass outside that changes moments by about their tolerances
_POSITIVE = 1e-3  # of a multiplier in natural scales: less is that of a solution without the constraint


def weight_outside(problem, flow, theta_start, multipliers, log_z):
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
    """
    constraints = problem.constraints
    squares = constraints.is_variance & (multipliers * constraints.scale > _POSITIVE)
    size = _SIZE if problem.limit is None else min(_SIZE, problem.left(problem.limit))
    if not squares.any() or size < _LEAST_SIZE:
        return None
    name = constraints.names[int(np.argmax(np.where(squares, multipliers * constraints.scale, -np.inf)))]
    asked = constraints.region is not None
    region = constraints.region or constraints.region_within(_WITHIN)
    outside = log_z_outside(problem, flow, theta_start, multipliers, region, size)
    if asked:
        if not outside > log_z + np.log(_MATTERS):
            return None
        return (
            f"the multiplier of {name!r} is positive, and the solution that of the region alone (log Z {log_z:.1f}): "
            f"outside of it prior draws find log Z of {outside:.1f} or more"
        )
    if np.isnan(log_z):
        where = f"log Z of {outside:.1f} or more"
    else:
        share = np.exp(-np.logaddexp(0.0, outside - log_z))
        if share > 1 - _MATTERS:
            return None
        where = f"log Z of {outside:.1f} or more, where it is {log_z:.1f} near them ({share:.1%} of the mass)"
    return (
        f"the multiplier of {name!r} is positive: more variance is asked for than the circuits near the targets have, "
        f"and farther than {_WITHIN:g} standard deviations from them prior draws find {where}; ask for the solution "
        f"near the targets with EmergentProperty(..., within={_WITHIN:g}), or give variance_at_most= and no variance="
    )


def log_z_outside(problem, flow, theta_start, multipliers, region, size=_SIZE):
    """Log of the integral of p0 exp(eta . (T - mu_opt)) outside of the ``region``, as draws of the start find it."""
    base = problem.normals(Stream.CERTIFICATE_BASE, 1, size)
    z, log_start = flow.sample(theta_start, base)
    batch = problem.simulate(z, Stream.CERTIFICATE_NOISE, 1)
    far = ~region.contains(batch.f)
    if not far.any():
        return -np.inf
    log_base = (problem.log_prior(z) - log_start)[batch.valid]
    tilt = (batch.T - problem.constraints.target) @ multipliers
    return float(logsumexp((log_base + tilt)[far]) - np.log(size))
