"""Threads: limits that runs side by side share, and give back."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import numepi as ne
from numepi.worker_threads import check_executor, limited_threads, one_blas_thread

SETTINGS = {
    "progress": False, "max_simulations": 600, "surrogate_first_steps": 100, "surrogate_steps": 50,
    "fit_steps": 20, "landing_steps": 20, "most_repeated": 0, "pool_size": 1000, "check_size": 1000,
    "score_draws": 2000,
}  # fmt: skip


def blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture
def two_blas_threads():
    """More threads than one, set as a user might: the limit is put over it, and what it was comes back."""
    with threadpool_limits(2, user_api="blas"):
        yield
    assert threading.active_count() < 20


def test_the_limit_stays_until_the_last_of_those_who_asked_for_it_ends(two_blas_threads):
    first_is_in, second_is_in, first_is_out = threading.Event(), threading.Event(), threading.Event()
    seen = []

    def first():
        with one_blas_thread():
            first_is_in.set()
            second_is_in.wait(10)
        first_is_out.set()

    def second():
        first_is_in.wait(10)
        with one_blas_thread():
            second_is_in.set()
            first_is_out.wait(10)
            seen.append(blas_threads())
        seen.append(blas_threads())

    threads = [threading.Thread(target=each) for each in (first, second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert seen == [{1}, {2}]


def test_the_limit_is_given_back_after_an_error(two_blas_threads):
    with pytest.raises(ZeroDivisionError), limited_threads(1):
        raise ZeroDivisionError
    assert blas_threads() == {2}


def test_two_runs_in_two_threads_have_the_bits_that_each_has_alone(two_blas_threads):
    lds = ne.circuits.LDS()

    def run(seed):
        return ne.infer(lds, lds.emergent_property(), rng=seed, **SETTINGS).distribution.theta

    alone = [run(seed) for seed in range(4)]
    with ThreadPoolExecutor(2) as pool:
        beside = list(pool.map(run, range(4)))
    for one, other in zip(alone, beside):
        np.testing.assert_array_equal(one, other)
    assert blas_threads() == {2}


def test_a_sweep_on_threads_has_the_bits_of_this_process_and_leaves_no_limit(two_blas_threads, tmp_path):
    lds = ne.circuits.LDS()
    tasks = [ne.Task(lds, lds.emergent_property(), {k: v for k, v in SETTINGS.items() if k != "progress"})] * 3
    here = ne.sweep(tasks, out=tmp_path / "here", progress=False)
    with ThreadPoolExecutor(2) as pool:
        there = ne.sweep(tasks, pool, out=tmp_path / "there", progress=False)
    for one, other in zip(here, there):
        np.testing.assert_array_equal(here.result(one).distribution.theta, there.result(other).distribution.theta)
    assert blas_threads() == {2}


def test_what_is_no_executor_is_refused():
    assert check_executor("executor", None) is None
    for wrong in (3, "pool", ThreadPoolExecutor, object()):
        with pytest.raises(TypeError, match=r"executor = .*: give a concurrent\.futures\.Executor"):
            check_executor("executor", wrong)
