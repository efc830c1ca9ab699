"""Sweeps on Dask, loky and MPI (see `.ci/engines`): the bits of this process, and nothing lost with a killed worker."""

import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

import numepi as ne

TINY = {
    "solver": "augmented-lagrangian", "initial": "uniform", "epochs": 1, "iterations_per_epoch": 3, "batch_size": 20,
    "test_batch_size": 20, "n_tests": 5,
}  # fmt: skip
LDS = ne.circuits.LDS()
PROPERTY = ne.EmergentProperty(mean=[5.0, 3.0], variance=[25.0, 16.0])  # about what the uniform prior has
UNDER_MPI = "mpi4py.futures" in sys.modules


class KillsItsWorker(ne.circuits.LDS):
    """Kills the process that first simulates it."""

    def __init__(self, marker, tau=1.0):
        super().__init__(tau)
        self.marker = marker

    def _evaluate(self, z, *arguments):
        if not os.path.exists(self.marker):
            Path(self.marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super()._evaluate(z, *arguments)


def tasks():
    return [ne.Task(LDS, PROPERTY, TINY) for _ in range(8)]


def bits(index):
    return [index.result(row).distribution.theta.tobytes() for row in index]


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    return bits(ne.sweep(tasks(), out=tmp_path_factory.mktemp("reference"), rng=5, progress=False))


@contextmanager
def dask_client():
    distributed = pytest.importorskip("distributed")
    how = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    with distributed.LocalCluster(silence_logs=50, **how) as cluster, distributed.Client(cluster) as client:
        yield client


@pytest.mark.skipif(UNDER_MPI, reason="Dask starts processes, which MPI does not allow")
def test_dask_gives_the_bits_of_this_process_though_a_worker_is_killed(reference, tmp_path):
    batch = tasks()
    batch[3] = ne.Task(KillsItsWorker(str(tmp_path / "killed")), PROPERTY, TINY)
    with dask_client() as client:
        before = set(client.run(os.getpid).values())
        index = ne.sweep(batch, client.get_executor(), out=tmp_path / "sweep", rng=5, progress=False)
    assert (tmp_path / "killed").exists() and len(before) == 2
    assert not index.missing.rows
    assert bits(index) == reference


@pytest.mark.skipif(UNDER_MPI, reason="loky starts processes, which MPI does not allow")
def test_loky_gives_the_bits_of_this_process(reference, tmp_path):
    loky = pytest.importorskip("loky")
    with loky.ProcessPoolExecutor(2) as pool:
        index = ne.sweep(tasks(), pool, out=tmp_path, rng=5, progress=False)
    assert bits(index) == reference


@pytest.mark.skipif(not UNDER_MPI, reason="run by mpiexec -n 3 python -m mpi4py.futures -m pytest")
def test_mpi_gives_the_bits_of_this_process(reference, tmp_path):
    from mpi4py.futures import MPIPoolExecutor

    with MPIPoolExecutor() as pool:
        assert pool.num_workers == 2
        index = ne.sweep(tasks(), pool, out=tmp_path, rng=5, progress=False)
    assert bits(index) == reference
