"""The way to parameters whose simulations work, where next to all of the start's fail: tempering on how far they get.

A simulation that fails may tell by its statistics how far it came: some exist, others are NaN (a cell that does not
burst has no period, a network out of order no phases).  While too few rows work to learn from, the furthest stage that
enough rows have reached is learned as the surrogate learns success, the flow is fitted to the start given that stage,
and the next rows are drawn from there: multilevel splitting (Kahn & Harris 1951; Cerou et al. 2012), with the flow in
place of resampling.  Where failures tell nothing, or no stage has been reached by enough rows, the first few that got
further have to do: success in 0.8 % of a box of six parameters is learned from nine rows that worked as from seventy.
"""

from dataclasses import replace

import numpy as np

from numepi.inference.dual.surrogate import FEW_FAILED, Surrogate, learn_success, rate_of
from numepi.inference.problem import Stream

__all__ = ["next_stage", "seek", "stages"]

_FEW_REACHED = 5  # rows from which a region can be learned, as a boundary from so many that failed


def stages(replay):
    """How far each row came: statistics that exist, and one more where all of T does; (n,) int."""
    return np.isfinite(replay.f).sum(axis=1) + replay.valid


def next_stage(replay, enough):
    """The furthest stage that ``enough`` rows have reached and some have not; if there is none, that a few have.

    None where all or next to none got further than others, and where there are fewer rows than ``enough``.
    """
    stage = stages(replay)[replay.log_prior > -np.inf]
    if len(stage) < enough:
        return None
    for least in (enough, min(_FEW_REACHED, enough)):
        reached = np.sort(stage)[-least]
        if (stage < reached).sum() >= FEW_FAILED:
            return int(reached)
    return None


def seek(state, problem, flow, settings):
    """Learn where simulations get as far as the next stage; the flow is fitted to that."""
    replay, counter = state.replay, state.rounds.number
    generator = np.random.Generator(np.random.Philox(problem.seed(Stream.SURROGATE, counter)))
    reached = stages(replay) >= next_stage(replay, settings.least_valid)
    old = None if state.surrogate is None else state.surrogate.works
    rate = rate_of(settings, replay, False)
    works = learn_success(old, replay, reached, np.ones(len(replay)), settings, rate, generator)
    return replace(state, surrogate=Surrogate((), works), phase="fit", fit=None)
