"""From a model and its observers to a program: four graphs, their derivatives, and generated code."""

import math
from functools import cached_property

import numpy as np

from numepi.circuits.dynamics.assembly import assemble, tables
from numepi.circuits.dynamics.events import advance
from numepi.circuits.dynamics.fields import DriveRows, TracedField
from numepi.circuits.dynamics.graph import Graph
from numepi.circuits.dynamics.layout import PER_STEP, DriveLayout
from numepi.circuits.dynamics.lower import scalar_form
from numepi.circuits.dynamics.methods import RK4_STAGES, Clock, run_stage, stages_end
from numepi.circuits.dynamics.observers.base import View
from numepi.circuits.dynamics.time_values import evaluate_times
from numepi.circuits.dynamics.traced import node_of, wrap

__all__ = ["Build"]

_NUMBER = ("number of the step",)
# Stages are a loop over one compiled stage where writing them all out would take more operations than this, with
# derivatives: FitzHugh-Nagumo (120) takes 1.2 to 1.75 times as long by the loop, which keeps in memory what else stays
# in registers; ten states and five parameters (2,000) the same time, and compile in two thirds.
_WRITTEN_OUT = 600


class _AfterStages(TracedField):
    """A field for the end of a step whose stages ran before: a method has nothing left to do but to add them up."""

    def advance(self, x, segment):
        return stages_end(x, segment.h, self.total)


