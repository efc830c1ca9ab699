"""Take vectors apart into scalars, where that is worth it."""

import math

import numpy as np

from numepi.circuits.dynamics.graph import TIME, Graph

__all__ = ["LONGEST", "partial_form", "scalar_form"]

# Vectors of more elements become loops, where a model is not small enough to be unrolled altogether.
LONGEST = 12


def scalar_form(source, outputs, input_element, time_element=None):
    """A graph of scalars alone that computes the same.

    Parameters
    ----------
    source : Graph
    outputs : sequence of int
    input_element : callable
        ``input_element(graph, kind, key, position)`` -> node of one element of an input.
    time_element : callable, optional
        ``time_element(graph, node, position)`` -> node of one element of an expression of time, where there are any.

    Returns
    -------
    graph : Graph
    outputs : list of int
        The elements of all outputs in turn.
    """
    graph, known = Graph(), {}
    for i in source.live(outputs):
        if time_element is not None and source.level[i] == TIME:
            known[i] = [time_element(graph, i, position) for position in range(math.prod(source.shape(i)))]
        else:
            known[i] = _elements(source, i, graph, known, input_element)
    return graph, [element for i in outputs for element in known[i]]


def partial_form(source, outputs, input_element, input_whole):
    """As `scalar_form`, but vectors of more than `LONGEST` elements stay whole.

    Returns the graph and, for each output, its node, or a list of its elements where it is short.

    ``input_whole(graph, kind, key, shape)`` -> node of a long input.
    """
    graph, known = Graph(), _Known(source)
    for i in source.live(outputs):
        op, args, attr, shape = source.nodes[i]
        short = math.prod(shape) <= LONGEST and all(math.prod(source.shape(a)) <= LONGEST for a in args)
        if short:
            known.elements[i] = _elements(source, i, graph, known.of(graph), input_element)
        elif op == "input":
            known.whole[i] = input_whole(graph, *attr, shape)
        elif op == "constant":
            known.whole[i] = graph.constant(source.value(i))
        else:
            parts = [known.as_whole(graph, a) for a in args]
            known.whole[i] = _whole(graph, source, i, parts)
    return graph, [
        known.whole[i] if math.prod(source.shape(i)) > LONGEST else known.as_elements(graph, i) for i in outputs
    ]


class _Known:
    """What has been made of a source graph's nodes: elements or wholes, each from the other where it is asked for."""

    def __init__(self, source):
        self.source, self.elements, self.whole = source, {}, {}

    def of(self, graph):
        """Elements by node."""
        return _Lookup(lambda i: self.as_elements(graph, i))

    def as_elements(self, graph, i):
        """Nodes of all elements."""
        if i not in self.elements:
            size = math.prod(self.source.shape(i))
            self.elements[i] = [graph.gather(self.whole[i], np.array(p)) for p in range(size)]
        return self.elements[i]

    def as_whole(self, graph, i):
        """The node itself."""
        if i not in self.whole:
            shape, elements = self.source.shape(i), self.elements[i]
            self.whole[i] = elements[0] if shape == () else graph.concat(elements, shape)
        return self.whole[i]


class _Lookup:
    def __init__(self, get):
        self.get = get

    def __getitem__(self, i):
        return self.get(i)


def _whole(graph, source, i, parts):
    op, _, attr, shape = source.nodes[i]
    if op == "gather":
        return graph.gather(parts[0], source.index_of(i))
    if op == "concat":
        return graph.concat(parts, shape)
    if op == "sum":
        return graph.sum(parts[0], attr)
    return graph.matmul(*parts) if op == "matmul" else graph.apply(op, *parts)


def _elements(source, i, graph, known, input_element):
    """Nodes of the elements of a node, in order."""
    op, args, attr, shape = source.nodes[i]
    size = math.prod(shape)
    if op == "constant":
        return [graph.constant(v) for v in np.ravel(source.value(i))]
    if op == "input":
        return [input_element(graph, *attr, position) for position in range(size)]
    if op == "gather":
        return [known[args[0]][p] for p in source.index_of(i).ravel()]
    if op == "concat":
        return [element for a in args for element in known[a]]
    if op == "sum":
        positions = np.arange(math.prod(source.shape(args[0]))).reshape(source.shape(args[0]))
        groups = positions.reshape(1, -1) if attr is None else np.moveaxis(positions, attr, -1).reshape(size, -1)
        return [_total(graph, [known[args[0]][p] for p in group]) for group in groups]
    if op == "matmul":
        rows, columns = (np.arange(math.prod(source.shape(a))).reshape(source.shape(a)) for a in args)
        rows = rows.reshape(-1, rows.shape[-1])
        columns = columns.reshape(columns.shape[0], -1).T
        return [
            _total(graph, [graph.apply("mul", known[args[0]][p], known[args[1]][q]) for p, q in zip(row, column)])
            for row in rows
            for column in columns
        ]
    parts = [known[a] * size if source.shape(a) == () else known[a] for a in args]
    return [graph.apply(op, *elements) for elements in zip(*parts)]


def _total(graph, elements):
    total = elements[0]
    for element in elements[1:]:
        total = graph.apply("add", total, element)
    return total
