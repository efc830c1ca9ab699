"""Traced values: what a model's functions receive in place of numbers, so that they write down their own graph.

A scalar is a `Traced`, a vector or matrix a `TracedArray` (an ndarray subclass, so that NumPy treats it as an array);
both own NumPy's two protocols.  Whatever has no value yet raises `TraceError`, which names the line and the remedy.
"""

import linecache
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from numepi.circuits.dynamics.operations import UFUNCS

__all__ = [
    "DISPATCH", "TraceError", "Traced", "TracedArray", "apply", "failed_line", "no_value", "node_of", "user_line",
    "wrap",
]  # fmt: skip

# How NumPy's ufuncs and functions are traced: filled by `numepi.circuits.dynamics.numpy_functions`.
DISPATCH: dict[str, Callable[..., Any]] = {}
_OWN = str(Path(__file__).parents[2])
_LIBRARIES = (_OWN, str(Path(np.__file__).parent))
_REMEDY = (
    "a state, parameter or time has no value while the model is traced: use np.where(condition, a, b) for if, and "
    "np.exp for math.exp, np.maximum(a, b) for max(a, b), a & b for a and b"
)


class TraceError(TypeError):
    """A model's function does what cannot be traced."""


def user_line():
    """The line of the user's function that is running: file, number and text."""
    frame = sys._getframe(1)
    while frame is not None:
        if _is_users(frame):
            return _line(frame, frame.f_lineno)
        frame = frame.f_back
    return "the model"


def failed_line(error):
    """As `user_line`, of the user's function in which an error arose; "" where none had begun."""
    line, place = "", error.__traceback__
    while place is not None:
        if _is_users(place.tb_frame):
            line = _line(place.tb_frame, place.tb_lineno)
        place = place.tb_next
    return line


def _is_users(frame):
    name = frame.f_code.co_filename
    return not name.startswith(_LIBRARIES) and "<__array_function__" not in name


def _line(frame, number):
    name = frame.f_code.co_filename
    text = linecache.getline(name, number).strip()
    return f"line {number} of {Path(name).name}" + (f": {text[:100]}" if text else "")


def no_value(self, *_):
    """Raise: there is no value yet."""
    line = user_line()
    if "np.array" in line:  # NumPy compares the elements of a plain object array
        raise TraceError(
            "np.maximum, np.minimum and np.sign compare the elements of np.array([z.a, z.b]), which have no value "
            f"while the model is traced: make the vector with np.stack([z.a, z.b]) ({line})"
        )
    raise TraceError(f"{_REMEDY} ({line})")


def _operator(op, swap=False):
    def operate(self, other=None):
        arguments = (self,) if other is None else (other, self) if swap else (self, other)
        if isinstance(other, np.ndarray) or (other is not None and not _is_operand(other)):
            return NotImplemented
        return apply(self.graph, op, arguments)

    return operate


class Traced:
    """A traced number."""

    __slots__ = ("graph", "node")
    __hash__ = object.__hash__

    def __init__(self, graph, node):
        self.graph, self.node = graph, node

    shape, ndim, size = (), 0, 1
    __bool__ = __float__ = __int__ = __index__ = __complex__ = __round__ = no_value
    dtype = np.dtype(float)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        return DISPATCH["ufunc"](self.graph, ufunc, method, inputs, options)

    def __array_function__(self, function, types, args, kwargs):
        return DISPATCH["function"](self.graph, function, args, kwargs)

    def __iter__(self):
        raise TraceError(
            f"a number cannot be iterated or unpacked ({user_line()}): this state or parameter is a scalar"
        )

    def __getitem__(self, index):
        raise TraceError(
            f"a number has no elements ({user_line()}): a state whose initial value is an array is a vector"
        )

    def __eq__(self, other):
        raise TraceError(f"== of traced values ({user_line()}): compare with < or >")

    __ne__ = __eq__

    def __pow__(self, exponent):
        return apply(self.graph, "power", (self, exponent))

    def __rpow__(self, base):
        return apply(self.graph, "power", (base, self))

    def sum(self, axis=None):
        """The number itself."""
        return self

    mean = max = min = sum

    def __repr__(self):
        return f"<traced number {self.node}>"


for _name, _op in {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "mod": "remainder", "and": "and", "or": "or",
}.items():  # fmt: skip
    setattr(Traced, f"__{_name}__", _operator(_op))
    setattr(Traced, f"__r{_name}__", _operator(_op, swap=True))
for _name, _op in {
    "lt": "less", "gt": "greater", "le": "less_equal", "ge": "greater_equal", "neg": "neg", "pos": "positive",
    "abs": "abs", "invert": "not",
}.items():  # fmt: skip
    setattr(Traced, f"__{_name}__", _operator(_op))
# NumPy's functions on a plain object array call the elements' methods of the same name.
for _name in ("exp", "log", "tanh", "sqrt", "sin", "cos", "sinh", "cosh", "expm1", "log1p", "floor", "conjugate"):
    setattr(Traced, _name, _operator(UFUNCS[_name]))


