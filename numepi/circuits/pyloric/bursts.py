"""Bursts of the three cells, from their spikes as these come, and the features of the rhythm they make.

A spike is a sample above -10 mV greater than its neighbours.  A gap of 150 ms ends a burst, which lasts from its first
to its last spike; bursts of 40 ms or less are dropped.  A period reaches from one start of AB's bursts to the next, and
is triphasic where LP and PY start one burst each in it.  What is kept of a run, its *record*, is a table of numbers:
for each cell the samples of now and before, spikes, the burst that goes on, and the bursts that are over.
"""

import numpy as np

from numepi.circuits.dynamics.code import named
from numepi.circuits.pyloric.constants import CELLS
from numepi.kernels.compile import block_function, kernel

__all__ = ["EXTRA_FEATURES", "FEATURES", "cells_of", "features", "is_hopeless", "record_rows", "spikes_function"]

FEATURES = (
    "period", "duration_AB", "duration_LP", "duration_PY", "gap_AB_LP", "gap_LP_PY", "delay_AB_LP", "delay_AB_PY",
    "duty_AB", "duty_LP", "duty_PY", "phase_gap_AB_LP", "phase_gap_LP_PY", "phase_LP", "phase_PY",
)  # fmt: skip
EXTRA_FEATURES = ("bursts_AB", "bursts_LP", "bursts_PY", "spikes_AB", "spikes_LP", "spikes_PY", "pyloric")

_LEVEL, _GAP, _SHORTEST = -10.0, 150.0, 40.0  # mV, ms, ms
_TRIPHASIC, _IN_ORDER = 0.9, 0.7  # shares of the periods
# Rows of a record, three each, one for each cell: the last two samples; spikes; the last of them, and the first of the
# burst that goes on; whether there was a gap; bursts that are over.
_HERE, _BEFORE, _SPIKES, _LAST, _START, _PAUSED, _BURSTS = range(0, 21, 3)
_TABLE = 21  # then starts and ends of bursts, cell by cell


def record_rows(duration):
    """Rows of a record that has room for all bursts of so many ms: bursts and gaps have a least length."""
    room = int(duration / (_GAP + _SHORTEST)) + 2
    return _TABLE + 6 * room, room


