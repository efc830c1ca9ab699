"""Rows where there may be more than the surrogate knows: what it rounds off, no flow that follows it will see.

A smooth network rounds off a sliver of parameters that few rows lie in, the flow has nothing there, and no further row
comes from there but the start's few: a mistake that keeps itself (a fifth of p* of STG at 0.490 +- 0.037 Hz).  In a few
parameters the rows next to a place tell what the network misses, by the mean of their residuals of eta . T less its
standard error: noise alone promises next to nothing, ten rows of a sliver do.  Candidates from the start are simulated
in proportion to the density that they promise beyond the surrogate's, so many as that is of the whole.

Of a noisy circuit in more parameters no rows are that near.  But what is lost lies mostly next to what is not, and rows
*around* those of the flow find it: they come from normals that lie further out.  An answer that passes is looked at in
the same way before it is the end: rows of the flow cannot tell what it has lost.  (SC has an arm with a seventh of p*,
which a surrogate of 6,000 rows cuts off by ten nats.  Of the flow's rows 0.1 % show it, of those around 1.1 %; seed 0
once ended 0.31 nats short after 13,590 rows, certified at 0.026 +- 0.011.  Without noise it gained nothing: the LDS
from 1,000 rows ends at 0.041, 0.032 and 0.032, without at 0.030, 0.036 and 0.038.)

Explored rows teach the surrogate alone: their density is not that of the mixture of all rounds, so that they have no
weight under the target.
"""

from dataclasses import replace

import numpy as np

from numepi.inference.dual import plan
from numepi.inference.dual.nearby import sharpens, surely
from numepi.inference.dual.replay import add_unweighted
from numepi.inference.dual.state import request
from numepi.inference.problem import Stream

__all__ = ["explore", "look", "missed", "promised", "take_explored", "take_look"]

_AROUND = 0.25  # of a round's rows
_FURTHER = 1.5  # than the sqrt(D) of most of the flow's normals: by 1 and by 2 as many of them show what SC has lost
_NO_NOISE = 3.0  # nats of eta . T beyond the surrogate's, that noise hardly makes up where the target has its mass
_CANDIDATES = 20  # times the rows to simulate: those promise unequal amounts


def explore(state, problem, flow, settings):
    """Ask for rows where those nearby promise more, or around the flow's; go on to learn where they are too few."""
    n = plan.explored_size(settings, problem, state)
    if n < plan.LEAST_ROUND:
        return replace(state, phase="learn")
    if not sharpens(state):
        return request(state, "take explored", problem, _around(state, problem, flow)[0], 0)
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
    return replace(_taken(state, problem, flow), phase="learn")


def look(state, problem, flow, settings):
    """Ask for rows around those of a flow that passes, as its own cannot tell what it has lost; end without."""
    around = state.noisy and not sharpens(state)
    if not around or plan.explored_size(settings, problem, state) < plan.LEAST_ROUND:
        return replace(state, phase="done")
    z, _ = _around(state, problem, flow)
    return request(state, "take look", problem, z, 0) if len(z) else replace(state, phase="done")


def take_look(state, problem, flow, settings):
    """End, or learn where the rows around show more of the target than ``kl`` leaves room for."""
    _, log_drawn = _around(state, problem, flow)
    phase = "learn" if missed(state, problem, log_drawn) > settings.kl else "done"
    return replace(_taken(state, problem, flow), phase=phase)


def missed(state, problem, log_drawn):
    """Share of the target that the requested rows, drawn with density ``log_drawn`` (n,), show and the surrogate lacks.

    A row counts where it shows what noise does not, and for no more than the surrogate's greatest density.
    """
    constraints, done = problem.constraints, state.request
    T, log_success = state.surrogate.evaluate(constraints, done.z)
    eta = state.dual.eta / constraints.scale
    shown, believed = (done.T - constraints.target) @ eta, (T - constraints.target) @ eta + log_success
    more = np.isfinite(shown) & (shown > believed + _NO_NOISE)
    log_base = problem.log_prior(done.z) - log_drawn
    shown = np.where(more, np.minimum(shown, believed.max()), believed)
    top = (believed + log_base).max()
    return float(np.exp(shown + log_base - top).sum() / np.exp(believed + log_base - top).sum() - 1)


def _around(state, problem, flow):
    """Rows (n, D) of the flow by normals that lie ``_FURTHER`` further out, and their log densities (n,).

    A call after they were simulated gives the same ones.
    """
    normals = problem.normals(Stream.BASE, state.rounds.number, int(_AROUND * state.rounds.size))
    stretch = 1 + _FURTHER / np.sqrt(flow.dim)
    z, log_q = flow.sample(state.theta, stretch * normals)
    log_drawn = log_q + 0.5 * (stretch**2 - 1) * np.sum(normals**2, axis=1) - flow.dim * np.log(stretch)
    inside = problem.inside(z)
    return z[inside], log_drawn[inside]


def _taken(state, problem, flow):
    done = state.request
    replay = add_unweighted(state.replay, flow, state.theta_start, done.z, done.f, done.T, problem.log_prior(done.z))
    rounds = replace(state.rounds, number=state.rounds.number + 1)
    return replace(state, replay=replay, rounds=rounds, request=None)
