"""A model's functions where its methods and observers need them: put into a graph, at a place of a step."""

import numpy as np

from numepi.circuits.dynamics.graph import TIME, Graph
from numepi.circuits.dynamics.lower import scalar_form
from numepi.circuits.dynamics.rules import derivative
from numepi.circuits.dynamics.template import Template, put
from numepi.circuits.dynamics.traced import node_of, wrap

__all__ = ["DriveRows", "TracedField", "own_rates", "slope_of"]


class DriveRows:
    """Expressions of time that a simulation reads, and the rows that hold them: (template, node, part of the step).

    ``kind`` is that of the inputs: "drive", or "stage" for what has a value at each stage of a step.
    """

    def __init__(self, kind="drive"):
        self.kind, self.entries, self.first, self.size = kind, [], {}, 0

    def value(self, graph, template, node, part):
        """The traced value of an expression at 0, 1/2 or 1 of the step."""
        shape = template.graph.shape(node)
        key = id(template.graph), node, part
        if key not in self.first:
            self.first[key] = self.size
            self.entries.append((template, node, part))
            self.size += int(np.prod(shape))
        return wrap(graph, graph.input(self.kind, self.first[key], shape))


class TracedField:
    """The functions of a model in one graph.

    Parameters
    ----------
    model : Model
        Whose templates are put.
    graph : Graph
    parameters : dict
        Traced values of parameters and of the constants of tasks.
    rows : DriveRows
    """

    def __init__(self, model, graph, parameters, rows):
        self.model, self.graph, self.parameters, self.rows = model, graph, parameters, rows

    def call(self, template, x, clock, **more):
        """Results by name; ``more`` gives inputs of other kinds: dicts by name."""
        kinds = {"state": x, "parameter": self.parameters, **more}

        def bind(kind, key):
            if kind == "element":  # of a flattened input: (kind, name, position)
                kind, name, position = key
                source = self._drive(*name, clock) if kind == "drive" else kinds[kind][name]
                return np.ravel(source)[position] if np.ndim(source) else source
            if kind == "time rate":
                return self._drive_rate(*key, clock)
            return kinds[kind][key]

        return put(template, self.graph, bind, lambda own, node: self._drive(own, node, clock))

    def _drive(self, template, node, clock):
        if isinstance(clock.fraction, (int, float)) or np.ndim(clock.fraction):
            part = clock.fraction if isinstance(clock.fraction, (int, float)) else 0.0
            return self.rows.value(self.graph, template, node, float(part))
        start, end = (self.rows.value(self.graph, template, node, part) for part in (0.0, 1.0))
        q = clock.fraction
        if self.model.method not in ("rk4", "heun"):
            return start + q * (end - start)
        middle = self.rows.value(self.graph, template, node, 0.5)
        return start + q * ((4.0 * middle - 3.0 * start - end) + q * (2.0 * (start + end) - 4.0 * middle))

    def _drive_rate(self, template, node, clock):
        """Change of an expression of time per unit of time."""
        start, middle, end = (self.rows.value(self.graph, template, node, part) for part in (0.0, 0.5, 1.0))
        change = (4.0 * middle - 3.0 * start - end) + clock.fraction * 2.0 * (2.0 * (start + end) - 4.0 * middle)
        return change * (1.0 / self.model.dt)

    def advance(self, x, segment):
        """The states at a segment's end, by the model's method."""
        return self.model.advance(self, x, segment)

    def drift(self, x, clock):
        """Derivatives by name."""
        return self.call(self.model.templates["drift"], x, clock)

    def own_rates(self, x, clock):
        """Derivative of each state's drift by the state itself."""
        return self.call(self.model.templates["own rates"], x, clock)

    def noise(self, x, clock):
        """Amplitudes of each noisy state: a list by name."""
        if "noise" not in self.model.templates:
            return {}
        values = self.call(self.model.templates["noise"], x, clock)
        amplitudes = {}
        for (name, _), value in values.items():
            amplitudes.setdefault(name, []).append(value)
        return amplitudes

    def step(self, x, clock, draws):
        """The next state of a map."""
        return self.call(self.model.templates["step"], x, clock, normal=draws)

    def value(self, template, x, clock):
        """The result of a function of (x, z, t)."""
        return self.call(template, x, clock)[""]

    def slope(self, template, x, clock, rates):
        """Its change per unit of time, where states change at ``rates``."""
        return self.call(self.model.slopes(template), x, clock, rate=rates)[""]

    def stop(self, value):
        """The value without its derivative."""
        return wrap(self.graph, self.graph.apply("stop", self._node(value)))

    def graze(self, value, condition):
        """The value, with a derivative of NaN where the condition holds."""
        return wrap(self.graph, self.graph.apply("graze", self._node(value), self._node(condition)))

    def _node(self, value):
        return node_of(self.graph, value)


def slope_of(template):
    """The template of a function's change per unit of time; its further inputs are ("rate", state)."""
    graph = _copy(template.graph)
    seeds = {}
    outputs = list(template.outputs.values())
    for i in graph.live(outputs):
        node = graph.nodes[i]
        if node.op == "input" and node.attr[0] == "state":
            seeds[i] = graph.input("rate", node.attr[1], node.shape)
        elif graph.level[i] == TIME:
            seeds[i] = graph.input("time rate", (template, i), node.shape)
    (slope,) = derivative(graph, outputs, seeds)
    return Template(graph, {"": graph.broadcast(graph.constant(0.0) if slope is None else slope, template.shape())})


def _copy(graph):
    copy = Graph()
    copy.nodes, copy.level, copy._index = list(graph.nodes), list(graph.level), dict(graph._index)
    return copy


def own_rates(template):
    """The template of d drift_i / d state_i for each element of each state.

    Raises
    ------
    ValueError
        If a state's drift is not linear in that state: the method has no exact solution there.
    """
    source, names = template.graph, list(template.outputs)

    def element(graph, kind, key, position):
        return graph.input("element", (kind, key, position))

    def time_expression(graph, node, position):
        return graph.input("element", ("drive", (template, node), position))

    graph, elements = scalar_form(source, list(template.outputs.values()), element, time_expression)
    outputs, at = {}, 0
    for name in names:
        shape = template.shape(name)
        own = []
        for position in range(int(np.prod(shape))):
            state = graph.input("element", ("state", name, position))
            (rate,) = derivative(graph, [elements[at]], {state: graph.constant(1.0)})
            rate = graph.constant(0.0) if rate is None else rate
            if state in graph.live([rate]):
                label = name + (f"[{position}]" if shape else "")
                raise ValueError(
                    f"method = 'exponential-euler': the drift of {label} is not linear in {label} itself, so there is "
                    "no exact solution to follow; use 'rk4', or 'euler' with noise"
                )
            own.append(rate)
            at += 1
        outputs[name] = graph.concat(own, shape) if shape else own[0]
    return Template(graph, outputs)
