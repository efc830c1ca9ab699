"""Programs with loops: over the elements of long vectors, and over directions."""

import math

from numepi.circuits.dynamics.code import source_of
from numepi.circuits.dynamics.layout import first_rows, keeping, layout_of, sizes
from numepi.circuits.dynamics.linear import Linearisation
from numepi.circuits.dynamics.loops import LoopWriter
from numepi.circuits.dynamics.lower import partial_form
from numepi.circuits.dynamics.rules import derivative

__all__ = ["looped"]


def looped(build, with_tangents, lanes, constants):
    """The source of all phases and its layout; derivatives are written once, for any direction."""
    dim, n_statistics = len(build.parameter_elements), sizes(build)[0]
    phases = {phase: _partial(build, phase) for phase in build.graphs}
    active = _active(build, phases) if with_tangents else []
    place = {}  # of each element of a carried value, among those that have derivatives
    for name in active:
        for k in range(math.prod(build.shapes[name])):
            place[build.place[name] + k] = len(place)
    layout = layout_of(build, dim * len(place), with_tangents)
    tangents, starts, work = layout.values + build.n_values, first_rows(layout), layout.size

    def row_of(kind, key):
        return f"{tangents} + p * {len(place)} + {place[key]}" if kind == "tangent" else starts[kind] + key

    lines, most = {}, 0
    for phase, (graph, outputs) in phases.items():
        first = layout.results if phase == "finish" else layout.values
        values = [(first + key, node) for key, node in outputs]
        directed = []
        if with_tangents:
            for key, node in _tangents(build, phase, graph, outputs, place):
                row = f"{layout.results + n_statistics} + p" if phase == "finish" else row_of("tangent", key)
                directed.append((row + (f" + {key * dim}" if phase == "finish" else ""), node))
        if phase == "finish" and with_tangents:  # one row for each direction: no vector is written at once
            values, directed = _by_element(graph, values), _by_element(graph, directed, dim)
        writer = LoopWriter(phase, graph, constants, row_of, build.drive_layout, lanes, dim, work)
        lines[phase] = writer.write(values, directed)
        most = max(most, writer.work - work)
    rows = {(p, key): tangents + p * len(place) + q for p in range(dim) for key, q in place.items()}
    lines["observe"] += keeping(build, layout, rows, with_tangents, lanes)
    return source_of(lines, len(build.stages)), layout._replace(size=layout.size + most)


def _partial(build, phase):
    """A phase's graph with long vectors whole, and its outputs, long vectors or elements: (first place, node)."""
    source, outputs = build.graphs[phase]
    names = list(outputs) if phase == "finish" else [name for name in outputs if name in build.place]
    graph, nodes = partial_form(source, [outputs[name] for name in names], build.element, build.whole)
    pairs, at = [], 0
    for name, made in zip(names, nodes):
        first = at if phase == "finish" else build.place[name]
        at += math.prod(source.shape(outputs[name]))
        pairs += [(first + k, node) for k, node in enumerate(made)] if isinstance(made, list) else [(first, made)]
    return graph, pairs


def _moving_inputs(build, graph, names):
    """Inputs that have a derivative: node -> ("seed", parameter) or ("tangent", place)."""
    spans = [(build.place[name], math.prod(build.shapes[name])) for name in names]
    found = {}
    for i, node in enumerate(graph.nodes):
        if node.op == "input" and node.attr[0] == "z":
            found[i] = "seed", node.attr[1]
        elif node.op == "input" and node.attr[0] == "value" and any(a <= node.attr[1] < a + n for a, n in spans):
            found[i] = "tangent", node.attr[1]
    return found


def _active(build, phases):
    """Names of the carried values that depend on a parameter, directly or through others."""
    active = set()
    while True:
        new = set(active)
        for phase in phases.keys() - {"finish"}:
            graph, outputs = phases[phase]
            moving = set(_moving_inputs(build, graph, active))
            for key, node in outputs:
                if moving & set(graph.live([node])):
                    new |= {n for n, first in build.place.items() if first <= key < first + math.prod(build.shapes[n])}
        if new == active:
            return [name for name in build.needed if name in active]
        active = new


def _tangents(build, phase, graph, outputs, place):
    """(place, node) of the derivatives in any direction."""
    moving = _moving_inputs(build, graph, [name for name, first in build.place.items() if first in place])
    shapes = {i: graph.shape(i) for i in moving}
    nodes = [node for _, node in outputs]
    if all(graph.shape(i) == () for i in graph.live(nodes)):
        linear = Linearisation(graph, nodes, set(moving))
        seeds = {i: graph.input(*attr) for i, attr in moving.items()}
        known = {}
        found = [linear.tangent(node, seeds, known) for node in nodes]
    else:
        seeds = {i: graph.input(*attr, shapes[i]) for i, attr in moving.items()}
        found = derivative(graph, nodes, seeds)
    pairs = []
    for (key, node), tangent in zip(outputs, found):
        if phase == "finish" or key in place:
            zero = graph.broadcast(graph.constant(0.0), graph.shape(node))
            pairs.append((key, zero if tangent is None else tangent))
    return pairs


def _by_element(graph, pairs, stride=1):
    """Every element of vectors on its own: rows that are ``stride`` apart."""
    elements = []
    for row, node in pairs:
        count = math.prod(graph.shape(node))
        for k in range(count):
            place = f"{row} + {k * stride}" if isinstance(row, str) else row + k * stride
            elements.append((place, graph.gather(node, k) if graph.shape(node) else node))
    return elements
