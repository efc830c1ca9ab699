"""Batches of simulations in parts on an executor."""

import os
import signal
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from pickle import PicklingError

import numba
import numpy as np
import pytest

import numepi as ne
from numepi.inference.running.shards import check_sendable, simulate

TINY = {
    "solver": "augmented-lagrangian", "initial": "uniform", "epochs": 1, "iterations_per_epoch": 3, "batch_size": 20,
    "test_batch_size": 20, "n_tests": 5,
}  # fmt: skip


class Noisy(ne.circuits.Circuit):
    """The two parameters with noise that is a function of key and row."""

    name, parameter_names, statistic_names = "noisy", ("a", "b"), ("x", "y")
    support = ne.Support([-2.0, -2.0], [2.0, 2.0])

    def __init__(self, scale=0.1):
        self.scale = scale

    def _evaluate(self, z, key, first_index, noise, with_jacobian):
        rows = range(first_index, first_index + len(z))
        xi = np.array([np.random.default_rng([*key, row]).standard_normal(2) for row in rows])
        return z + self.scale * xi, np.broadcast_to(np.eye(2), (len(z), 2, 2)) if with_jacobian else None


class Counted(Noisy):
    """Counts its calls; raises where ``broken`` says so of any row of a batch."""

    def __init__(self, broken):
        super().__init__()
        self.broken, self.calls = broken, 0

    def _evaluate(self, z, *arguments):
        self.calls += 1
        if self.broken(z).any():
            raise ArithmeticError("broken")
        return super()._evaluate(z, *arguments)


class Counting(ThreadPoolExecutor):
    def __init__(self):
        super().__init__(2)
        self.sizes = []

    def submit(self, function, call, z, *arguments):
        self.sizes.append(len(z))
        return super().submit(function, call, z, *arguments)


PROPERTY = ne.EmergentProperty(mean=[0.0, 0.5], variance=[0.25, 0.25])


@pytest.mark.parametrize("n", [1, 16, 17, 100, 5000])
def test_parts_have_the_bits_of_the_batch(n):
    z = np.random.default_rng(0).uniform(-2, 2, (n, 2))
    with Counting() as pool:
        f = simulate(Noisy().statistics, z, 3, 40, 2, pool, precision="float32")[0]
        both = simulate(Noisy().statistics_and_jacobian, z, 3, 40, 2, pool)[0]
    np.testing.assert_array_equal(f, Noisy().statistics(z, rng=3, first_index=40, precision="float32"))
    for part, whole in zip(both, Noisy().statistics_and_jacobian(z, rng=3, first_index=40)):
        np.testing.assert_array_equal(part, whole)
    assert sum(pool.sizes) == 2 * n and max(pool.sizes) <= 40


@pytest.mark.slow
def test_a_run_on_an_executor_has_the_same_bits():
    alone = ne.infer(Noisy(), PROPERTY, rng=4, progress=False, **TINY)
    with Counting() as pool:
        threads = ne.infer(Noisy(), PROPERTY, rng=4, progress=False, executor=pool, **TINY)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        processes = ne.infer(Noisy(), PROPERTY, rng=4, progress=False, executor=pool, **TINY)
    for result in (threads, processes):
        np.testing.assert_array_equal(result.distribution.theta, alone.distribution.theta)
        np.testing.assert_array_equal(result.constraint, alone.constraint)
        assert result.configuration == alone.configuration and type(result.circuit) is Noisy


def test_an_answer_does_not_depend_on_how_its_rows_are_cut_into_batches():
    small = {"landing_steps": 200, "surrogate_first_steps": 300, "surrogate_steps": 100, "pool_size": 2000}

    def fitted(**how):  # the survey alone is more than the 500 rows of a batch in process
        flow = ne.RealNVP(Noisy.support, stages=2, hidden=(10,))
        return ne.infer(Noisy(), PROPERTY, rng=4, flow=flow, max_simulations=2800, progress=False, **small, **how)

    alone = fitted()
    with ThreadPoolExecutor(2) as pool:
        others = fitted(executor=pool), fitted(max_batch=333)
    for result in others:
        np.testing.assert_array_equal(result.distribution.theta, alone.distribution.theta)
        assert result.simulation_counts == alone.simulation_counts


class Raises(Noisy):
    """Raises where a > 1, in a batch of any size; a process dies there at first, where there is a marker to leave."""

    def __init__(self, marker=None):
        super().__init__()
        self.marker = marker

    def _evaluate(self, z, *arguments):
        if (z[:, 0] > 1).any():
            if self.marker is not None and not Path(self.marker).exists():
                Path(self.marker).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            raise ArithmeticError("a is above 1")
        return super()._evaluate(z, *arguments)


def test_errors_are_traced_to_their_rows_and_the_others_keep_their_bits():
    z = np.random.default_rng(1).uniform(-2, 2, (300, 2))
    expected = np.where(z[:, :1] > 1, np.nan, Noisy().statistics(z, rng=3, first_index=7))
    with ThreadPoolExecutor(2) as pool:
        for executor in (None, pool):
            f, reports = simulate(Raises().statistics, z, 3, 7, 2, executor)
            np.testing.assert_array_equal(f, expected)
            assert reports.n_raised == np.count_nonzero(z[:, 0] > 1) and len(reports.texts) == 5
            first = z[np.flatnonzero(z[:, 0] > 1)[0]]
            assert f"{first[0]:.16}" in reports.texts[0] and "ArithmeticError: a is above 1" in reports.texts[0]
            f, jacobian = simulate(Raises().statistics_and_jacobian, z, 3, 7, 2, executor)[0]
            np.testing.assert_array_equal(np.isnan(jacobian).all(axis=(1, 2)), z[:, 0] > 1)
            np.testing.assert_array_equal(f, expected)
            with pytest.raises(ArithmeticError, match="a is above 1"):
                simulate(Raises().statistics, z, 3, 7, 2, executor, on_error="raise")