class Build:
    """The graphs of a program, and the program.

    Parameters
    ----------
    model : Model
    observers : dict
        (observer, templates of its functions) by the statistic's name.
    keep : bool
        Keep all states and all that is known of events, for trajectories; else only what statistics need.
    """

    def __init__(self, model, observers, keep=False):
        self.model, self.observers = model, observers
        self._parameters = {element: k for k, element in enumerate(self.parameter_elements)}
        self._constants = {element: k for k, element in enumerate(self.task_elements)}
        self.rows, self.stage_rows = DriveRows(), DriveRows("stage")
        self.rows.entries.append(_NUMBER)
        self.rows.size = 1
        self.stages = self._stages()
        self.shapes = {}  # of every value that is carried from step to step
        self.graphs = {}
        self._start()
        if self.stages:
            self._stage()
        self._step()
        self._observe()
        self._finish()
        self.needed = list(self.shapes) if keep else self._needed()
        self.place, at = {}, 0
        for name in self.needed:
            self.place[name] = at
            at += math.prod(self.shapes[name])
        self.n_values = at

    def _stages(self):
        """Stages that are run in a loop; none where all of the method is written out."""
        if self.model.method != "rk4" or self.model.resets:  # steps that events split have stages of two lengths
            return ()
        drift = self.model.templates["drift"]
        written = len(RK4_STAGES) * (1 + len(self._parameters)) * _n_operations(drift.graph, drift.outputs.values())
        return RK4_STAGES if written > _WRITTEN_OUT else ()

    # -- graphs of whole values
    def _field(self, graph, kind=TracedField, rows=None):
        parameters = {
            name: wrap(graph, graph.input("parameter", name, shape))
            for name, shape in (self.model.parameters | self.model.constants).items()
        }
        return kind(self.model, graph, parameters, rows or self.rows)

    def _values(self, graph, prefix):
        return {
            name.removeprefix(prefix): wrap(graph, graph.input("value", name, shape))
            for name, shape in self.shapes.items()
            if name.startswith(prefix)
        }

    def _number(self, graph):
        return wrap(graph, graph.input("drive", 0))

    def _add(self, phase, graph, prefix, values):
        for name, value in values.items():
            self.graphs[phase][1][prefix + name] = node_of(graph, value)

    def _start(self):
        graph, model = Graph(), self.model
        self.graphs["start"] = graph, {}
        field = self._field(graph)
        randoms, at = {}, {"uniform": 0, "normal": 0}
        for kind in ("uniform", "normal"):  # uniforms first, then normals, in whole blocks of four
            for name, (own, shape) in model.randoms.items():
                if own == kind:
                    randoms[name] = kind, at[kind], shape
                    at[kind] += math.prod(shape)
        self.n_random = at
        blocks = self.blocks = {kind: -(-count // 4) for kind, count in at.items()}
        offset = {"uniform": 0, "normal": 4 * blocks["uniform"]}
        numbers = {n: wrap(graph, graph.input("noise", offset[k] + first, s)) for n, (k, first, s) in randoms.items()}
        x = field.call(model.templates["initial"], {}, Clock(0.0), random=numbers)
        starts = {f"x.{n}": v for n, v in x.items()} | {f"e.{n}": v for n, v in model.slot_starts().items()}
        starts |= self._first_stage(x)
        for name, (observer, templates) in self.observers.items():
            view = View(model, field, templates, x, Clock(0.0))
            starts |= {f"o.{name}.{key}": value for key, value in observer.start(view).items()}
        for name, value in starts.items():
            node = node_of(graph, value)
            self.shapes[name] = graph.shape(node)
            self.graphs["start"][1][name] = node

    def _first_stage(self, x):
        """Where the first stage of a step is, and the sum of slopes before it."""
        if not self.stages:
            return {}
        zeros = {f"s.{n}": np.zeros(shape) for n, shape in self.model.states.items()}
        return {f"p.{n}": v for n, v in x.items()} | zeros

    def _stage(self):
        """One stage, which a step runs in a loop: its numbers, as its time, are among what is read from the drive."""
        graph, model = Graph(), self.model
        self.graphs["stage"] = graph, {}
        rows = self.stage_rows
        rows.size = 2
        field = self._field(graph, rows=rows)
        weight, ahead = (wrap(graph, graph.input("stage", k)) for k in range(2))
        x, place, total = (self._values(graph, prefix) for prefix in ("x.", "p.", "s."))
        slopes = field.drift(place, Clock(0.0))
        place, total = run_stage(x, dict.fromkeys(x, model.dt), slopes, total, weight, ahead)
        self._add("stage", graph, "p.", place)
        self._add("stage", graph, "s.", total)

    def _step(self):
        graph, model = Graph(), self.model
        self.graphs["step"] = graph, {}
        field, number = self._field(graph, _AfterStages if self.stages else TracedField), self._number(graph)
        field.total = self._values(graph, "s.")
        self.n_noise = 0

        def draw(shape):
            first = self.n_noise
            self.n_noise += math.prod(shape)
            return wrap(graph, graph.input("noise", first, shape))

        if model.method == "map":
            draws = [{name: draw(shape) for name, shape in model.normals.items()}]
        else:
            draws = [
                {name: [draw(model.states[name]) for _ in range(count)] for name, count in model.noises.items()}
                for _ in range(1 + model.resets)
            ]
        x, slots = self._values(graph, "x."), self._values(graph, "e.")
        new, new_slots, record = advance(field, model, x, slots, number, draws)
        self._add("step", graph, "x.", new)
        self._add("step", graph, "", self._first_stage(new))
        self._add("step", graph, "e.", new_slots)
        for name, (observer, templates) in self.observers.items():
            own = self._values(graph, f"o.{name}.")
            view = View(model, field, templates, new, Clock(1.0), new_slots, number, record=record)
            self._add("step", graph, f"o.{name}.", self._changed(own, observer.step(own, view)))

    def _observe(self):
        graph, model = Graph(), self.model
        self.graphs["observe"] = graph, {}
        field, number = self._field(graph), self._number(graph)
        x, slots = self._values(graph, "x."), self._values(graph, "e.")
        for name, (observer, templates) in self.observers.items():
            own = self._values(graph, f"o.{name}.")
            count = number + (2.0 - self._first_sample(observer))
            view = View(model, field, templates, x, Clock(1.0), slots, number, count)
            new = self._changed(own, observer.sample(own, view))
            if self._first_sample(observer) > self.observe_from:
                new = {key: np.where(count > 0.5, value, own[key]) for key, value in new.items()}
            self._add("observe", graph, f"o.{name}.", new)

    def _first_sample(self, observer):
        return self.model.first_sample if observer.in_window else 1

    @property
    def observe_from(self):
        """First sample that any observer looks at."""
        return min((self._first_sample(observer) for observer, _ in self.observers.values()), default=1)

    def _changed(self, own, new):
        return {key: value for key, value in new.items() if getattr(value, "node", None) != own[key].node}

    def _finish(self):
        graph, model = Graph(), self.model
        self.graphs["finish"] = graph, {}
        field, number = self._field(graph), self._number(graph)
        x, slots = self._values(graph, "x."), self._values(graph, "e.")
        self.statistics, self.kept = {}, {}
        for name, (observer, templates) in self.observers.items():
            own = self._values(graph, f"o.{name}.")
            if observer.kept:
                value = own["sample"]
                self.kept[name] = observer
            else:
                view = View(model, field, templates, x, Clock(1.0), slots, number)
                value = observer.answer(own, view)
            node = node_of(graph, value)
            self.statistics[name] = graph.shape(node)
            self.graphs["finish"][1][name] = node

    # -- what is needed, and of what it depends
    def _reads(self, phase, name):
        graph, outputs = self.graphs.get(phase, (None, ()))
        if name not in outputs:
            return set()
        nodes = graph.nodes
        return {
            nodes[i].attr[1]
            for i in graph.live([outputs[name]])
            if nodes[i].op == "input" and nodes[i].attr[0] == "value"
        }

    def _needed(self):
        needed = set().union(*(self._reads("finish", name) for name in self.graphs["finish"][1]))
        while True:
            more = set().union(*(self._reads(phase, name) for phase in PER_STEP for name in needed)) - needed
            if not more:
                return [name for name in self.shapes if name in needed]
            needed |= more

    # -- scalars
    @property
    def parameter_elements(self):
        """(name, position) of every parameter, in order."""
        return [(name, k) for name, shape in self.model.parameters.items() for k in range(math.prod(shape))]

    @property
    def task_elements(self):
        """(name, position) of every constant of tasks, in order."""
        return [(name, k) for name, shape in self.model.constants.items() for k in range(math.prod(shape))]

    @property
    def n_operations(self):
        """Operations on scalars that a simulation's values would take if nothing were a loop."""
        return sum(_n_operations(graph, outputs.values()) for graph, outputs in self.graphs.values())

    def whole(self, graph, kind, key, shape):
        """An input as a vector."""
        if kind == "parameter":
            places = self._parameters if (key, 0) in self._parameters else self._constants
            return graph.input("z" if places is self._parameters else "task", places[key, 0], shape)
        return graph.input(kind, self.place[key] if kind == "value" else key, shape)

    def element(self, graph, kind, key, position):
        """One element of an input."""
        if kind == "parameter":
            element = key, position
            if element in self._parameters:
                return graph.input("z", self._parameters[element])
            return graph.input("task", self._constants[element])
        if kind == "value":
            return graph.input("value", self.place[key] + position)
        return graph.input(kind, key + position)

    def scalars(self, phase):
        """The phase's graph of scalars: graph, and the (place, node) pairs of values that change."""
        graph, outputs = self.graphs[phase]
        names = list(outputs) if phase == "finish" else [name for name in outputs if name in self.place]
        small, nodes = scalar_form(graph, [outputs[name] for name in names], self.element)
        if phase == "finish":
            return small, list(enumerate(nodes))
        places = [self.place[name] + k for name in names for k in range(math.prod(self.shapes[name]))]
        return small, [
            (place, node) for place, node in zip(places, nodes) if small.nodes[node].attr != ("value", place)
        ]

    # -- drive
    @property
    def drive_layout(self):
        """How the numbers of a step are kept."""
        return DriveLayout(self.rows.size, self.stage_rows.size, len(self.stages))

    def drive(self):
        """Numbers of the steps and expressions of time: (steps + 1, n_drive); row t is read by step t."""
        number = np.arange(-1.0, self.model.steps)
        drive = np.zeros((len(number), self.drive_layout.size))
        drive[:, 0] = number
        self._fill(drive, self.rows.entries[1:], self.rows, number)
        for k, stage in enumerate(self.stages):
            own = drive[:, self.rows.size + k * self.stage_rows.size :]
            own[:, 0], own[:, 1] = stage.weight, stage.ahead
            self._fill(own, self.stage_rows.entries, self.stage_rows, number + stage.part)
        drive[0] = np.nan  # no step reads it
        return drive

    def _fill(self, drive, entries, rows, number):
        for template, node, part in entries:
            values = evaluate_times(template.graph, [node], (number + part) * self.model.dt)[0]
            first = rows.first[id(template.graph), node, part]
            drive[:, first : first + values[0].size] = values.reshape(len(values), -1)

    @cached_property
    def program(self):
        """The program, compiled when it is first called, and the array of its constants."""
        return assemble(self)

    @cached_property
    def for_threads(self):
        """The program for threads of a GPU, one lane each."""
        return assemble(self, 1)[0]

    def tables(self):
        """Arrays that summaries of kept signals read."""
        return tables(self)


def _n_operations(graph, outputs):
    """Operations on scalars that the outputs take."""
    nodes = [graph.nodes[i] for i in graph.live(outputs)]
    return sum(math.prod(n.shape) * (2 * graph.shape(n.args[0])[-1] if n.op == "matmul" else 1) for n in nodes)
