"""Why an annealing gives up: budgets, regions that nobody lies in, targets that are out of reach."""

import numpy as np

from numepi.inference.assessment.verdict import NOT_REACHED, not_reached

__all__ = ["hindrance", "outside", "spent"]

# A distribution that has less than exp(-745) of a side of a box, the least positive double, lies in a single number.
_NATS = 745.0


def hindrance(density, path, settings):
    """Why ``path`` goes on no more, or None where it may."""
    constraints = density.problem.constraints
    if len(path.trace["eta"]) >= settings.most_steps:  # of a resumed run, too: points it has from there on only
        return f"{NOT_REACHED}the path did not end within {settings.most_steps} steps"
    if spent(density, settings):
        return "the path did not end within its budget of simulations: give a larger one"
    if _without_width(density, path):
        x = path.particles.violation
        return not_reached(constraints, constraints.target + np.nanmean(x, axis=0) * constraints.scale)
    return None


def _without_width(density, path):
    """Whether what has the property, if anything, is no wider on a box than one floating-point number.

    By weak duality the entropy of whatever has it is no more than log Z(eta), at any eta; and log Z(eta) - log Z(0) is
    convex, so no more than the mean of eta . x under p_eta, or than the greatest of its draws, which particles are.
    On the way to a target out of reach it goes to minus infinity, as the multipliers to infinity, in geometric steps.
    """
    problem, point, support = density.problem, path.point, density.flow.support
    if problem.prior is not None or not support.is_box or point.exponent < 1:
        return False
    tilt = path.particles.violation @ point.eta
    return np.isfinite(tilt).any() and np.nanmax(tilt) < -_NATS * support.dim


def outside(path):
    """Why a path cannot go on in the region."""
    return f"only {path.inside:.0%} of the particles lie in the property's region: widen it"


def spent(density, settings):
    """Whether no more rows may be simulated."""
    return settings.most_simulations is not None and density.problem.n_simulations >= settings.most_simulations