def test_a_simulator_that_raises_everywhere_costs_one_call_a_row():
    z = np.random.default_rng(1).uniform(-2, 2, (500, 2))
    circuit = Counted(lambda z: np.ones(len(z), bool))
    f, reports = simulate(circuit.statistics, z, 3, 0, 2)
    assert np.isnan(f).all() and reports.n_raised == 500 and circuit.calls < 530
    for row, text in zip(z, reports.texts, strict=False):
        assert repr(float(row[0])) in text


def test_one_bad_row_in_many_costs_a_few_calls_and_a_bad_stretch_ends():
    z = np.random.default_rng(1).uniform(-2, 2, (1024, 2))
    for bad, most in ((slice(300, 301), 30), (slice(300, 400), 150)):
        rows = {tuple(row) for row in z[bad]}
        circuit = Counted(lambda part, rows=rows: np.array([tuple(row) in rows for row in part]))
        f, reports = simulate(circuit.statistics, z, 3, 0, 2)
        assert circuit.calls < most and reports.n_raised == len(rows)
        expected = Noisy().statistics(z, rng=3)
        expected[bad] = np.nan
        np.testing.assert_array_equal(f, expected)


def test_a_simulator_that_breaks_ends_the_run_without_being_asked_for_a_score_of_nothing():
    circuit = Counted(lambda z: np.full(len(z), circuit.calls > 8))
    with pytest.warns(UserWarning, match="counts as failed"):
        result = ne.infer(circuit, PROPERTY, rng=4, progress=False, **TINY)
    assert result.status == "failed" and result.certificate.ess == 0
    assert "20 of 20 simulations raised an error (see failure_reports)" in result.message
    assert "not finite" not in result.message and result.failing_share == 1
    assert circuit.calls < 1200  # 1,000 rows of the score


def test_rows_that_raise_are_failed_rows_of_a_run_with_their_reports():
    with pytest.warns(UserWarning, match=r"counts as failed \(on_error='raise' stops\), at z = .*\n.*Traceback"):
        result = ne.infer(Raises(), PROPERTY, rng=4, progress=False, **TINY)
    assert result.n_raised == result.n_failed > 0
    assert "ArithmeticError: a is above 1" in result.failure_reports[0]
    assert f"{result.n_raised} simulations raised an error and were left out (see failure_reports)" in result.message
    with pytest.raises(ArithmeticError, match="a is above 1"):
        ne.infer(Raises(), PROPERTY, rng=4, progress=False, on_error="raise", **TINY)


def test_a_lost_worker_costs_nothing(tmp_path):
    z = np.random.default_rng(1).uniform(-2, 2, (100, 2))
    circuit = Raises(tmp_path / "marker")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        with pytest.warns(UserWarning, match=r"a worker of the executor was lost \(BrokenProcessPool\)"):
            f, reports = simulate(circuit.statistics, z, 3, 0, 2, pool)
        again, _ = simulate(circuit.statistics, z, 3, 0, 2, pool)  # the pool stays broken: in this process
    expected = np.where(z[:, :1] > 1, np.nan, Noisy().statistics(z, rng=3))
    np.testing.assert_array_equal(f, expected)
    np.testing.assert_array_equal(again, expected)
    assert reports.n_raised == np.count_nonzero(z[:, 0] > 1)


def test_what_cannot_be_shipped_is_an_error_and_not_a_lost_worker():
    class Local(Noisy):
        pass

    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        pytest.raises((AttributeError, PicklingError)),
    ):
        simulate(Local().statistics, np.zeros((2, 2)), 3, 0, 2, pool)


def test_lambdas_on_a_process_pool_are_refused_before_any_work():
    calls = []
    support = ne.Support([0.0, 0.0], [1.0, 1.0])
    circuit = ne.FunctionCircuit(lambda z: calls.append(len(z)) or z, support, statistic_names=("a", "b"))
    calls.clear()
    prop = ne.EmergentProperty(mean=[0.5, 0.5])
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        with pytest.raises(TypeError, match=r"executor is a process pool, which cannot take .*lambda.*at the top of a"):
            ne.infer(circuit, prop, progress=False, executor=pool, **TINY)
        check_sendable(Noisy(), pool)
    assert calls == []
    with ThreadPoolExecutor(1) as pool:
        check_sendable(circuit, pool)  # threads take all
    with pytest.raises(TypeError, match=r"executor = 2: give a concurrent.futures.Executor, such as ProcessPool"):
        ne.infer(Noisy(), PROPERTY, progress=False, executor=2, **TINY)


def test_a_pool_is_not_given_to_what_runs_on_it():
    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="executor is the pool that runs this call"):
        pool.submit(ne.infer, Noisy(), PROPERTY, progress=False, executor=pool, **TINY).result(timeout=60)


def test_threads_of_a_pool_keep_their_setting():
    with ThreadPoolExecutor(1) as pool:
        before = pool.submit(numba.get_num_threads).result()
        simulate(Noisy().statistics, np.zeros((20, 2)), 3, 0, 2, pool)
        assert pool.submit(numba.get_num_threads).result() == before
