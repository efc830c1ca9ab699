"""Models as plain data: what files hold and what goes to other processes.  Nothing in it is ever executed as code."""

import hashlib
import inspect
import json
import textwrap

import numpy as np

from numepi.archive import plain
from numepi.circuits.dynamics.graph import TIME, Graph
from numepi.circuits.dynamics.template import Template
from numepi.circuits.dynamics.time_values import Sampled

__all__ = ["describe", "describe_model", "digest", "restore", "source_text"]


def describe(template, model):
    """A template in JSON's types; NumPy calls on the time become samples of their values at the model's steps."""
    graph, places, nodes = template.graph, {}, []
    for i in graph.live(template.outputs.values()):
        node = graph.nodes[i]
        places[i] = len(nodes)
        if node.op == "host":
            nodes.append(
                ["host", [_time(graph, places, nodes)], Sampled.of(graph, i, model).description, list(node.shape)]
            )
        else:
            nodes.append([node.op, [places[a] for a in node.args], _plain_attribute(node), list(node.shape)])
    outputs = [[list(key) if isinstance(key, tuple) else key, places[i]] for key, i in template.outputs.items()]
    return {"nodes": nodes, "outputs": outputs}


def _time(graph, places, nodes):
    """The place of the time itself, which a sampled expression takes."""
    for i, node in enumerate(graph.nodes):
        if node.op == "input" and node.attr[0] == "time":
            if i not in places:
                places[i] = len(nodes)
                nodes.append(["input", [], ["time", 0], []])
            return places[i]
    raise ValueError("an expression of time without the time")


def _plain_attribute(node):
    if node.op == "constant":
        return np.frombuffer(node.attr).tolist() if node.shape else node.attr
    if node.op == "gather":
        return np.frombuffer(node.attr, np.int64).tolist()
    return list(node.attr) if isinstance(node.attr, tuple) else node.attr


def restore(description):
    """The template that `describe` described."""
    graph, made = Graph(), []
    for op, args, attr, shape in description["nodes"]:
        shape, args = tuple(shape), tuple(made[a] for a in args)
        if op == "constant":
            made.append(graph.constant(np.array(attr, float).reshape(shape)))
        elif op == "input":
            made.append(graph.add("input", (), tuple(attr), shape, TIME if attr[0] == "time" else None))
        elif op == "gather":
            made.append(graph.add("gather", args, np.array(attr, np.int64).tobytes(), shape))
        elif op == "host":
            made.append(graph.add("host", args, Sampled(**attr), shape, TIME))
        else:
            made.append(graph.add(op, args, attr, shape))
    outputs = {tuple(key) if isinstance(key, list) else key: made[i] for key, i in description["outputs"]}
    return Template(graph, outputs)


def digest(description):
    """A short fingerprint of plain data."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:16]


def source_text(function):
    """The text of a function, for people to read in stored results; never executed."""
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):  # typed at a prompt, or no plain function
        return getattr(function, "__qualname__", repr(function))


def describe_model(circuit):
    """A whole `numepi.Dynamics` in JSON's types."""
    model = circuit.model
    arguments = ("method", "dt", "duration", "observe_from")
    events = {}
    for name, event in model.events.items():
        events[name] = {n: getattr(event, n) for n in ("direction", "refractory", "above", "sampled")} | {
            n: None if getattr(event, n) is None else describe(getattr(event, n), model)
            for n in ("template", "level", "reset")
        }
    return plain({n: getattr(model, n) for n in arguments} | {
        "parameters": model.parameters, "states": model.states, "normals": model.normals, "tasks": model.tasks,
        "noises": model.noises, "randoms": model.randoms,
        "templates": {n: describe(t, model) for n, t in model.templates.items() if n != "own rates"},
        "events": events,
        "statistics": {
            name: observer.description() | {"functions": {n: describe(t, model) for n, t in templates.items()}}
            for name, (observer, templates) in circuit.observers.items()
        },
        "lower": circuit.support.lower, "upper": circuit.support.upper, "trials": circuit.trials,
        "least_share": circuit.least_share, "name": circuit.name, "text": circuit.text,
    })  # fmt: skip
