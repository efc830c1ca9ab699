"""`numepi.sweep`: hand the tasks to an executor, and keep the index of what comes back."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, as_completed
from contextlib import nullcontext
from dataclasses import fields
from pathlib import Path

from numepi.annotations import PathLike, Seed
from numepi.archive import check_writable
from numepi.arguments import check_count, check_flag, check_path, shown
from numepi.identity import differences
from numepi.random_streams import seed_sequence
from numepi.sweeps.index import IndexFile, SweepIndex, load_sweep
from numepi.sweeps.task import OUTCOME, Task, pending_row
from numepi.sweeps.worker import read_outcome, run_task
from numepi.worker_threads import check_executor, workers_beside

__all__ = ["sweep"]

_LOST = {"status": "lost", "message": "its worker died: run the sweep again with resume=True"}
_SAME = ("circuit", "circuit_settings", "property", "settings", "seed")


def sweep(
    tasks: Iterable[Task],
    executor: Executor | None = None,
    out: PathLike = "sweep",
    rng: Seed = 0,
    resume: bool = False,
    threads: int | None = None,
    progress: bool = True,
) -> SweepIndex:
    """Run many inferences, in this process or on an executor; the same bits come from any of them.

    Parameters
    ----------
    tasks : sequence of Task
        A tuple of a `Task`'s arguments will do.
    executor : concurrent.futures.Executor or callable, optional
        Where to run: a process pool (start method spawn), loky, ``dask.distributed.Client.get_executor()``,
        ``mpi4py.futures.MPIPoolExecutor``; default is one task after the other in this process.  A function without
        arguments that makes an executor lets the sweep go on when a pool breaks because a worker was killed: it makes
        another one, as long as something gets done between two breaks.
    out : path
        Directory, made if need be, that this process and the workers see under the same name.  Workers write a result
        file each, and a checkpoint while they work; this process writes ``index.json``.
    rng : int, SeedSequence or Generator
        Task i without a seed of its own gets child i of it (`numpy.random.SeedSequence` spawning).
    resume : bool
        Do what is missing of the sweep in ``out``: tasks that are pending, raised an error or lost their worker, from
        their checkpoints.  Tasks may have been added at the end.
    threads : int, optional
        Numba threads of each task.  By default the cores of its worker (``SLURM_CPUS_PER_TASK``, or those it may be
        scheduled on) divided by the workers that share them.  BLAS gets one thread.
    progress : bool
        Report on standard error when a task ends.

    Returns
    -------
    SweepIndex

    Raises
    ------
    TypeError, ValueError
        For something that is no task or executor, a directory that cannot be written, or one that holds a sweep: of
        other tasks, or without ``resume``.
    KeyboardInterrupt
        On Ctrl-C, with the index written.
    """
    tasks = _as_tasks(tasks)
    if not (isinstance(executor, type) or (callable(executor) and not hasattr(executor, "submit"))):
        check_executor("executor", executor, "a concurrent.futures.Executor, or a function that makes one")
    if threads is not None:
        check_count("threads", threads)
    for name, value in (("resume", resume), ("progress", progress)):
        check_flag(name, value)
    out = check_path("out", out)
    root = seed_sequence(rng)
    seeds = [task.seed_at(root, position) for position, task in enumerate(tasks)]
    rows = [pending_row(task, seed, position) for position, (task, seed) in enumerate(zip(tasks, seeds))]
    directory = Path(out).absolute()
    index = _open(directory, rows, resume)
    paths = [directory / f"{row['run']:05d}-{row['circuit']}-{row['digest']}.npz" for row in rows]
    calls = {i: (tasks[i], seeds[i], str(paths[i]), threads) for i, row in enumerate(index.rows) if row["path"] is None}
    file = IndexFile(index)
    file.save()
    try:
        for done, (position, outcome) in enumerate(_outcomes(executor, calls), start=1):
            file.update(position, {"message": None} | outcome)
            if progress and sys.stderr is not None:
                row = index[position]
                print(f"sweep: {done}/{len(calls)}: run {position} ({row['circuit']}) {row['status']}", file=sys.stderr)
            if executor is None and outcome["status"] == "interrupted":
                raise KeyboardInterrupt
    finally:
        file.save()
    return index


def _as_tasks(tasks):
    if isinstance(tasks, (Task, str)) or not isinstance(tasks, Iterable):
        raise TypeError(f"tasks = {shown(tasks)}: give a sequence of numepi.Task")
    tasks = list(tasks)
    for i, task in enumerate(tasks):
        if not isinstance(task, (Task, tuple)):
            raise TypeError(f"tasks[{i}] is a {type(task).__name__}: give a numepi.Task, or a tuple of its arguments")
        if isinstance(task, tuple) and not 2 <= len(task) <= len(fields(Task)):
            raise TypeError(f"tasks[{i}] is a tuple of {len(task)}: give circuit, property and what else a Task takes")
    return [task if isinstance(task, Task) else Task(*task) for task in tasks]


def _open(directory, rows, resume):
    """The index to start from: ``rows``, with what a sweep in ``directory`` has found of them."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"out = {str(directory)!r}: the directory cannot be made ({error}); name another") from error
    check_writable(directory / "index.json", "out")
    try:
        stored = load_sweep(directory).rows
    except FileNotFoundError:
        return SweepIndex(directory, rows)
    if not resume:
        raise ValueError(f"out = {str(directory)!r} holds a sweep: pass resume=True to complete it, or name another")
    if len(stored) > len(rows):
        raise ValueError(
            f"the sweep in {directory} has {len(stored)} tasks and {len(rows)} are given: give all of them"
        )
    for old, new in zip(stored, rows):
        changed = "; ".join(differences({k: old[k] for k in _SAME}, {k: new[k] for k in _SAME}, "there"))
        if changed or old["digest"] != new["digest"]:
            changed = changed or "the support differs"
            raise ValueError(f"task {new['run']} is another than in {directory}: {changed}")
        found = directory / f"{old['run']:05d}-{old['circuit']}-{old['digest']}.npz"
        # A driver that was killed has not entered the last results of its workers.
        new |= read_outcome(found) if old["path"] is None and found.exists() else {k: old[k] for k in OUTCOME}
    return SweepIndex(directory, rows)


def _outcomes(executor, calls):
    """Position and outcome of each call, as they end."""
    if executor is None:
        for position, call in calls.items():
            yield position, run_task(*call, beside=1)
        return
    waiting = dict(calls)
    while waiting:
        lost, before = {}, len(waiting)
        remake = isinstance(executor, type) or not hasattr(executor, "submit")
        with executor() if remake else nullcontext(executor) as pool:
            for position, outcome in _submit(pool, waiting):
                if outcome is _LOST and remake:
                    lost[position] = waiting[position]
                else:
                    yield position, outcome
        if len(lost) == before:  # nothing gets done: the tasks kill their workers
            yield from ((position, _LOST) for position in lost)
            return
        waiting = lost


def _submit(pool, calls):
    beside = workers_beside(pool)
    positions, futures = {}, []
    try:
        for position, call in calls.items():
            try:
                future = pool.submit(run_task, *call, beside)
            except BrokenExecutor:
                yield position, _LOST
                continue
            positions[future] = position
            futures.append(future)
        for future in as_completed(futures):
            yield positions[future], _outcome(future)
    finally:
        for future in futures:
            future.cancel()


def _outcome(future):
    try:
        return future.result()
    except (BrokenExecutor, CancelledError):
        return _LOST
    except Exception as error:  # a task that cannot be pickled, a worker that Dask gave up on
        return {"status": "error", "message": f"{type(error).__name__}: {error}"}
