"""Bad arguments of own models: `ne.Dynamics`, `ne.observe`, `ne.initial`, events and tables."""

import numpy as np

import numepi as ne
from tests.bad_input.kinds import CHOICE, COUNT, COUNT_FROM_ZERO, NOT_NEGATIVE, NUMBER, ONE_OF, WHOLE, T, V


def decay(x, z, t):
    return {"v": -z.rate * x.v}


def crossing(x, z, t):
    return x.v - 0.5


def add(own, x, z, t):
    return {"a": own["a"] + x.v}


def end(own, x, z, t):
    return own["a"]


OF = [("of", lambda: "v")]
MODEL = [
    ("drift", lambda: decay), ("states", lambda: {"v": 1.0}), ("parameters", lambda: {"rate": (0.5, 2.0)}),
    ("statistics", lambda: {"end": ne.observe.final("v")}), ("dt", lambda: 0.1), ("duration", lambda: 1.0),
]  # fmt: skip
MAP = [("drift", lambda: None), ("step", lambda: lambda x, z, t, xi: {"v": x.v * z.rate}), *MODEL[1:]]

CALLS = {
    "Dynamics": (ne.Dynamics, MODEL),
    "Dynamics-map": (ne.Dynamics, MAP),
    "Event": (ne.Event, [("function", lambda: crossing)]),
    "Event.peak": (ne.Event.peak, OF),
    "Table": (ne.Table, [("time", lambda: [0.0, 1.0]), ("values", lambda: [0.0, 1.0])]),
    "initial.uniform": (ne.initial.uniform, [("low", lambda: 0.0), ("high", lambda: 1.0)]),
    "initial.normal": (ne.initial.normal, [("mean", lambda: 0.0), ("sd", lambda: 1.0)]),
    **{f"observe.{name}": (getattr(ne.observe, name), OF)
       for name in ("mean", "variance", "std", "minimum", "maximum", "final", "synchrony")},
    **{f"observe.{name}": (getattr(ne.observe, name), [("event", lambda: "spike")])
       for name in ("count", "rate", "first_time", "mean_interval", "interval_cv")},
    **{f"observe.{name}": (getattr(ne.observe, name), [("event", lambda: "spike"), ("gap", lambda: 1.0)])
       for name in ("burst_duration", "burst_period", "duty_cycle", "spikes_per_burst")},
    "observe.at": (ne.observe.at, [*OF, ("time", lambda: 1.0)]),
    "observe.time_above": (ne.observe.time_above, [*OF, ("level", lambda: 1.0)]),
    "observe.correlation": (ne.observe.correlation, [*OF, ("other", lambda: "v")]),
    "observe.lagged_correlation": (ne.observe.lagged_correlation, [*OF, ("other", lambda: "v"), ("lag", lambda: 1)]),
    "observe.band_power": (ne.observe.band_power, [*OF, ("frequencies", lambda: [1.0])]),
    "observe.spectral_peak": (ne.observe.spectral_peak, [*OF, ("frequencies", lambda: [1.0])]),
    "observe.softmax_frequency": (ne.observe.softmax_frequency, [*OF, ("frequencies", lambda: [1.0]),
                                                                 ("slope", lambda: 1.0)]),
    "observe.phase": (ne.observe.phase, [("event", lambda: "spike"), ("of", lambda: "beat")]),
    "observe.fold": (ne.observe.fold, [("start", lambda: {"a": 0.0}), ("update", lambda: add),
                                       ("finish", lambda: end)]),
}  # fmt: skip

STATE = [
    (3, T, "give the name of a state"), (None, T, "give the name of a state"), (b"v", T, "give the name of a state"),
    (["v"], T, "give the name of a state"), ("", V, "give the name of a state"), ("v[", V, "give the name of a state"),
]  # fmt: skip
EVENT = [(3, T, "give a string"), (None, T, "give a string"), (crossing, T, "give a string"), ("", V, "events"),
         ("a b", V, "events")]  # fmt: skip
WINDOW = [(3, T, "give a string"), ("", V, "cycles of"), ("spike", V, "cycles of"), (True, T, "give a string")]
FUNCTION = [(3, T, "give a"), ("f", T, "give a"), ({"v": 1}, T, "give a")]
FINITE_NUMBERS = [
    (np.nan, V, "finite numbers"), (np.inf, V, "finite numbers"), ("x", T, "real numbers"), (None, T, "real numbers"),
    (1j, T, "real numbers"), (True, T, "real numbers"), ([1, [2, 3]], V, "ragged"), ([np.nan, 1.0], V, "finite"),
    (np.ma.array([1.0, 2.0], mask=[True, False]), V, "finite"),
]  # fmt: skip
FREQUENCIES = [([], V, "one or more"), ([np.nan], V, "finite"), ([-1.0], V, "finite"), (3.0, V, "one or more"),
               (["a"], T, "real"), ({}, T, "real")]  # fmt: skip
