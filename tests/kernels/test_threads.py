"""Sharing work between threads: every item once, in any number, errors, nesting, forks."""

import os
import threading
import time

import numba
import pytest

from numepi.kernels.threads import run_all, share


@pytest.mark.parametrize("count", [1, 2, 3, 7, 100])
def test_shares_cover_every_item_once(count):
    seen, lock = [], threading.Lock()

    def work(first, last):
        with lock:
            seen.extend(range(first, last))

    share(work, count)
    assert sorted(seen) == list(range(count))


def test_one_thread_is_the_callers():
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        names = run_all([threading.current_thread] * 5)
    finally:
        numba.set_num_threads(threads)
    assert set(names) == {threading.current_thread()}


def test_results_are_in_order_and_errors_arrive():
    def slow(i):
        time.sleep(0.002 * (i % 3))
        return i

    assert run_all([lambda i=i: slow(i) for i in range(20)]) == list(range(20))
    with pytest.raises(ZeroDivisionError):
        run_all([lambda: 1, lambda: 1 / 0, lambda: 2])


def test_work_within_work_does_not_wait_for_itself():
    def outer():
        return sum(run_all([lambda: 1] * 4))

    assert run_all([outer] * 8) == [4] * 8


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_makes_its_own_threads():
    run_all([lambda: time.sleep(0.01)] * 4)
    child = os.fork()
    if child == 0:
        os._exit(0 if run_all([lambda: 1] * 8) == [1] * 8 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
