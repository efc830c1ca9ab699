"""Checks of what a model is made from: each error says in one line what is wrong and what to write."""

import math
import numbers
import re
from collections.abc import Mapping

import numpy as np

from numepi.arguments import check_array, check_choice, check_counts
from numepi.arguments import check_names as _checked_names
from numepi.circuits.dynamics.events import Event
from numepi.circuits.dynamics.initial import Random
from numepi.circuits.dynamics.methods import METHODS

__all__ = [
    "check_events",
    "check_method",
    "check_names",
    "check_normals",
    "check_parameters",
    "check_states",
    "check_tasks",
    "check_times",
    "unpack_states",
]


def unpack_states(what, result, states, complete):
    """What a function returned, by state: a dict, or values in the order of the states."""
    names = ", ".join(states)
    if result is None:
        raise ValueError(f"the {what} returns nothing: end it with return {{...}}, a value for each of {names}")
    if not isinstance(result, dict):
        values = result if isinstance(result, (tuple, list)) else (result,)
        if len(values) != len(states):
            raise ValueError(f"the {what} returns {len(values)} values: there are {len(states)} states, {names}")
        result = dict(zip(states, values))
    for name in result:
        if name not in states:
            raise ValueError(f"the {what} returns {name!r}, which is no state: the states are {names}")
    missing = [name for name in states if name not in result]
    if complete and missing:
        raise ValueError(f"the {what} returns nothing for {', '.join(missing)}: it must return every state ({names})")
    return result


def check_names(what, names):
    """Names that Python code can use."""
    if not isinstance(names, dict):
        raise TypeError(f"{what} is a {type(names).__name__}: expected a dict by name, {{'a': ...}}")
    for name in names:
        if not (isinstance(name, str) and re.fullmatch(r"[A-Za-z]\w*", name)):
            raise ValueError(f"{what} has {name!r}: names are letters, digits and underscores, and begin with a letter")


def check_parameters(parameters):
    """Bounds of each parameter as two arrays, by name."""
    check_names("parameters", parameters)
    if not parameters:
        raise ValueError("parameters is empty: give at least one, {'I': (0.0, 1.0)}, with its lowest and highest value")
    bounds = {}
    for name, value in parameters.items():
        try:
            lower, upper = value
            lower, upper = np.broadcast_arrays(np.asarray(lower, float), np.asarray(upper, float))
        except (TypeError, ValueError):
            raise ValueError(f"parameters[{name!r}] = {value!r}: give its bounds, (lowest, highest)") from None
        if not (lower < upper).all() or np.isnan(lower).any():
            raise ValueError(f"parameters[{name!r}] = {value!r}: the lowest must be below the highest value")
        bounds[name] = lower, upper
    return bounds


def check_times(dt, duration, observe_from):
    """Step, duration and beginning of the window, as floats."""
    for name, value in (("dt", dt), ("duration", duration), ("observe_from", observe_from)):
        if (
            isinstance(value, (bool, np.bool_))
            or not isinstance(value, numbers.Real)
            or not math.isfinite(value)
            or value < 0
            or (value == 0 and name != "observe_from")
        ):
            least = "of at least zero" if name == "observe_from" else "above zero"
            raise ValueError(f"{name} = {value!r}: give a finite number {least}, in the units of time of the equations")
    if dt > duration:
        raise ValueError(f"dt = {dt} is longer than duration = {duration}: are both in the same units?")
    steps = duration / dt
    if abs(steps - round(steps)) > 1e-6 * max(1.0, steps):
        raise ValueError(f"duration = {duration} is {steps:.6g} steps of dt = {dt}: make it a whole number of steps")
    if steps > 2**24:
        raise ValueError(f"duration / dt = {steps:.3g} steps: at most 16,777,216; are both in the same units?")
    if observe_from >= duration:
        raise ValueError(f"observe_from = {observe_from}: nothing is left to observe before duration = {duration}")
    return float(dt), float(duration), float(observe_from)


def check_method(method, drift, step, noise):
    """The method's name, or what it is by default."""
    if (drift is None) == (step is None):
        raise ValueError("give either drift=f(x, z, t) for a differential equation, or step=f(x, z, t, xi) for a map")
    for name, function in (("drift", drift), ("step", step), ("noise", noise)):
        if function is not None and not callable(function):
            raise TypeError(f"{name} is a {type(function).__name__}: expected a function (x, z, t)")
    if step is not None:
        if noise is not None:
            raise ValueError(
                "noise belongs to a drift: a map takes its random numbers from xi, one for each name in normals"
            )
        if method is not None:
            raise ValueError(f"method = {method!r}: a map given by step has none")
        return "map"
    if method is None:
        return "rk4" if noise is None else "euler"
    check_choice("method", method, tuple(METHODS))
    if method == "rk4" and noise is not None:
        raise ValueError("method = 'rk4' is for models without noise: use 'euler' (Ito) or 'heun' (Stratonovich)")
    return method


def check_events(events, dt, is_map):
    """Events go with the step, and with the kind of model."""
    check_names("events", events)
    for name, event in events.items():
        if not isinstance(event, Event):
            raise TypeError(f"events[{name!r}] is a {type(event).__name__}: write ne.Event(function, direction=+1)")
        if event.reset is not None and is_map:
            raise ValueError(
                f"event {name!r} resets, but the model is a map: write the reset into its step, with np.where"
            )
        if 0 < event.refractory < dt:
            raise ValueError(
                f"refractory = {event.refractory} of event {name!r}: give 0, or at least one step, dt = {dt}"
            )


def check_states(states):
    """Initial values: random, functions, or finite numbers."""
    check_names("states", states)
    if not states:
        raise ValueError("states is empty: give the initial value of at least one, {'v': 0.0}")
    for name, value in states.items():
        if not isinstance(value, Random) and not callable(value):
            check_array(f"states[{name!r}]", value, None)


def check_normals(normals, is_map):
    """Shapes of the normals of a map's step, by name."""
    if not isinstance(normals, Mapping):
        normals = dict.fromkeys(() if not np.size(normals) else _checked_names("normals", normals), ())
    shapes = {}
    check_names("normals", normals)
    for name, shape in normals.items():
        shapes[name] = () if np.size(shape) == 0 else check_counts(f"normals[{name!r}]", shape)
    if shapes and not is_map:
        raise ValueError("normals are for maps, step=f(x, z, t, xi): with a drift, give noise=f(x, z, t)")
    return shapes


def check_tasks(tasks, parameters):
    """Constants of each task; all tasks have the same."""
    check_names("tasks", tasks)
    names, shapes = None, {}
    for task, constants in tasks.items():
        check_names(f"tasks[{task!r}]", constants)
        if names is not None and set(constants) != names:
            raise ValueError(
                f"tasks[{task!r}] has {sorted(constants)}, others {sorted(names)}: give every task the same constants"
            )
        names = set(constants)
        for name, value in constants.items():
            if name in parameters:
                raise ValueError(f"tasks[{task!r}] has {name!r}, which is a parameter: choose another name")
            array = check_array(f"tasks[{task!r}][{name!r}]", value, None)
            shape = shapes.setdefault(name, array.shape)
            if array.shape != shape:
                raise ValueError(
                    f"tasks[{task!r}][{name!r}] has shape {array.shape}, that of another task {shape}: give one shape"
                )
