"""Source of a program's functions: one operation a line, for every lane of a block at once."""

import math

import numpy as np
from numba import types
from numba.extending import intrinsic

from numepi.circuits.dynamics.layout import DRIVES, FUNCTIONS
from numepi.kernels import fastmath
from numepi.kernels.compile import scalar

__all__ = ["Constants", "compiled", "expression", "named", "phase_lines", "source_of", "variable"]


def _select(context, builder, signature, arguments):
    return builder.select(*arguments)


@intrinsic
def select(typing_context, condition, a, b):
    """One of two values, by an instruction.

    Python's ``a if condition else b`` is a branch: numba's time goes as the square of their number (integrate-and-fire
    with seven statistics, value and Jacobian: 18 seconds with branches, 9 without).
    """
    kind = typing_context.unify_types(a, b)
    return kind(types.boolean, kind, kind), _select


_EXPRESSIONS = {
    "neg": "-{0}", "add": "{0} + {1}", "sub": "{0} - {1}", "mul": "{0} * {1}", "div": "{0} / {1}",
    "less": "{0} < {1}", "less_equal": "{0} <= {1}", "equal": "{0} == {1}", "and": "{0} & {1}", "or": "{0} | {1}",
    "not": "{0} == False", "where": "select({0}, {1}, {2})", "stop": "{0}", "graze": "{0}", "abs": "abs({0})",
    "exp": "exp({0})", "log": "log({0})", "tanh": "tanh({0})", "sigmoid": "sigmoid({0})", "cosh": "cosh({0})",
    "sqrt": "math.sqrt({0})", "floor": "np.floor({0})", "finite": "({0} - {0}) == ({0} - {0})",
    # NaN in either argument is kept
    "maximum": "select(({0} < {1}) | ({1} != {1}), {1}, {0})",
    "minimum": "select(({1} < {0}) | ({1} != {1}), {1}, {0})",
}  # fmt: skip
_NO_NAN = {"maximum": "select({0} < {1}, {1}, {0})", "minimum": "select({1} < {0}, {1}, {0})"}
_NAMESPACE = {
    "math": math, "np": np, "exp": fastmath.exp, "log": fastmath.log, "tanh": fastmath.tanh,
    "select": select, "sigmoid": fastmath.sigmoid, "cosh": fastmath.cosh, "sincos_turns": fastmath.sincos_turns,
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


def variable(phase, i):
    """Name of a node's variable; a stage shares a function with its step, where a name has one type."""
    return f"{'w' if phase == 'stage' else 'v'}{i}"


def source_of(lines, n_stages):
    """Text of a program's functions from the lines of all phases, by phase."""
    text = ""
    for name, phases in FUNCTIONS.items():
        body = []
        for phase in phases:
            own = lines.get(phase, [])
            body += [f"for stage in range({n_stages}):", *indented(own)] if phase == "stage" and own else own
        text += "\n".join([f"def {name}(buffer, t, drive, c):", *indented(body or ["pass"])]) + "\n"
    return text


def indented(lines):
    """Lines one level further in."""
    return [f"    {line}" for line in lines]


class Writer:
    """Lines of one phase.

    Parameters
    ----------
    phase : str
    graph : Graph
        Of scalars.
    constants : Constants
    row_of : callable
        ``row_of(kind, key)`` -> row of the buffer that holds an input.
    drive : DriveLayout
    lanes : int
    """

    def __init__(self, phase, graph, constants, row_of, drive, lanes):
        self.phase, self.graph, self.constants, self.row_of, self.lanes = phase, graph, constants, row_of, lanes
        self.drive = drive
        self.head, self.body, self._known = {}, [], {}

    def name(self, i):
        """The variable of a node; constants and drives are read before the loop over lanes."""
        op, _, attr, _ = self.graph.nodes[i]
        if op == "constant":
            return self._number(attr)
        if op == "input" and attr[0] in DRIVES:
            name = f"{attr[0][0]}{attr[1]}"
            self.head[name] = self.drive.text(*attr)
            return name
        return variable(self.phase, i)

    def _number(self, value):
        place = self.constants.place(value)
        self.head[f"k{place}"] = f"c[{place}]"
        return f"k{place}"

    def line(self, i):
        """Write the line of a node, if it needs one."""
        op, args, attr, _ = self.graph.nodes[i]
        if op == "constant" or (op == "input" and attr[0] in DRIVES):
            return
        if op == "input":
            text = f"buffer[{self.row_of(*attr) * self.lanes} + lane]"
        else:
            text = expression(self.graph, i, [self.name(a) for a in args], self._number)
        self.body.append(f"{variable(self.phase, i)} = {text}")

    def store(self, row, i):
        """Write a node into a row."""
        self.body.append(f"buffer[{row * self.lanes} + lane] = {self.name(i)}")

    def lines(self):
        """The phase's lines."""
        if not self.body:
            return []
        head = [f"{name} = {text}" for name, text in self.head.items()]
        return [*head, f"for lane in range({self.lanes}):", *indented(self.body)]


def phase_lines(phase, graph, values, directions, constants, row_of, drive, lanes):
    """Lines of a phase: values, and their derivatives in each direction, in one loop over lanes.

    Parameters
    ----------
    phase : str
    graph : Graph
    values : list of (row, node)
    directions : list of lists of (row, node)
        Derivatives by each parameter.
    constants : Constants
    row_of : callable
    drive : DriveLayout
    lanes : int
    """
    writer = Writer(phase, graph, constants, row_of, drive, lanes)
    done = set()

    def write(nodes, kinds):
        for i in graph.in_turn(nodes):
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
    return writer.lines()


def compiled(source, name):
    """The functions of a source, by name: each has one call in a kernel, and is inlined there.

    As a function of its own each would be in memory twice where its kernel has just been compiled, as itself and in the
    kernel, optimised apart; which one runs differs between that process and those that load the kernel from the cache,
    and so would the last bits.
    """
    namespace = _NAMESPACE | {"__name__": __name__}
    exec(compile(source, f"<numepi.Dynamics {name}>", "exec"), namespace)
    return {key: scalar(named(namespace[key], name)) for key in FUNCTIONS}


def named(function, name):
    """The function under a name that no other program's has: kernels cached by several processes share one linker."""
    function.__name__ = function.__qualname__ = f"{function.__name__}_{name}"
    return function
