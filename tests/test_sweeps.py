"""Sweeps: the same bits from any executor, an index, failures as rows, killed workers, resuming."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numba
import numpy as np
import pytest
from threadpoolctl import threadpool_info

import numepi as ne
from numepi.sweeps import SweepIndex
from numepi.worker_threads import limited_threads, threads_here, workers_beside

TINY = {
    "solver": "augmented-lagrangian", "initial": "uniform", "epochs": 1, "iterations_per_epoch": 3, "batch_size": 20,
    "test_batch_size": 20, "n_tests": 5,
}  # fmt: skip
LDS = ne.circuits.LDS()
PROPERTY = ne.EmergentProperty(mean=[5.0, 3.0], variance=[25.0, 16.0])  # about what the uniform prior has
SPAWN = partial(ProcessPoolExecutor, 2, mp_context=get_context("spawn"))


class Interrupted(ne.circuits.LDS):
    """Sends a signal to its own process in the midst of its first run: SIGKILL is a killed worker, SIGINT a Ctrl-C."""

    def __init__(self, marker, number, tau=1.0):
        super().__init__(tau)
        self.marker, self.number = marker, number

    def _evaluate(self, z, *arguments):
        if len(z) > 3 and not os.path.exists(self.marker):
            Path(self.marker).touch()
            os.kill(os.getpid(), self.number)
        return super()._evaluate(z, *arguments)


class Raises(ne.circuits.LDS):
    def _evaluate(self, *arguments):
        raise ArithmeticError("no such network")


class FakePool(Executor):
    """Runs at once in this process; breaks at the task labelled "deadly"."""

    def __init__(self):
        self.broken = False

    def submit(self, function, task, *arguments):
        if self.broken:
            raise BrokenExecutor
        future = Future()
        if "deadly" in task.labels:
            self.broken = True
            future.set_exception(BrokenExecutor("killed"))
        else:
            future.set_result(function(task, *arguments))
        return future


def tasks(n=8, circuit=LDS):
    return [ne.Task(circuit, PROPERTY, TINY, labels={"repeat": i}) for i in range(n)]


def bits(index):
    return [index.result(row).distribution.theta.tobytes() for row in index]


def changed_at(index):
    return [(index.directory / row["path"]).stat().st_mtime_ns for row in index if row["path"]]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return ne.sweep(tasks(), out=tmp_path_factory.mktemp("reference"), rng=5, progress=False)


@pytest.mark.slow
def test_a_process_pool_gives_the_bits_of_this_process(reference, tmp_path):
    with SPAWN() as pool:
        index = ne.sweep(tasks(), pool, out=tmp_path, rng=5, progress=False)
    assert bits(index) == bits(reference)
    assert len(set(bits(index))) == 8  # every task has a seed of its own
    for row, other in zip(index, reference):
        same = set(row) - {"elapsed", "message"}  # the message tells the time, too
        assert {k: row[k] for k in same} == {k: other[k] for k in same}


def test_a_sweep_is_infer_with_spawned_seeds(reference):
    seed = np.random.SeedSequence(5).spawn(4)[3]
    with limited_threads():
        alone = ne.infer(LDS, PROPERTY, rng=seed, progress=False, **TINY)
    assert alone.distribution.theta.tobytes() == bits(reference)[3]


@pytest.mark.slow
def test_a_killed_worker_loses_nothing(reference, tmp_path):
    circuits = [LDS] * 8
    circuits[2] = Interrupted(str(tmp_path / "marker"), signal.SIGKILL)
    batch = [ne.Task(circuit, PROPERTY, TINY) for circuit in circuits]
    index = ne.sweep(batch, SPAWN, out=tmp_path / "sweep", rng=5, progress=False)
    assert not index.missing.rows
    assert bits(index) == bits(reference)


@pytest.mark.slow
def test_a_broken_pool_is_reported_and_resuming_does_what_is_missing(reference, tmp_path):
    batch = tasks()
    batch[3] = ne.Task(Interrupted(str(tmp_path / "marker"), signal.SIGKILL), PROPERTY, TINY)
    with SPAWN() as pool:
        index = ne.sweep(batch, pool, out=tmp_path / "sweep", rng=5, progress=False)
    assert index[3]["status"] == "lost"
    assert "resume=True" in str(index)
    before = changed_at(index)
    done = [i for i, row in enumerate(index) if row["path"]]
    again = ne.sweep(batch, out=tmp_path / "sweep", rng=5, resume=True, progress=False)
    assert bits(again) == bits(reference)
    after = changed_at(again)
    assert [after[i] for i in done] == before


def test_pools_are_remade_only_while_something_gets_done(tmp_path):
    first, last = tasks(2)
    batch = [first, ne.Task(LDS, PROPERTY, TINY, labels={"deadly": True}), last]
    index = ne.sweep(batch, FakePool, out=tmp_path, progress=False)
    assert [row["status"] for row in index].count("lost") == 1
    assert index.missing[0]["labels"] == {"deadly": True}


def test_a_failed_task_is_a_row_and_is_tried_again(tmp_path, capsys):
    batch = [ne.Task(Raises(), PROPERTY, TINY), ne.Task(LDS, PROPERTY, {"no_such": 1}), tasks(1)[0]]
    index = ne.sweep(batch, out=tmp_path)
    assert [row["status"] for row in index[:2]] == ["error", "error"]
    assert "ArithmeticError: no such network" in index[0]["message"] and "no_such" in index[1]["message"]
    assert index[2]["path"] is not None
    assert "3/3: run 2 (lds)" in capsys.readouterr().err
    with pytest.raises(ValueError, match="run 0 has no result: it is error"):
        index.result(index[0])
    before = changed_at(index)
    again = ne.sweep(batch, out=tmp_path, resume=True)
    assert "2/2" in capsys.readouterr().err
    assert changed_at(again) == before


def test_what_cannot_be_pickled_is_a_row(tmp_path):
    class Local(ne.circuits.LDS):
        pass

    with SPAWN() as pool:
        index = ne.sweep([ne.Task(Local(), PROPERTY, TINY)], pool, out=tmp_path, progress=False)
    assert index[0]["status"] == "error" and "pickle" in index[0]["message"]


def test_the_index_loads_without_the_results(reference, tmp_path):
    (tmp_path / "index.json").write_bytes((reference.directory / "index.json").read_bytes())
    index = ne.load_sweep(tmp_path)
    assert index.rows == reference.rows
    assert index.column("entropy").shape == (8,) and np.isfinite(index.column("entropy")).all()
    assert list(index.column("repeat")) == list(range(8))
    assert index.where(repeat=3).rows == [index[3]]
    assert len(index.where(circuit="lds", tau=1.0, batch_size=20)) == 8
    assert "8 of 8 runs done" in repr(index)


def test_results_that_the_driver_did_not_enter_are_found(reference, tmp_path):
    for row in reference:
        (tmp_path / row["path"]).write_bytes((reference.directory / row["path"]).read_bytes())
    ne.sweep([], out=tmp_path, progress=False)
    before = changed_at(SweepIndex(tmp_path, reference.rows))
    index = ne.sweep(tasks(), out=tmp_path, rng=5, resume=True, progress=False)
    assert changed_at(index) == before
    assert index.rows == reference.rows


def test_another_sweep_in_the_directory_is_refused(reference):
    with pytest.raises(ValueError, match="holds a sweep: pass resume=True"):
        ne.sweep(tasks(), out=reference.directory, rng=5)
    with pytest.raises(ValueError, match=r"task 0 is another than .*seed is"):
        ne.sweep(tasks(), out=reference.directory, rng=6, resume=True)
    with pytest.raises(ValueError, match="has 8 tasks and 7 are given"):
        ne.sweep(tasks(7), out=reference.directory, rng=5, resume=True)
    assert ne.load_sweep(reference.directory).rows == reference.rows


@pytest.fixture
def interruptible():
    """Ctrl-C raises here: a shell starts what it runs in the background with interrupts ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_leaves_an_index_and_a_checkpoint(reference, tmp_path):
    batch = tasks()
    batch[1] = ne.Task(Interrupted(str(tmp_path / "marker"), signal.SIGINT), PROPERTY, TINY)
    with pytest.raises(KeyboardInterrupt):
        ne.sweep(batch, out=tmp_path / "sweep", rng=5, progress=False)
    assert [row["status"] for row in ne.load_sweep(tmp_path / "sweep")][1:] == ["interrupted"] + 6 * ["pending"]
    assert list((tmp_path / "sweep").glob("*.checkpoint.npz"))
    index = ne.sweep(batch, out=tmp_path / "sweep", rng=5, resume=True, progress=False)
    assert bits(index) == bits(reference)
    assert not list((tmp_path / "sweep").glob("*.checkpoint.npz"))


