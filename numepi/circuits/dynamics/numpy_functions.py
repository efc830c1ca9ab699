"""NumPy's functions on traced values: what each becomes in the graph.

`numepi.circuits.dynamics.traced` hands every call here, through `DISPATCH`.
"""

import math

import numpy as np

from numepi.circuits.dynamics.graph import TIME, TRACED
from numepi.circuits.dynamics.operations import UFUNCS
from numepi.circuits.dynamics.time_values import Call, Place, evaluate_times
from numepi.circuits.dynamics.traced import (
    DISPATCH,
    Traced,
    TracedArray,
    TraceError,
    apply,
    no_value,
    node_of,
    user_line,
    wrap,
)

__all__ = ["host"]

_KNOWN = "exp, log, tanh, sqrt, sin, cos, sinh, cosh, expm1, log1p, arctanh, abs, sign, floor, maximum, minimum"


def _ufunc(graph, ufunc, method, inputs, options):
    if graph is None:
        raise TraceError(f"np.{ufunc.__name__} of what cannot be traced ({user_line()})")
    options = {name: value for name, value in options.items() if value is not None and name != "dtype"}
    if method == "reduce" and ufunc.__name__ in ("add", "maximum", "minimum"):
        axis = options.get("axis", 0)
        if ufunc is np.add:
            return _sum(graph, inputs[0], axis)
        return _fold(graph, ufunc.__name__, inputs[0], axis)
    if method == "outer" and len(inputs) == 2:
        a, b = (wrap(graph, node_of(graph, value)) for value in inputs)
        return ufunc(a.reshape(*a.shape, *(1,) * b.ndim), b)
    if method == "__call__" and not options:
        if ufunc.__name__ in ("matmul", "vecdot"):
            return _matmul(graph, *inputs)
        if ufunc.__name__ in UFUNCS:
            return apply(graph, UFUNCS[ufunc.__name__], inputs)
        if ufunc.__name__ in ("equal", "not_equal"):
            raise TraceError(f"== of traced values ({user_line()}): compare with < or >")
    if _only_time(graph, inputs):
        call = ufunc if method == "__call__" else getattr(ufunc, method)
        return host(graph, call, inputs, options)
    name = ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}"
    raise TraceError(f"np.{name} cannot be traced ({user_line()}): write it with + - * / ** and {_KNOWN}")


def _matmul(graph, a, b):
    nodes = node_of(graph, a), node_of(graph, b)
    shapes = [graph.shape(node) for node in nodes]
    if () in shapes:
        return apply(graph, "mul", (a, b))
    if max(map(len, shapes)) > 2 or shapes[0][-1] != shapes[1][0]:
        raise TraceError(f"shapes {shapes[0]} @ {shapes[1]} do not fit ({user_line()})")
    return wrap(graph, graph.matmul(*nodes))


def _sum(graph, value, axis=None, **_):
    node = node_of(graph, value)
    if axis is not None and not isinstance(axis, int):
        raise TraceError(f"a sum over axes {axis} cannot be traced ({user_line()}): sum over one axis at a time")
    return wrap(graph, graph.sum(node, axis))


def _mean(graph, value, axis=None, **_):
    total = _sum(graph, value, axis)
    return total * (np.size(total) / np.prod(graph.shape(node_of(graph, value))))


def _fold(graph, op, value, axis=None, **_):
    if axis not in (None, 0):
        raise TraceError(f"a {op} over axis {axis} cannot be traced ({user_line()}): transpose first")
    value = wrap(graph, node_of(graph, value))
    elements = list(value if axis == 0 or value.ndim == 1 else value.ravel()) if value.ndim else [value]
    result = elements[0]
    for element in elements[1:]:
        result = apply(graph, op, (result, element))
    return result


def _where(graph, condition, a, b):
    return apply(graph, "where", (condition, a, b))


def _clip(graph, value, a_min=None, a_max=None, **bounds):
    low, high = bounds.get("min", a_min), bounds.get("max", a_max)
    if low is not None:
        value = apply(graph, "maximum", (value, low))
    return value if high is None else apply(graph, "minimum", (value, high))


def _dot(graph, a, b):
    return _matmul(graph, a, b)


def _cumsum(graph, value, axis=None):
    parts, total = [], 0.0
    for element in wrap(graph, node_of(graph, value)):
        total = total + element
        parts.append(total)
    return wrap(graph, node_of(graph, parts))


def _like(graph, a, value):
    return wrap(graph, graph.broadcast(node_of(graph, value), graph.shape(node_of(graph, a))))


