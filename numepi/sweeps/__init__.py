"""Sweeps: many runs of `numepi.infer` on any `concurrent.futures.Executor`, with an index of what they found."""

from numepi.sweeps.driver import sweep
from numepi.sweeps.index import SweepIndex, load_sweep
from numepi.sweeps.task import Task

__all__ = ["SweepIndex", "Task", "load_sweep", "sweep"]
