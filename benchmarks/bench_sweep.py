"""What executors cost: shipping a batch of simulations in parts, a task of a sweep, and loading an index."""

import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import numepi as ne
from numepi.inference.running.shards import simulate
from numepi.sweeps.driver import sweep
from numepi.sweeps.index import IndexFile, SweepIndex
from numepi.sweeps.task import pending_row

WORKERS = 2


class Free(ne.circuits.Circuit):
    """Statistics that cost next to nothing, with a Jacobian."""

    name, statistic_names = "free", ("a", "b")

    def __init__(self, dim=4):
        self.dim = dim
        self.parameter_names = tuple(f"z{i}" for i in range(dim))
        self.support = ne.Support(-np.ones(dim), np.ones(dim))

    def _evaluate(self, z, key, first_index, noise, with_jacobian):
        jacobian = np.zeros((len(z), 2, self.dim)) if with_jacobian else None
        return np.ascontiguousarray(z[:, :2]), jacobian


class Shipping:
    """A batch of n rows of D parameters with its Jacobian on the standard pool (spawn), two workers."""

    timeout = 300
    params = ((300, 10_000), (4, 400))
    param_names = ("n", "D")

    def setup(self, n, dim):
        self.circuit = Free(dim)
        self.z = np.random.default_rng(0).uniform(-1, 1, (n, dim))
        self.pool = ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn"))
        self.ship(), self.ship()  # starts the workers

    def teardown(self, n, dim):
        self.pool.shutdown()

    def ship(self):
        simulate(self.circuit.statistics_and_jacobian, self.z, 0, 0, 2, self.pool)

    def track_batch(self, n, dim):
        return 1e3 * _median(self.ship)

    track_batch.unit = "ms"

    def track_break_even(self, n, dim):
        """CPU time of a simulation from which on two workers beat one thread of this process."""
        return 1e6 * _median(self.ship) / n / (1 - 1 / WORKERS)

    track_break_even.unit = "us for each row"


class Index:
    """The index of many runs."""

    timeout = 300
    params = (100, 10_000)
    param_names = ("runs",)

    def setup(self, runs):
        lds = ne.circuits.LDS()
        task = ne.Task(lds, lds.emergent_property(), {"max_simulations": 1000})
        seeds = np.random.SeedSequence(0).spawn(runs)
        self.directory = tempfile.TemporaryDirectory()
        index = SweepIndex(Path(self.directory.name), [pending_row(task, s, i) for i, s in enumerate(seeds)])
        IndexFile(index).save()

    def teardown(self, runs):
        self.directory.cleanup()

    def time_load(self, runs):
        ne.load_sweep(self.directory.name)


class Overhead:
    """What a sweep adds to a run of `numepi.infer` in this process: seeds, checkpoint, result and index on disk."""

    timeout = 300
    unit = "ms for each task"

    def track_overhead(self):
        settings = {
            "solver": "augmented-lagrangian", "initial": "uniform", "epochs": 1, "iterations_per_epoch": 3,
            "batch_size": 20, "test_batch_size": 20, "n_tests": 5,
        }  # fmt: skip
        circuit = ne.circuits.LDS()
        task = ne.Task(circuit, circuit.emergent_property(), settings)

        def alone():
            ne.infer(circuit, task.prop, progress=False, **settings)

        def swept():
            with tempfile.TemporaryDirectory() as directory:
                sweep([task], out=directory, progress=False)

        alone()
        pairs = [(_seconds(swept), _seconds(alone)) for _ in range(9)]
        return 1e3 * float(np.median([a - b for a, b in pairs]))


def _seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _median(function, tries=15):
    return float(np.median([_seconds(function) for _ in range(tries)]))


if __name__ == "__main__":
    for n in Shipping.params[0]:
        for dim in Shipping.params[1]:
            bench = Shipping()
            bench.setup(n, dim)
            batch, point = bench.track_batch(n, dim), bench.track_break_even(n, dim)
            print(f"n = {n}, D = {dim}: {batch:.1f} ms, pays from {point:.0f} us a row")
            bench.teardown(n, dim)
    print(f"a sweep adds {Overhead().track_overhead():.0f} ms to each task")
