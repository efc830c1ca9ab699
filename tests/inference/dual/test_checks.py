"""When a run may end: what the constraints and the certificate must say, and how well they must know it."""

from types import SimpleNamespace

import numpy as np
import pytest

import numepi as ne
from numepi.inference.dual.checks import passes

CONSTRAINTS = ne.EmergentProperty(mean=[1.0], variance=[4.0]).constraints(("x",))
SCORE = {
    "constraint": CONSTRAINTS.target + [0.02, 0.1], "constraint_stderr": np.array([0.02, 0.1]),
    "constraint_spread": np.array([2.0, 5.0]), "least": np.array([-5.0, 0.0]), "greatest": np.array([7.0, 36.0]),
    "p_values": np.array([0.5, 0.5]),
}  # fmt: skip
CERTIFICATE = {"kl": 0.02, "kl_stderr": 0.01, "entropy_bound_stderr": 0.02, "reliable": True}


@pytest.mark.parametrize(
    "score, certificate, ends",
    [
        ({}, {}, True),
        ({}, {"kl": -0.02}, True),
        ({}, {"kl": 0.048}, False),  # within the distance asked for, but not by half a standard error
        ({}, {"kl": -0.1, "kl_stderr": 0.06}, False),
        ({}, {"entropy_bound_stderr": 0.06}, False),
        ({}, {"reliable": False}, False),
        ({"constraint": CONSTRAINTS.target + [0.02, 0.5]}, {}, False),  # tolerances are 0.2 and 0.4
        ({"constraint_stderr": np.array([0.3, 0.1])}, {}, False),
        ({"least": np.array([1.5, 0.0])}, {}, False),  # all on one side of the target
    ],
)
def test_a_run_ends_where_constraints_and_distance_are_within_what_was_asked_and_known(score, certificate, ends):
    answer = SimpleNamespace(
        score=SimpleNamespace(**SCORE | score), certificate=SimpleNamespace(**CERTIFICATE | certificate)
    )
    assert passes(answer, CONSTRAINTS, 0.05) is ends
