"""One batch of simulations: in this process, or in parts on an executor for simulators that cost more than shipping."""

import os
import pickle
import warnings
from concurrent.futures import BrokenExecutor, CancelledError

from numepi.inference.running.failures import Reports, evaluate, joined
from numepi.worker_threads import shard_threads, workers_beside

__all__ = ["check_sendable", "simulate"]

_MOST = 128  # parts of a batch
_ENGINES = ("distributed", "loky", "joblib", "mpi4py")  # whose own errors say that a worker was lost


def check_sendable(circuit, executor):
    """Raise TypeError where a process pool cannot take the circuit: it pickles, and a lambda has no name to go by."""
    from concurrent.futures import ProcessPoolExecutor  # which takes its time to import

    if not isinstance(executor, ProcessPoolExecutor):
        return
    try:
        pickle.dumps(circuit.statistics)
    except Exception as error:  # whatever the user's objects raise
        raise TypeError(
            f"executor is a process pool, which cannot take {circuit!r} ({error}): define its functions with def at "
            "the top of a module, or use loky's or a ThreadPoolExecutor"
        ) from error


def simulate(call, z, rng, first_index, n_statistics, executor=None, on_error="report", **how):
    """What ``call(z, rng=rng, first_index=first_index, **how)`` returns, and `Reports` of the rows that raised.

    Parameters
    ----------
    call : callable
        A circuit's ``statistics`` or ``statistics_and_jacobian``; the circuit says how many rows a part has at least.
    n_statistics : int
    executor : concurrent.futures.Executor, optional
        Where the parts of the batch are simulated.  They depend on the number of rows only, so that any executor gives
        the same bits.  Circuits whose noise is a function of (rng, index of the row), such as numepi's, give those of
        an undivided batch, too.  What a lost worker had in hand is simulated once more, in this process.
    on_error : "report" or "raise"
        What a row whose simulation raises is: a row of NaN with its traceback among the reports, or the end.
    """
    if executor is None:
        return _evaluate(call, z, rng, first_index, n_statistics, on_error, how)
    size = max(call.__self__.rows_per_part, -(-len(z) // _MOST))
    starts = range(0, len(z), size)
    beside, owner = workers_beside(executor), os.getpid()
    parts = [
        (call, z[start : start + size], rng, first_index + start, n_statistics, on_error, how, beside, owner)
        for start in starts
    ]
    futures = []
    try:
        futures.extend(_submit(executor, part) for part in parts)
        answers, reports = zip(*(_answer(future, part) for future, part in zip(futures, parts)))
    finally:
        for future in futures:
            if future is not None:
                future.cancel()
    return joined(answers), sum(reports, Reports())


def _submit(executor, part):
    """The future of a part, or None where the executor takes no more."""
    try:
        return executor.submit(_part, *part)
    except BrokenExecutor:
        return None


def _answer(future, part):
    if future is not None:
        try:
            return future.result()
        except Exception as error:
            if not _is_loss(error):
                raise
            warnings.warn(
                f"a worker of the executor was lost ({type(error).__name__}): what it had in hand is simulated in this "
                "process",
                UserWarning,
                stacklevel=2,
            )
    return _part(*part)


def _is_loss(error):
    engine = type(error).__module__.partition(".")[0] in _ENGINES
    return engine or isinstance(error, (BrokenExecutor, CancelledError))


def _part(call, z, rng, first_index, n_statistics, on_error, how, beside, owner):
    with shard_threads(beside, owner):
        return _evaluate(call, z, rng, first_index, n_statistics, on_error, how)


def _evaluate(call, z, rng, first_index, n_statistics, on_error, how):
    if on_error == "raise":
        return call(z, rng=rng, first_index=first_index, **how), Reports()
    if call.__self__.rows_per_part > 1 or len(z) < 2:
        return evaluate(call, z, rng, first_index, n_statistics, how)
    # Rows are simulated one by one anyway: so none is simulated again because another raised.
    rows = (evaluate(call, z[i : i + 1], rng, first_index + i, n_statistics, how) for i in range(len(z)))
    answers, reports = zip(*rows)
    return joined(answers), sum(reports, Reports())
