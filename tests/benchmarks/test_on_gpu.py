"""The run on a GPU without one: its budget, its report, its wheels, and what it does with steps that fail."""

import json
from pathlib import Path

import pytest

from benchmarks.on_gpu import cases, environment, run
from benchmarks.on_gpu.budget import Budget
from benchmarks.on_gpu.processes import Failure
from benchmarks.on_gpu.report import Report, share_of_peak

ROW = {
    "circuit": "SC", "precision": "float32", "jacobian": True, "simulations": 400, "kernel_ms": 2.0, "upload_ms": 0.25,
    "download_ms": 0.5, "call_ms": 4.0, "cpu_ms": 20.0, "errors": {"f": 0.0, "J": 3e-7},
    "resources": {
        "average": {"registers": 37, "warps": 48}, "simulate": {"registers": 99, "warps": 16},
    },
}  # fmt: skip
OPERATIONS = {"SC": {"float32 value and Jacobian": [1_000, 10, 5_000]}}
CEILINGS = {"float32_per_second": 4e8, "float64_per_second": 2e7}


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def report(tmp_path):
    return Report(tmp_path, OPERATIONS)


def test_budget_predicts_in_proportion_to_the_largest_smaller_step(clock):
    budget = Budget(420.0, clock)
    clock.now += 20
    assert budget.left == 400
    assert budget.predicted("SC", 1_000) is None
    budget.remember("SC", 100, 2.0)
    budget.remember("SC", 1_000, 5.0)
    assert budget.predicted("SC", 10_000) == 50
    assert budget.predicted("SC", 500) == 10
    assert budget.predicted("SC", 50) is None and budget.predicted("V1", 10_000) is None


def test_budget_skips_what_takes_too_much_of_what_is_left(clock):
    budget = Budget(420.0, clock)
    budget.remember("SC", 1_000, 6.0)
    assert budget.reason_to_skip("SC", 10_000) is None  # 60 of 63
    assert budget.reason_to_skip("SC", 11_000) == "66 s predicted from a smaller batch, 420 s left"
    assert budget.reason_to_skip("V1", 11_000) is None
    clock.now += 420
    assert budget.reason_to_skip("V1", 1) == "the time was over"


def test_share_of_peak_is_the_time_of_the_arithmetic_alone():
    # 400 simulations: 400 * 1000 / 4e8 s in single precision, 400 * 10 / 2e7 s in double, of 2 ms
    assert share_of_peak(ROW, OPERATIONS, CEILINGS) == pytest.approx((1e-3 + 2e-4) / 2e-3)
    assert share_of_peak(ROW | {"jacobian": False}, OPERATIONS, CEILINGS) is None
    assert share_of_peak(ROW, OPERATIONS, None) is None


def test_report_is_whole_after_every_step(report, tmp_path):
    report.facts = {"GPU": "none", "ceilings": CEILINGS}
    report.add("rows", ROW)
    assert json.loads((tmp_path / "on_gpu.json").read_text())["rows"] == [ROW]
    report.add("rows", ROW | {"simulations": 100})
    report.skip("SC", "the time | was over")
    report.fail("V1", "MemoryError:\nnone")
    written = json.loads((tmp_path / "on_gpu.json").read_text())
    assert [row["simulations"] for row in written["rows"]] == [400, 100]
    assert written["skipped"][0]["step"] == "SC" and written["failed"][0]["step"] == "V1"
    text = (tmp_path / "on_gpu.md").read_text()
    row = "| SC | float32 | value and Jacobian | 400 | 2 | 0.75 | 4 | 20 | 5 | 60 % | 99 | 16 | 0e+00, 3e-07 |"
    assert row in text and text.index("| 100 |") < text.index(row)
    assert "| SC | the time / was over |" in text and "| V1 | MemoryError: none |" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["on_gpu.json", "on_gpu.md"]


def test_sections_whose_entries_differ_share_a_table(report):
    report.add("memory", {"what": "a batch", "bits": "ab"})
    report.add("memory", {"what": "none left", "answer": "MemoryError"})
    assert "| what | bits | answer |\n|---|---|---|\n| a batch | ab |  |\n| none left |  | MemoryError |" in (
        report.markdown()
    )


def test_operations_are_known_of_every_case():
    counted = json.loads((Path(run.__file__).with_name("operations.json")).read_text())
    kinds = {f"{p} {what}" for p in ("float32", "float64") for what in ("value", "value and Jacobian")}
    assert set(counted) == set(cases.NAMES)
    for name, numbers in counted.items():
        assert set(numbers) == kinds
        for kind, (single, double, instructions) in numbers.items():
            assert single + double <= 2 * instructions, (name, kind)
            assert (single == 0) == kind.startswith("float64"), (name, kind)


def test_rows_come_the_most_telling_first():
    rows = cases.rows(["SC", "LDS"], rehearse=False)
    assert len(rows) == len(set(rows)) == 5 * 2 * 2 * 2
    assert rows[0] == (100_000, True, "float32", "SC")
    assert [size for size, *_ in rows[::8]] == [100_000, 1_000, 10_000, 100, 1_000_000]


def test_wheels_in_parts_are_joined(tmp_path):
    folder, scratch = tmp_path / "wheels", tmp_path / "scratch"
    folder.mkdir(), scratch.mkdir()
    (folder / "small.whl").write_bytes(b"small")
    for i in range(12):
        (folder / f"large.whl.part{i}").write_bytes(bytes([i]))
    small, large = environment.joined(folder, scratch)
    assert small == folder / "small.whl"
    assert large.name == "large.whl" and large.read_bytes() == bytes(range(12))


def test_an_empty_folder_of_wheels_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no \*\.whl there"):
        environment.install(tmp_path, tmp_path)


class FakeProcess:
    """Answers from a list; an exception is raised."""

    def __init__(self, answers):
        self.answers = answers

    def ask(self, seconds, *request):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def a_run(report, clock):
    going = run.Run(report, Budget(420.0, clock), True, "none", ("rows",))
    going.per_parameter = {"SC": 400}
    return going


def test_a_step_that_fails_is_reported_and_the_next_one_done(a_run, report):
    a_run.processes = {"SC": FakeProcess([Failure("MemoryError: none left"), dict(ROW)])}
    for _ in range(2):
        a_run.take(a_run.row(1_000, True, "float32", "SC"))
    assert [entry["reason"] for entry in report.failed] == ["MemoryError: none left"]
    assert [row["size"] for row in report.sections["rows"]] == [1_000]


def test_rows_that_cannot_be_or_take_too_long_are_skipped_with_the_reason(a_run, report, clock):
    a_run.processes = {"SC": FakeProcess([])}
    a_run.take(a_run.row(100, True, "float32", "SC"))
    a_run.budget.remember(("SC", "float32", True), 1_000, 400.0)
    a_run.take(a_run.row(1_000_000, True, "float32", "SC"))
    reasons = [entry["reason"] for entry in report.skipped]
    assert reasons[0] == "one parameter is 400 simulations"
    assert reasons[1].startswith("400000 s predicted")
