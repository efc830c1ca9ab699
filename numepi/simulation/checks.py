"""What is asked of a simulator's functions, said in one line that names the function where it is not met.

`check_definition` and `check_job` run when a `numepi.simulation.lanes.Simulator` and a job are made, and compile
nothing; `check_arrays` runs before each simulation, as the kernels check no bounds.  What a function
returns is known only when it is compiled: the kernels refuse a wrong number of values, with a page of the compiler's
reasoning, and `explanation` then types one function after another to find the first that is at fault.
"""

import ast
import inspect
from collections.abc import Callable
from numbers import Real
from typing import NamedTuple

import numba
import numpy as np
from numba import types
from numba.core.dispatcher import Dispatcher
from numba.core.errors import NumbaError

__all__ = ["check_arrays", "check_constants", "check_definition", "check_job", "explanation"]

_ARGUMENTS = {
    "start": "initial, constants",
    "step": "state, parameters, noise, drive, task, constants",
    "tangent": "tangents, linearisation, parameters, drive, task, constants",
    "readout": "state, drive, constants",
    "statistic": "state, observed, task, constants",
    "statistic_tangent": "tangents, observed_tangents, linearisation, constants",
    "summary": "kept, constants, work, results",
    "workspace": "observed_steps, lanes, constants",
    "observation.update": "values, state, count, constants",
    "observation.tangent": "derivatives, tangents, linearisation, count, constants",
}
_LEAST = {"n_parameters": 1, "n_states": 1, "n_statistics": 1, "n_tasks": 1, "lanes": 16}
_MULTIPLE = {"n_initial": 4, "lanes": 16}  # whole draws of the generator; whole vector registers in any precision
_COUNTS = (
    "n_parameters", "n_states", "n_noise", "n_drive", "n_readout", "n_statistics", "n_tangents", "n_initial", "n_tasks",
    "lanes",
)  # fmt: skip


def check_definition(simulator):
    """Raise ValueError or TypeError where counts or functions cannot be those of a simulator."""
    where = f"simulator {simulator.name!r}"
    for name in _COUNTS:
        _check_count(where, name, getattr(simulator, name))
    for name, function in _functions(simulator).items():
        _check_function(where, name, function)
    if (simulator.statistic is None) == (simulator.summary is None):
        raise ValueError(f"{where}: give one of statistic and summary")
    if simulator.summary is not None and (simulator.observation is None or not simulator.observation.keep_all):
        raise ValueError(f"{where}: summary needs an observation with keep_all=True, whose values it summarises")
    stages = [("statistic_tangent", simulator.statistic, simulator.statistic_tangent)]
    if simulator.observation is not None:
        stages.append(("observation.tangent", simulator.observation.update, simulator.observation.tangent))
    for name, value, derivative in stages:
        if value is not None and (derivative is None) != (simulator.tangent is None):
            has, lacks = ("tangent", name) if derivative is None else (name, "tangent")
            raise ValueError(f"{where} has {has} but no {lacks}: give both, or neither where no gradient is wanted")


def _functions(simulator):
    """The functions that are given, by name, in the order in which a simulation calls them."""
    observation = simulator.observation
    found = {"start": simulator.start, "step": simulator.step, "tangent": simulator.tangent}
    if observation is not None:
        found |= {"observation.update": observation.update, "observation.tangent": observation.tangent}
    found |= {name: getattr(simulator, name) for name in ("statistic", "statistic_tangent", "summary", "workspace")}
    found["readout"] = simulator.readout
    required = ("start", "step", "observation.update", "workspace", "readout")
    return {name: function for name, function in found.items() if function is not None or name in required}


def _check_count(where, name, value):
    if name == "n_tangents" and value is None:
        return
    least, multiple = _LEAST.get(name, 0), _MULTIPLE.get(name, 1)
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < least or value % multiple:
        kind = "whole number" if multiple == 1 else f"multiple of {multiple}"
        raise ValueError(f"{where}: {name} = {value!r}: give a {kind} of at least {least}")


def _check_function(where, name, function):
    expected = _ARGUMENTS[name]
    decorator = "block_function" if name in ("summary", "workspace") else "scalar"
    if not isinstance(function, Dispatcher):
        raise TypeError(
            f"{where}: {name} is a {type(function).__name__}: compile it with numepi.kernels.compile.{decorator}"
        )
    arguments = inspect.signature(function.py_func).parameters
    if len(arguments) != len(expected.split(", ")):
        raise TypeError(f"{where}: {name} takes ({', '.join(arguments)}): expected ({expected})")


