"""Bad arguments of supports, properties, flows and distributions."""

import numpy as np

import numepi as ne
from numepi.flow import FlowDistribution
from numepi.flow.families.gaussian import fit_gaussian
from tests.bad_input.kinds import (
    BOOLEAN,
    COUNT,
    COUNT_FROM_ZERO,
    FINITE,
    NAMES,
    NUMBER,
    ONE_OF,
    POSITIVE,
    SAMPLES,
    SUPPORT,
    WHOLE,
    T,
    V,
    Z,
    made,
    must_not_be_called,
)

CALLS = {
    "Support": (ne.Support, [("lower", lambda: [0.0, 0.0]), ("upper", lambda: [1.0, 1.0])]),
    "EmergentProperty": (ne.EmergentProperty, [("mean", lambda: [0.0, 0.0])]),
    "Moment": (ne.Moment, [("name", lambda: "m"), ("function", lambda: must_not_be_called), ("target", lambda: 0.0)]),
    "RealNVP": (ne.RealNVP, SUPPORT),
    "SplineFlow": (ne.SplineFlow, SUPPORT),
    "ElementwiseFlow": (ne.ElementwiseFlow, SUPPORT),
    "DirectionalFlow": (ne.DirectionalFlow, [*SUPPORT, ("vectors", lambda: 2)]),
    "GramFlow": (ne.GramFlow, [*SUPPORT, ("vectors", lambda: 2)]),
    "LensFlow": (ne.LensFlow, [*SUPPORT, ("vectors", lambda: 2)]),
    "SymmetricFlow": (ne.SymmetricFlow, [*SUPPORT, ("sign_symmetries", lambda: [(0, 1)])]),
    "FlowDistribution": (FlowDistribution, [("flow", lambda: made("flow")), ("theta", lambda: made("q").theta)]),
    "fit_gaussian": (fit_gaussian, [("flow", lambda: made("flow")), ("mean", lambda: [0.0] * 4),
                                    ("standard_deviation", lambda: [0.2] * 4)]),
    "q.sample": (lambda **k: made("q").sample(**k), []),
    "q.log_prob": (lambda **k: made("q").log_prob(**k), []),
    "q.gradient": (lambda **k: made("q").gradient(**k), []),
    "q.hessian": (lambda **k: made("q").hessian(**k), []),
    "q.hvp": (lambda **k: made("q").hessian_vector_product(**k), [*Z, ("v", lambda: made("z"))]),
}  # fmt: skip

BAD = {
    ("Support", "lower"): [
        ([0.0], V, "expected|give one bound"), ([2.0, 0.0], V, "below upper"), ([np.nan, 0.0], V, "nan"),
    ],
    ("Support", "upper"): [(["a", "b"], T, "real numbers"), ([1j, 1.0], T, "complex"), (None, T, "is missing")],
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
    ("GramFlow", "support"): [([0, 1], T, "numepi.Support")],
    ("GramFlow", "vectors"): [*COUNT, (3, V, "divisor"), (4, V, "as long as their number")],
    ("GramFlow", "stages"): COUNT,
    ("GramFlow", "bins"): [*COUNT, (1, V, WHOLE)],
    ("GramFlow", "box_map"): ONE_OF,
    ("GramFlow", "precision"): ONE_OF,
    ("LensFlow", "vectors"): [*COUNT, (3, V, "divisor"), (4, V, "as long as their number")],
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
}  # fmt: skip

# What a message calls an argument where it does not use its name.
OTHER_NAMES = {
    ("Support", "lower"): "lower|bounds",
}
