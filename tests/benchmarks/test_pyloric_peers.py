"""The comparison on one animal's rhythm: what is counted, how answers are judged, and that the page has its table."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import numepi as ne
from benchmarks.peers.pyloric import question, report

ROOT = Path(__file__).parents[2]


def test_simulations_are_counted_in_the_context_alone(monkeypatch):
    circuit = ne.circuits.Pyloric(features="A")
    monkeypatch.setattr(ne.circuits.Pyloric, "_evaluate", lambda circuit, z, *rest: (np.ones((len(z), 6)), None))
    z = np.tile(circuit.support.lower, (5, 1))
    with question.metered() as meter:
        circuit.statistics(z)
        circuit.statistics(z[:2])
    circuit.statistics(z)
    assert meter.rows == 7 and 0 <= meter.seconds < 10


def test_answers_are_judged_by_fresh_simulations(monkeypatch):
    """A quarter fails; the others have one feature two s.d. off, the others as observed."""
    support, names = question.pyloric.CIRCUIT.support, question.pyloric.CIRCUIT.statistic_names
    targets = dict(zip(question.pyloric.FIXED, ne.circuits.Pyloric(features="A").emergent_property().mean))
    f = np.array([targets.get(name, 0.0) for name in names])
    f[names.index("period")] += 2 * 279

    def statistics(z, rng):
        return np.where(np.arange(len(z))[:, None] % 4 == 0, np.nan, f)

    monkeypatch.setattr(
        question.pyloric, "CIRCUIT", SimpleNamespace(support=support, statistic_names=names, statistics=statistics)
    )
    u = np.random.default_rng(0).random((600, support.dim))
    found = question.judge(lambda n: support.lower + support.width * u[:n], 0)
    assert found["valid"][0] == 0.75 and found["valid"][1] < 0.75 < found["valid"][2]
    np.testing.assert_allclose(found["rms"], [2, 0, 0, 0, 0, 0], atol=1e-12)
    assert found["near"] == 0 and found["apart"] == pytest.approx(0.29, abs=0.02)


def test_the_page_has_the_table_of_the_stored_runs():
    stored = json.loads((ROOT / "benchmarks/peers/pyloric/results.json").read_text())
    assert report.table(stored) in (ROOT / "docs/pyloric.md").read_text()
