"""A model as its author states it, checked and traced: everything that the compiled program is made from."""

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from numepi.circuits.dynamics.checks import unpack_states
from numepi.circuits.dynamics.description import restore
from numepi.circuits.dynamics.events import SLOTS, Event
from numepi.circuits.dynamics.fields import own_rates, slope_of
from numepi.circuits.dynamics.initial import Random
from numepi.circuits.dynamics.methods import METHODS, step_map
from numepi.circuits.dynamics.template import Names, Template, trace
from numepi.circuits.dynamics.time_expressions import time_input
from numepi.circuits.dynamics.traced import wrap

__all__ = ["Model", "TracedEvent", "element_names"]


def element_names(name, shape):
    """Names of the elements of a state, parameter or statistic."""
    return [name + (f"[{','.join(map(str, index))}]" if index else "") for index in np.ndindex(*shape)]


@dataclass(frozen=True)
class TracedEvent:
    """An `Event` with its functions traced.

    ``template`` crosses zero; ``level`` is the value that must lie above ``above`` at a peak; a ``sampled`` event is
    the greatest of three samples.
    """

    direction: int
    refractory: float
    above: float
    sampled: bool
    template: Template
    level: Template
    reset: Template

    @property
    def shape(self):
        """() or (units,)."""
        return (self.level if self.sampled else self.template).shape()


