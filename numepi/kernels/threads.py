"""One pool of threads for compiled kernels that release Python's lock.

A kernel that loops over blocks ``first ... last - 1`` needs no parallel region of its own: it compiles several times
faster without one, and all of numepi's work meets in the same threads, which do not spin while they wait.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise

import numba

__all__ = ["run_all", "share"]

# Shares for each thread: a thread that shares its core with other work does fewer of them.
_SHARES = 4

_pool = None


def share(function, count):
    """Call ``function(first, last)`` on consecutive ranges that cover ``count`` items, on numba's threads."""
    threads = numba.get_num_threads()
    shares = 1 if threads == 1 else max(1, min(count, _SHARES * threads))
    cuts = [count * i // shares for i in range(shares + 1)]
    run_all([partial(function, first, last) for first, last in pairwise(cuts)])


def run_all(tasks):
    """Results of the callables ``tasks``, in order; they run on as many threads as numba may use, the caller's too."""
    if len(tasks) == 1:
        return [tasks[0]()]
    waiting = iter(range(len(tasks)))
    results = [None] * len(tasks)

    def work():
        for i in waiting:  # a range's iterator hands out each index once, whichever thread asks
            results[i] = tasks[i]()

    helpers = min(numba.get_num_threads(), len(tasks)) - 1
    futures = [_workers().submit(work) for _ in range(helpers)]
    work()
    for future in futures:
        if not future.cancel():  # one that has not begun has nothing left to do
            future.result()
    return results


def _workers():
    global _pool  # noqa: PLW0603
    if _pool is None:
        _pool = ThreadPoolExecutor(max(1, numba.config.NUMBA_NUM_THREADS - 1), thread_name_prefix="numepi")
    return _pool


def _forget_workers():
    global _pool  # noqa: PLW0603
    _pool = None


# Threads do not survive a fork: a child makes its own.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_workers)
