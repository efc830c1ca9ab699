"""One batch of simulations in parts on an executor, for simulators that cost more than the shipping."""

import os

import numpy as np

from numepi.worker_threads import set_shard_threads, workers_beside

__all__ = ["simulate_on"]

_LEAST = 16  # rows of a part
_MOST = 128  # parts of a batch


def simulate_on(executor, call, z, rng, first_index, **how):
    """What ``call(z, rng, first_index, **how)`` returns, computed in parts on ``executor``.

    ``call`` is a circuit's ``statistics`` or ``statistics_and_jacobian``.  The parts depend on the number of rows only,
    so that any executor gives the same bits.  Circuits whose noise is a function of (rng, index of the row), such as
    numepi's, give those of an undivided batch, too.
    """
    size = max(_LEAST, -(-len(z) // _MOST))
    beside, owner = workers_beside(executor), os.getpid()
    futures = [
        executor.submit(_part, call, z[start : start + size], rng, first_index + start, how, beside, owner)
        for start in range(0, len(z), size)
    ]
    try:
        answers = [future.result() for future in futures]
    finally:
        for future in futures:
            future.cancel()
    if isinstance(answers[0], tuple):
        return tuple(np.concatenate(parts) for parts in zip(*answers))
    return np.concatenate(answers)


def _part(call, z, rng, first_index, how, beside, owner):
    set_shard_threads(None, beside, owner)
    return call(z, rng=rng, first_index=first_index, **how)
