"""What is wrong with a simulator's functions is said in one line, and nothing is written where there is no room."""

import dataclasses
from typing import NamedTuple

import numpy as np
import pytest

from numepi.kernels.compile import block_function, scalar
from numepi.simulation.lanes import Noise, Observation, Simulator

KEY = (1, 2)


class Constants(NamedTuple):
    rate: float


@scalar
def start(initial, c):
    return initial[0], initial[1]


@scalar
def step(state, parameters, noise, drive, task, c):
    x, y = state
    return (x + c.rate * parameters[0] * y + noise[0], y), (y,)


@scalar
def tangent(tangents, linearisation, parameters, drive, task, c):
    return (tangents[0] + c.rate * linearisation[0],)


@scalar
def keep(values, state, count, c):
    return (values[0] + state[0],), ()


@scalar
def keep_tangent(derivatives, tangents, linearisation, count, c):
    return (derivatives[0] + tangents[0],)


@scalar
def statistic(state, observed, task, c):
    return (observed[0],), ()


@scalar
def statistic_tangent(tangents, derivatives, linearisation, c):
    return (derivatives[0],)


@scalar
def readout(state, drive, c):
    return state


WHOLE = {
    "name": "checked", "n_parameters": 1, "n_states": 2, "n_tangents": 1, "n_noise": 1, "n_drive": 0, "n_readout": 2,
    "start": start, "step": step, "tangent": tangent, "readout": readout, "statistic": statistic,
    "statistic_tangent": statistic_tangent, "observation": Observation(1, keep, 1, keep_tangent), "lanes": 16,
}  # fmt: skip


def run(simulator, with_jacobian=True, real=np.float64, z=((0.5,), (1.0,)), drive=(4, 0), noise=None):
    return simulator.statistics(
        np.array(z, real), KEY, 0, 3, np.empty(drive), Constants(0.1), with_jacobian, noise, observe_from=1
    )


def one_number(initial, c):
    return initial[0]


def three_numbers(initial, c):
    return initial[0], initial[1], initial[2]


def a_literal(initial, c):
    return initial[0], 0.5


def not_a_pair(state, parameters, noise, drive, task, c):
    return state


def bare_linearisation(state, parameters, noise, drive, task, c):
    return state, state[0]


def misspelt(state, parameters, noise, drive, task, c):
    return (state[0] + c.ratio, state[1]), (state[1],)  # constants have no such field


def unknown_call(state, parameters, noise, drive, task, c):
    return (parameters[task], state[1]), ()


def takes_three(tangents, linearisation, parameters, drive, task, c):
    a, b, _ = tangents
    return (a + b,)


def two_tangents(tangents, linearisation, parameters, drive, task, c):
    return tangents[0], tangents[0]


def bare_value(values, state, count, c):
    return state[0], ()


def two_statistics(state, observed, task, c):
    return (observed[0], observed[0]), ()


def two_derivatives(tangents, derivatives, linearisation, c):
    return derivatives[0], derivatives[0]


@pytest.mark.parametrize(
    ("name", "function", "message"),
    [
        ("start", one_number, r"start returns a single float64: expected a tuple of n_states = 2; one .* \(x,\)"),
        ("start", three_numbers, "start returns 3 numbers: n_states is 2"),
        ("step", not_a_pair, "step returns .* expected a tuple of n_states = 2"),
        ("step", bare_linearisation, "step returns a single float64 as its linearisation: expected a tuple"),
        ("step", misspelt, r"step does not compile: .*ratio.* \(File \"tests/simulation/test_checks.py\", line \d+\)"),
        ("step", unknown_call, r"numba has no getitem\(UniTuple\(float64 x 1\), float64\) \(File"),
        ("tangent", takes_three, r"wrong tuple length for tangents: expected 3, got 1 .*; numbers .* tangents 1, "),
        ("tangent", two_tangents, "tangent returns 2 numbers: n_tangents is 1"),
        ("observation", bare_value, "observation.update returns a single float64 first: .* n_values = 1"),
        ("statistic", two_statistics, "statistic returns 2 numbers first: n_statistics is 1"),
        ("statistic_tangent", two_derivatives, r"returns 2 numbers: n_statistics \* n_parameters is 1"),
    ],
)
def test_a_function_that_returns_what_it_should_not_is_named_in_a_line(name, function, message):
    compiled = Observation(1, scalar(function), 1, keep_tangent) if name == "observation" else scalar(function)
    simulator = Simulator(**(WHOLE | {name: compiled, "name": f"checked_{function.__name__}"}))
    with pytest.raises(TypeError, match=f"simulator 'checked_{function.__name__}': .*{message}") as caught:
        run(simulator, with_jacobian="tangent" in name or name == "step")
    assert len(str(caught.value).splitlines()) == 1 and caught.value.__suppress_context__


