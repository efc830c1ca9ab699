"""Values of expressions of time alone: plain NumPy, once, in float64."""

from typing import NamedTuple

import numpy as np

from numepi.circuits.dynamics.operations import ELEMENTWISE, evaluate

__all__ = ["Call", "Place", "Sampled", "evaluate_times"]


class Call:
    """A call of a NumPy function with places for the expressions among its arguments."""

    def __init__(self, function, args, kwargs):
        self.function, self.args, self.kwargs = function, args, kwargs
        name = getattr(function, "__qualname__", repr(function))
        self.key = name, _frozen(args), _frozen(sorted(kwargs.items()))

    def __hash__(self):
        return hash(self.key)

    def __eq__(self, other):
        return isinstance(other, Call) and self.key == other.key

    def __call__(self, values):
        """The call with values in the places of expressions."""

        def fill(argument):
            if isinstance(argument, Place):
                return values[argument.place]
            return type(argument)(fill(a) for a in argument) if isinstance(argument, (list, tuple)) else argument

        return self.function(*fill(list(self.args)), **{name: fill(value) for name, value in self.kwargs.items()})


class Place(NamedTuple):
    """A place for an expression among the arguments of a call."""

    place: int


def _frozen(value):
    """What equal arguments have in common, hashable."""
    if isinstance(value, np.ndarray):
        return value.shape, value.tobytes()
    if isinstance(value, (list, tuple)) and not isinstance(value, Place):
        return tuple(_frozen(v) for v in value)
    return value if isinstance(value, (Place, int, float, str)) else repr(value)


class Sampled:
    """An expression of time in a stored model: its values at the beginning and the middle of every step.

    Parameters
    ----------
    dt : float
    values : array (2 steps + 1, ...)
    """

    def __init__(self, dt, values):
        self.dt, self.values = dt, np.asarray(values, np.float64)
        self.key = dt, self.values.tobytes()

    @classmethod
    def of(cls, graph, node, model):
        """Sample a node of a graph."""
        times = np.arange(2 * model.steps + 1) * (0.5 * model.dt)
        return cls(model.dt, evaluate_times(graph, [node], times)[0])

    @property
    def description(self):
        """The constructor's arguments, plain."""
        return {"dt": self.dt, "values": self.values.tolist()}

    def __hash__(self):
        return hash(self.key)

    def __eq__(self, other):
        return isinstance(other, Sampled) and self.key == other.key

    def __call__(self, values):
        """The value at a time (the first of ``values``)."""
        place = 2 * values[0] / self.dt
        if abs(place - round(place)) > 1e-6:
            raise ValueError(
                f"a loaded model knows its NumPy functions of time at multiples of dt / 2 = {self.dt / 2} only: make "
                "the model from its own code to change dt"
            )
        return self.values[round(place)]


def evaluate_times(graph, nodes, times):
    """Values (times, *shape) of expressions of time, float64.

    Parameters
    ----------
    graph : Graph
    nodes : sequence of int
    times : ndarray (m,)
    """
    known = {}
    for i in graph.live(nodes):
        op, args, attr, shape = graph.nodes[i]
        if op == "constant":
            known[i] = np.broadcast_to(graph.value(i), (len(times), *shape))
        elif op == "input":
            known[i] = times
        elif op == "host":
            known[i] = np.array([attr([known[a][m] for a in args]) for m in range(len(times))], np.float64)
            known[i] = known[i].reshape(len(times), *shape)
        elif op in ELEMENTWISE:
            padded = [
                known[a].reshape(len(times), *(1,) * (len(shape) - known[a].ndim + 1), *known[a].shape[1:])
                for a in args
            ]
            known[i] = evaluate(op, padded)
        else:
            known[i] = np.array([_structural(graph, i, [known[a][m] for a in args]) for m in range(len(times))])
            known[i] = known[i].reshape(len(times), *shape)
    return [known[i] for i in nodes]


def _structural(graph, i, values):
    op, _, attr, shape = graph.nodes[i]
    if op == "gather":
        return np.asarray(values[0]).ravel()[graph.index_of(i)]
    if op == "concat":
        return np.concatenate([np.ravel(value) for value in values]).reshape(shape)
    return np.sum(values[0], attr) if op == "sum" else values[0] @ values[1]
