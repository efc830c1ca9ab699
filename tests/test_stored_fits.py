"""The fits that are stored with the findings: made by the paper's settings, readable, and small."""

from pathlib import Path

import numpy as np
import pytest

import numepi as ne

FITS = Path(__file__).parents[1] / "docs" / "findings" / "fits"
CIRCUITS = {"lds": ne.circuits.LDS, "stg": ne.circuits.STG, "v1": ne.circuits.V1, "sc": ne.circuits.SC}
STATED = {"epochs", "iterations_per_epoch", "initial"}  # in examples/paper/procedures.py


@pytest.mark.parametrize("path", sorted(FITS.glob("*-paper-*.npz")), ids=lambda path: path.stem)
def test_a_fit_by_algorithm_one_has_the_papers_flow_and_settings(path):
    result = ne.load(path)
    wanted = CIRCUITS[path.stem.split("-")[0]]().paper_settings()
    flow = wanted.pop("flow")
    assert result.configuration["flow"] == flow.description
    settings = result.configuration["solver_settings"]
    assert {key: settings[key] for key in wanted if key not in STATED} == {
        key: value for key, value in wanted.items() if key not in STATED
    }
    assert result.configuration["solver"] == "augmented-lagrangian" and not settings["both_pairings"]
    trace = result.history["entropy"]
    assert len(trace) == len(result.history["violation"]) and np.isfinite(trace).all()
    assert path.stat().st_size < 150_000
