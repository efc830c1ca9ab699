"""Bad arguments of inferences, files and sweeps."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

import numepi as ne
from tests.bad_input.kinds import (
    A_PATH,
    BOOLEAN,
    CHOICE,
    CIRCUIT,
    COUNT,
    EXECUTOR,
    INFER,
    NUMBER,
    ONE_OF,
    POSITIVE,
    SEED,
    WHOLE,
    T,
    Untouched,
    V,
    made,
)

CALLS = {
    "infer": (ne.infer, INFER),
    "infer-al": (ne.infer, [*INFER, ("solver", lambda: "augmented-lagrangian")]),
    "load": (ne.load, [("path", lambda: "none.npz")]),
    "load_sweep": (ne.load_sweep, []),
    "sweep": (ne.sweep, [("tasks", list), ("progress", lambda: False)]),
    "Task": (ne.Task, [*CIRCUIT, ("prop", lambda: made("prop"))]),
}  # fmt: skip

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
}  # fmt: skip

# What a message calls an argument where it does not use its name.
OTHER_NAMES = {}
