"""What newcomers do wrong: each mistake is one clear line, before anything is simulated."""

import math
import re

import numpy as np
import pytest

import numepi as ne

COUNTER, RNG = iter(range(10**9)), np.random.default_rng(0)


def drift(x, z, t):
    return {"v": -z.a * x.v, "w": x.v - x.w}


def model(drift=drift, **changes):
    """A model that works, with changes."""
    arguments = {
        "states": {"v": 1.0, "w": np.zeros(2)}, "parameters": {"a": (0.5, 2.0), "b": (0.0, 1.0)},
        "statistics": {"end": ne.observe.final("v")}, "dt": 0.1, "duration": 1.0,
    }  # fmt: skip
    arguments |= changes
    return ne.Dynamics(drift, **{name: value for name, value in arguments.items() if value is not None})


def returning(**values):
    return lambda x, z, t: {"v": -x.v, "w": -x.w} | {n: f(x, z, t) for n, f in values.items()}


def at_v(function):
    return lambda: model(returning(v=function))


def branching(x, z, t):
    if x.v > 0:
        return {"v": -x.v, "w": -x.w}
    return {"v": x.v, "w": -x.w}


def assigning(x, z, t):
    x.v = 0.0
    return {"v": -x.v, "w": -x.w}


def assigning_element(x, z, t):
    x.w[0] = 0.0
    return {"v": -x.v, "w": -x.w}


def forgetful(x, z, t):
    {"v": -x.v, "w": -x.w}  # noqa: B018


def spike(**more):
    return {"spike": ne.Event(lambda x, z, t: x.v - 0.5, **more)}