_REDUCTIONS = {
    np.sum: _sum, np.mean: _mean, np.where: _where, np.clip: _clip, np.dot: _dot, np.inner: _dot, np.cumsum: _cumsum,
    np.max: lambda graph, *a, **k: _fold(graph, "maximum", *a, **k),
    np.min: lambda graph, *a, **k: _fold(graph, "minimum", *a, **k),
    np.shape: lambda graph, a: graph.shape(node_of(graph, a)),
    np.ndim: lambda graph, a: len(graph.shape(node_of(graph, a))),
    np.size: lambda graph, a: math.prod(graph.shape(node_of(graph, a))),
    np.zeros_like: lambda graph, a, **_: np.zeros(graph.shape(node_of(graph, a))),
    np.ones_like: lambda graph, a, **_: np.ones(graph.shape(node_of(graph, a))),
    np.full_like: lambda graph, a, value, **_: _like(graph, a, value),
    np.outer: lambda graph, a, b: np.multiply.outer(wrap(graph, node_of(graph, a)), wrap(graph, node_of(graph, b))),
    np.diff: lambda graph, a: wrap(graph, node_of(graph, a))[1:] - wrap(graph, node_of(graph, a))[:-1],
}  # fmt: skip
# Functions that only move elements: run on positions in place of values.
_MOVES = (
    np.concatenate, np.stack, np.hstack, np.vstack, np.column_stack, np.roll, np.reshape, np.ravel, np.transpose,
    np.flip, np.tile, np.repeat, np.broadcast_to, np.squeeze, np.expand_dims, np.append, np.atleast_1d, np.diagonal,
    np.take, np.delete, np.insert, np.moveaxis, np.swapaxes,
)  # fmt: skip


def _function(graph, function, args, kwargs):
    kwargs = {name: value for name, value in kwargs.items() if value is not None}
    if graph is None:
        raise TraceError(f"np.{function.__name__} of what cannot be traced ({user_line()})")
    if function in _REDUCTIONS:
        if function is np.where and len(args) != 3:
            no_value(None)
        return _REDUCTIONS[function](graph, *args, **kwargs)
    if function in _MOVES:
        return _move(graph, function, args, kwargs)
    if _only_time(graph, (args, kwargs)):
        return host(graph, function, args, kwargs)
    raise TraceError(
        f"np.{function.__name__} cannot be traced ({user_line()}): NumPy's elementwise functions, where, clip, sum, "
        "dot, @, stack, concatenate and roll can"
    )


def _move(graph, function, args, kwargs):
    sources, positions = [graph.constant(np.zeros(1))], [1]

    def mark(value):
        if isinstance(value, (list, tuple)):
            return [mark(v) for v in value]
        if isinstance(value, (Traced, TracedArray, np.ndarray)):
            node = node_of(graph, value)
            size = math.prod(graph.shape(node))
            sources.append(node)
            positions.append(positions[-1] + size)
            return np.arange(positions[-2], positions[-1]).reshape(graph.shape(node))
        return value

    marked = mark(args[:1])  # the arrays come first; shifts, axes and shapes after them
    if function is np.append:
        marked = mark(args[:2])
    index = function(*marked, *args[len(marked) :], **kwargs)
    return wrap(graph, graph.gather(graph.concat(sources, (positions[-1],)), index))


# -- functions of time alone
def _only_time(graph, values):
    found = []

    def look(value):
        if isinstance(value, (Traced, TracedArray)):
            found.append(value.node is not None and graph.level[value.node] < TRACED)
        elif isinstance(value, dict):
            look(tuple(value.values()))
        elif isinstance(value, (list, tuple)):
            for v in value:
                look(v)

    look(values)
    return bool(found) and all(found)


def host(graph, function, args, kwargs=None):
    """A traced value: ``function`` of expressions of time, to be evaluated by plain NumPy.

    Its shape is found by a call at time 0.
    """
    nodes = []

    def place(value):
        if isinstance(value, (Traced, TracedArray)):
            nodes.append(node_of(graph, value))
            return Place(len(nodes) - 1)
        if isinstance(value, (list, tuple)):
            return type(value)(place(v) for v in value)
        return value

    call = Call(function, place(tuple(args)), {name: place(value) for name, value in (kwargs or {}).items()})
    probe = evaluate_times(graph, nodes, np.zeros(1))
    try:
        shape = np.shape(call([value[0] for value in probe]))
    except Exception as error:
        name = getattr(function, "__name__", repr(function))
        raise TraceError(f"{name} of time fails ({user_line()}): {error}") from error
    return wrap(graph, graph.add("host", tuple(nodes), call, shape, TIME))


DISPATCH["ufunc"], DISPATCH["function"] = _ufunc, _function