def check_constants(where, constants):
    """Raise TypeError for constants that are not a NamedTuple of numbers (and arrays, the tables of a summary)."""
    if not isinstance(constants, tuple) or not hasattr(constants, "_fields"):
        raise TypeError(f"{where}: constants is a {type(constants).__name__}: expected a NamedTuple of numbers")
    for name, value in zip(constants._fields, constants):
        if not isinstance(value, (Real, np.bool_, np.ndarray)):
            raise TypeError(f"{where}: constants.{name} = {value!r}: expected a number")


def check_job(job, simulator_type):
    """Raise TypeError or ValueError where the parts of a job are not what its simulator takes."""
    if not isinstance(job.simulator, simulator_type):
        raise TypeError(f"simulator is a {type(job.simulator).__name__}: expected a {simulator_type.__name__}")
    where = f"job of simulator {job.simulator.name!r}"
    check_constants(where, job.constants)
    if isinstance(job.trials, bool) or not isinstance(job.trials, (int, np.integer)) or job.trials < 1:
        raise ValueError(f"{where}: trials = {job.trials!r}: give a whole number of at least 1")
    if np.ndim(job.drive) != 2 or np.shape(job.drive)[1] != job.simulator.n_drive:
        expected = f"(steps + 1, n_drive) = (steps + 1, {job.simulator.n_drive})"
        raise ValueError(f"{where}: drive has shape {np.shape(job.drive)}: expected {expected}")
    steps = len(job.drive) - 1
    if steps < 1:
        raise ValueError(f"{where}: drive has {steps + 1} rows: give one for the initial state and one for each step")
    if job.simulator.observation is not None and not 0 <= job.observe_from <= steps:
        raise ValueError(
            f"{where}: observe_from = {job.observe_from!r}, but there are {steps} steps: none would be observed"
        )


def check_arrays(simulator, z, trials, drive, noise):
    """Raise ValueError where an array has another shape than the simulator's counts and ``trials`` make."""
    n = len(z) * simulator.n_tasks * trials
    simulations = f"for {len(z)} parameters x {simulator.n_tasks} tasks x {trials} trials"
    shapes = [
        ("z", z, (len(z), simulator.n_parameters), "(n, n_parameters)"),
        ("drive", drive, (len(drive), simulator.n_drive), "(steps + 1, n_drive)"),
    ]
    if noise is not None:
        initial, steps = (n, simulator.n_initial), (n, len(drive) - 1, simulator.n_noise)
        shapes.append(("noise.initial", noise.initial, initial, f"(simulations, n_initial) {simulations}"))
        shapes.append(("noise.steps", noise.steps, steps, f"(simulations, steps, n_noise) {simulations}"))
    for name, array, expected, meaning in shapes:
        if np.shape(array) != expected:
            raise ValueError(
                f"simulator {simulator.name!r}: {name} has shape {np.shape(array)}: expected {expected}, {meaning}"
            )


class _Fault(Exception):
    """What is wrong with a function, in words."""


class _Stage(NamedTuple):
    """A call of a simulation: function, argument types, what it returns (of a pair: first), and whether a pair."""

    name: str
    function: Callable
    arguments: tuple
    counted: str
    expected: int
    pair: bool


def explanation(simulator, real, constants, error):
    """One line on why the kernels of ``simulator`` do not compile in the precision ``real``: an exception to raise.

    ``error``, numba's own, is returned where each function by itself compiles and returns what it should.
    """
    try:
        _walk(simulator, numba.from_dtype(np.dtype(real)), numba.typeof(constants))
    except _Fault as fault:
        return TypeError(f"simulator {simulator.name!r}: {fault}")
    return error


