"""Bad input: a table of calls, arguments and values, each refused in one line before anything is simulated.

A row of `TABLE` is (call, argument, value, error, pattern).  To cover a new public argument, add its call to `CALLS`
(with values for the other arguments that are right) and rows for it; the lists of values below serve most kinds of
arguments.  The pattern is looked for in the message, which is also checked to be one line that names the argument (or
what the row says instead) and shows the value or its type.
"""

import re
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

import numepi as ne
from numepi import analysis, plotting
from numepi.flow import FlowDistribution
from numepi.flow.families.gaussian import fit_gaussian

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
A, P = analysis, plotting

# Name of a call: what is called, and its other arguments.
CALLS = {
    "infer": (ne.infer, INFER),
    "infer-al": (ne.infer, [*INFER, ("solver", lambda: "augmented-lagrangian")]),
    "load": (ne.load, [("path", lambda: "none.npz")]),
    "load_sweep": (ne.load_sweep, []),
    "sweep": (ne.sweep, [("tasks", list), ("progress", lambda: False)]),
    "Task": (ne.Task, [*CIRCUIT, ("prop", lambda: made("prop"))]),
    "Support": (ne.Support, [("lower", lambda: [0.0, 0.0]), ("upper", lambda: [1.0, 1.0])]),
    "EmergentProperty": (ne.EmergentProperty, [("mean", lambda: [0.0, 0.0])]),
    "Moment": (ne.Moment, [("name", lambda: "m"), ("function", lambda: must_not_be_called), ("target", lambda: 0.0)]),
    "RealNVP": (ne.RealNVP, SUPPORT),
    "SplineFlow": (ne.SplineFlow, SUPPORT),
    "ElementwiseFlow": (ne.ElementwiseFlow, SUPPORT),
    "DirectionalFlow": (ne.DirectionalFlow, [*SUPPORT, ("vectors", lambda: 2)]),
    "SymmetricFlow": (ne.SymmetricFlow, [*SUPPORT, ("sign_symmetries", lambda: [(0, 1)])]),
    "FlowDistribution": (FlowDistribution, [("flow", lambda: made("flow")), ("theta", lambda: made("q").theta)]),
    "fit_gaussian": (fit_gaussian, [("flow", lambda: made("flow")), ("mean", lambda: [0.0] * 4),
                                    ("standard_deviation", lambda: [0.2] * 4)]),
    "q.sample": (lambda **k: made("q").sample(**k), []),
    "q.log_prob": (lambda **k: made("q").log_prob(**k), []),
    "q.gradient": (lambda **k: made("q").gradient(**k), []),
    "q.hessian": (lambda **k: made("q").hessian(**k), []),
    "q.hvp": (lambda **k: made("q").hessian_vector_product(**k), [*Z, ("v", lambda: made("z"))]),
    "LDS": (ne.circuits.LDS, []),
    "STG": (ne.circuits.STG, []),
    "RankTwoRNN": (ne.circuits.RankTwoRNN, []),
    "V1": (ne.circuits.V1, []),
    "SC": (ne.circuits.SC, []),
    "V1.property": (lambda **k: ne.circuits.V1().emergent_property(**k), []),
    "V1.steady_state": (lambda **k: ne.circuits.V1().steady_state(**k), []),
    "V1.input_responses": (lambda **k: ne.circuits.V1().input_responses(**k), []),
    "V1.input_step": (lambda **k: ne.circuits.V1().input_step(**k), [("change", lambda: [0.1] * 4)]),
    "statistics": (lambda **k: Untouched().statistics(**k), Z),
    "jacobian": (lambda **k: Untouched().statistics_and_jacobian(**k), Z),
    "simulate": (lambda **k: Untouched().simulate(**k), Z),
    "FunctionCircuit": (ne.circuits.FunctionCircuit, [("function", lambda: must_not_be_called), *SUPPORT,
                                                      ("statistic_names", lambda: ["f"])]),
    "check_jacobian": (ne.check_jacobian, [*CIRCUIT, *Z]),
    "mode": (A.mode, Q),
    "mode_path": (A.mode_path, [*Q, ("parameter", lambda: "a"), ("values", lambda: [0.0, 0.1])]),
    "sensitivity": (A.sensitivity, [*Q, ("z", lambda: made("z")[0])]),
    "summarise": (A.summarise, Q),
    "group_by_mode": (A.group_by_mode, [*Q, ("modes", lambda: made("z")[:2])]),
    "perturb": (A.perturb, [*CIRCUIT, *Z, ("directions", lambda: {"x": np.ones(4)}), ("deltas", lambda: [0.0, 1.0])]),
    "simulator_metric": (A.simulator_metric, [*CIRCUIT, *Z, ("covariance", lambda: [1.0, 1.0])]),
    "tidy": (P.tidy, []),
    "at": (ne.observe.at, [("of", lambda: "v")]),
    "time_above": (ne.observe.time_above, [("of", lambda: "v")]),
    "lagged_correlation": (ne.observe.lagged_correlation, [("of", lambda: "v"), ("other", lambda: "v")]),
    "band_power": (ne.observe.band_power, [("of", lambda: "v")]),
    "softmax_frequency": (ne.observe.softmax_frequency, [("of", lambda: "v"), ("frequencies", lambda: [1.0]),
                                                         ("slope", lambda: 1.0)]),
    "duty_cycle": (ne.observe.duty_cycle, [("event", lambda: "spike")]),
    "alignment": (A.alignment, [("first", lambda: np.ones(3)), ("second", lambda: np.ones(3))]),
    "brute_force": (A.brute_force, [*CIRCUIT, ("accept", lambda: must_not_be_called), ("n", lambda: 5)]),
    "conditional_mean": (A.conditional_mean, [*Z, ("parameter", lambda: 0), ("values", lambda: [0.0])]),
    "linear_trends": (A.linear_trends, [*Z, ("f", lambda: made("f"))]),
    "lds.growth_contour": (A.lds.growth_contour, [("growth", lambda: 0.0), ("a11", lambda: [1.0])]),
    "lds.frequency_contour": (A.lds.frequency_contour, [("frequency", lambda: 1.0), ("a12", lambda: [1.0])]),
    "lds.rotation_share": (A.lds.rotation_share, []),
    "lds.share_within": (A.lds.share_within, [("f", lambda: made("f")), ("prop", lambda: made("prop"))]),
    "rnn.classify": (A.rnn.classify, []),
    "rnn.norms": (A.rnn.norms, []),
    "stg.frequency_map": (A.stg.frequency_map, [("circuit", UntouchedSTG)]),
    "sc.silence": (A.sc.silence, [("circuit", UntouchedSC), *Z, ("gammas", lambda: [0.5])]),
    "sc.task_flip": (A.sc.task_flip, [("pro", lambda: [0.6, 0.7]), ("anti_silenced", lambda: [0.4, 0.3])]),
    "sc.eigenvalue_trends": (A.sc.eigenvalue_trends, [*Z, ("error", lambda: np.zeros(50))]),
    "sc.anti_response": (A.sc.anti_response, [("moved", lambda: made("moved")), ("direction", lambda: "x")]),
    "silencing.gamma_at": (lambda **k: made("silencing").gamma_at(**k), []),
    "v1.compare_sums": (A.v1.compare_sums, [("low", lambda: made("z")), ("high", lambda: made("z"))]),
    "v1.effect_sizes": (A.v1.effect_sizes, [("low", lambda: made("q")), ("high", lambda: made("q"))]),
    "v1.contrast_response": (A.v1.contrast_response, [("circuit", ne.circuits.V1), ("contrasts", lambda: [0.5])]),
    "v1.paradoxical": (A.v1.paradoxical, [("circuit", ne.circuits.V1)]),
    "v1_linear.gains": (A.v1_linear.variance_gains, [("circuit", ne.circuits.V1)]),
    "pairs": (P.pairs, Z),
    "plane": (P.plane, [*AX, *Z]),
    "arrows": (P.arrows, [*AX, ("sensitivity", lambda: made("sensitivity"))]),
    "mode_points": (P.mode_points, [*AX, ("path", lambda: made("path"))]),
    "frequency_contours": (P.frequency_contours, [*AX, ("plane_map", lambda: made("map"))]),
    "activity": (P.activity, [("trajectories", lambda: made("paths"))]),
    "FitRecorder": (P.FitRecorder, []),
    "animate_fit": (P.animate_fit, [("recorder", lambda: made("recorder")), ("path", lambda: "fit.gif"), *CIRCUIT]),
    "histograms": (P.histograms, [*AX, ("samples", lambda: {"x": [1.0, 2.0]}), ("label", lambda: "x")]),
    "statistic_clouds": (P.statistic_clouds, [*AX, ("f", lambda: made("f")), ("prop", lambda: made("prop")),
                                              ("names", lambda: ("f", "g"))]),
    "trend_matrix": (P.trend_matrix, [*AX, ("trends", lambda: made("trends"))]),
    "coupling_bars": (P.coupling_bars, AX),
    "perturbation_curves": (P.perturbation_curves, [*AX, ("perturbation", lambda: made("moved")),
                                                    ("direction", lambda: "x")]),
    "silencing_curves": (P.silencing_curves, [*AX, ("silencing", lambda: made("silencing"))]),
    "task_flip_points": (P.task_flip_points, [*AX, ("pro", lambda: [0.6]), ("anti_silenced", lambda: [0.4])]),
    "contrast_curves": (P.contrast_curves, [*AX, ("contrasts", lambda: [0.1]), ("rates", lambda: np.ones((1, 4)))]),
    "norm_curves": (P.norm_curves, [*AX, ("time", lambda: np.arange(3.0)), ("norms", lambda: np.ones((2, 3)))]),
    "lds_contours": (P.lds_contours, [("circuit", UntouchedLDS)]),
    "traces": (P.traces, []),
}  # fmt: skip

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
AXES = [(None, T, "give matplotlib Axes"), ("ax", T, "give matplotlib Axes")]
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

