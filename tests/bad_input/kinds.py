"""What the tables of bad input share: objects that must not be simulated, right values, and kinds of bad ones."""

from functools import cache

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

import numepi as ne
from numepi import analysis, plotting
from numepi.flow import FlowDistribution

mpl.use("Agg")


class Simulated(AssertionError):
    """A simulation was asked for."""


class Untouched(ne.circuits.Circuit):
    """A circuit of four parameters and two statistics that must not be simulated."""

    name, parameter_names, statistic_names = "untouched", ("a", "b", "c", "d"), ("f", "g")
    support = ne.Support([-1.0] * 4, [1.0] * 4)

    def __init__(self, trials=1):
        self.trials = trials

    def _evaluate(self, *arguments):
        raise Simulated


class UntouchedSC(ne.circuits.SC):
    def _evaluate(self, *arguments):
        raise Simulated


class UntouchedSTG(ne.circuits.STG):
    def _evaluate(self, *arguments):
        raise Simulated


class UntouchedLDS(ne.circuits.LDS):
    def _evaluate(self, *arguments):
        raise Simulated


def must_not_be_called(*arguments, **keywords):
    raise Simulated


def made(what):
    """An object that right calls are given."""
    return all_made()[what]


@cache
def all_made():
    support = Untouched.support
    flow = ne.RealNVP(support, hidden=(4,))
    q = FlowDistribution(flow, flow.initial_parameters(0), Untouched.parameter_names)
    z = np.random.default_rng(0).uniform(-0.9, 0.9, (50, 4))
    return {
        "support": support,
        "flow": flow,
        "q": q,
        "z": z,
        "density": z[:, 0].copy(),
        "f": z[:, :2].copy(),
        "prop": ne.EmergentProperty(mean=[0.0, 0.0], variance=[1.0, 1.0]),
        "trends": analysis.linear_trends(z, z[:, :2]),
        "ax": Figure().add_subplot(),
        "sensitivity": analysis.Sensitivity(z[:2], -np.ones((2, 4)), np.stack([np.eye(4)] * 2), tuple("abcd")),
        "path": analysis.ModePath("a", z[:3, 0], z[:3], np.zeros(3), np.ones(3, bool), np.zeros(3)),
        "map": analysis.stg.FrequencyMap(np.arange(3.0), np.arange(4.0), np.random.default_rng(0).uniform(size=(4, 3))),
        "moved": analysis.Perturbation(("x",), np.arange(3.0), np.zeros((2, 1, 3, 4)), np.zeros((2, 1, 3, 2)),
                                       np.ones((2, 1, 3), bool), ("f", "g")),
        "silencing": analysis.sc.Silencing(np.arange(3.0) / 2, "delay", np.ones((5, 2)), np.ones((3, 5, 2))),
        "paths": ne.circuits.Trajectories(np.arange(5.0), np.zeros((2, 5, 3)), ("x", "y", "z")),
        "recorder": plotting.FitRecorder(),
    }  # fmt: skip


Q = [("q", lambda: made("q"))]
CIRCUIT = [("circuit", Untouched)]
Z = [("z", lambda: made("z"))]
AX = [("ax", lambda: made("ax"))]
INFER = [*CIRCUIT, ("prop", lambda: made("prop")), ("progress", lambda: False)]
SUPPORT = [("support", lambda: made("support"))]

V, T = ValueError, TypeError
WHOLE, NUMBER, FLAG, CHOICE = "give a whole number", "give a (finite )?number", "give True or False", "choose from"
COUNT = [(0, V, WHOLE), (1.5, V, WHOLE), (True, T, WHOLE), ("3", T, WHOLE)]
COUNT_FROM_ZERO = [(-1, V, WHOLE), (2.0, V, WHOLE), ([3], T, WHOLE)]
POSITIVE = [(0, V, NUMBER), (np.nan, V, NUMBER), ("1", T, NUMBER), (True, T, NUMBER), (1j, T, NUMBER)]
NOT_NEGATIVE = [(-1, V, NUMBER), (np.inf, V, NUMBER), (None, T, NUMBER)]
FINITE = [(np.inf, V, NUMBER), ("x", T, NUMBER)]
BOOLEAN = [("no", T, FLAG), (1, T, FLAG), (None, T, FLAG)]
ONE_OF = [("magic", V, CHOICE), (3, T, CHOICE), (["a"], T, CHOICE)]
SEED = [(-1, V, "give an int"), (0.5, T, "give an int"), ("a", T, "give an int"), (np.random, T, "give an int")]
POINTS = [
    (np.ones(3), V, "expect"), (np.ones((2, 2, 2)), V, "expect"), (["x"], T, "give real numbers"),
    (1j * np.ones((2, 4)), T, "complex numbers"), (np.ma.masked_all((2, 4)), V, r"= nan|no finite"),
    ([[1], [1, 2]], V, "ragged"), (None, T, "objects"),
]  # fmt: skip
SAMPLES = [row for row in POINTS if row[0] is not None]
DISTRIBUTION = [(3, T, "give a result"), (FlowDistribution, T, "give a result"), (np.ones((3, 4)), T, "give a result")]
A_CIRCUIT = [("lds", T, "give"), (Untouched, T, r"make one"), (None, T, "give")]
A_PATH = [(3, T, "give a path"), ("", V, "give the name"), (b"x", T, "give a path"), ("a\0b", V, "give the name")]
EXECUTOR = [(3, T, "give a concurrent"), ("pool", T, "give a concurrent")]
DIRECTION = [("zz", V, "choose from x"), (1.0, T, "name or an index")]
AXES = [(0.5, T, "give matplotlib Axes"), ("ax", T, "give matplotlib Axes")]  # None makes a figure
PANELS = [("ax", T, "give matplotlib Axes"), ([3], T, "give matplotlib Axes"), ([], V, "there are")]
INDEX = [
    ("zz", V, "choose from"),
    (7, V, "out of range"),
    (-1, V, "out of range"),
    (0.0, T, "name or an index"),
    (True, T, "name or an index"),
]
PAIR = [((0, 0), V, "twice"), ((0, 9), V, "out of range"), ((0,), V, "give two"), ("a", V, "give two|choose from")]
NAMES = [
    ("abcd", T, "sequence of names"),
    (["a"], V, "different names"),
    (["a", "a", "b", "c"], V, "twice"),
    ([1, 2, 3, 4], T, "a name is a string"),
]
