"""Bad arguments of `ne.priors`."""

import numpy as np
from scipy import stats

import numepi as ne
from tests.bad_input.kinds import COUNT_FROM_ZERO, SEED, WHOLE, T, V

BOUNDS = [("lower", lambda: 1.0), ("upper", lambda: 2.0)]
NORMAL = [("mean", lambda: 0.0), ("standard_deviation", lambda: 1.0)]
square = ne.priors.uniform([0.0, 0.0], [1.0, 1.0])

CALLS = {
    "priors.uniform": (ne.priors.uniform, BOUNDS),
    "priors.log_uniform": (ne.priors.log_uniform, BOUNDS),
    "priors.normal": (ne.priors.normal, NORMAL),
    "priors.truncated_normal": (ne.priors.truncated_normal, [*NORMAL, *BOUNDS]),
    "priors.beta": (ne.priors.beta, [("a", lambda: 1.0), ("b", lambda: 2.0)]),
    "priors.independent": (ne.priors.independent, []),
    "priors.multivariate_normal": (ne.priors.multivariate_normal, [("mean", lambda: [0.0, 0.0]),
                                                                   ("covariance", lambda: np.eye(2))]),
    "prior.sample": (square.sample, [("n", lambda: 3)]),
    "prior.log_prob": (square.log_prob, []),
    "prior.gradient": (square.gradient, []),
    "prior.restricted_to": (square.restricted_to, []),
}  # fmt: skip

NUMBERS = [
    (np.nan, V, "number"), ("x", T, "real numbers"), (None, T, "real numbers"), (1j, T, "real numbers"),
    (True, T, "real numbers"), ([], V, "give a number"), ([[1.0]], V, "give a number"), ([1.0, [2]], V, "ragged"),
    ({}, T, "real numbers"), (np.ma.array([1.0, 1.5], mask=[True, False]), V, "finite numbers"),
]  # fmt: skip
SCALES = [*NUMBERS, (0.0, V, "above 0"), (-1.0, V, "above 0"), (np.inf, V, "number")]
POINT_ROWS = [
    (3, V, "expects"), (None, T, "real numbers"), ("x", T, "real numbers"), (np.ones(3), V, "expects"),
    (np.ones((2, 3)), V, "expects"), (1j * np.ones((1, 2)), T, "complex"), ([[1], [1, 2]], V, "ragged"),
    ([[True, False]], T, "booleans"),
]  # fmt: skip

BAD = {
    ("priors.uniform", "lower"): [*NUMBERS, (-np.inf, V, "finite bounds"), (2.0, V, "below upper"),
                                  ([0.0, 0.0, 5.0], V, "below upper")],
    ("priors.uniform", "upper"): [*NUMBERS, (np.inf, V, "finite bounds"), (0.0, V, "below upper")],
    ("priors.log_uniform", "lower"): [*NUMBERS, (0.0, V, "above 0"), (-1.0, V, "above 0"), (3.0, V, "below upper")],
    ("priors.log_uniform", "upper"): [*NUMBERS, (np.inf, V, "finite bounds")],
    ("priors.normal", "mean"): [*NUMBERS, (np.inf, V, "number")],
    ("priors.normal", "standard_deviation"): SCALES,
    ("priors.truncated_normal", "mean"): [*NUMBERS, (1e200, V, "no mass")],
    ("priors.truncated_normal", "standard_deviation"): [*SCALES, (1e-300, V, "no mass")],
    ("priors.truncated_normal", "lower"): [*NUMBERS, (np.inf, V, "below upper"), (2.0, V, "below upper")],
    ("priors.truncated_normal", "upper"): [*NUMBERS, (-np.inf, V, "below upper")],
    ("priors.beta", "a"): SCALES,
    ("priors.beta", "b"): SCALES,
    ("priors.beta", "lower"): [*NUMBERS, (2.0, V, "below upper"), (-np.inf, V, "finite bounds")],
    ("priors.independent", "distributions"): [
        (3, T, "give a prior"), (None, T, "give a prior"), ("normal", T, "give a prior"), ([], V, "empty"),
        ([None], T, "give a prior"), (["x"], T, "give a prior"), (stats.norm, T, "give a prior"),
        ([stats.norm], T, "give a prior"), ([stats.multivariate_normal([0, 0])], T, "give a prior"),
        ([ne.priors.multivariate_normal([0, 0], np.eye(2))], T, "give a prior"), (stats.norm(np.nan), V, "no support"),
        ([stats.norm(0, -1)], V, "no support"), ([stats.uniform(0, 0)], V, "no support"),
    ],
    ("priors.multivariate_normal", "mean"): [
        (np.nan, V, "finite"), ("x", T, "real numbers"), (None, T, "real numbers"), ([[0.0, 0.0]], V, "shape"),
        ([0.0, np.nan], V, "finite"), ([1j, 0], T, "complex"), ([], V, "empty"),
    ],
    ("priors.multivariate_normal", "covariance"): [
        (np.nan, V, "shape"), ("x", T, "real numbers"), (np.eye(3), V, "shape"), (-np.eye(2), V, "positive definite"),
        (np.zeros((2, 2)), V, "positive definite"), ([[1, 2], [3, 4]], V, "symmetric"),
        ([[1, 1], [1, 1]], V, "positive definite"), (np.full((2, 2), np.inf), V, "finite"),
        (1j * np.eye(2), T, "complex"), ([[1], [1, 2]], V, "ragged"),
    ],
    ("prior.sample", "n"): [*COUNT_FROM_ZERO, (np.nan, V, WHOLE), ("x", T, WHOLE), (True, T, WHOLE), (None, T, WHOLE)],
    ("prior.sample", "rng"): SEED,
    ("prior.log_prob", "z"): POINT_ROWS,
    ("prior.gradient", "z"): POINT_ROWS,
    ("prior.restricted_to", "support"): [
        (3, T, r"numepi\.Support"), (None, T, r"numepi\.Support"), (ne.Support([0.0], [1.0]), V, "give one each"),
        (ne.Support([2.0, 2.0], [3.0, 3.0]), V, "no mass"),
    ],
}  # fmt: skip

# What a message calls an argument where it does not use its name.
OTHER_NAMES = {
    ("priors.truncated_normal", "mean"): "mean|lower",
    ("priors.truncated_normal", "standard_deviation"): "standard_deviation|lower",
}
