"""A user's function, traced: a small graph that is put into larger ones wherever the function would be called."""

from dataclasses import dataclass, field

import numpy as np

from numepi.circuits.dynamics.graph import CONSTANT, TIME, Graph
from numepi.circuits.dynamics.traced import Traced, TracedArray, TraceError, failed_line, node_of, user_line, wrap

__all__ = ["Names", "Template", "put", "trace"]


class Names:
    """Values by name, as attributes or in brackets, read-only: what model functions receive as ``x``, ``z``, ``xi``."""

    def __init__(self, what, values):
        vars(self).update(values)
        vars(self)["_what"], vars(self)["_values"] = what, dict(values)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        known = ", ".join(self._values) or "none"
        raise AttributeError(f"there is no {self._what} {name!r} ({user_line()}): there are {known}")

    def __getitem__(self, name):
        return self._values[name] if name in self._values else getattr(self, str(name))

    def __setattr__(self, name, value):
        raise AttributeError(
            f"assignment to the {self._what} {name!r} ({user_line()}): return new values, leave the old ones alone"
        )

    __setitem__ = __setattr__

    def __iter__(self):
        raise TypeError(f"the {self._what}s cannot be unpacked ({user_line()}): take them by name")

    def __repr__(self):
        return f"{self._what}s {', '.join(self._values)}"


@dataclass(frozen=True, eq=False)
class Template:
    """A traced function.

    Attributes
    ----------
    graph : Graph
        Inputs have attributes (kind, name), such as ("state", "v").
    outputs : dict
        The node of each named result; {"": node} for a function of one result.
    function : callable, optional
        What was traced, where it is at hand.
    """

    graph: Graph = field(repr=False)
    outputs: dict
    function: object = field(default=None, repr=False, compare=False)

    @property
    def inputs(self):
        """Kinds and names of the inputs that the outputs depend on."""
        nodes = self.graph.nodes
        return {nodes[i].attr for i in self.graph.live(self.outputs.values()) if nodes[i].op == "input"}

    def shape(self, name=""):
        """Shape of a result."""
        return self.graph.shape(self.outputs[name])


def trace(what, call, arguments, unpack):
    """Trace a function twice; both times it must say the same.

    Parameters
    ----------
    what : str
        For messages: "drift".
    call : callable
    arguments : callable
        ``arguments(graph)`` makes what ``call`` receives.
    unpack : callable
        ``unpack(result)`` -> dict of values.
    """
    found = []
    for _ in range(2):
        graph = Graph()
        try:
            result = call(*arguments(graph))
        except (TraceError, AttributeError):
            raise
        except Exception as error:
            raise type(error)(_failure(what, error)) if type(error) in _PLAIN else error from error
        values = unpack(result)
        try:
            outputs = {name: node_of(graph, value) for name, value in values.items()}
        except TraceError as error:
            raise TraceError(f"the {what} returns what is no number: {error}") from error
        found.append(Template(graph, outputs, call))
    first, second = found
    if first.graph.nodes != second.graph.nodes or first.outputs != second.outputs:
        raise TraceError(
            f"the {what} is not the same when it is called again: keep random numbers and counters out of it (noise "
            "and normals are the places for random numbers)"
        )
    return second


_PLAIN = (TypeError, ValueError, ZeroDivisionError, IndexError, KeyError, NameError, OverflowError)
_SIGNATURES = {"step": "(x, z, t, xi)", "initial value": "(z), or as of= with (xi, z)"}


def _failure(what, error):
    """One line on an error of a user's function."""
    line = failed_line(error)
    if not line:  # it had not begun: its arguments are others
        return f"the {what} fails: {error}: it is called as f{_SIGNATURES.get(what, '(x, z, t)')}"
    if line in str(error):
        return f"the {what} fails: {error}"
    if isinstance(error, IndexError) and "valid indices" in str(error):
        error = "a state, parameter or time cannot be an index; for values by time, use ne.Table(time, values)"
    return f"the {what} fails: {error} ({line})"


def put(template, graph, bind, drive):
    """Put a template into another graph; return its results as traced values of that graph, by name.

    Parameters
    ----------
    template : Template
    graph : Graph
    bind : callable
        ``bind(kind, name)`` -> traced value (or number) for an input.
    drive : callable
        ``drive(template, node)`` -> traced value for an expression of time.
    """
    source, known = template.graph, {}
    wanted = set(template.outputs.values())
    for i in source.live(template.outputs.values()):
        op, args, attr, shape = source.nodes[i]
        level = source.level[i]
        if level == CONSTANT:
            known[i] = graph.constant(source.value(i))
        elif level == TIME:
            continue  # in one piece, where it is used
        elif op == "input":
            known[i] = node_of(graph, bind(*attr))
        else:
            for a in args:
                if a not in known:
                    known[a] = node_of(graph, drive(template, a))
            known[i] = copy_node(graph, op, attr, shape, [known[a] for a in args], source, i)
    for i in wanted - set(known):
        known[i] = node_of(graph, drive(template, i))
    return {name: wrap(graph, known[i]) for name, i in template.outputs.items()}


def copy_node(graph, op, attr, shape, args, source, i):
    """The same operation on other arguments, in another graph."""
    if op == "gather":
        return graph.gather(args[0], source.index_of(i))
    if op == "concat":
        return graph.concat(args, shape)
    if op == "sum":
        return graph.sum(args[0], attr)
    if op == "matmul":
        return graph.matmul(*args)
    return graph.apply(op, *args)


def is_traced(value):
    """Whether a value, or an element of a plain object array, is traced."""
    return isinstance(value, (Traced, TracedArray)) or (
        isinstance(value, np.ndarray) and value.dtype == object and any(map(is_traced, value.ravel()))
    )