def test_best_is_the_converged_run_of_greatest_entropy(reference):
    rows = [row | {"success": False} for row in reference.rows]
    index = SweepIndex(reference.directory, rows)
    with pytest.raises(ValueError, match="none of 8 runs met its constraints"):
        index.best()
    for i, entropy in ((1, 2.0), (4, 3.0), (6, 1.0)):
        rows[i] |= {"success": True, "relative_entropy": -entropy}
    assert index.best()["run"] == 4
    assert index.best(repeat=6)["run"] == 6


def test_a_notebook_shows_a_row_for_each_run_and_what_went_wrong():
    row = {
        "run": 0, "circuit": "<lds>", "labels": {}, "status": "near the optimum", "entropy": 1.25, "kl": 0.5,
        "reliable": True,
        "n_simulations": 4000, "elapsed": 2.0, "path": "0.npz", "message": "",
    }  # fmt: skip
    lost = row | {"run": 1, "status": "lost", "path": None, "message": "its worker died & left", "entropy": None}
    html = SweepIndex("runs", [row, lost])._repr_html_()
    assert "sweep in runs" in html and "1 of 2 runs done" in html and html.count("<tr>") == 3
    assert "<td>&lt;lds&gt;</td>" in html and "<td>1.25" in html
    assert "<p>run 1: its worker died &amp; left</p>" in html


