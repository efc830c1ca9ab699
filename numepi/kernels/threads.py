"""One pool of threads for compiled kernels that release Python's lock.

A kernel that loops over blocks ``first ... last - 1`` needs no parallel region of its own: it compiles several times
faster without one, and all of numepi's work meets in the same threads, which do not spin while they wait.
"""

import os
import threading
from functools import partial
from itertools import pairwise
from queue import SimpleQueue

import numba

__all__ = ["run_all", "share"]

# Shares for each thread: a thread that shares its core with other work does fewer of them.
_SHARES = 4


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

    offers = [_Offer(work) for _ in range(min(numba.get_num_threads(), len(tasks)) - 1)]
    _helpers.offer(offers)
    work()
    for offer in offers:
        offer.settle()
    return results


class _Offer:
    """Work that a helper may take up.  Leaner than a future: helpers that tidy up in Python hold up the caller."""

    def __init__(self, work):
        self._work, self._error = work, None
        self._open, self._finished = threading.Lock(), threading.Lock()
        self._finished.acquire()

    def take(self):
        if self._open.acquire(blocking=False):
            try:
                self._work()
            except BaseException as error:  # raised in the caller's thread
                self._error = error
            self._finished.release()

    def settle(self):
        """Withdraw what nobody has taken up; wait for the end of what somebody has."""
        if not self._open.acquire(blocking=False):
            self._finished.acquire()
            if self._error is not None:
                raise self._error


class _Helpers:
    """Threads that wait for offers; daemons, since between offers they have nothing to lose."""

    def __init__(self):
        self._offers, self._lock, self._count = SimpleQueue(), threading.Lock(), 0

    def offer(self, offers):
        with self._lock:
            while self._count < min(len(offers), numba.config.NUMBA_NUM_THREADS - 1):
                self._count += 1
                threading.Thread(target=self._serve, name=f"numepi-{self._count}", daemon=True).start()
        for offer in offers:
            self._offers.put(offer)

    def _serve(self):
        while True:
            self._offers.get().take()


_helpers = _Helpers()


def _replace_helpers():
    global _helpers  # noqa: PLW0603
    _helpers = _Helpers()


# Threads do not survive a fork: a child makes its own.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_replace_helpers)
