"""Rows where the simulations nearby say more than the surrogate: what it rounds off, no flow that follows it will see.

A smooth network rounds off a sliver of parameters that few rows lie in, the flow has nothing there, and no further row
comes from there but the start's few: a mistake that keeps itself (a fifth of p* of STG at 0.490 +- 0.037 Hz).  In a few
parameters the rows next to a place tell what its network misses, by the mean of their residuals of eta . T less its
standard error: noise alone promises next to nothing, ten rows of a sliver do.  Candidates from the start are simulated
in proportion to the density that they promise beyond the surrogate's, so many as that is of the whole.  They teach the
surrogate alone: their density is known nowhere else, so that they have no weight under the target.
"""

from dataclasses import replace

import numpy as np

from numepi.inference.dual import plan
from numepi.inference.dual.nearby import surely
from numepi.inference.dual.replay import add_unweighted
from numepi.inference.dual.state import request
from numepi.inference.problem import Stream

__all__ = ["explore", "promised", "take_explored"]

_CANDIDATES = 20  # times the rows to simulate: those promise unequal amounts


def explore(state, problem, flow, settings):
    """Ask for rows where those nearby promise more than the surrogate; go on to learn where they are too few."""
    n = plan.explored_size(settings, problem, state)
    if n < plan.LEAST_ROUND:
        return replace(state, phase="learn")
    generator = np.random.Generator(np.random.Philox(problem.seed(Stream.POOL, state.steps)))
    normals = generator.standard_normal((max(settings.check_size, _CANDIDATES * n), flow.dim))
    z, log_start = flow.sample(state.theta_start, normals)
    inside = problem.inside(z)
    z, log_start = z[inside], log_start[inside]
    believed, more = promised(state, problem, z, log_start)
    n = min(int(n * min(1.0, more.sum() / believed.sum())), np.count_nonzero(more))
    if n < plan.LEAST_ROUND:
        return replace(state, phase="learn")
    chosen = generator.choice(len(z), n, replace=False, p=more / more.sum())
    return request(state, "take explored", problem, z[chosen], 0)


def promised(state, problem, z, log_drawn):
    """The surrogate's density at ``z`` (n, D) over ``log_drawn`` (n,); what rows nearby promise beyond it, (n,).

    No place is believed to have more than the surrogate's greatest.
    """
    constraints, replay = problem.constraints, state.replay
    T, log_success = state.surrogate.evaluate(constraints, z)
    eta = state.dual.eta / constraints.scale
    log_density = problem.log_prior(z) + (T - constraints.target) @ eta + log_success - log_drawn
    keep = replay.valid
    residual = (replay.T[keep] - state.surrogate.expected(constraints, replay.z[keep])) @ eta
    gain = np.clip(surely(replay.z[keep], residual, z), 0.0, log_density.max() - log_density)
    believed = np.exp(log_density - log_density.max())
    return believed, believed * np.expm1(gain)


def take_explored(state, problem, flow, settings):
    """Take the explored rows into the replay, to learn from alone."""
    done = state.request
    replay = add_unweighted(state.replay, flow, state.theta_start, done.z, done.f, done.T, problem.log_prior(done.z))
    rounds = replace(state.rounds, number=state.rounds.number + 1)
    return replace(state, replay=replay, rounds=rounds, request=None, phase="learn")
