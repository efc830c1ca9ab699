"""Time in a model's functions: the traced time itself, and functions of it that are given by numbers."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from numepi.arguments import check_array, check_choice
from numepi.circuits.dynamics.graph import TIME, TRACED
from numepi.circuits.dynamics.numpy_functions import host
from numepi.circuits.dynamics.traced import Traced, TracedArray, TraceError, user_line

__all__ = ["Table", "time_input"]


def time_input(graph):
    """The time, in the units of ``dt``."""
    return Traced(graph, graph.input("time", 0, (), TIME))


class Table:
    """A function of time given by numbers: recorded currents, stimulus protocols.

    Parameters
    ----------
    time : array (m,)
        Increasing, in the units of the model's ``dt``.
    values : array (m, ...)
        What the table is at these times.
    kind : "linear" or "previous"
        Between them: a straight line, or the value before.  Outside the first or last value holds.

    Examples
    --------
    >>> import numepi as ne
    >>> pulse = ne.Table([0.0, 10.0, 20.0], [0.0, 1.0, 0.0], kind="previous")
    >>> float(pulse(12.5))
    1.0
    """

    def __init__(self, time: ArrayLike, values: ArrayLike, kind: str = "linear") -> None:
        self.time, self.values = check_array("time", time, None), check_array("values", values, None)
        self.kind = check_choice("kind", kind, ("linear", "previous"))
        if self.time.ndim != 1 or len(self.time) < 2 or not (np.diff(self.time) > 0).all():
            raise ValueError(f"time of a Table has shape {self.time.shape}: give two or more increasing times")
        if self.values.shape[:1] != self.time.shape:
            raise ValueError(
                f"values of a Table has shape {self.values.shape}: give one for each of {len(self.time)} times"
            )

    def __repr__(self):
        return f"Table({self.time.tolist()!r}, {self.values.tolist()!r}, {self.kind!r})"

    def __call__(self, t: Any) -> Any:
        """The value at a time: a number, or the traced time (or an expression of it)."""
        if isinstance(t, (Traced, TracedArray)):
            if t.graph.level[t.node] == TRACED:
                raise TraceError(
                    f"a Table of something other than time ({user_line()}): look up t, or an expression of t"
                )
            return host(t.graph, self, (t,))
        position = np.searchsorted(self.time, t, side="right") - 1
        low = np.clip(position, 0, len(self.time) - 1)
        if self.kind == "previous":
            return self.values[low]
        high = np.clip(position + 1, 0, len(self.time) - 1)
        gap = np.where(high > low, self.time[high] - self.time[low], 1.0)
        weight = np.clip((t - self.time[low]) / gap, 0.0, 1.0)
        weight = np.reshape(weight, np.shape(weight) + (1,) * (self.values.ndim - 1))
        return (1 - weight) * self.values[low] + weight * self.values[high]
