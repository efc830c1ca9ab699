"""Columns of a device array (numbers, threads) as tuples: how a thread reads and writes what belongs to it.

Neighbouring threads touch neighbouring numbers, so their accesses are coalesced.  Tuples have a fixed length and are
taken apart by halving: they stay in registers, which a loop with a variable index would not.

Import this module only where numba-cuda is installed.
"""

from functools import cache

from numepi.simulation.cuda.device_functions import inlined

__all__ = ["reader", "writer"]


@cache
def reader(count, first=0):
    """Device function ``read(array, column)``: rows first ... first + count - 1 of a column, as a tuple."""
    if count == 0:

        def read(array, column):
            return ()

    elif count == 1:

        def read(array, column):
            return (array[first, column],)

    else:
        low, high = reader(count // 2, first), reader(count - count // 2, first + count // 2)

        def read(array, column):
            return low(array, column) + high(array, column)

    return inlined(read)


@cache
def writer(count, first=0, start=0):
    """Device function ``write(array, column, values)``: values start ... to rows first ... first + count - 1."""
    if count == 0:

        def write(array, column, values):
            pass

    elif count == 1:

        def write(array, column, values):
            array[first, column] = values[start]

    else:
        half = count // 2
        low, high = writer(half, first, start), writer(count - half, first + half, start + half)

        def write(array, column, values):
            low(array, column, values)
            high(array, column, values)

    return inlined(write)
