"""Source of a program's functions: one operation a line, for every lane of a block at once."""

import math

import numpy as np

from numepi.kernels import fastmath
from numepi.kernels.compile import block_function

__all__ = ["Constants", "compiled", "expression", "named", "phase_source"]

_EXPRESSIONS = {
    "neg": "-{0}", "add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} * {1}", "div": "{0} / {1}",
    "less": "{0} < {1}", "less_equal": "{0} <= {1}", "equal": "{0} == {1}", "and": "{0} & {1}", "or": "{0} | {1}",
    "not": "{0} == False", "where": "({1} if {0} else {2})", "stop": "{0}", "graze": "{0}", "abs": "abs({0})",
    "exp": "exp({0})", "log": "log({0})", "tanh": "tanh({0})", "sigmoid": "sigmoid({0})", "cosh": "cosh({0})",
    "sqrt": "math.sqrt({0})", "floor": "np.floor({0})", "finite": "({0} - {0}) == ({0} - {0})",
    # NaN in either argument is kept
    "maximum": "({1} if ({0} < {1}) | ({1} != {1}) else {0})",
    "minimum": "({1} if ({1} < {0}) | ({1} != {1}) else {0})",
}  # fmt: skip
_NO_NAN = {"maximum": "({1} if {0} < {1} else {0})", "minimum": "({1} if {1} < {0} else {0})"}
_NAMESPACE = {
    "math": math, "np": np, "exp": fastmath.exp, "log": fastmath.log, "tanh": fastmath.tanh,
    "sigmoid": fastmath.sigmoid, "cosh": fastmath.cosh, "sincos_turns": fastmath.sincos_turns,
}  # fmt: skip
_PER_TURN = 1 / (2 * math.pi)


class Constants:
    """The numbers of a program: an array that its functions read, so that another number needs no new code."""

    def __init__(self):
        self.values, self._place = [], {}

    def place(self, value):
        """Where a number is kept."""
        key = repr(float(value))
        if key not in self._place:
            self._place[key] = len(self.values)
            self.values.append(float(value))
        return self._place[key]

    def block(self, values):
        """Where an array begins that is kept as it is, for loops."""
        values = np.ravel(values)
        key = values.tobytes()
        if key not in self._place:
            self._place[key] = len(self.values)
            self.values += values.tolist()
        return self._place[key]


def expression(graph, i, names, number):
    """Text of an elementwise operation on variables; ``number(value)`` names a constant that it needs."""
    op, args, _, _ = graph.nodes[i]
    if op in ("sin", "cos"):
        return f"sincos_turns({names[0]} * {number(_PER_TURN)})[{0 if op == 'sin' else 1}]"
    if op in _NO_NAN and graph.value(args[1]) is not None:
        return _NO_NAN[op].format(*names)
    return _EXPRESSIONS[op].format(*names)


class Writer:
    """Lines of one function.

    Parameters
    ----------
    graph : Graph
        Of scalars.
    constants : Constants
    row_of : callable
        ``row_of(kind, key)`` -> row of the buffer that holds an input.
    n_drive, lanes : int
    """

    def __init__(self, graph, constants, row_of, n_drive, lanes):
        self.graph, self.constants, self.row_of, self.lanes = graph, constants, row_of, lanes
        self.n_drive = n_drive
        self.head, self.body, self._known = {}, [], {}

    def name(self, i):
        """The variable of a node; constants and drives are read before the loop over lanes."""
        op, _, attr, _ = self.graph.nodes[i]
        if op == "constant":
            return self._number(attr)
        if op == "input" and attr[0] == "drive":
            self.head[f"d{attr[1]}"] = f"drive[t * {self.n_drive} + {attr[1]}]"
            return f"d{attr[1]}"
        return f"v{i}"

    def _number(self, value):
        place = self.constants.place(value)
        self.head[f"k{place}"] = f"c[{place}]"
        return f"k{place}"

    def line(self, i):
        """Write the line of a node, if it needs one."""
        op, args, attr, _ = self.graph.nodes[i]
        if op == "constant" or (op == "input" and attr[0] == "drive"):
            return
        if op == "input":
            self.body.append(f"v{i} = buffer[{self.row_of(*attr) * self.lanes} + lane]")
            return
        text = expression(self.graph, i, [self.name(a) for a in args], self._number)
        self.body.append(f"v{i} = {text}")

    def store(self, row, i):
        """Write a node into a row."""
        self.body.append(f"buffer[{row * self.lanes} + lane] = {self.name(i)}")

    def source(self, name, arguments):
        """The function's text."""
        lines = [f"def {name}({arguments}):"]
        lines += [f"    {variable} = {text}" for variable, text in self.head.items()]
        if self.body:
            lines += [f"    for lane in range({self.lanes}):"] + [f"        {line}" for line in self.body]
        return "\n".join(lines if len(lines) > 1 else [*lines, "    pass"]) + "\n"


def phase_source(name, graph, values, directions, constants, row_of, n_drive, lanes):
    """Source of ``name(buffer, t, drive, c)``: values, and their derivatives in each direction, in one loop over lanes.

    Parameters
    ----------
    name : str
    graph : Graph
    values : list of (row, node)
    directions : list of lists of (row, node)
        Derivatives by each parameter.
    constants : Constants
    row_of : callable
    n_drive, lanes : int
    """
    writer = Writer(graph, constants, row_of, n_drive, lanes)
    done = set()

    def write(nodes, kinds):
        for i in graph.live(nodes):
            node = graph.nodes[i]
            if i not in done and (node.op != "input" or node.attr[0] in kinds):
                done.add(i)
                writer.line(i)

    # values stay in variables until the end: derivatives read the rows as they were
    write([i for _, i in values], ("value", "z", "task", "noise"))
    everything = [i for direction in directions for _, i in direction]
    for i in graph.live(everything):  # rows that only derivatives read
        if graph.nodes[i].op == "input" and graph.nodes[i].attr[0] in ("value", "z", "task", "noise"):
            write([i], ("value", "z", "task", "noise"))
    for direction in directions:
        write([i for _, i in direction], ("tangent",))
        for row, i in direction:
            writer.store(row, i)
    for row, i in values:
        writer.store(row, i)
    return writer.source(name, "buffer, t, drive, c")


def compiled(source, name):
    """The functions of a source as `block_function`s, by name."""
    namespace = _NAMESPACE | {"__name__": __name__}
    exec(compile(source, f"<numepi.Dynamics {name}>", "exec"), namespace)
    return {key: block_function(named(namespace[key], name)) for key in ("start", "advance", "observe", "finish")}


def named(function, name):
    """The function under a name that no other program's has: kernels cached by several processes share one linker."""
    function.__name__ = function.__qualname__ = f"{function.__name__}_{name}"
    return function
