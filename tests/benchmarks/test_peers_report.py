"""The race's page: sections of problems without a run stay, and the figure's points are those of the tables."""

import json
from pathlib import Path

import pytest

from benchmarks.peers import figures, report

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/peers.md"
_TABLE = """### N = 10 (D = 40)

| method | paper's criterion: CPU s (wall s) | simulations | fair one: CPU s (wall s) | simulations | end |
|---|---|---|---|---|---|
| numepi, dual | 0.44 (0.47) | 20,000 | 21 (22) | 334,997 | near the optimum |
| numepi, dual | never | – | 25 (26) | 400,000 | near the optimum |
| sbi, NPE-C | 1e+02 (33) | 3,000 | never | – | out of CPU seconds |

| method | mean |
|---|---|
| numepi, dual | 0.50, 1.50 |
"""


def _sections():
    text = PAGE.read_text()
    return report.sections(text[text.index("<!-- tables -->") : text.index("<!-- end of tables -->")])


def _run(method, cpu):
    """As `benchmarks.peers.run` stores one that meets the paper's criterion alone, after ``cpu`` seconds."""
    look = {
        "cpu": cpu, "seconds": cpu, "simulations": 1234, "mean": [0.5, 1.5], "variance": [1.0, 1.0], "paper": True,
        "fair": False, "amplified": 0.5,
    }  # fmt: skip
    return {
        "problem": "rnn5", "method": method, "seed": 0, "limit": 80.0, "seconds": cpu, "cpu": cpu, "simulations": 1234,
        "status": "", "trace": [look], "load": [0, 0], "made": "here", "bound": None, "certificate": None, "ess": None,
        "final": look,
    }  # fmt: skip


def test_points_are_those_of_the_table():
    points = report.times(_TABLE)
    assert points["dual"] == {"paper": [(0.44, 20_000)], "fair": [(21, 334_997), (25, 400_000)]}
    assert points["npe"] == {"paper": [(100, 3000)], "fair": []}
    assert points["smc_abc"] == {"paper": [], "fair": []}


@pytest.mark.parametrize("problem", ["rnn2", "rnn250", "lds", "sc"])
def test_a_heading_says_which_problem(problem):
    assert list(report.sections(f"\n### {report.title(problem)}\n\nx\n")) == [problem]


def test_other_problems_stay_as_they_are(tmp_path, monkeypatch):
    """A run of N = 5 replaces that section; the others and the prose around are as before."""
    (tmp_path / "peers.md").write_text(PAGE.read_text())
    drawn = {}
    monkeypatch.setattr(figures, "race", lambda times, labels, path: drawn.update(times))
    monkeypatch.setattr(figures, "predictions", lambda *rest: pytest.fail("drawn without the other networks' runs"))
    report.write([_run("npe", 3.0)], tmp_path)
    before, after = PAGE.read_text(), (tmp_path / "peers.md").read_text()
    assert "| sbi, NPE-C | 3 (3) | 1,234 | never | – |" in after
    for problem, section in _sections().items():
        assert (section in after) == (problem != "rnn5")
    assert after.endswith(before[before.index("<!-- end of tables -->") :])
    assert drawn[5]["npe"] == {"paper": [(3.0, 1234)], "fair": []}
    assert drawn[10] == report.times(_sections()["rnn10"])


def test_the_page_has_the_stored_runs():
    for path in (ROOT / "benchmarks/peers/runs").glob("*.json"):
        run = json.loads(path.read_text())
        assert run["made"] in _sections()[run["problem"]] and run["status"] in _sections()[run["problem"]]
