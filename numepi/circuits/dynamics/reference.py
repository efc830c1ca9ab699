"""The model in plain NumPy: its own functions, untraced, one simulation at a time.  For checking and for teaching."""

import numpy as np

from numepi.circuits.dynamics.checks import unpack_states
from numepi.circuits.dynamics.events import advance
from numepi.circuits.dynamics.graph import Graph
from numepi.circuits.dynamics.initial import Random
from numepi.circuits.dynamics.methods import Clock
from numepi.circuits.dynamics.observers.base import View
from numepi.circuits.dynamics.template import Names, put
from numepi.circuits.dynamics.time_values import evaluate_times
from numepi.kernels.random import normals4, philox4x32, uniform

__all__ = ["NumpyField", "reference"]


class NumpyField:
    """A model's functions on numbers: what `TracedField` is for a graph.

    Parameters
    ----------
    model : Model
    functions : dict
        The user's own functions.
    parameters : dict
        Numbers and arrays by name.
    """

    def __init__(self, model, functions, parameters):
        self.model, self.functions = model, functions
        self.parameters = Names("parameter", parameters)
        self.number = 0  # of the step, counted from 0

    def _call(self, function, x, clock, *more):
        time = (self.number + clock.fraction) * self.model.dt
        return function(Names("state", x), self.parameters, time, *more)

    def advance(self, x, segment):
        """The states at a segment's end, by the model's method."""
        return self.model.advance(self, x, segment)

    def drift(self, x, clock):
        """Derivatives by name."""
        return self._full("drift", self._call(self.functions["drift"], x, clock))

    def _full(self, kind, result):
        values = unpack_states(kind, result, self.model.states, True)
        return {n: np.broadcast_to(np.asarray(values[n], float), s)[()] for n, s in self.model.states.items()}

    def noise(self, x, clock):
        """Amplitudes of each noisy state: a list by name."""
        if self.functions["noise"] is None:
            return {}
        amplitudes = self._call(self.functions["noise"], x, clock)
        values = unpack_states("noise", amplitudes, self.model.states, False)
        return {n: list(v) if isinstance(v, tuple) else [v] for n, v in values.items() if n in self.model.noises}

    def step(self, x, clock, draws):
        """The next state of a map."""
        return self._full("step", self._call(self.functions["step"], x, clock, Names("normal", draws)))

    def value(self, template, x, clock):
        """A function of (x, z, t)."""
        return self._call(template.function, x, clock)

    def call(self, template, x, clock, **more):
        """What a reset, or an observer's own accumulation, returns."""
        if "own" in more:
            time = (self.number + clock.fraction) * self.model.dt
            result = template.function(Names("accumulator", more["own"]), Names("state", x), self.parameters, time)
        else:
            result = self._call(template.function, x, clock)
        return result if isinstance(result, dict) else {"": result}

    def own_rates(self, x, clock):
        """Derivative of each state's drift by the state itself, from the graph."""
        return self._folded(self.model.templates["own rates"], x, clock)

    def slope(self, template, x, clock, rates):
        """Change of a function of (x, z, t) per unit of time, from the graph."""
        return self._folded(self.model.slopes(template), x, clock, rates)[""]

    def _folded(self, template, x, clock, rates=None):
        """A template's results: with numbers put in, its graph folds to constants."""
        graph = Graph()
        time = np.array([(self.number + clock.fraction) * self.model.dt])
        values = {"state": x, "parameter": self.parameters, "rate": rates}

        def bind(kind, key):
            if kind == "time rate":
                step = 1e-4 * self.model.dt
                later, earlier = (evaluate_times(key[0].graph, [key[1]], time + s)[0][0] for s in (step, -step))
                return (later - earlier) / (2 * step)
            if kind == "element":
                kind, name, place = key
                source = evaluate_times(name[0].graph, [name[1]], time)[0][0] if kind == "drive" else values[kind][name]
                return np.ravel(source)[place]
            return values[kind][key]

        results = put(template, graph, bind, lambda own, node: evaluate_times(own.graph, [node], time)[0][0])
        return {name: np.asarray(graph.value(value.node))[()] for name, value in results.items()}

    def stop(self, value):
        """The value."""
        return value

    def graze(self, value, condition):
        """The value."""
        return value


