"""Cuts a batch into chunks whose tape fits in memory, and each chunk into parts that run on numba's threads.

A part goes through the flow's whole chain of kernels, which release Python's lock.  So threads meet once in a pass;
with a parallel region in every kernel they would meet eight times, and on busy cores wait for each other every time.
"""

from functools import partial
from typing import NamedTuple

import numba
import numpy as np

from numepi.flow.blocks import LANES, MAX_GROUPS
from numepi.kernels.threads import run_all

__all__ = ["Chunk", "Part", "chunks"]

_MAX_TAPE_BYTES = 2**26

# glibc hands freed memory back to the system beyond a threshold, which it raises to the largest block ever freed.  This
# one, never touched, keeps tapes from being faulted in anew at every step: half of a pass's time in 400 dimensions.
np.empty(2**25 - 2**16, np.int8)


class Part(NamedTuple):
    """What one thread works on: a slice of the batch's rows, and one of the chunk's groups of blocks."""

    rows: slice
    groups: slice


class Chunk:
    """Consecutive rows of a batch, and their passes through a flow once they are run.

    Blocks of a group add to one partial gradient.  Groups depend on the number of rows alone, and parts are cut between
    them: no sum depends on the number of threads.

    Attributes
    ----------
    group : int
        Blocks in a group; the last one may be short.
    n_groups : int
    """

    def __init__(self, make_pass, rows, keep):
        self._make_pass, self._rows, self._keep = make_pass, rows, keep
        self._kept = None
        blocks = -(-(rows.stop - rows.start) // LANES)
        self.group = max(1, -(-blocks // MAX_GROUPS))
        self.n_groups = -(-blocks // self.group)

    def map(self, function):
        """List of ``function(pass, part)`` for the parts in order.

        The passes of a batch that is a single chunk are kept for the next call; those of a longer one are run again.
        """
        if self._kept is not None:
            return run_all([partial(function, *kept) for kept in self._kept])
        done = run_all([partial(self._run, function, part) for part in self._parts()])
        if self._keep:
            self._kept = [(each, part) for each, part, _ in done]
        return [result for *_, result in done]

    def _run(self, function, part):
        each = self._make_pass(part.rows)
        return each, part, function(each, part)

    def _parts(self):
        count = max(1, min(numba.get_num_threads(), self.n_groups))
        cuts = [self.n_groups * i // count for i in range(count + 1)]
        rows = [self._rows.start + cut * self.group * LANES for cut in cuts[:-1]] + [self._rows.stop]
        return [Part(slice(*rows[i : i + 2]), slice(*cuts[i : i + 2])) for i in range(count)]


def chunks(make_pass, n, bytes_per_row):
    """The chunks of an n-row batch; ``make_pass(rows)`` runs a slice of it, with a tape of ``bytes_per_row``."""
    size = max(1, _MAX_TAPE_BYTES // (bytes_per_row * LANES)) * LANES
    starts = range(0, max(n, 1), size)
    return [Chunk(make_pass, slice(start, min(start + size, n)), keep=len(starts) == 1) for start in starts]