def test_threads_follow_the_cores_that_a_worker_was_given(monkeypatch):
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 64)
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: range(12), raising=False)
    assert [threads_here(None, n) for n in (1, 2, 5, 99, float("inf"))] == [12, 6, 2, 1, 1]
    assert threads_here(3, 1) == 3 and threads_here(100, 1) == 64
    monkeypatch.setenv("OMPI_COMM_WORLD_LOCAL_SIZE", "4")
    assert threads_here(None, None) == 3
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "8")
    assert threads_here(None, None) == 8
    assert workers_beside(SPAWN()) == 2 and workers_beside(FakePool()) is None


def test_threads_are_set_back():
    before = numba.get_num_threads()
    with limited_threads(1) as number:
        assert number == numba.get_num_threads() == 1
        assert all(pool["num_threads"] == 1 for pool in threadpool_info() if pool["user_api"] == "blas")
    assert numba.get_num_threads() == before


def test_wrong_arguments_are_named():
    with pytest.raises(TypeError, match="executor = 4: give a concurrent"):
        ne.sweep(tasks(1), executor=4)
    with pytest.raises(TypeError, match="circuit of a task is a str"):
        ne.sweep([("lds", PROPERTY)])
    with pytest.raises(ValueError, match="'n_seeds'"):
        ne.Task(LDS, PROPERTY, {"n_seeds": 2})
    with pytest.raises(ValueError, match="'status'"):
        ne.Task(LDS, PROPERTY, labels={"status": 2})
    with pytest.raises(ValueError, match="threads = 0"):
        ne.sweep(tasks(1), threads=0)


def test_foreign_files_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no sweep"):
        ne.load_sweep(tmp_path)
    (tmp_path / "index.json").write_text("[]")
    with pytest.raises(ValueError, match="not the index of a numepi sweep"):
        ne.load_sweep(tmp_path)


def test_no_engine_is_imported():
    names = ("dask", "distributed", "mpi4py", "loky", "xarray", "arviz", "torch", "sbi", "pyabc")
    code = f"import sys, numepi.sweeps; print([m for m in {names!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout.split() == [b"[]"]


@pytest.mark.parametrize("wrong", [None, "zz", 3, 2.5, [], {}, True], ids=repr)
def test_whatever_is_wrong_in_an_index_the_error_names_the_file_or_the_table_is_printed(tmp_path, wrong):
    row = {
        "run": 0, "digest": "0", "circuit": "lds", "circuit_settings": {}, "property": {}, "settings": {},
        "seed": [0, [0]], "labels": {"k": 1}, "status": "error", "message": "m", "success": False, "entropy": 1.0,
        "entropy_stderr": 0.1, "relative_entropy": -1.0, "kl": 0.1, "kl_stderr": 0.1, "reliable": True,
        "n_simulations": 10, "elapsed": 1.0, "path": "a.npz",
    }  # fmt: skip
    refused = 0
    for name in row:
        (tmp_path / "index.json").write_text(json.dumps({"numepi_sweep": 1, "rows": [row | {name: wrong}]}))
        try:
            index = ne.load_sweep(tmp_path)
        except ValueError as error:
            assert "index.json is not the index" in str(error) and "\n" not in str(error)
            refused += 1
        else:
            assert "lds" in str(index) or name == "circuit", name
            assert (
                repr(index)
                and len(index.column(name)) == 1
                and len(index.missing) == (wrong is None and name == "path")
            )
    assert refused >= 6