GAP = [(np.nan, V, NUMBER), (-1.0, V, NUMBER), (0, V, NUMBER), ("x", T, NUMBER), (True, T, NUMBER)]
TIME = [(0, V, "above zero"), (-1.0, V, "above zero"), (np.nan, V, "above zero"), (np.inf, V, "above zero"),
        ("x", V, "above zero"), (None, V, "above zero"), (True, V, "above zero"), ([1.0], V, "above zero")]  # fmt: skip

BAD = {
    ("Dynamics", "drift"): [(3, T, "expected a function"), (None, V, "give either"), (lambda x: 1, T, "fails"),
                            (lambda x, z, t: None, V, "returns nothing"),
                            (lambda x, z, t: {"w": 1.0}, V, "no state")],
    ("Dynamics", "states"): [
        (None, T, "missing"), (3, T, "expected a dict"), ([], T, "expected a dict"), ({}, V, "empty"),
        ({"v": "x"}, T, "real numbers"), ({"v": np.nan}, V, "finite"), ({"v": None}, T, "real numbers"),
        ({"v": [1, [2]]}, V, "ragged"), ({"v": np.inf}, V, "finite"), ({"v": 1j}, T, "real numbers"),
        ({"v": True}, T, "real numbers"), ({3: 1.0}, V, "names are letters"),
    ],
    ("Dynamics", "parameters"): [
        (None, T, "missing"), (3, T, "expected a dict"), ({}, V, "empty"), ({"rate": 1}, V, "give its bounds"),
        ({"rate": (2, 1)}, V, "below"), ({"rate": (0, np.nan)}, V, "below"), ({"rate": "ab"}, V, "give its bounds"),
        ({"rate": (0, 1, 2)}, V, "give its bounds"), ({"a b": (0, 1)}, V, "names are letters"),
    ],
    ("Dynamics", "statistics"): [
        (None, T, "missing"), (3, T, "expected a dict"), ({}, V, "empty"), ({"e": "v"}, T, "ne.observe"),
        ({"e": ne.observe.final}, T, "ne.observe"), ({"e": ne.observe.final("w")}, V, "there is no state"),
        ({"e": ne.observe.final("v[3]")}, V, "there is no element"), ({"e": ne.observe.count("s")}, V, "no such event"),
    ],
    ("Dynamics", "dt"): TIME,
    ("Dynamics", "duration"): [*TIME, (0.05, V, "same units"), (1.05, V, "whole number of steps"), (1e300, V, "steps")],
    ("Dynamics", "observe_from"): [(-1, V, "observe_from"), (np.nan, V, "observe_from"), ("x", V, "observe_from"),
                                   (True, V, "observe_from"), (1.0, V, "nothing is left")],
    ("Dynamics", "noise"): [(3, T, "expected a function"), (lambda x, z, t: {"w": 1.0}, V, "no state")],
    ("Dynamics", "step"): [(3, V, "give either"), (lambda x, z, t, xi: x.v, V, "give either")],
    ("Dynamics", "normals"): [(("a",), V, "are for maps"), (3, T, "sequence of names"), ("xi", T, "sequence of names")],
    ("Dynamics-map", "normals"): [
        ("xi", T, "sequence of names"), ([3], T, "a name is a string"), ([None], T, "a name is a string"),
        (("a", "a"), V, "twice"), ({3: ()}, V, "names are letters"), ({"xi": "a"}, T, WHOLE), ({"xi": -1}, V, WHOLE),
        ({"xi": 1.5}, V, WHOLE), ({"xi": (2.5,)}, V, WHOLE), ({"xi": (0,)}, V, WHOLE),
    ],
    ("Dynamics-map", "events"): [({"s": ne.Event(crossing, reset=crossing)}, V, "is a map")],
    ("Dynamics", "events"): [
        ([crossing], T, "expected a dict"), ({"s": 3}, T, r"write ne\.Event"), ({"s": crossing}, T, r"write ne\.Event"),
        ({3: ne.Event(crossing)}, V, "names are letters"),
    ],
    ("Dynamics", "tasks"): [
        ([1], T, "expected a dict"), ({"a": 3}, T, "expected a dict"), ({"a": {"c": np.nan}}, V, "finite"),
        ({"a": {"c": "x"}}, T, "real numbers"), ({"a": {"c": None}}, T, "real numbers"),
        ({"a": {"rate": 1}}, V, "is a parameter"), ({"a": {"c": 1}, "b": {"d": 1}}, V, "same constants"),
        ({"a": {"c": 1}, "b": {"c": [1, 2]}}, V, "one shape"), ({"a": {"c": 1j}}, T, "real numbers"),
        ({"a": {"c": True}}, T, "real numbers"), ({"a": {"c": [[1], [1, 2]]}}, V, "ragged"),
    ],
    ("Dynamics", "trials"): COUNT,
    ("Dynamics", "method"): [*ONE_OF, ("rk45", V, CHOICE)],
    ("Dynamics", "least_share"): [(0, V, NUMBER), (2, V, NUMBER), (np.nan, V, NUMBER), ("x", T, NUMBER),
                                  (None, T, NUMBER), (True, T, NUMBER)],
    ("Dynamics", "name"): [(3, T, "give a string"), (None, T, "give a string"), ("", V, "letter")],
    ("Event", "function"): [("v", T, r"ne\.Event\.peak"), (None, T, "give a function"), (3, T, "give a function")],
    ("Event", "direction"): [("up", V, "choose"), (None, V, "choose"), (2, V, "choose"), (1.0, V, "choose"),
                             (True, V, "choose"), ([1], V, "choose")],
    ("Event", "reset"): FUNCTION,
    ("Event", "refractory"): [*NOT_NEGATIVE, ("x", T, NUMBER), (1j, T, NUMBER), (True, T, NUMBER), ([1], T, NUMBER)],
    ("Event.peak", "of"): [(3, T, "give the name"), (None, T, "give the name"), ("", T, "give the name")],
    ("Event.peak", "above"): [(np.nan, V, NUMBER), (np.inf, V, NUMBER), ("x", T, NUMBER), (None, T, NUMBER)],
    ("Event.peak", "refractory"): [(-1.0, V, NUMBER), ("x", T, NUMBER)],
    ("Table", "time"): [
        *FINITE_NUMBERS[:6], ([1.0], V, "two or more"), ([1.0, 1.0], V, "increasing"), ([2.0, 1.0], V, "increasing"),
        ([[0, 1], [2, 3]], V, "two or more"), (3, V, "two or more"),
    ],
    ("Table", "values"): [*FINITE_NUMBERS, ([1.0, 2.0, 3.0], V, "one for each"), (3.0, V, "one for each")],
    ("Table", "kind"): ONE_OF,
    ("initial.uniform", "low"): [*FINITE_NUMBERS, (1.0, V, "must be below"), (2.0, V, "must be below"),
                                 ([0.0, 1.0], V, "must be below")],
    ("initial.uniform", "high"): [*FINITE_NUMBERS, (-1.0, V, "must be below")],
    ("initial.uniform", "of"): FUNCTION,
    ("initial.normal", "mean"): FINITE_NUMBERS,
    ("initial.normal", "sd"): [*FINITE_NUMBERS, (-1.0, V, "zero or more")],
    ("initial.normal", "of"): FUNCTION,
    **{(f"observe.{name}", "of"): STATE for name in (
        "mean", "variance", "std", "minimum", "maximum", "final", "synchrony", "at", "time_above", "correlation",
        "lagged_correlation", "band_power", "spectral_peak", "softmax_frequency",
    )},
    **{(f"observe.{name}", "event"): EVENT for name in (
        "count", "rate", "first_time", "mean_interval", "interval_cv", "burst_duration", "burst_period", "duty_cycle",
        "spikes_per_burst", "phase",
    )},
    **{(f"observe.{name}", "window"): WINDOW for name in ("mean", "variance", "std")},
    **{(f"observe.{name}", "gap"): GAP
       for name in ("burst_duration", "burst_period", "duty_cycle", "spikes_per_burst")},
    ("observe.correlation", "other"): STATE,
    ("observe.lagged_correlation", "other"): STATE,
    ("observe.phase", "of"): EVENT,
    ("observe.at", "time"): [(np.nan, V, NUMBER), ("x", T, NUMBER), (True, T, NUMBER), (1j, T, NUMBER), (0, V, NUMBER)],
    ("observe.time_above", "level"): [(np.inf, V, NUMBER), ("x", T, NUMBER), (True, T, NUMBER)],
    ("observe.lagged_correlation", "lag"): COUNT_FROM_ZERO,
    ("observe.band_power", "frequencies"): FREQUENCIES,
    ("observe.spectral_peak", "frequencies"): FREQUENCIES,
    ("observe.softmax_frequency", "frequencies"): FREQUENCIES,
    ("observe.softmax_frequency", "slope"): [(np.nan, V, NUMBER), ("x", T, NUMBER)],
    ("observe.softmax_frequency", "smoothing"): COUNT,
    ("observe.fold", "start"): [
        (3, T, "by name"), ("x", T, "by name"), (None, T, "by name"), ([1], T, "by name"), ({}, V, "empty"),
        ({"a": "x"}, T, "real numbers"), ({"a": None}, T, "real numbers"), ({3: 1.0}, T, "give a string"),
    ],
    ("observe.fold", "update"): FUNCTION,
    ("observe.fold", "finish"): FUNCTION,
}  # fmt: skip

# What a message calls an argument where it does not use its name.
OTHER_NAMES = {
    ("Dynamics", "step"): "step", ("Dynamics", "drift"): "drift", ("Dynamics-map", "events"): "event",
    ("Dynamics", "duration"): "duration|dt", ("Event.peak", "of"): "of|function",
}  # fmt: skip