# (call, argument): bad values, each with its error and what its message says.
BAD = {
    ("infer", "circuit"): [
        ("lds", T, "FunctionCircuit"), (Untouched, T, "make one"), (lambda z: z, T, "FunctionCircuit"),
    ],
    ("infer", "prop"): [({"mean": [0]}, T, "EmergentProperty"), (None, T, "EmergentProperty")],
    ("infer", "rng"): SEED,
    ("infer", "solver"): ONE_OF,
    ("infer", "flow"): [("RealNVP", T, "give a flow"), (ne.RealNVP, T, "give a flow"), (3, T, "give a flow")],
    ("infer", "gradient"): ONE_OF,
    ("infer", "precision"): ONE_OF,
    ("infer", "device"): ONE_OF,
    ("infer", "on_error"): ONE_OF,
    ("infer", "prior"): [(3, T, "log_prob"), ("normal", T, "log_prob")],
    ("infer", "max_simulations"): COUNT,
    ("infer", "max_time"): [(0, V, NUMBER), (-1.0, V, NUMBER), (np.nan, V, NUMBER), ("1 h", T, NUMBER)],
    ("infer", "n_seeds"): COUNT,
    ("infer", "checkpoint"): [*A_PATH, ("/nowhere/at/all.npz", V, "create it first"), ("/", V, "is a directory"),
                              ("/dev/null", V, "no regular file")],
    ("infer", "resume"): [*BOOLEAN, (True, V, "needs a checkpoint")],
    ("infer", "progress"): BOOLEAN,
    ("infer", "callback"): [(3, T, "give a function"), ("print", T, "give a function")],
    ("infer", "executor"): [*EXECUTOR, (ThreadPoolExecutor, T, "give a concurrent")],
    ("infer", "round_sizes"): [(3, T, "choose from")],
    ("infer", "round_size"): COUNT,
    ("infer", "batch_size"): COUNT,
    ("infer", "learning_rate"): POSITIVE,
    ("infer-al", "initial"): [
        ("magic", V, CHOICE), (3, T, CHOICE), (["a"], T, "give real numbers"), (np.ones(3), V, "expected"),
        (np.ones((9, 2)), V, "singular"), (np.eye(2), V, "give more"), (([0, 0], -np.eye(2)), V, "positive definite"),
        (([0, 0], [[1, 1], [0, 1]]), V, "not symmetric"), (([0, 0],), V, "a tuple of 1"),
        (([0, 0], np.eye(3)), V, "expected"), (np.full((9, 2), np.nan), V, "finite"),
    ],
    ("infer-al", "epochs"): COUNT,
    ("infer-al", "iterations_per_epoch"): COUNT,
    ("infer-al", "batch_size"): [*COUNT, (3, V, "even")],
    ("infer-al", "test_batch_size"): COUNT,
    ("infer-al", "n_tests"): [(1, V, WHOLE)],
    ("infer-al", "learning_rate"): POSITIVE,
    ("infer-al", "learning_rate_decay"): POSITIVE,
    ("infer-al", "penalty"): POSITIVE,
    ("infer-al", "penalty_growth"): [(0.5, V, NUMBER), ("2", T, NUMBER)],
    ("infer-al", "norm_reduction"): POSITIVE,
    ("infer-al", "significance"): [(1, V, NUMBER), (0, V, NUMBER)],
    ("infer-al", "scaled"): BOOLEAN,
    ("infer-al", "both_pairings"): BOOLEAN,
    ("load", "path"): A_PATH,
    ("load_sweep", "directory"): A_PATH,
    ("sweep", "tasks"): [("lds", T, "numepi.Task"), (3, T, "numepi.Task"), ([3], T, "give a numepi.Task"),
                         ([(1,)], T, "tuple of 1")],
    ("sweep", "executor"): EXECUTOR,
    ("sweep", "out"): [*A_PATH, ("/dev/null/sweep", V, "cannot be made")],
    ("sweep", "rng"): SEED,
    ("sweep", "resume"): BOOLEAN,
    ("sweep", "threads"): COUNT,
    ("sweep", "progress"): BOOLEAN,
    ("Task", "circuit"): [("lds", T, "numepi Circuit"), (Untouched, T, "numepi Circuit")],
    ("Task", "prop"): [(None, T, "EmergentProperty")],
    ("Task", "settings"): [([1], T, "give a dict"), ({3: 1}, T, "give a string"), ({"n_seeds": 2}, V, "n_seeds")],
    ("Task", "labels"): [("x", T, "give a dict"), ({"status": 1}, V, "status")],
    ("Task", "seed"): [(-1, V, "give an int"), ("a", T, "give an int")],
    ("Support", "lower"): [
        ([0.0], V, "expected|give one bound"), ([2.0, 0.0], V, "below upper"), ([np.nan, 0.0], V, "nan"),
    ],
    ("Support", "upper"): [(["a", "b"], T, "real numbers"), ([1j, 1.0], T, "complex"), (None, T, "objects")],
    ("Support", "integer"): [("0", T, "sequence of indices"), (3, T, "sequence of indices"), ((0.0,), V, WHOLE)],
    ("Support", "where"): [(3, T, "give a function")],
    ("EmergentProperty", "mean"): [
        ("ab", V, "expected a sequence"), ([np.nan, 0.0], V, "finite"), (["a", 0.0], T, NUMBER),
    ],
    ("EmergentProperty", "covariance"): [
        (3, T, "give a dict"), ({"a": 1.0}, V, "pair"), ({("a", "b"): "x"}, T, NUMBER),
    ],
    ("EmergentProperty", "moments"): [("x", T, "give a dict"), ({("a", 2): 1.0}, V, "integers from 3")],
    ("EmergentProperty", "functions"): [(3, T, "numepi.Moment"), ([3], V, "numepi.Moment")],
    ("EmergentProperty", "tolerance"): [(3, T, "give a dict")],
    ("EmergentProperty", "statistics"): [("ab", T, "sequence of names"), (("a",), V, "different names")],
    ("Moment", "name"): [(3, T, "give a string")],
    ("Moment", "function"): [(3, T, "give a function")],
    ("Moment", "target"): [*FINITE, (None, T, NUMBER)],
    ("Moment", "scale"): POSITIVE,
    ("Moment", "jacobian"): [(3, T, "give a function")],
    ("EmergentProperty", "variance"): [
        ([0.0, 1.0], V, "positive"), ([1.0], V, "one each"), (3, V, "expected a sequence"),
    ],
    ("EmergentProperty", "variance_at_most"): [
        ([-1.0, 1.0], V, "positive"), ([1.0], V, "one each"), (3, V, "expected a sequence"), (["a", 1.0], T, NUMBER),
    ],
    ("EmergentProperty", "within"): POSITIVE,
    ("RealNVP", "support"): [([0, 1], T, "numepi.Support"), (None, T, "numepi.Support")],
    ("RealNVP", "stages"): [*COUNT, (10**9, V, WHOLE)],
    ("RealNVP", "hidden"): [
        (0, V, WHOLE), ((), V, "one or more"), ((5, 1.5), V, WHOLE), ("55", T, WHOLE), (10**9, V, WHOLE),
    ],
    ("RealNVP", "post_affine"): BOOLEAN,
    ("RealNVP", "box_map"): ONE_OF,
    ("RealNVP", "seed"): COUNT_FROM_ZERO,
    ("RealNVP", "precision"): ONE_OF,
    ("SplineFlow", "bins"): [*COUNT, (1, V, WHOLE), (101, V, WHOLE)],
    ("SplineFlow", "moved"): [*COUNT, (4, V, WHOLE)],
    ("SplineFlow", "stages"): COUNT,
    ("SplineFlow", "precision"): ONE_OF,
    ("ElementwiseFlow", "bins"): [*COUNT, (1, V, WHOLE)],
    ("ElementwiseFlow", "stages"): COUNT,
    ("ElementwiseFlow", "precision"): ONE_OF,
    ("DirectionalFlow", "vectors"): [*COUNT, (3, V, "divisor")],
    ("DirectionalFlow", "anchors"): COUNT_FROM_ZERO,
    ("SymmetricFlow", "sign_symmetries"): [("ab", T, "sequence of sets"), ([3], T, "indices"), ([(0, 0)], V, "twice"),
                                           ([(9,)], V, "out of range"), ([()], V, "is empty"), ([(0.0,)], T, "index")],
    ("SymmetricFlow", "half_family"): ONE_OF,
    ("FlowDistribution", "flow"): [("RealNVP", T, "give a flow"), (ne.RealNVP, T, "give a flow")],
    ("FlowDistribution", "theta"): [(np.ones(3), V, "expected"), ("x", T, "real numbers")],
    ("FlowDistribution", "parameter_names"): NAMES,
    ("fit_gaussian", "flow"): [("x", T, "numepi's flows")],
    ("fit_gaussian", "mean"): [
        ([0.0], V, "expected"), ([2.0, 0, 0, 0], V, "outside"), ([np.nan, 0, 0, 0], V, "finite"),
    ],
    ("fit_gaussian", "standard_deviation"): [([0.0] * 4, V, "positive"), ([1j] * 4, T, "complex")],
    ("q.sample", "n"): [*COUNT_FROM_ZERO, (True, T, WHOLE), ("5", T, WHOLE)],
    ("q.log_prob", "z"): [row for row in SAMPLES if "nan" not in row[2]],
    ("q.gradient", "z"): [row for row in SAMPLES if "nan" not in row[2]],
    ("q.hessian", "z"): [row for row in SAMPLES if "nan" not in row[2]],
    ("q.hvp", "v"): [(np.ones((2, 4)), V, "expected that of z"), (1j * np.ones((50, 4)), T, "complex")],
    ("LDS", "tau"): POSITIVE,
    ("STG", "steps"): [*COUNT, (39, V, "at least 40")],
    ("STG", "dt"): POSITIVE,
    ("STG", "softmax_slope"): POSITIVE,
    ("STG", "noise"): NOT_NEGATIVE,
    ("RankTwoRNN", "n_neurons"): [*COUNT, (1, V, WHOLE)],
    ("RankTwoRNN", "g"): NOT_NEGATIVE,
    ("RankTwoRNN", "tau"): POSITIVE,
    ("V1", "contrast"): NOT_NEGATIVE,
    ("V1", "trials"): COUNT,
    ("V1", "steps"): COUNT,
    ("V1", "dt"): POSITIVE,
    ("V1", "tau"): POSITIVE,
    ("V1", "tau_noise"): POSITIVE,
    ("V1", "observe_from"): NOT_NEGATIVE,
    ("V1", "start_range"): [((25, 10), V, "come first"), ((1,), V, "expected"), ("ab", T, "real numbers")],
    ("V1", "weights"): [(np.ones((3, 3)), V, "expected"), (np.full((4, 4), np.nan), V, "finite")],
    ("V1", "baseline_input"): [([1.0], V, "expected"), ([1j] * 4, T, "complex")],
    ("V1.property", "mean"): POSITIVE,
    ("V1.steady_state", "inputs"): [([1.0], V, "expected")],
    ("V1.input_responses", "change"): [([1.0], V, "expected"), (["x"] * 4, T, "real numbers")],
    ("V1.input_step", "change"): [([1.0], V, "expected")],
    ("V1.input_step", "duration"): POSITIVE,
    ("SC", "trials"): COUNT,
    ("SC", "decision_slope"): POSITIVE,
    ("SC", "silencing"): [(1.5, V, NUMBER), (-0.1, V, NUMBER), ("all", T, NUMBER)],
    ("SC", "window"): ONE_OF,
    ("SC", "stimulus"): ONE_OF,
    ("SC", "dt"): POSITIVE,
    ("SC", "tau"): POSITIVE,
    ("SC", "offset"): FINITE,
    ("SC", "width"): POSITIVE,
    ("SC", "noise"): NOT_NEGATIVE,
    ("SC", "start_mean"): [(2, V, NUMBER)],
    ("SC", "constant_input"): FINITE,
    ("statistics", "z"): POINTS,
    ("statistics", "rng"): SEED,
    ("statistics", "first_index"): [*COUNT_FROM_ZERO, (2**32, V, WHOLE)],
    ("statistics", "precision"): ONE_OF,
    ("statistics", "device"): ONE_OF,
    ("statistics", "noise"): [([1], T, "give a dict"), ({"x": 1}, V, "expected")],
    ("jacobian", "z"): POINTS,
    ("simulate", "z"): POINTS,
    ("FunctionCircuit", "function"): [(3, T, "function of z"), (None, T, "function of z")],
    ("FunctionCircuit", "parameter_names"): [("abcd", T, "sequence"), (["a"], V, "4 different names")],
    ("FunctionCircuit", "support"): [(3, T, "numepi.Support"), ([0, 1], T, "numepi.Support")],
    ("FunctionCircuit", "statistic_names"): [
        ("ab", T, "sequence of names"), (["f", "f"], V, "twice"), ([], V, "different"),
    ],
    ("FunctionCircuit", "sign_symmetries"): [("z1", T, "give sets"), (3, T, "give sets"), ([("q",)], V, "choose from"),
                                           ([("z1", "z1")], V, "'z1' twice"), ([()], V, "is empty")],
    ("FunctionCircuit", "version"): [(3, T, "give a string"), ([1], T, "give a string")],
    ("FunctionCircuit", "differentiable"): BOOLEAN[:2],
    ("FunctionCircuit", "vectorised"): BOOLEAN,
    ("FunctionCircuit", "name"): [(3, T, "give a string")],
    ("check_jacobian", "circuit"): [("lds", T, "numepi.circuits"), (Untouched, T, "numepi.circuits")],
    ("check_jacobian", "step"): [(0.3, V, NUMBER), ("x", T, NUMBER)],
    ("check_jacobian", "tolerance"): POSITIVE,
    ("check_jacobian", "raise_error"): BOOLEAN,
    ("FunctionCircuit", "jacobian"): [(3, T, "function of z")],
    ("check_jacobian", "z"): POINTS,
    ("mode", "q"): DISTRIBUTION,
    ("mode", "method"): ONE_OF,
    ("mode", "start"): [([2.0, 0, 0, 0], V, "not inside"), ([0.0], V, "expected"), ([1j] * 4, T, "complex")],
    ("mode", "n_starts"): COUNT,
    ("mode", "steps"): COUNT,
    ("mode", "learning_rate"): POSITIVE,
    ("mode", "halve_every"): COUNT,
    ("mode", "fixed"): [([1], T, "give a dict"), ({"zz": 0.0}, V, "choose from"), ({"a": "x"}, T, NUMBER),
                        ({"a": 2.0}, V, "not inside"), ({"a": 0.0, 0: 0.1}, V, "twice")],
    ("mode", "rng"): SEED,
    ("mode_path", "q"): DISTRIBUTION,
    ("mode_path", "parameter"): INDEX,
    ("mode_path", "values"): [
        ([], V, "one or more"), ([2.0], V, "inside"), ([[0.1]], V, "expected"), (["x"], T, "real"),
    ],
    ("mode_path", "method"): ONE_OF,
    ("mode_path", "start"): [([2.0, 0, 0, 0], V, "not inside"), (np.zeros((2, 4)), V, "expected")],
    ("mode_path", "n_starts"): COUNT,
    ("sensitivity", "q"): DISTRIBUTION,
    ("sensitivity", "z"): [(np.ones(3), V, "expected"), (np.full(4, 2.0), V, "no density"), (["x"] * 4, T, "real")],
    ("sensitivity", "n_directions"): [*COUNT, (4, V, WHOLE)],
    ("sensitivity", "parameters"): [((0, 0), V, "twice"), (("zz",), V, "choose from"), ((), V, "is empty")],
    ("sensitivity", "sign"): [
        ({"zz": 1}, V, "choose from"), ({"a": 2}, V, "1 or -1"), ({"a": True}, V, "1 or -1"), ("a", V, "give one"),
    ],
    ("summarise", "q"): DISTRIBUTION,
    ("summarise", "n_samples"): [*COUNT, (9, V, WHOLE)],
    ("summarise", "n_directions"): [(1.5, V, WHOLE), (0, V, WHOLE)],
    ("summarise", "n_pairs"): COUNT_FROM_ZERO,
    ("group_by_mode", "q"): DISTRIBUTION,
    ("group_by_mode", "modes"): [
        (np.ones((2, 3)), V, "expected"), ([], V, "expected"), (np.full((2, 4), np.nan), V, "finite"),
    ],
    ("group_by_mode", "per_mode"): COUNT,
    ("group_by_mode", "max_samples"): COUNT,
    ("perturb", "circuit"): A_CIRCUIT,
    ("perturb", "z"): POINTS,
    ("perturb", "directions"): [([1], T, "give a dict"), ({}, V, "is empty"), ({"x": np.ones(3)}, V, "expected"),
                                ({"x": np.zeros(4)}, V, "length zero|not finite"), ({"x": ["a"] * 4}, T, "real")],
    ("perturb", "deltas"): [([], V, "is empty"), ([np.nan], V, "finite"), ([[1]], V, "expected")],
    ("perturb", "trials"): COUNT,
    ("simulator_metric", "circuit"): A_CIRCUIT,
    ("simulator_metric", "z"): POINTS,
    ("simulator_metric", "draws"): COUNT,
    ("simulator_metric", "covariance"): [("all", V, "'noise'"), ([1.0], V, "expected"),
    ([[1, 2], [0, 1]], V, "symmetric"),
                                         ([[1, 2], [2, 1]], V, "positive definite"), ([np.nan, 1], V, "finite"),
                                         ([1j, 1], T, "complex"), ("noise", V, "needs more than 2")],
    ("simulator_metric", "sign"): [({"zz": 1}, V, "choose from")],
    ("alignment", "first"): [(np.zeros(3), V, "length zero"), (np.ones(4), V, "expected"), (["x"], T, "real"),
                             (3.0, V, "give vectors")],
    ("at", "time"): [(np.nan, V, "number"), ("x", T, "number"), (True, T, "number"), (1j, T, "number")],
    ("time_above", "level"): [(np.inf, V, "number"), ("x", T, "number"), (True, T, "number")],
    ("lagged_correlation", "lag"): [(1.5, V, "whole"), (-1, V, "whole"), ("x", T, "whole"), (True, T, "whole")],
    ("band_power", "frequencies"): [([], V, "one or more"), ([np.nan], V, "finite"), ([-1.0], V, "finite"),
                                    (3.0, V, "one or more"), (["a"], T, "real"), ({}, T, "real")],
    ("softmax_frequency", "slope"): [(np.nan, V, "number"), ("x", T, "number")],
    ("softmax_frequency", "smoothing"): [(0, V, "whole"), (1.5, V, "whole"), (True, T, "whole")],
    ("duty_cycle", "gap"): [(np.nan, V, "number"), (-1.0, V, "number"), (0, V, "number"), ("x", T, "number")],
    ("tidy", "ax"): [("x", T, "give the axes"), (None, T, "give the axes")],
    ("brute_force", "circuit"): A_CIRCUIT,
    ("brute_force", "accept"): [(3, T, "give a function"), (None, T, "give a function")],
    ("brute_force", "n"): COUNT,
    ("brute_force", "batch_size"): COUNT,
    ("brute_force", "max_simulations"): COUNT,
    ("brute_force", "executor"): EXECUTOR,
    ("brute_force", "rng"): SEED,
    ("conditional_mean", "z"): SAMPLES,
    ("conditional_mean", "parameter"): INDEX,
    ("conditional_mean", "values"): [([], V, "is empty"), ([np.nan], V, "finite"), ([50.0], V, "lie near")],
    ("conditional_mean", "names"): NAMES,
    ("conditional_mean", "bandwidth"): [(-1.0, V, NUMBER), *POSITIVE],
    ("linear_trends", "z"): [(np.ones(3), V, "expected"), (np.ones((2, 4)), V, "expected"), ([["x"]], T, "real")],
    ("linear_trends", "f"): [
        (np.full((50, 2), np.nan), V, "a trend needs three"), (1j * np.ones((50, 2)), T, "complex"),
    ],
    ("linear_trends", "parameter_names"): NAMES,
    ("linear_trends", "statistic_names"): [("fg", T, "sequence of names"), (["f"], V, "different names")],
    ("lds.growth_contour", "growth"): FINITE,
    ("lds.growth_contour", "tau"): POSITIVE,
    ("lds.frequency_contour", "a12"): [([0.0], V, "is zero"), (["x"], T, "real")],
    ("lds.rotation_share", "z"): SAMPLES,
    ("lds.share_within", "f"): [(np.ones((3, 3)), V, "expected"), (np.ones(2), V, "expected")],
    ("lds.share_within", "prop"): [(None, T, "EmergentProperty"), (ne.EmergentProperty(mean=[0.0, None]), V, "free")],
    ("lds.share_within", "deviations"): POSITIVE,
    ("rnn.classify", "f"): [(np.ones(2), V, "expected"), (np.ones((3, 3)), V, "expected"), ([[np.nan, 1.0]], V, "nan")],
    ("rnn.norms", "trajectories"): [(np.ones((2, 3)), T, "simulate")],
    ("stg.frequency_map", "circuit"): [("stg", T, "numepi.circuits.STG"), (Untouched(), T, "numepi.circuits.STG")],
    ("stg.frequency_map", "points"): [*COUNT, (1, V, WHOLE)],
    ("stg.frequency_map", "noise"): NOT_NEGATIVE,
    ("sc.silence", "circuit"): [("sc", T, "numepi.circuits.SC"), (Untouched(), T, "numepi.circuits.SC")],
    ("sc.silence", "z"): POINTS,
    ("sc.silence", "gammas"): [([], V, r"\[0, 1\]"), ([2.0], V, r"\[0, 1\]"), (["x"], T, "real")],
    ("sc.silence", "window"): ONE_OF,
    ("sc.silence", "rng"): SEED,
    ("sc.task_flip", "pro"): [
        ([0.5], V, "expected|two circuits"), ([0.5, 0.5], V, "two circuits"), ([np.nan, 0.5], V, "finite"),
    ],
    ("sc.task_flip", "anti_silenced"): [([0.5], V, "expected")],
    ("sc.eigenvalue_trends", "error"): [(np.zeros(3), V, "expected")],
    ("sc.anti_response", "moved"): [(3, T, "perturb")],
    ("sc.anti_response", "direction"): DIRECTION,
    ("sc.anti_response", "threshold"): NOT_NEGATIVE,
    ("silencing.gamma_at", "task"): ONE_OF,
    ("silencing.gamma_at", "level"): FINITE,
    ("v1.compare_sums", "low"): [(np.ones((3, 3)), V, "expected"), (np.ones((1, 4)), V, "2 or more")],
    ("v1.effect_sizes", "low"): [(3, T, "give a result"), (np.ones((3, 4)), T, "give a result")],
    ("v1.effect_sizes", "n"): COUNT,
    ("v1.effect_sizes", "repeats"): COUNT,
    ("v1.effect_sizes", "rng"): SEED,
    ("v1.contrast_response", "circuit"): [(None, T, "numepi.circuits.V1"), (Untouched(), T, "numepi.circuits.V1")],
    ("v1.contrast_response", "contrasts"): [([], V, "is empty"), ([np.nan], V, "finite"), (["x"], T, "real")],
    ("v1.paradoxical", "circuit"): [(Untouched(), T, "numepi.circuits.V1")],
    ("v1_linear.gains", "as_simulated"): BOOLEAN,
    ("pairs", "z"): [row for row in SAMPLES if row[0] is not None],
    ("pairs", "log_density"): [
        (np.ones(3), V, "expected"), (np.full(50, np.nan), V, "no finite"), (["x"] * 50, T, "real"),
    ],
    ("pairs", "names"): NAMES,
    ("pairs", "support"): [(3, T, "numepi.Support"), (ne.Support([0, 0], [1, 1]), V, "4 columns")],
    ("pairs", "modes"): [(np.ones(3), V, "expected"), (np.full(4, np.nan), V, "finite")],
    ("pairs", "parameters"): [((0, 0), V, "twice"), ((9,), V, "out of range"), ((), V, "is empty")],
    ("pairs", "figure"): [("figure", T, "matplotlib Figure"), (3, T, "matplotlib Figure")],
    ("plane", "ax"): AXES,
    ("plane", "z"): SAMPLES,
    ("plane", "log_density"): [(np.ones(3), V, "expected")],
    ("plane", "parameters"): PAIR,
    ("plane", "names"): NAMES,
    ("arrows", "ax"): AXES,
    ("arrows", "sensitivity"): [(3, T, "give a Sensitivity")],
    ("arrows", "parameters"): PAIR,
    ("arrows", "directions"): [((9,), V, WHOLE), ((), V, "one or more"), ("v1", T, WHOLE)],
    ("arrows", "scale"): NOT_NEGATIVE,
    ("arrows", "labels"): [(("x", "y"), V, "different names"), ("x", T, "sequence of names")],
    ("mode_points", "ax"): AXES,
    ("mode_points", "path"): [(3, T, "mode_path")],
    ("mode_points", "parameters"): [((0, 0), V, "twice"), ((0, 9), V, "out of range")],
    ("frequency_contours", "ax"): AXES,
    ("frequency_contours", "plane_map"): [(3, T, "frequency_map")],
    ("frequency_contours", "target"): FINITE,
    ("frequency_contours", "deviation"): POSITIVE,
    ("activity", "trajectories"): [(np.ones((2, 5, 3)), T, "simulate"),
                                   (ne.circuits.Trajectories(np.arange(3.0), np.ones((2, 5, 3)),
                                   ("x",)), V, "expected")],
    ("activity", "titles"): [(("one",), V, "2 parameters"), ((1, 2), T, "give a string")],
    ("activity", "figure"): [("figure", T, "matplotlib Figure")],
    ("FitRecorder", "every"): COUNT,
    ("FitRecorder", "n_samples"): COUNT,
    ("FitRecorder", "rng"): SEED,
    ("animate_fit", "recorder"): [(3, T, "FitRecorder"), (plotting.FitRecorder(), V, "needs two")],
    ("animate_fit", "path"): [*A_PATH, ("/nowhere/at/all.gif", V, "create it first")],
    ("animate_fit", "circuit"): [("lds", T, "give the circuit")],
    ("animate_fit", "parameters"): PAIR,
    ("animate_fit", "fps"): POSITIVE,
    ("animate_fit", "dpi"): POSITIVE,
    ("animate_fit", "target"): FINITE,
    ("histograms", "ax"): AXES,
    ("histograms", "samples"): [([1], T, "give a dict"), ({}, V, "give 1 to"), ({"x": []}, V, "no finite"),
                                ({"x": [np.nan]}, V, "no finite"), ({"x": ["a"]}, T, "real"),
                                ({"x": np.ones((2, 2))}, V, "expected")],
    ("histograms", "bins"): COUNT,
    ("histograms", "label"): [(3, T, "give a string")],
    ("statistic_clouds", "ax"): AXES,
    ("statistic_clouds", "f"): [
        (np.ones((3, 3)), V, "expected"), (np.full((3, 2), np.nan), V, "no finite"), ([], V, "expected"),
    ],
    ("statistic_clouds", "prop"): [
        (None, T, "EmergentProperty"), (ne.EmergentProperty(mean=[0.0]), V, "two statistics"),
    ],
    ("statistic_clouds", "names"): [("fg", T, "sequence of names"), (("f",), V, "different names")],
    ("trend_matrix", "ax"): AXES,
    ("trend_matrix", "trends"): [(np.ones((2, 2)), T, "linear_trends")],
    ("coupling_bars", "summary"): [(3, T, "summarise")],
    ("perturbation_curves", "ax"): AXES,
    ("perturbation_curves", "perturbation"): [(3, T, "perturb")],
    ("perturbation_curves", "direction"): DIRECTION,
    ("perturbation_curves", "statistic"): [("zz", V, "choose from"), (5, V, "out of range"), (0.5, T, "index")],
    ("perturbation_curves", "labels"): [(("x",), V, "2 points")],
    ("perturbation_curves", "colours"): [(("k",), V, "2 points")],
    ("silencing_curves", "ax"): AXES,
    ("silencing_curves", "silencing"): [(3, T, "silence")],
    ("silencing_curves", "level"): FINITE,
    ("task_flip_points", "ax"): AXES,
    ("task_flip_points", "pro"): [
        ([0.1, 0.2], V, "expected"), ([], V, "expected|no finite"), ([np.nan], V, "no finite"), (["x"], T, "real"),
    ],
    ("task_flip_points", "colour"): [([1.0, 2.0], V, "expected")],
    ("task_flip_points", "size"): POSITIVE,
    ("contrast_curves", "ax"): AXES,
    ("contrast_curves", "contrasts"): [([], V, "expected|one contrast"), ([np.nan], V, "finite")],
    ("contrast_curves", "rates"): [(np.ones((1, 3)), V, "expected"), (np.ones(4), V, "expected")],
    ("contrast_curves", "names"): [("EPSV", T, "sequence of names"), (("E",), V, "expected")],
    ("norm_curves", "ax"): AXES,
    ("norm_curves", "time"): [([0.0], V, "expected"), (["x"] * 3, T, "real")],
    ("norm_curves", "norms"): [(np.ones(3), V, "expected"), (np.ones((0, 3)), V, "give one")],
    ("norm_curves", "classes"): [((0,), V, "give one"), ((0, 99), V, WHOLE), ((0.5, 1), V, WHOLE)],
    ("norm_curves", "class_names"): [("ab", T, "sequence of names")],
    ("lds_contours", "z"): [(np.ones((3, 3)), V, "expected"), (np.full((2, 4), np.nan), V, "no finite")],
    ("lds_contours", "circuit"): [("lds", T, "numepi.circuits.LDS"), (Untouched(), T, "numepi.circuits.LDS")],
    ("lds_contours", "prop"): [(3, T, "EmergentProperty"), (ne.EmergentProperty(mean=[0.0]), V, "mean has 1 entries")],
    ("lds_contours", "axes"): [((1, 2), T, "matplotlib Axes")],
    ("traces", "result"): [(3, T, "give what infer"), (None, T, "give what infer")],
}  # fmt: skip

