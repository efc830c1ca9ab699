"""Threads of a process that works beside others: numba's from the cores it was given, one for BLAS.

BLAS stays at one thread: numepi's own kernels use the cores, and the last bits of a matrix product depend on how many
threads share it, so that answers are the same in any worker only when all of them use one.  That takes threadpoolctl,
an extra (``numepi[threads]``); without it BLAS keeps the threads that the environment gives it (OPENBLAS_NUM_THREADS).
"""

import os
from contextlib import contextmanager, nullcontext
from functools import cache

__all__ = ["available_cores", "limited_threads", "one_blas_thread", "set_shard_threads", "workers_beside"]

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


def one_blas_thread():
    """Limit BLAS to one thread, if threadpoolctl is there: at once, and until the context that is returned ends."""
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return nullcontext()
    return threadpool_limits(1, user_api="blas")


@contextmanager
def limited_threads(threads=None, beside=1):
    """Set numba's threads (see `threads_here`) and one BLAS thread, and set both back at the end; yields the number."""
    import numba

    before = numba.get_num_threads()
    number = threads_here(threads, beside)
    numba.set_num_threads(number)
    try:
        with one_blas_thread():
            yield number
    finally:
        numba.set_num_threads(before)


def set_shard_threads(threads, beside, owner):
    """The same for good, in a process other than ``owner`` (its id) that does nothing else; quick when called again."""
    import numba

    numba.set_num_threads(threads_here(threads, beside))
    if os.getpid() != owner:
        _limit_blas()


_limit_blas = cache(one_blas_thread)
