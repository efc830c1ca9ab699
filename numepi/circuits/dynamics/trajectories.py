"""Trajectories of a model with the times of its events."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from numepi.circuits.base import Trajectories
from numepi.simulation.lanes import Noise

__all__ = ["EventTimes", "ModelTrajectories", "paths_of"]


class EventTimes(NamedTuple):
    """When events of one kind happened.

    ``where`` (m, axes): the row of z, the task where there are tasks, the trial, and the unit where the event is a
    vector; ``time`` (m,) in the units of the equations.
    """

    where: np.ndarray
    time: np.ndarray


@dataclass(frozen=True)
class ModelTrajectories(Trajectories):
    """Simulated states, (n, tasks, trials, T, v), without the axis of tasks where there are none.

    Attributes
    ----------
    events : dict of EventTimes
        By the event's name; all of the simulation, not only those in the window.
    """

    events: dict = field(default_factory=dict)

    def times(self, event, row=0, trial=0):
        """Times of an event in one simulation (of the first task and unit)."""
        found = self.events[event]
        axis = self.values.ndim - 3  # of the trials; tasks come before, units after
        chosen = (found.where[:, 0] == row) & (found.where[:, axis] == trial)
        chosen &= (found.where[:, 1:axis] == 0).all(axis=1) & (found.where[:, axis + 1 :] == 0).all(axis=1)
        return found.time[chosen]


def read(build, values, every):
    """States and events of some simulations.

    Parameters
    ----------
    build : Build
        Of all values.
    values : ndarray (..., steps + 1, values)
    every : int
        Keep every so many-th sample of the states.

    Returns
    -------
    states : ndarray (..., samples, v)
    events : dict of EventTimes
    """
    model, places = build.model, build.place
    states = np.concatenate([
        values[..., ::every, places[f"x.{name}"] : places[f"x.{name}"] + int(np.prod(shape))]
        for name, shape in model.states.items()
    ], axis=-1)  # fmt: skip
    events = {}
    for name, event in model.events.items():
        size = int(np.prod(event.shape))
        counts, numbers, parts = (
            values[..., places[f"e.{name}.{slot}"] : places[f"e.{name}.{slot}"] + size]
            for slot in ("count", "last number", "last part")
        )
        where = np.argwhere(np.diff(counts, axis=-2) > 0.5)
        after = tuple(where.T[:-2]) + (where.T[-2] + 1, where.T[-1])
        times = (numbers[after] + parts[after]) * model.dt
        keep = [*range(where.shape[1] - 2), where.shape[1] - 1] if event.shape else list(range(where.shape[1] - 2))
        events[name] = EventTimes(where[:, keep], times)
    return states, events


def paths_of(build, job, z, key, every):
    """States (n, tasks, trials, samples, v) and events of all rows, without the axis of tasks where there are none.

    Parameters
    ----------
    build : Build
        Of all values.
    job : ProgramJob
        Of its program.
    z : ndarray (n, D)
    key : (int, int)
    every : int
        Keep every so many-th sample of the states.
    """
    states, events = [], []
    per_row = job.program.n_tasks * job.trials
    for row in range(len(z)):  # one at a time: the whole path is in memory only once
        given = job.noise
        if given is not None:
            given = Noise(*(array[row * per_row : (row + 1) * per_row] for array in given))
        values = replace(job, noise=given).trajectories(z[row : row + 1], key, row)
        kept, found = read(build, values if build.model.tasks else values[:, 0], every)
        states.append(kept)
        events.append(
            {n: EventTimes(e.where + row * (np.arange(e.where.shape[1]) == 0), e.time) for n, e in found.items()}
        )
    merged = {
        n: EventTimes(*(np.concatenate(part) for part in zip(*(e[n] for e in events)))) for n in build.model.events
    }
    return np.concatenate(states), merged