def spikes_function(lanes, at_v, room, name):
    """Compile ``spikes(buffer, record, t, dt, observe_from)``: take the potentials after step t into the record.

    ``buffer`` holds the three cells' potentials from ``at_v`` on; ``record`` (rows * lanes,).
    """

    def take_spike(record, cell, lane, time):
        last = record[(_LAST + cell) * lanes + lane]
        if record[(_SPIKES + cell) * lanes + lane] == 0.0:
            record[(_START + cell) * lanes + lane] = time
        elif time - last >= _GAP:
            start = record[(_START + cell) * lanes + lane]
            if last - start > _SHORTEST:
                number = int(record[(_BURSTS + cell) * lanes + lane])
                place = _TABLE + 2 * (cell * room + number)
                record[place * lanes + lane], record[(place + 1) * lanes + lane] = start, last
                record[(_BURSTS + cell) * lanes + lane] += 1.0
            record[(_START + cell) * lanes + lane] = time
            record[(_PAUSED + cell) * lanes + lane] = 1.0
        record[(_LAST + cell) * lanes + lane] = time
        record[(_SPIKES + cell) * lanes + lane] += 1.0

    take_spike = block_function(named(take_spike, name))

    def spikes(buffer, record, t, dt, observe_from):
        found = 0
        for i in range(3 * lanes):
            now, here, before = buffer[at_v + i], record[_HERE * lanes + i], record[_BEFORE * lanes + i]
            found += (here > _LEVEL) & (here > before) & (here >= now)
        # the sample before this one is a maximum; all three have to lie in the window
        if found > 0 and t - 2 >= observe_from:
            for i in range(3 * lanes):
                now, here, before = buffer[at_v + i], record[_HERE * lanes + i], record[_BEFORE * lanes + i]
                if here > _LEVEL and here > before and here >= now:
                    take_spike(record, i // lanes, i % lanes, (t - 1) * dt)
        for i in range(3 * lanes):
            record[_BEFORE * lanes + i] = record[_HERE * lanes + i]
            record[_HERE * lanes + i] = buffer[at_v + i]

    return block_function(named(spikes, name))


def cells_of(names):
    """Cells, as numbers 0 to 2, without whose bursts one of the named features does not exist."""
    if any(name.startswith(("gap", "delay", "phase")) for name in names):
        return (0, 1, 2)
    return tuple(k for k, cell in enumerate(CELLS) if k == 0 or {f"duration_{cell}", f"duty_{cell}"} & set(names))


def is_hopeless(records, time, cells):
    """Whether one of ``cells`` has been silent, or has fired without a pause, until a time in ms: (n,).

    ``records`` (rows, n).
    """
    cells = np.array(cells)
    silent = records[_SPIKES + cells] == 0
    tonic = (records[_PAUSED + cells] == 0) & (time - records[_LAST + cells] < _GAP)
    return (silent | tonic).any(axis=0)


@block_function
def _bursts(record, cell, room, starts, ends):
    """Starts and ends of a cell's bursts, the one that goes on included; their number."""
    count = int(record[_BURSTS + cell])
    for k in range(count):
        place = _TABLE + 2 * (cell * room + k)
        starts[k], ends[k] = record[place], record[place + 1]
    start, last = record[_START + cell], record[_LAST + cell]
    if last - start > _SHORTEST:
        starts[count], ends[count] = start, last
        count += 1
    return count


@block_function
def _only_burst(starts, count, low, high):
    """The burst that starts in [low, high), or -1 if there is none or more than one."""
    found, number = 0, -1
    for k in range(count):
        if low <= starts[k] < high:
            found, number = found + 1, k
    return number if found == 1 else -1


@kernel
def features(records, room, f):
    """Features of each run, in the order of `FEATURES` and `EXTRA_FEATURES`; NaN where one does not exist.

    Parameters
    ----------
    records : ndarray (n, rows)
    room : int
    f : ndarray (n, 22), filled
    """
    starts, ends, counts = np.empty((3, room + 1)), np.empty((3, room + 1)), np.empty(3, np.int64)
    for row in range(len(records)):
        f[row] = np.nan
        for cell in range(3):
            count = counts[cell] = _bursts(records[row], cell, room, starts[cell], ends[cell])
            f[row, 15 + cell], f[row, 18 + cell] = count, records[row, _SPIKES + cell]
            if count > 0:
                f[row, 1 + cell] = np.sum(ends[cell, :count] - starts[cell, :count]) / count
        f[row, 21] = 0.0
        periods = counts[0] - 1
        if periods < 1:
            continue
        period = f[row, 0] = (starts[0, periods] - starts[0, 0]) / periods
        f[row, 8:11] = f[row, 1:4] / period
        triphasic, ordered = 0, 0
        gap_lp, gap_py, delay_lp, delay_py = 0.0, 0.0, 0.0, 0.0
        for i in range(periods):
            lp = _only_burst(starts[1], counts[1], starts[0, i], starts[0, i + 1])
            py = _only_burst(starts[2], counts[2], starts[0, i], starts[0, i + 1])
            if lp < 0 or py < 0:
                continue
            triphasic += 1
            gap_lp += starts[1, lp] - ends[0, i]
            gap_py += starts[2, py] - ends[1, lp]
            delay_lp += starts[1, lp] - starts[0, i]
            delay_py += starts[2, py] - starts[0, i]
            in_order = starts[1, lp] <= starts[2, py] and ends[1, lp] <= ends[2, py] and ends[0, i] <= starts[1, lp]
            ordered += in_order
        if triphasic < _TRIPHASIC * periods or triphasic == 0:
            continue
        f[row, 4:8] = np.array([gap_lp, gap_py, delay_lp, delay_py]) / triphasic
        f[row, 11:13], f[row, 13:15] = f[row, 4:6] / period, f[row, 6:8] / period
        f[row, 21] = 1.0 if ordered >= _IN_ORDER * triphasic else 0.0
