"""Source of a program's functions with loops: over the elements of long vectors, and over directions.

For models too large to be unrolled.  A phase becomes loops, each over the elements of vectors of one length (1 for
scalars) and over lanes; a value that leaves its loop has rows of its own in the block's buffer.  Derivatives are
written once, for any direction, and run for each parameter: what they take from the values is computed before, once.
"""

import math
from itertools import groupby

import numpy as np

from numepi.circuits.dynamics.code import expression, variable
from numepi.circuits.dynamics.layout import DRIVES

__all__ = ["LoopWriter"]

_DIRECTION_INPUTS = ("tangent", "seed")


class LoopWriter:
    """Writes one phase.

    Parameters
    ----------
    phase : str
    graph : Graph
    constants : Constants
    row_of : callable
        ``row_of(kind, key)`` -> text of the first row of an input, for "value", "z", "task", "noise" and "tangent"
        (which may use ``p``, the direction).
    drive : DriveLayout
    lanes, dim : int
    work : int
        The first free row of the buffer.
    """

    def __init__(self, phase, graph, constants, row_of, drive, lanes, dim, work):
        self.phase, self.graph, self.constants, self.row_of = phase, graph, constants, row_of
        self.drive, self.lanes, self.dim, self.work = drive, lanes, dim, work
        self.rows, self.lines = {}, []

    def lane_count(self):
        """Text of the number of lanes, which is counted at run time.

        The compiler would unroll a short loop of known length into scalars before it makes vectors (a ring of 64 units:
        asv class `LoopsOverLanes`); of a multiple of the lanes it knows that no lane is left over.
        """
        return f"{self.lanes} * int(c[{self.constants.place(1.0)}])" if self.lanes > 1 else "1"

    def size(self, i):
        """Elements of a node."""
        return math.prod(self.graph.shape(i))

    def write(self, values, tangents):
        """The phase's lines.

        Parameters
        ----------
        values : list of (row, node)
            Where values go.
        tangents : list of (text, node)
            Where derivatives go: text of the first row, which may use ``p``.
        """
        moving = self._moving([i for _, i in tangents])
        nodes = self.graph.live([i for _, i in values] + [i for _, i in tangents])
        primal, directed = [i for i in nodes if i not in moving], [i for i in nodes if i in moving]
        wanted = {i for _, i in values} | {i for _, i in tangents}
        loops = self._schedule(primal, wanted | {a for i in directed for a in self.graph.nodes[i].args})
        self._write(loops, 0)
        if tangents:
            self.lines.append(f"for p in range({self.dim}):")
            loops = self._schedule(directed, wanted)
            self._write(loops, 1)
            self._copy(self._apart(tangents, 1), 1)
        self._copy(self._apart(values, 0), 0)
        return self.lines

    def _apart(self, outputs, depth):
        """Outputs that change; those that are carried values themselves are copied, before another overwrites them."""
        changed = []
        for row, i in outputs:
            op, _, attr, _ = self.graph.nodes[i]
            if op == "input" and attr[0] in ("value", "tangent") and i not in self.rows:
                if self.row_of(*attr) == row:
                    continue
                self._copy([(self.work, i)], depth)
                self.rows[i] = self.work
                self.work += self.size(i)
            changed.append((row, i))
        return changed

    def _moving(self, tangents):
        moving = set()
        for i in self.graph.live(tangents):
            node = self.graph.nodes[i]
            if any(a in moving for a in node.args) or (node.op == "input" and node.attr[0] in _DIRECTION_INPUTS):
                moving.add(i)
        return moving

    # -- which nodes share a loop
    def _schedule(self, nodes, wanted):
        """Loops, lists of nodes; nodes that others need get rows."""
        pending = [i for i in nodes if self.graph.nodes[i].op not in ("constant", "input")]
        done, loops = set(self._known(nodes)), []
        while pending:
            ready = [i for i in pending if all(a in done for a in self.graph.nodes[i].args)]
            first = ready[0]
            loop, inside = [first], {first}
            if self._is_fused(first):
                for i in pending:
                    alike = i != first and self.size(i) == self.size(first) and self._is_fused(i)
                    if alike and all(
                        a in done or (a in inside and self._reads_in_place(i)) for a in self.graph.nodes[i].args
                    ):
                        loop.append(i)
                        inside.add(i)
            done |= inside
            pending = [i for i in pending if i not in inside]
            loops.append(loop)
        place = {i: k for k, loop in enumerate(loops) for i in loop}
        for i in nodes:
            if i not in place:
                continue
            users = [j for j in nodes if i in self.graph.nodes[j].args and j in place]
            outside = any(place[j] != place[i] for j in users)
            if i in wanted or outside or not self._is_fused(i):
                self.rows[i] = self.work
                self.work += self.size(i)
        return loops

    def _known(self, nodes):
        inside = set(nodes)
        outside = {a for i in nodes for a in self.graph.nodes[i].args if a not in inside}
        return outside | {i for i in nodes if self.graph.nodes[i].op in ("constant", "input")}

    def _is_fused(self, i):
        return self.graph.nodes[i].op not in ("concat", "sum", "matmul")

    def _reads_in_place(self, i):
        """Whether element k of a node takes element k of its arguments."""
        return self.graph.nodes[i].op != "gather"

    # -- text
    def _element(self, i, index, local, head):
        """Text of element ``index`` (text; "0" for scalars) of a node; ``head`` takes what is read before the lanes."""
        op, _, attr, _ = self.graph.nodes[i]
        index = "0" if self.size(i) == 1 else index
        if i in local:
            return variable(self.phase, i)
        if op == "constant":
            number = self.graph.uniform(i)
            if number is not None:
                return self._before(head, f"c[{self.constants.place(number)}]")
            return self._before(head, f"c[{self.constants.block(self.graph.value(i))} + {index}]")
        if op == "input" and attr[0] in DRIVES:
            return self._before(head, self.drive.text(attr[0], f"{attr[1]} + {index}"))
        if op == "input" and attr[0] == "seed":
            identity = self.constants.block(np.eye(self.dim))
            return self._before(head, f"c[{identity} + p * {self.dim} + {attr[1]} + {index}]")
        row = self.rows[i] if i in self.rows else self.row_of(*attr)
        return f"buffer[({row} + {index}) * {self.lanes} + lane]"

    def _before(self, head, text):
        return head.setdefault(text, f"k{len(head)}")

    def _write(self, loops, depth):
        for loop in loops:
            writer = {"concat": self._concat, "sum": self._sum, "matmul": self._matmul}.get(
                self.graph.nodes[loop[0]].op
            )
            if writer is not None:
                writer(loop[0], depth)
            else:
                self._elementwise(loop, depth)

    def _loop(self, depth, counters, head, body):
        """Nested loops over counters (name, number), then over lanes."""
        for name, count in counters:
            if count > 1:
                self.lines.append("    " * depth + f"for {name} in range({count}):")
                depth += 1
        self.lines += ["    " * depth + f"{variable} = {text}" for text, variable in head.items()]
        self.lines.append("    " * depth + f"for lane in range({self.lane_count()}):")
        self.lines += ["    " * (depth + 1) + line for line in body]

    def _elementwise(self, loop, depth):
        head, body, local = {}, [], set()
        for i in loop:
            op, args, _, _ = self.graph.nodes[i]
            if op == "gather":
                text = self._element(args[0], self._gathered(i, head), local, head)
            else:
                names = [self._element(a, "i", local, head) for a in args]
                text = expression(
                    self.graph, i, names, lambda value: self._before(head, f"c[{self.constants.place(value)}]")
                )
            name = variable(self.phase, i)
            body.append(f"{name} = {text}")
            local.add(i)
            if i in self.rows:
                index = "i" if self.size(i) > 1 else "0"
                body.append(f"buffer[({self.rows[i]} + {index}) * {self.lanes} + lane] = {name}")
        self._loop(depth, [("i", self.size(loop[0]))], head, body)

    def _gathered(self, i, head):
        """Text of the position that element ``i`` of a gather node takes."""
        index = self.graph.index_of(i).ravel()
        if index.size == 1:
            return str(index[0])
        steps = np.diff(index)
        if (steps == steps[0]).all():
            return f"{index[0]} + {steps[0]} * i" if steps[0] else str(index[0])
        return self._before(head, f"int(c[{self.constants.block(index.astype(float))} + i])")

    def _copy(self, pairs, depth):
        for size, alike in groupby(pairs, lambda pair: self.size(pair[1])):  # in one loop, in their order
            head, index = {}, "i" if size > 1 else "0"
            body = []
            for row, i in alike:
                text = self._element(i, "i", (), head)
                body.append(f"buffer[({row} + {index}) * {self.lanes} + lane] = {text}")
            self._loop(depth, [("i", size)], head, body)

    def _concat(self, i, depth):
        at = self.rows[i]
        for part in self.graph.nodes[i].args:
            self._copy([(at, part)], depth)
            at += self.size(part)

    def _clear(self, i, depth):
        head = {}
        zero = self._before(head, f"c[{self.constants.place(0.0)}]")
        self._loop(
            depth, [("i", self.size(i))], head, [f"buffer[({self.rows[i]} + i) * {self.lanes} + lane] = {zero}"]
            if self.size(i) > 1 else [f"buffer[{self.rows[i] * self.lanes} + lane] = {zero}"],
        )  # fmt: skip

    def _sum(self, i, depth):
        _, (source,), axis, _ = self.graph.nodes[i]
        shape = self.graph.shape(source)
        if axis is None:
            outer, count, inner = 1, math.prod(shape), 1
        else:
            outer, count, inner = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
        self._clear(i, depth)
        i_text, k_text = ("i" if outer > 1 else "0"), ("k" if inner > 1 else "0")
        r_text = "r" if count > 1 else "0"
        head = {}
        text = self._element(source, f"({i_text} * {count} + {r_text}) * {inner} + {k_text}", (), head)
        target = f"buffer[({self.rows[i]} + {i_text} * {inner} + {k_text}) * {self.lanes} + lane]"
        self._loop(depth, [("i", outer), ("r", count), ("k", inner)], head, [f"{target} += {text}"])

    def _matmul(self, i, depth):
        left, right = self.graph.nodes[i].args
        shapes = self.graph.shape(left), self.graph.shape(right)
        rows, count = (1, *shapes[0])[-2:]
        columns = shapes[1][1] if len(shapes[1]) == 2 else 1
        self._clear(i, depth)
        at = 0
        while at < count:  # four products for each load and store of the sum
            width = 4 if count - at >= 4 else 1
            repeats = (count - at) // width
            head, terms = {}, []
            i_text, j_text, r_text = (
                ("i" if rows > 1 else "0"),
                ("j" if columns > 1 else "0"),
                ("r" if repeats > 1 else "0"),
            )
            for k in range(width):
                place = f"({r_text} * {width} + {at + k})"
                a = self._element(left, f"{i_text} * {count} + {place}", (), head)
                b = self._element(right, f"{place} * {columns} + {j_text}", (), head)
                terms.append(f"{a} * {b}")
            target = f"buffer[({self.rows[i]} + {i_text} * {columns} + {j_text}) * {self.lanes} + lane]"
            body = [f"{target} += {' + '.join(terms)}"]
            self._loop(depth, [("i", rows), ("j", columns), ("r", repeats)], head, body)
            at += width * repeats