# (what is done, the line that answers it)
MISTAKES = {
    "a state that is not there": (at_v(lambda x, z, t: x.u), r"there is no state 'u' \(line \d+ of test_mistakes.py"),
    "a parameter that is not there": (
        at_v(lambda x, z, t: z.tau * x.v),
        "there is no parameter 'tau' .*: there are a, b",
    ),
    "a state without a derivative": (
        lambda: model(lambda x, z, t: {"v": -x.v}),
        "the drift returns nothing for w: it must",
    ),
    "a derivative of no state": (
        at_v(lambda x, z, t: 0.0 * x.v) and (lambda: model(returning(q=lambda x, z, t: x.v))),
        "the drift returns 'q', which is no state: the states are v, w",
    ),
    "no return": (lambda: model(forgetful), r"the drift returns nothing: end it with return"),
    "too few values": (lambda: model(lambda x, z, t: (x.v,)), "the drift returns 1 values: there are 2 states"),
    "the wrong shape": (
        lambda: model(returning(w=lambda x, z, t: np.stack([x.v] * 3))),
        r"the drift returns shape \(3,\) for 'w': the state has shape \(2,\)",
    ),
    "if": (
        lambda: model(branching),
        r"use np.where\(condition, a, b\) for if.*line \d+ of test_mistakes.py: if x.v > 0:",
    ),
    "and": (at_v(lambda x, z, t: np.where(x.v > 0 and x.v < 1, 1.0, 0.0)), "a & b for a and b"),
    "Python's max": (at_v(lambda x, z, t: max(x.v, 0.0)), r"np.maximum\(a, b\) for max\(a, b\)"),
    "math.exp": (at_v(lambda x, z, t: math.exp(x.v)), "np.exp for math.exp"),
    "float": (at_v(lambda x, z, t: float(x.v)), "a state, parameter or time has no value"),
    "if on the time": (at_v(lambda x, z, t: 1.0 if t > 0.5 else 0.0), r"use np.where\(condition, a, b\) for if"),
    "assignment to a state": (lambda: model(assigning), "assignment to the state 'v' .*: return new values"),
    "assignment to an element": (lambda: model(assigning_element), "assignment to elements of a traced vector"),
    "==": (at_v(lambda x, z, t: np.where(x.v == 0, 1.0, 0.0)), "== of traced values .*: compare with < or >"),
    "an index into a scalar": (at_v(lambda x, z, t: x.v[0]), "a number has no elements"),
    "a scalar unpacked": (at_v(lambda x, z, t: sum([*x.v])), "a number cannot be iterated"),
    "an object array in np.maximum": (at_v(lambda x, z, t: np.maximum(np.array([x.v, z.a]), 0.0)[0]), "np.stack"),
    "a function that cannot be traced": (
        at_v(lambda x, z, t: np.linalg.norm(x.w)),
        "np.linalg.norm|np.norm cannot be traced",
    ),
    "an elementwise one that cannot": (at_v(lambda x, z, t: np.arctan2(x.v, 1.0)), "np.arctan2 cannot be traced"),
    "shapes that do not fit": (at_v(lambda x, z, t: (np.eye(3) @ x.w)[0]), r"shapes \(3, 3\) @ \(2,\) do not fit"),
    "random numbers inside": (
        at_v(lambda x, z, t: x.v * RNG.random()),
        "the drift is not the same when it is called again",
    ),
    "a counter inside": (
        at_v(lambda x, z, t: x.v * next(COUNTER)),
        "the drift is not the same when it is called again",
    ),
    "a table of a state": (at_v(lambda x, z, t: ne.Table([0, 1], [0, 1])(x.v)), "a Table of something other than time"),
    "a string among numbers": (at_v(lambda x, z, t: x.v + "1"), "unsupported operand|expected numbers"),
    "an error of one's own": (
        at_v(lambda x, z, t: x.v * globals()["undefined"]),
        "undefined",
    ),
    "bounds the wrong way round": (lambda: model(parameters={"a": (2.0, 0.5)}), "the lowest must be below the highest"),
    "a value in place of bounds": (lambda: model(parameters={"a": 1.0}), "give its bounds"),
    "no parameters": (lambda: model(parameters={}), "parameters is empty"),
    "no statistics": (lambda: model(statistics=None), "statistics missing"),
    "a name that is none": (lambda: model(states={"v 1": 0.0}), "names are letters, digits and underscores"),
    "a function in place of a statistic": (lambda: model(statistics={"f": np.mean}), "choose one of ne.observe"),
    "a statistic of an unknown state": (lambda: model(statistics={"f": ne.observe.mean("u")}), "there is no state 'u'"),
    "an element too far": (lambda: model(statistics={"f": ne.observe.mean("w[2]")}), r"there is no element 'w\[2\]'"),
    "a statistic of an unknown event": (
        lambda: model(statistics={"f": ne.observe.rate("spike")}),
        "there is no such event",
    ),
    "a function in place of an event": (lambda: model(events={"e": lambda x, z, t: x.v}), r"write ne.Event\(function"),
    "a condition in place of a crossing": (
        lambda: model(events={"spike": ne.Event(lambda x, z, t: x.v > 0.5)}),
        "the event 'spike' is a truth value: give what crosses zero",
    ),
    "a function of other arguments": (
        lambda: model(lambda x, z: {"v": -x.v, "w": -x.w}),
        r"takes 2 positional arguments but 3 were given: it is called as f\(x, z, t\)",
    ),
    "an initial value of the state": (
        lambda: model(states={"v": lambda x, z: 0.0, "w": np.zeros(2)}),
        r"it is called as f\(z\), or as of= with \(xi, z\)",
    ),
    "time as an index": (at_v(lambda x, z, t: np.zeros(10)[t]), r"use ne.Table\(time, values\) \(line \d+ of"),
    "a format": (at_v(lambda x, z, t: f"{x.v:.2f}" and -x.v), r"the drift fails: .*__format__ \(line \d+ of test_mi"),
    "a window before the start": (lambda: model(observe_from=-1.0), "give a finite number of at least zero"),
    "a direction in words": (lambda: model(events=spike(direction="up")), r"choose \+1 \(upwards\)"),
    "a refractory time below dt": (lambda: model(events=spike(refractory=0.01)), "give 0, or at least one step"),
    "a reset of no state": (
        lambda: model(events=spike(reset=lambda x, z, t: {"u": 0.0})),
        "the reset of 'spike' returns 'u'",
    ),
    "dt longer than the duration": (lambda: model(dt=5.0), "are both in the same units"),
    "units off by a million": (lambda: model(dt=1e-9, duration=1e3), "are both in the same units"),
    "half a step": (lambda: model(dt=0.3), "make it a whole number of steps"),
    "a negative duration": (lambda: model(duration=-1.0), "duration = -1.0: give a finite number above zero"),
    "a window after the end": (lambda: model(observe_from=2.0), "nothing is left to observe"),
    "an unknown method": (lambda: model(method="rk45"), "choose from 'euler', 'heun', 'rk4', 'exponential-euler'"),
    "RK4 with noise": (lambda: model(method="rk4", noise=lambda x, z, t: {"v": 1.0}), "is for models without noise"),
    "a drift and a map": (lambda: model(step=drift), "give either drift=.* or step="),
    "a drift that is called": (lambda: model(drift={"v": 1.0}), "drift is a dict: expected a function"),
    "noise of no state": (lambda: model(noise=lambda x, z, t: {"q": 1.0}), "the noise returns 'q', which is no state"),
    "tasks that differ": (
        lambda: model(tasks={"a1": {"k": 1.0}, "b1": {"m": 1.0}}),
        "give every task the same constants",
    ),
    "a task's constant named as a parameter": (lambda: model(tasks={"one": {"a": 1.0}}), "which is a parameter"),
    "trials as a float": (lambda: model(trials=2.5), "trials = 2.5"),
    "a negative lag": (
        lambda: model(statistics={"c": ne.observe.lagged_correlation("v", "w[0]", 200)}),
        "lag = 200 samples",
    ),
    "a time after the end": (lambda: model(statistics={"f": ne.observe.at("v", time=7.0)}), "up to the duration"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_answered_by_one_line(mistake):
    make, message = MISTAKES[mistake]
    with pytest.raises((TypeError, ValueError, AttributeError, KeyError, IndexError)) as error:
        make()
    text = str(error.value)
    assert re.search(message, text), text
    assert "\n" not in text and len(text) < 400


def test_the_model_that_the_mistakes_change_works():
    f = model(trials=1).statistics([[1.0, 0.5]])
    np.testing.assert_allclose(f, np.exp(-1.0), rtol=1e-5)


def test_what_only_running_shows_is_nan_and_leaves_the_rest_alone():
    def drift(x, z, t):
        return {
            "explodes": -z.a * x.explodes**3,  # a step too long
            "starts_at_a_pole": z.a / x.starts_at_a_pole,  # division by zero at the start
            "root": -z.a * np.sqrt(x.root - 2.0),  # of a negative number
            "decays": -z.a * x.decays,
        }

    states = {"explodes": 3.0, "starts_at_a_pole": 0.0, "root": 1.0, "decays": 1.0}
    circuit = ne.Dynamics(
        drift, states=states, parameters={"a": (0.5, 2.0)}, dt=0.5, duration=20.0,
        events={
            "never": ne.Event(lambda x, z, t: x.decays - 5.0), "shot": ne.Event(lambda x, z, t: x.explodes - 1.0),
        },
        statistics={name: ne.observe.final(name) for name in states} | {
            "top": ne.observe.maximum("explodes"), "interval": ne.observe.mean_interval("never"),
            "shots": ne.observe.rate("shot"), "above": ne.observe.time_above("explodes", 1.0),
            "count": ne.observe.count("never"),
        },
    )  # fmt: skip
    f = circuit.statistics([[1.0], [1.5]])
    assert np.isnan(f[:, [0, 1, 2, 4, 5, 6, 7]]).all()  # what exploded is not silent
    assert np.all((f[:, 3] > 0) & (f[:, 3] < 1e-3)) and np.all(f[:, 8] == 0)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(circuit.reference([[1.0]]), f[:1], rtol=1e-12)
