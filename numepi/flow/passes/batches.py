"""Cuts a batch into chunks whose tape fits in memory, and each chunk into parts that run on numba's threads.

A part goes through the flow's whole chain of kernels, which release Python's lock.  So threads meet once in a pass;
with a parallel region in every kernel they would meet eight times, and on busy cores wait for each other every time.
"""

from typing import NamedTuple

import numba
import numpy as np

from numepi.flow.passes.blocks import LANES, MAX_GROUPS

__all__ = ["Chunk", "Part", "chunks"]

_MAX_TAPE_BYTES = 2**26
# Blocks in a group: partial gradients of small batches cost more than they bring in threads.
_LEAST_GROUP = 2

# glibc hands freed memory back to the system beyond a threshold, which it raises to the largest block ever freed.  This
# one, never touched, keeps tapes from being faulted in anew at every step: half of a pass's time in 400 dimensions.
np.empty(2**25 - 2**16, np.int8)


class Part(NamedTuple):
    """What one thread works on: slices of a chunk's blocks, and of its groups of blocks."""

    blocks: slice
    groups: slice


class Chunk:
    """Consecutive rows of a batch, and their pass through a flow once it is run.

    Blocks of a group add to one partial gradient.  Groups depend on the number of rows alone, and parts are cut between
    them: no sum depends on the number of threads.

    Attributes
    ----------
    rows : slice
    group : int
        Blocks in a group; the last one may be short.
    n_groups : int
    """

    def __init__(self, make_pass, rows, keep):
        self.rows = rows
        self._make_pass, self._keep, self._kept = make_pass, keep, None
        self._blocks = -(-(rows.stop - rows.start) // LANES)
        self.group = max(_LEAST_GROUP, -(-self._blocks // MAX_GROUPS))
        self.n_groups = -(-self._blocks // self.group)

    def run(self):
        """The pass.  That of a batch which is a single chunk is kept for the next call; others are run again."""
        if self._kept is not None:
            return self._kept
        done = self._make_pass(self.rows, self._parts())
        if self._keep:
            self._kept = done
        return done

    def _parts(self):
        count = max(1, min(numba.get_num_threads(), self.n_groups))
        groups = [self.n_groups * i // count for i in range(count + 1)]
        blocks = [cut * self.group for cut in groups[:-1]] + [self._blocks]
        return [Part(slice(*blocks[i : i + 2]), slice(*groups[i : i + 2])) for i in range(count)]


def chunks(make_pass, n, bytes_per_row):
    """The chunks of an n-row batch; ``make_pass(rows, parts)`` runs a slice of it, its tape has ``bytes_per_row``."""
    size = max(1, _MAX_TAPE_BYTES // (bytes_per_row * LANES)) * LANES
    starts = range(0, max(n, 1), size)
    return [Chunk(make_pass, slice(start, min(start + size, n)), keep=len(starts) == 1) for start in starts]
