"""The way to parameters whose simulations work, where next to all of the start's fail: tempering on how far they get.

A simulation that fails may tell by its statistics how far it came: some exist, others are NaN (a cell that does not
burst has no period, a network out of order no phases).  While too few rows work to learn from, the furthest stage that
enough rows have reached is learned as the surrogate learns success, the flow is fitted to the start given that stage,
and the next rows are drawn from there: multilevel splitting (Kahn & Harris 1951; Cerou et al. 2012), with the flow in
place of resampling.
"""

from dataclasses import replace

import numpy as np

from numepi.inference.dual.surrogate import FEW_FAILED, Surrogate, learn_success
from numepi.inference.problem import Stream

__all__ = ["next_stage", "seek", "stages"]


def stages(replay):
    """How far each row came: statistics that exist, and one more where all of T does; (n,) int."""
    return np.isfinite(replay.f).sum(axis=1) + replay.valid


def next_stage(replay, enough):
    """The furthest stage that ``enough`` rows have reached and some have not; None where failures tell nothing."""
    stage = stages(replay)[replay.log_prior > -np.inf]
    if len(stage) < enough:
        return None
    reached = np.sort(stage)[-enough]
    return int(reached) if (stage < reached).sum() >= FEW_FAILED else None


def seek(state, problem, flow, settings):
    """Learn where simulations get as far as the furthest that enough rows have come; the flow is fitted to that."""
    replay, counter = state.replay, state.rounds.number
    generator = np.random.Generator(np.random.Philox(problem.seed(Stream.SURROGATE, counter)))
    reached = stages(replay) >= next_stage(replay, settings.least_valid)
    old = None if state.surrogate is None else state.surrogate.works
    works = learn_success(old, replay, reached, np.ones(len(replay)), settings, settings.surrogate_rate, generator)
    return replace(state, surrogate=Surrogate(None, None, works), phase="fit", fit=None)