class TracedArray(np.ndarray):
    """A traced vector or matrix: the elements of the ndarray itself mean nothing."""

    def __new__(cls, graph, node):
        """Of a graph's node."""
        self = np.ndarray.__new__(cls, graph.shape(node), dtype=object)
        self.graph, self.node = graph, node
        return self

    def __array_finalize__(self, parent):
        self.graph = self.node = None  # what NumPy derives without asking us has no meaning: see `node_of`

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        return DISPATCH["ufunc"](_graph_of(inputs), ufunc, method, inputs, options)

    def __array_function__(self, function, types, args, kwargs):
        return DISPATCH["function"](_graph_of(args, kwargs), function, args, kwargs)

    __bool__ = __float__ = __int__ = __index__ = __complex__ = no_value

    def __getitem__(self, index):
        if isinstance(index, (Traced, TracedArray)):
            no_value(self)
        graph, node = self._traced()
        return wrap(graph, graph.gather(node, np.arange(self.size).reshape(self.shape)[index]))

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __setitem__(self, index, value):
        raise TraceError(
            f"assignment to elements of a traced vector ({user_line()}): make a new one with np.where, np.stack or "
            "np.concatenate"
        )

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ipow__ = lambda self, other: NotImplemented

    def _traced(self):
        return self.graph, node_of(self.graph, self)

    @property
    def T(self):
        """Transposed."""
        return self[...] if self.ndim < 2 else self.transpose()

    @property
    def flat(self):
        """Flattened."""
        return self.ravel()

    def transpose(self, *axes):
        """As NumPy's."""
        graph, node = self._traced()
        return wrap(graph, graph.gather(node, np.arange(self.size).reshape(self.shape).transpose(*axes)))

    def reshape(self, *shape, **_):
        """As NumPy's."""
        graph, node = self._traced()
        return wrap(graph, graph.gather(node, np.arange(self.size).reshape(*shape)))

    def ravel(self, *_):
        """Flattened."""
        return self.reshape(-1)

    flatten = ravel

    def copy(self, *_):
        """The array itself: it cannot be written."""
        return self

    def astype(self, dtype, **_):
        """The array itself: the simulation decides the precision."""
        return self

    def sum(self, axis=None, **_):
        """As NumPy's, over all elements or one axis."""
        return np.sum(self, axis=axis)

    def mean(self, axis=None, **_):
        """As NumPy's, over all elements or one axis."""
        return np.mean(self, axis=axis)

    def dot(self, other):
        """As NumPy's."""
        return np.dot(self, other)

    def max(self, axis=None, **_):
        """As NumPy's, over all elements."""
        return np.max(self, axis=axis)

    def min(self, axis=None, **_):
        """As NumPy's, over all elements."""
        return np.min(self, axis=axis)

    def __repr__(self):
        return f"<traced array {self.node} of shape {self.shape}>"

    __str__ = __repr__


def wrap(graph, node):
    """The traced value of a node."""
    return Traced(graph, node) if graph.shape(node) == () else TracedArray(graph, node)


def node_of(graph, value):
    """The node of a traced value, number, array or nested list of these."""
    if isinstance(value, (Traced, TracedArray)):
        if value.graph is not graph:
            if value.graph is None:
                raise TraceError(f"a NumPy operation that cannot be traced ({user_line()})")
            raise TraceError(
                f"a traced value of another call is used ({user_line()}): keep nothing between calls of functions"
            )
        return value.node
    if isinstance(value, (list, tuple)) or (isinstance(value, np.ndarray) and value.dtype == object):
        shape = np.shape(value) if isinstance(value, np.ndarray) else None
        parts = [node_of(graph, element) for element in (value.ravel() if shape is not None else value)]
        if shape == ():
            return parts[0]
        if shape is None:
            shapes = {graph.shape(part) for part in parts}
            if len(shapes) > 1:
                raise TraceError(f"parts of different shapes {sorted(shapes)} in one array ({user_line()})")
            shape = (len(parts), *(shapes.pop() if shapes else ()))
        return graph.concat(parts, shape)
    try:
        array = np.asarray(value)
    except Exception as error:
        raise TraceError(f"{type(value).__name__} in an expression ({user_line()}): expected numbers") from error
    if array.dtype.kind not in "biuf":
        raise TraceError(f"{value!r:.60} in an expression ({user_line()}): expected numbers")
    return graph.constant(array)


def _is_operand(value):
    return isinstance(value, (Traced, int, float, np.generic))


def _graph_of(*values):
    for value in values:
        if isinstance(value, (Traced, TracedArray)) and value.graph is not None:
            return value.graph
        if isinstance(value, dict):
            value = tuple(value.values())
        if isinstance(value, (list, tuple)) or (type(value) is np.ndarray and value.dtype == object):
            graph = _graph_of(*(value.ravel() if isinstance(value, np.ndarray) else value))
            if graph is not None:
                return graph
    return None


def apply(graph, op, values):
    """An elementwise operation on traced values and numbers."""
    return wrap(graph, graph.apply(op, *(node_of(graph, value) for value in values)))
