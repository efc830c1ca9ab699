"""Threads of a process that works beside others: numba's from the cores it was given, one for BLAS.

BLAS stays at one thread: numepi's own kernels use the cores, and the last bits of a matrix product depend on how many
threads share it, so that answers are the same in any worker only when all of them use one.  That takes threadpoolctl,
an extra (``numepi[threads]``); without it BLAS keeps the threads that the environment gives it (OPENBLAS_NUM_THREADS).
"""

import os
import threading
import time
from contextlib import contextmanager
from functools import cache

from numepi.arguments import shown

__all__ = [
    "available_cores", "check_executor", "limited_threads", "one_blas_thread", "shard_threads", "workers_beside",
]  # fmt: skip

_ENTERED = 0.05  # seconds after its start within which a pool has entered a thread among its own
# What MPI launchers (Open MPI; MPICH and Intel MPI) call the number of processes on this machine.
_LOCAL_SIZES = ("OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS")


def available_cores():
    """Cores that this process was given: by Slurm for each task, else those it may be scheduled on."""
    slurm = os.environ.get("SLURM_CPUS_PER_TASK")
    if slurm is not None:
        return int(slurm)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def workers_beside(executor):
    """How many workers of ``executor`` share a machine's cores: a number, or None where only the workers know.

    The pools of the standard library and of loky know it.  A Dask worker runs as many tasks at once as it has cores, so
    each of them has one: infinitely many share.
    """
    module = type(executor).__module__.partition(".")[0]
    if module == "distributed":
        return float("inf")
    return getattr(executor, "_max_workers", None) if module in ("concurrent", "loky", "joblib") else None


def threads_here(threads, beside):
    """Numba threads for this process: ``threads`` if given, else the cores divided by the workers that share them."""
    import numba

    if threads is None:
        if beside is None:
            local = [int(os.environ[name]) for name in _LOCAL_SIZES if name in os.environ]
            beside = local[0] if local and "SLURM_CPUS_PER_TASK" not in os.environ else 1
        threads = max(1, int(available_cores() // beside))
    return min(threads, numba.config.NUMBA_NUM_THREADS)


class _ProcessLimit:
    """Keeps the pool of BLAS threads that a process shares at one thread, from the first entry to the last exit.

    A thread of its own sets the limit and takes it back: of those that enter, the first need not be the last to leave,
    and threadpoolctl lets nobody take back what another thread has set.
    """

    def __init__(self):
        self._lock, self._entries = threading.Lock(), 0
        self._keeper = self._released = None

    def __enter__(self):
        with self._lock:
            if self._entries == 0:
                limited, self._released = threading.Event(), threading.Event()
                arguments = (limited, self._released)
                self._keeper = threading.Thread(target=_keep_limit, args=arguments, name="numepi-blas", daemon=True)
                self._keeper.start()
                limited.wait()
            self._entries += 1

    def __exit__(self, *exception):
        with self._lock:
            self._entries -= 1
            if self._entries == 0:
                self._released.set()
                self._keeper.join()


def _keep_limit(limited, released):
    import threadpoolctl

    openblas = getattr(threadpoolctl, "OpenBLASController", None)
    if hasattr(openblas, "clear_controlling_thread"):  # from version 3.8 on
        openblas.clear_controlling_thread(force=True)  # whoever has set a number: it is put back
    try:
        with threadpoolctl.threadpool_limits(1, user_api="blas"):
            limited.set()
            released.wait()
    finally:
        limited.set()


_process_limit = _ProcessLimit()


def _renew_process_limit():
    global _process_limit  # noqa: PLW0603
    _process_limit = _ProcessLimit()


# Neither the thread that keeps the limit nor a hold on the lock ends in the child of a fork.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_process_limit)


@contextmanager
def one_blas_thread():
    """A context with BLAS at one thread, if threadpoolctl is there.

    The limit is the whole process's (that of OpenMP the thread's): it stays until the last of the contexts that are
    open in any thread is closed, so that runs side by side keep their bits and none of them leaves it on.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        yield
        return
    with _process_limit, threadpool_limits(1, user_api="blas"):
        yield


@contextmanager
def limited_threads(threads=None, beside=1):
    """Set numba's threads (see `threads_here`) and one BLAS thread, and set both back at the end; yields the number."""
    import numba

    before = numba.get_num_threads()
    number = threads_here(threads, beside)
    numba.set_num_threads(number)  # of this thread
    try:
        with one_blas_thread():
            yield number
    finally:
        numba.set_num_threads(before)


@contextmanager
def shard_threads(beside, owner):
    """The same for one part of a batch; in a process other than ``owner`` (its id) BLAS stays limited for good.

    Such a process does nothing else, and parts are many: there the limit is set once.
    """
    import numba

    before = numba.get_num_threads()
    numba.set_num_threads(threads_here(None, beside))
    if os.getpid() != owner:
        _limit_blas()
    try:
        yield
    finally:
        numba.set_num_threads(before)


@cache
def _limit_blas():
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return
    threadpool_limits(1, user_api="blas")


def check_executor(name, executor, wanted="a concurrent.futures.Executor, such as ProcessPoolExecutor(2)"):
    """Return ``executor``, None or what has ``submit``, unless the caller runs on it: it would wait for itself."""
    if executor is None:
        return None
    if isinstance(executor, type) or not callable(getattr(executor, "submit", None)):
        raise TypeError(f"{name} = {shown(executor)}: give {wanted}, not a {type(executor).__name__}")
    if _runs_here(executor):
        raise ValueError(f"{name} is the pool that runs this call, which would wait for itself: give another, or None")
    return executor


def _runs_here(executor):
    """Whether this thread is one of a pool's own."""
    thread, prefix = threading.current_thread(), getattr(executor, "_thread_name_prefix", None)
    if prefix and thread.name.startswith(prefix):
        time.sleep(_ENTERED)
    return thread in getattr(executor, "_threads", ())