def reference(circuit, z, key, first_index=0):
    """Statistics (n, k) in plain NumPy, with the noise that the compiled model draws.

    Parameters
    ----------
    circuit : Dynamics
    z : ndarray (n, D)
    key : (int, int)
    first_index : int
    """
    tasks = circuit.model.tasks or {"": {}}
    f = np.empty((len(z), len(tasks), len(circuit.statistic_names) // len(tasks)))
    for row in range(len(z)):
        for number, constants in enumerate(tasks.values()):
            trials = [
                _simulation(circuit, z[row], constants, (first_index + row, trial * len(tasks) + number), key)
                for trial in range(circuit.trials)
            ]
            f[row, number] = np.mean(trials, axis=0)
    return f.reshape(len(z), -1)


def _draws(sizes, counter, step, key, kind="normal", first=0):
    """Random numbers by name, in blocks of four from block ``first`` on."""
    count = sum(int(np.prod(shape)) for shape in sizes.values())
    like, numbers = np.float64(0), []
    for block in range(first, first + -(-count // 4)):
        if kind == "normal":
            numbers += normals4(*counter, step, block, *key, like)
        else:
            numbers += [uniform(np.uint64(w), like) for w in philox4x32(*counter, step, block, *key)]
    drawn, at = {}, 0
    for name, shape in sizes.items():
        size = int(np.prod(shape))
        drawn[name] = np.array(numbers[at : at + size]).reshape(shape)[()]
        at += size
    return drawn


def _initial(circuit, parameters, counter, key):
    model, states = circuit.model, circuit.functions["states"]
    kinds = {kind: {n: s for n, (own, s) in model.randoms.items() if own == kind} for kind in ("uniform", "normal")}
    numbers = _draws(kinds["uniform"], counter, 0, key, "uniform")
    numbers |= _draws(kinds["normal"], counter, 0, key, first=circuit._build.blocks["uniform"])
    x = {}
    for name, value in states.items():
        if isinstance(value, Random):
            number = value.shift + value.scale * numbers[name]
            value = number if value.of is None else value.of(number, parameters)
        elif callable(value):
            value = value(parameters)
        x[name] = np.broadcast_to(np.asarray(value, float), model.states[name])[()]
    return x


def _simulation(circuit, z, constants, counter, key):
    model, parameters, at = circuit.model, {}, 0
    for name, shape in model.parameters.items():
        size = int(np.prod(shape))
        parameters[name] = z[at : at + size].reshape(shape)[()]
        at += size
    field = NumpyField(model, circuit.functions, parameters | constants)
    x, slots = _initial(circuit, field.parameters, counter, key), model.slot_starts()
    slots = {name: np.asarray(value, float)[()] for name, value in slots.items()}
    own = {n: o.start(View(model, field, t, x, Clock(0.0))) for n, (o, t) in circuit.observers.items()}
    if model.method == "map":
        sizes = dict(model.normals)
    else:
        copies = range(1 + model.resets)
        sizes = {(c, n, k): model.states[n] for c in copies for n, m in model.noises.items() for k in range(m)}
    for step in range(model.steps):
        field.number = step
        drawn = _draws(sizes, counter, step + 1, key)
        if model.method != "map":
            drawn = [{n: [drawn[c, n, k] for k in range(m)] for n, m in model.noises.items()} for c in copies]
        x, slots, record = advance(field, model, x, slots, float(step), drawn if model.method != "map" else [drawn])
        for name, (observer, templates) in circuit.observers.items():
            view = View(model, field, templates, x, Clock(1.0), slots, float(step), record=record)
            own[name] = own[name] | observer.step(own[name], view)
            sample = step + 1
            if sample >= (model.first_sample if observer.in_window else 1):
                view = View(
                    model, field, templates, x, Clock(1.0), slots, float(step), float(sample - model.first_sample + 1)
                )
                own[name] = own[name] | observer.sample(own[name], view)
    values = []
    for name, (observer, templates) in circuit.observers.items():
        view = View(model, field, templates, x, Clock(1.0), slots, float(model.steps - 1))
        values += np.ravel(observer.answer(own[name], view)).tolist()
    return [value if np.isfinite(value) else np.nan for value in values]