def _walk(simulator, real, constants):
    """Type every function with what those before it return; raise `_Fault` at the first that is wrong."""

    def numbers(count):
        return types.Tuple((real,) * count)

    n_tangents = simulator.n_tangents
    if n_tangents is None:
        n_tangents = simulator.n_parameters * simulator.n_states
    state, parameters, noise, drive, tangents = map(
        numbers, (simulator.n_states, simulator.n_parameters, simulator.n_noise, simulator.n_drive, n_tangents)
    )
    observation, observed, derivatives = simulator.observation, numbers(0), numbers(0)

    def check(*stage):
        return _check_stage(_Stage(*stage), real)

    check("start", simulator.start, (numbers(simulator.n_initial), constants), "n_states", len(state), False)
    linearisation = check(
        "step", simulator.step, (state, parameters, noise, drive, real, constants), "n_states", len(state), True
    )
    if simulator.tangent is not None:
        arguments = tangents, linearisation, parameters, drive, real, constants
        check("tangent", simulator.tangent, arguments, "n_tangents", n_tangents, False)
    if observation is not None:
        observed, derivatives = numbers(observation.n_values), numbers(observation.n_derivatives)
        arguments = observed, state, real, constants
        linearisation = check(
            "observation.update", observation.update, arguments, "n_values", observation.n_values, True
        )
        if observation.tangent is not None:
            arguments = derivatives, tangents, linearisation, real, constants
            check(
                "observation.tangent", observation.tangent, arguments, "n_derivatives", observation.n_derivatives, False
            )
    if simulator.statistic is not None:
        k, arguments = simulator.n_statistics, (state, observed, real, constants)
        linearisation = check("statistic", simulator.statistic, arguments, "n_statistics", k, True)
        if simulator.statistic_tangent is not None:
            arguments, count = (tangents, derivatives, linearisation, constants), k * simulator.n_parameters
            name = "statistic_tangent"
            check(name, simulator.statistic_tangent, arguments, "n_statistics * n_parameters", count, False)
    check("readout", simulator.readout, (state, drive, constants), "n_readout", simulator.n_readout, False)


def _check_stage(stage, real):
    """Return the type of a stage's linearisation (None without), or raise `_Fault`."""
    returned = _returned(stage)
    linearisation = None
    if stage.pair:
        if not isinstance(returned, types.BaseTuple) or len(returned) != 2:
            what = _described(returned)
            raise _Fault(f"{stage.name} returns {what}: expected a pair, its numbers and its linearisation (a tuple)")
        returned, linearisation = returned
    of_pair = " first" if stage.pair else ""
    if not isinstance(returned, types.BaseTuple):
        raise _Fault(
            f"{stage.name} returns {_described(returned)}{of_pair}: expected a tuple of {stage.counted} = "
            f"{stage.expected}; one number is written (x,)"
        )
    if stage.pair and not isinstance(linearisation, types.BaseTuple):
        what = _described(linearisation)
        raise _Fault(f"{stage.name} returns {what} as its linearisation: expected a tuple; one number is written (x,)")
    if len(returned) != stage.expected:
        raise _Fault(f"{stage.name} returns {len(returned)} numbers{of_pair}: {stage.counted} is {stage.expected}")
    for place, item in enumerate(returned):
        if types.unliteral(item) != real:
            raise _Fault(
                f"{stage.name} returns {_described(item)} as number {place + 1}: expected {real}; take numbers from "
                "constants, as a literal has a type of its own"
            )
    return linearisation


def _described(item):
    item = types.unliteral(item)
    if isinstance(item, types.BaseTuple):
        return f"a tuple of {len(item)}"
    return f"a single {item}" if isinstance(item, types.Number) else str(item)


def _returned(stage):
    try:
        stage.function.compile(stage.arguments)
    except NumbaError as error:
        raise _Fault(f"{stage.name} does not compile: {_reason(error)}{_received(stage, error)}") from None
    return stage.function.overloads[stage.arguments].signature.return_type


def _reason(error):
    """The compiler's reason and place without its page of reasoning."""
    lines = [line.strip() for line in str(error).splitlines()]
    words = next((line for line in lines if line and not line.startswith(("Failed in", "During:", "-", "["))), "")
    if words.startswith("No implementation"):  # for the call that follows
        words = next((f"numba has no {line[4:]}" for line in lines if line.startswith(">>> ")), words)
    if words.startswith("('"):  # numba shows some reasons as the tuple of their parts
        words = "".join(ast.literal_eval(words))
    place = next((line for line in lines if line.startswith('File "')), "")
    return f"{words} ({place.rstrip(':')})" if place else words


def _received(stage, error):
    """How many numbers the function is given, where it took another number of them."""
    if "tuple length" not in str(error) and "tuple index" not in str(error):
        return ""
    given = zip(_ARGUMENTS[stage.name].split(", "), stage.arguments)
    counts = [f"{name} {len(item)}" for name, item in given if isinstance(item, (types.UniTuple, types.Tuple))]
    return f"; numbers that it is given: {', '.join(counts)}"