def test_a_literal_in_single_precision_is_named():
    simulator = Simulator(**(WHOLE | {"start": scalar(a_literal), "name": "checked_literal"}))
    with pytest.raises(TypeError, match=r"start returns a single float64 as number 2: expected float32; take .* const"):
        run(simulator, with_jacobian=False, real=np.float32)


def test_a_readout_of_another_length_is_named():
    simulator = Simulator(**(WHOLE | {"n_readout": 3, "name": "checked_readout"}))
    with pytest.raises(TypeError, match="readout returns 2 numbers: n_readout is 3"):
        simulator.trajectories(np.ones((1, 1)), KEY, 0, 1, np.empty((4, 0)), Constants(0.1))


def test_without_a_tangent_there_are_the_same_values_and_no_gradient():
    f, jacobian = run(Simulator(**WHOLE))
    bare = {"tangent": None, "statistic_tangent": None, "n_tangents": None, "observation": Observation(1, keep)}
    simulator = Simulator(**(WHOLE | bare | {"name": "checked_values"}))
    values, nothing = run(simulator, with_jacobian=False)
    np.testing.assert_array_equal(values, f)
    assert nothing is None and jacobian.shape == (2, 1, 1)
    with pytest.raises(ValueError, match="simulator 'checked_values' has no tangent: it gives values only"):
        run(simulator)


@block_function
def total(kept, c, work, results):
    for lane in range(kept.shape[2]):
        results[0, lane] = kept[-1, 0, lane]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"n_states": 2.0}, ValueError, "n_states = 2.0: give a whole number of at least 1"),
        ({"n_statistics": 0}, ValueError, "n_statistics = 0"),
        ({"n_noise": -1}, ValueError, "n_noise = -1: give a whole number of at least 0"),
        ({"lanes": 20}, ValueError, "lanes = 20: give a multiple of 16"),
        ({"n_initial": 2}, ValueError, "n_initial = 2: give a multiple of 4"),
        ({"step": step.py_func}, TypeError, r"step is a function: compile it with numepi\.kernels\.compile\.scalar"),
        ({"readout": None}, TypeError, "readout is a NoneType"),
        ({"tangent": scalar(one_number)}, TypeError, r"tangent takes \(initial, c\): expected \(tangents, linear"),
        ({"summary": total}, ValueError, "give one of statistic and summary"),
        ({"statistic": None}, ValueError, "give one of statistic and summary"),
        ({"statistic": None, "summary": total}, ValueError, "summary needs an observation with keep_all=True"),
        ({"statistic_tangent": None}, ValueError, "has tangent but no statistic_tangent: give both, or neither"),
        ({"tangent": None}, ValueError, "has statistic_tangent but no tangent"),
        ({"observation": Observation(1, keep)}, ValueError, r"has tangent but no observation\.tangent"),
    ],
)
def test_a_definition_that_cannot_work_is_refused_when_it_is_made(changes, error, message):
    with pytest.raises(error, match=f"simulator 'checked'.*{message}"):
        dataclasses.replace(Simulator(**WHOLE), **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"z": [[0.5, 1.0]]}, r"z has shape \(1, 2\): expected \(1, 1\), \(n, n_parameters\)"),
        ({"drive": (4, 1)}, r"drive has shape \(4, 1\)"),
        (
            {"noise": Noise(np.zeros((6, 3)), np.zeros((6, 3, 1)))},
            r"noise\.initial has .*\(6, 4\), .* 2 .* x 1 tasks x 3",
        ),
        ({"noise": Noise(np.zeros((6, 4)), np.zeros((6, 2, 1)))}, r"noise\.steps has shape \(6, 2, 1\).*\(6, 3, 1\)"),
    ],
)
def test_arrays_of_other_shapes_are_refused_before_a_kernel_reads_them(changes, message):
    with pytest.raises(ValueError, match=message):
        run(Simulator(**WHOLE), **changes)
