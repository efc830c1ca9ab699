"""Targets whose squares cannot be computed are refused before any work."""

import warnings

import numpy as np
import pytest

import numepi as ne
from numepi.property.constraints import Constraints


@pytest.mark.parametrize("variance", [1e-310, 1e-200, 1e-160, 1e-100, 1e100, 1e300])
def test_scales_beyond_double_precision_are_refused(variance):
    with pytest.raises(
        ValueError, match=r"the constraint '(mean|variance) a' varies by about .*: its powers leave double"
    ):
        Constraints(ne.EmergentProperty(mean=[0.1], variance=[variance]), ("a",))


@pytest.mark.parametrize("variance", [1e-74, 1e70])
@pytest.mark.parametrize("solver", ["dual", "augmented-lagrangian"])
def test_what_is_allowed_leaks_no_warning(variance, solver):
    circuit = ne.circuits.FunctionCircuit(
        lambda z: z[:, :1], ne.Support([-1.0, -1.0], [1.0, 1.0]), statistic_names=("a",), differentiable=True,
        jacobian=lambda z: np.broadcast_to([[1.0, 0.0]], (len(z), 1, 2)),
    )  # fmt: skip
    short = {
        "dual": {"max_simulations": 600, "surrogate_first_steps": 50, "surrogate_steps": 50, "fit_steps": 50},
        "augmented-lagrangian": {"epochs": 1, "iterations_per_epoch": 5, "n_tests": 10},
    }[solver]
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.filterwarnings("ignore", message="badly conditioned")
        result = ne.infer(
            circuit, ne.EmergentProperty(mean=[0.1], variance=[variance]), solver=solver, progress=False, **short
        )
    assert not result.success