# What a message calls an argument where it does not use its name.
OTHER_NAMES = {
    ("Support", "lower"): "lower|bounds", ("perturb", "directions"): "direction",
    ("alignment", "first"): "direction|first",
    ("sc.task_flip", "pro"): "pro|anti_silenced", ("task_flip_points", "pro"): "pro|anti_silenced",
    ("contrast_curves", "contrasts"): "contrasts|rates", ("contrast_curves", "names"): "names|rates",
    ("norm_curves", "time"): "time|norms", ("conditional_mean", "values"): "values|near",
    ("lds_contours", "prop"): "prop|mean", ("linear_trends", "f"): "f|trend", ("pairs", "log_density"): "log_density|z",
}  # fmt: skip

TABLE = [(call, argument, *row) for (call, argument), rows in BAD.items() for row in rows]


def test_the_table_covers_what_it_should():
    assert len(TABLE) >= 400
    assert {call for call, *_ in TABLE} == set(CALLS)


@pytest.mark.parametrize(
    ("call", "argument", "value", "error", "pattern"),
    TABLE,
    ids=[f"{number}-{call}-{argument}" for number, (call, argument, *_) in enumerate(TABLE)],
)
def test_bad_input_is_refused_in_one_line_before_work(call, argument, value, error, pattern, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function, right = CALLS[call]
    arguments = {name: make() for name, make in right} | {argument: value}
    with pytest.raises(error, match=pattern) as found:
        function(**arguments)
    message = str(found.value)
    assert "\n" not in message and len(message) < 400
    assert re.search(OTHER_NAMES.get((call, argument), rf"\b{argument}\b"), message)
    assert [path.name for path in Path(tmp_path).iterdir()] in ([], ["sweep"])


def test_right_input_of_the_kinds_that_are_easily_refused_is_taken():
    """Arrays of one number, NumPy's own numbers, results where distributions are due, every kind of generator."""
    q, z = made("q"), made("z")

    class Holder:
        distribution = q

    assert analysis.mode(Holder(), n_starts=np.int64(2), start=z[0].tolist()).z.shape == (4,)
    assert analysis.sensitivity(Holder(), z[0], n_directions=np.array(2)).vectors.shape == (2, 4)
    assert analysis.summarise(Holder(), n_samples=np.uint8(50)).eigenvalues.shape == (4,)
    for rng in (np.random.RandomState(1), np.random.PCG64(1), np.random.SeedSequence(1), [1, 2], None, np.int8(1)):
        assert q.sample(np.int32(3), rng=rng).shape == (3, 4)
    assert ne.circuits.LDS(tau=np.float32(0.5)).tau == 0.5
    masked = np.ma.array(z[:3], mask=False)
    np.testing.assert_array_equal(q.log_prob(masked), q.log_prob(z[:3]))