class Model:
    """Equations, events and numbers of a simulation, all functions traced.

    Attributes
    ----------
    states, parameters : dict
        Shapes by name.
    tasks : dict
        Constants by name, for each task by name.
    templates : dict
        "drift" (with "own rates") or "step", "noise", "initial".
    events : dict of TracedEvent
    randoms : dict
        Kinds ("uniform", "normal") and shapes of the random numbers behind initial values, by state.
    noises : dict
        Number of noises of each noisy state, by name.
    normals : dict
        Shapes of the normals of a map's step, by name.
    """

    def __init__(self, equations, states, parameters, tasks, events, method, dt, duration, observe_from, normals):
        self.method, self.dt, self.duration, self.observe_from = method, dt, duration, observe_from
        self.parameters = dict(parameters)
        self.tasks, self.normals = tasks, normals
        self.slope_cache = {}
        self.templates, self.randoms = {}, {}
        self.states = self._trace_initial(states)
        self.noises = {}
        for kind in ("drift", "step", "noise"):
            if equations.get(kind) is not None:
                self._trace_equation(kind, equations[kind])
        self._derive()
        self.events = {name: self._trace_event(name, event) for name, event in events.items()}

    def _derive(self):
        self.smooth = self.method in ("rk4", "heun") and not self.noises
        if self.method == "exponential-euler":
            self.templates["own rates"] = own_rates(self.templates["drift"])

    # -- numbers
    @property
    def steps(self):
        """Number of steps."""
        return round(self.duration / self.dt)

    @property
    def first_step(self):
        """Number of the first step in the window, counted from 0."""
        return int(np.ceil(self.observe_from / self.dt - 1e-6))

    @property
    def first_sample(self):
        """Number of the first sample in the window: the initial state, number 0, is none."""
        return max(1, self.first_step)

    @property
    def n_samples(self):
        """Samples in the window."""
        return self.steps + 1 - self.first_sample

    @property
    def resets(self):
        """Whether any event resets states."""
        return any(event.reset is not None for event in self.events.values())

    @property
    def advance(self):
        """The method: ``advance(field, x, segment)``."""
        return step_map if self.method == "map" else METHODS[self.method]

    def changed(self, **numbers):
        """The same model with another ``dt`` or ``observe_from``."""
        other = object.__new__(Model)
        vars(other).update(vars(self) | numbers)
        return other

    @cached_property
    def constants(self):
        """Names of the constants of tasks, with their shapes."""
        shapes = {}
        for values in self.tasks.values():
            shapes |= {name: np.shape(value) for name, value in values.items()}
        return shapes

    # -- tracing
    def arguments(self, graph, *kinds):
        """What a model function receives: "x", "z", "t", "xi"."""
        made = {
            "x": lambda: Names("state", {n: wrap(graph, graph.input("state", n, s)) for n, s in self.states.items()}),
            "z": lambda: Names(
                "parameter",
                {n: wrap(graph, graph.input("parameter", n, s)) for n, s in (self.parameters | self.constants).items()},
            ),
            "t": lambda: time_input(graph),
            "xi": lambda: Names(
                "normal", {n: wrap(graph, graph.input("normal", n, s)) for n, s in self.normals.items()}
            ),
        }
        return [made[kind]() for kind in kinds]

    def function(self, what, of):
        """The template of a name of a state or an element, or of a function (x, z, t)."""
        if callable(of):
            call = of
        else:
            call = self._named(what, of)
        return trace(what, call, lambda graph: self.arguments(graph, "x", "z", "t"), lambda result: {"": result})

    def _named(self, what, of):
        match = re.fullmatch(r"(\w+)(?:\[([\d, ]+)\])?", of) if isinstance(of, str) else None
        if match is None:
            raise ValueError(
                f"{what} is {of!r}: expected the name of a state, such as 'v' or 'r[0]', or a function (x, z, t)"
            )
        name, index = match[1], match[2]
        if name not in self.states:
            raise ValueError(f"{what}: there is no state {name!r}; the states are {', '.join(self.states)}")
        if index is None:
            return lambda x, z, t: x[name]
        place = tuple(int(i) for i in index.split(","))
        if len(place) != len(self.states[name]) or any(i >= n for i, n in zip(place, self.states[name])):
            raise ValueError(f"{what}: there is no element {of!r}; the state {name!r} has shape {self.states[name]}")
        return lambda x, z, t: x[name][place]

    def _trace_initial(self, states):
        shapes = {}
        for name, value in states.items():
            if isinstance(value, Random):
                self.randoms[name] = value.kind, value.shape

        def call(z, xi):
            values = {}
            for name, value in states.items():
                if isinstance(value, Random):
                    number = value.shift + value.scale * xi[name]
                    values[name] = number if value.of is None else value.of(number, z)
                else:
                    values[name] = value(z) if callable(value) else value
            return values

        def arguments(graph):
            (z,) = self.arguments(graph, "z")
            xi = {n: wrap(graph, graph.input("random", n, shape)) for n, (_, shape) in self.randoms.items()}
            return z, xi

        template = self.templates["initial"] = trace("initial value", call, arguments, lambda result: result)
        for name in states:
            shapes[name] = template.shape(name)
        return shapes

    def _trace_equation(self, kind, function):
        kinds = ("x", "z", "t", "xi") if kind == "step" else ("x", "z", "t")
        complete = kind != "noise"

        def unpack(result):
            values = unpack_states(kind, result, self.states, complete)
            if complete:
                return values
            return {(n, k): v for n, vs in values.items() for k, v in enumerate(vs if isinstance(vs, tuple) else (vs,))}

        template = trace(kind, function, lambda graph: self.arguments(graph, *kinds), unpack)
        outputs = {}
        for key, node in template.outputs.items():
            name = key if complete else key[0]
            shape = template.graph.shape(node)
            try:
                outputs[key] = template.graph.broadcast(node, self.states[name])
            except ValueError:
                raise ValueError(
                    f"the {kind} returns shape {shape} for {name!r}: the state has shape {self.states[name]}"
                ) from None
        if not complete:
            outputs = {k: v for k, v in outputs.items() if template.graph.uniform(v) != 0}
            for name, _ in outputs:
                self.noises[name] = self.noises.get(name, 0) + 1
        if outputs:
            self.templates[kind] = Template(template.graph, outputs, function)

    def _trace_event(self, name, event):
        if not isinstance(event, Event):
            raise TypeError(f"events[{name!r}] is a {type(event).__name__}: write ne.Event(function, direction=+1)")
        what, level, sampled = f"event {name!r}", None, False
        template = self.function(what, event.function)
        if template.graph.is_truth(template.outputs[""]):
            raise ValueError(f"the {what} is a truth value: give what crosses zero, x.v - 1.0 in place of x.v > 1.0")
        if event.is_peak:
            level = template
            sampled = not (self.smooth and isinstance(event.function, str))
            if not sampled:  # where the drift of the state crosses zero
                template = self._drift_of(event.function)
        reset = None
        if event.reset is not None:
            reset = trace(
                f"reset of {name!r}", event.reset, lambda graph: self.arguments(graph, "x", "z", "t"),
                lambda result: unpack_states(f"reset of {name!r}", result, self.states, False),
            )  # fmt: skip
        return TracedEvent(event.direction, float(event.refractory), event.above, sampled, template, level, reset)

    def _drift_of(self, of):
        drift = self.templates["drift"]
        name = re.match(r"\w+", of)[0]
        node = drift.outputs[name]
        if "[" in of:
            place = tuple(int(i) for i in of[len(name) + 1 : -1].split(","))
            positions = np.arange(int(np.prod(self.states[name]))).reshape(self.states[name])
            node = drift.graph.gather(node, positions[place])

        def rate(x, z, t):
            rates = unpack_states("drift", drift.function(x, z, t), self.states, True)
            return np.broadcast_to(rates[name], self.states[name])[place] if "[" in of else rates[name]

        return Template(drift.graph, {"": node}, rate)

    def slopes(self, template):
        """The template of a function's change per unit of time."""
        key = id(template.graph), tuple(template.outputs.values())
        if key not in self.slope_cache:
            self.slope_cache[key] = slope_of(template), template
        return self.slope_cache[key][0]

    def slot_starts(self):
        """What is kept of events before the first step, by name."""
        starts = {}
        for name, event in self.events.items():
            start = np.zeros(event.shape) if event.shape else 0.0
            starts |= {f"{name}.{slot}": start for slot in SLOTS}
            if event.refractory:
                starts |= {f"{name}.release number": start, f"{name}.release part": start}
            if event.sampled:
                starts[f"{name}.previous"] = start + np.inf
        return starts

    @classmethod
    def from_description(cls, description):
        """The model in a `Dynamics.description`."""
        self = object.__new__(cls)
        for name in ("method", "dt", "duration", "observe_from", "tasks", "noises"):
            setattr(self, name, description[name])
        for name in ("parameters", "states", "normals"):
            setattr(self, name, {key: tuple(shape) for key, shape in description[name].items()})
        self.randoms = {key: (kind, tuple(shape)) for key, (kind, shape) in description["randoms"].items()}
        self.templates = {key: restore(template) for key, template in description["templates"].items()}
        self.slope_cache = {}
        self._derive()
        self.events = {}
        for name, event in description["events"].items():
            functions = {n: None if event[n] is None else restore(event[n]) for n in ("template", "level", "reset")}
            self.events[name] = TracedEvent(**(event | functions))
        return self
