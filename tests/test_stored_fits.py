"""The fits that are stored with the findings: made by the paper's settings, readable, and small."""

import argparse
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import numepi as ne

FITS = Path(__file__).parents[1] / "docs" / "findings" / "fits"
CIRCUITS = {"lds": ne.circuits.LDS, "stg": ne.circuits.STG, "v1": ne.circuits.V1, "sc": ne.circuits.SC}
STATED = {"epochs", "initial"}  # in examples/paper/procedures.py


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


@pytest.fixture
def procedures(monkeypatch):
    """examples/paper/procedures.py."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "examples")
    from paper import procedures

    return procedures


@pytest.fixture
def options(tmp_path):
    """Of a full run into an empty directory."""
    return argparse.Namespace(quick=False, refit=False, seed=0, out=tmp_path)


def test_what_the_figures_ask_for_is_stored_so_that_they_fit_nothing(procedures, options, monkeypatch):
    monkeypatch.setattr(ne, "infer", None)
    for name, fits in procedures.ALL.items():
        assert len(fits(options)) == procedures.SEEDS[name]


@pytest.mark.parametrize("level", [5, 10])
def test_v1_by_the_papers_procedure_passes_its_test_near_the_greatest_entropy(procedures, options, level):
    for result in procedures.v1(level, options):
        assert result.ended["met"] and result.entropy == pytest.approx(procedures.EXACT_ENTROPY[f"v1-{level}"], abs=0.2)
        # the test, of 100 samples, does not see a variance that is a third off
        assert result.statistic_variance[0] == pytest.approx(1, abs=0.36)


def test_a_stored_fit_of_other_settings_is_refused_by_name(procedures, options):
    circuit = ne.circuits.LDS()
    with pytest.raises(SystemExit, match=r"lds-paper-0.npz was made with epochs = 12, not 3: .* --refit"):
        procedures.algorithm_one("lds", circuit, circuit.emergent_property(), options, epochs=3)


def test_the_command_that_makes_the_fits_keeps_those_that_are_there(procedures, tmp_path, monkeypatch, capsys):
    circuit = ne.circuits.LDS()
    few = {"epochs": 1, "iterations_per_epoch": 3, "test_batch_size": 20, "n_tests": 2}
    tiny = lambda options, n_seeds: procedures.algorithm_one(  # noqa: E731
        "lds", circuit, circuit.emergent_property(), options, n_seeds, **few
    )
    monkeypatch.setitem(procedures.ALL, "lds", tiny)
    monkeypatch.setattr(sys, "argv", ["paper", "--only", "lds", "--seeds", "2", "--out", str(tmp_path)])
    runpy.run_module("paper")
    first = capsys.readouterr().out
    assert "loaded" not in first
    assert first.count("does not pass the paper's test") == 2 and first.count(", the answer") == 1
    runpy.run_module("paper")
    assert capsys.readouterr().out.count("loaded") == 2
