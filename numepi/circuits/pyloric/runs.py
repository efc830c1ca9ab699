"""Run the pyloric network: blocks of lanes, stretch by stretch, so that hopeless runs can be left out of the next."""

from functools import lru_cache, partial

import numpy as np

from numepi.circuits.dynamics.program import Build
from numepi.circuits.pyloric.bursts import is_hopeless, record_rows, spikes_function
from numepi.kernels.compile import kernel
from numepi.kernels.threads import share
from numepi.simulation.lanes import Run
from numepi.simulation.program_kernels import driving

__all__ = ["run"]

# Runs that are advanced together: their records (3 kB each for 11 s) stay small, and few lanes are idle.
_TOGETHER = 1024


@lru_cache(maxsize=16)
def _machine(network, duration):
    """The compiled stretch of a network, its program, drive and constants, and the rows of a record."""
    build = Build(network.model, network.observers)
    program, constants = build.program
    rows, room = record_rows(duration)
    return _stretch(program, build.place["x.v"], rows, room), program, build.drive().ravel(), constants, rows, room


def _stretch(program, place, rows, room):
    """``stretch(first, last, z, run, drive, constants, given, noise, dt, span, buffers, records)``.

    Advances blocks first ... last - 1 from step ``span[0]`` to step ``span[1]``: ``buffers`` (blocks, size),
    ``records`` (blocks, rows * lanes); ``noise`` (steps, 3, runs) where ``given``.
    """
    layout, lanes = program.values.layout, program.lanes
    start, advance = program.values.functions["start"], program.values.functions["advance"]
    label, _, draw_noise, _ = driving(program, layout)
    spikes = spikes_function(lanes, (layout.values + place) * lanes, room, f"{program.name}_{room}")
    at_noise = layout.noise * lanes

    def stretch(first, last, z, run, drive, constants, given, noise, dt, span, buffers, records):
        tasks = np.empty((1, 0))
        for block in range(first, last):
            buffer, record = buffers[block], records[block]
            if span[0] == 0:
                buffer[:] = 0
                record[:] = 0
                label(buffer, block, z, run, tasks)
                start(buffer, 1, drive, constants)
            for t in range(span[0] + 1, span[1] + 1):
                if given:
                    for k in range(3):
                        for lane in range(lanes):
                            column = min(block * lanes + lane, noise.shape[2] - 1)
                            buffer[at_noise + k * lanes + lane] = noise[t - 1, k, column]
                else:
                    draw_noise(buffer, t, run)
                advance(buffer, t, drive, constants)
                spikes(buffer, record, t, dt, run.observe_from)

    return kernel(stretch, name=f"pyloric_{program.name}_{room}")


def run(network, duration, z, key, first_index, noise, observe_from, give_up, cells):
    """Records of all runs: (n, rows), the room for bursts in them, and which runs are whole.

    Parameters
    ----------
    network : Dynamics
    duration : float
        Milliseconds.
    z : ndarray (n, D)
    key : (int, int)
    first_index : int
    noise : ndarray (n, steps, 3) or None
        Standard normals.
    observe_from, give_up : int
        Steps: from where spikes count, and after how many hopeless runs end.
    cells : tuple of int
        Those without whose bursts a run is hopeless.
    """
    _, _, _, _, rows, room = _machine(network, duration)
    records, whole = np.empty((len(z), rows)), np.empty(len(z), bool)
    for low in range(0, len(z), _TOGETHER):
        part = slice(low, low + _TOGETHER)
        numbers = Run(*key, first_index + low, 1, observe_from)
        given = None if noise is None else noise[part]
        records[part], whole[part] = _together(network, duration, z[part], numbers, given, give_up, cells)
    return records, room, whole


def _together(network, duration, z, numbers, noise, give_up, cells):
    stretch, program, drive, constants, rows, _ = _machine(network, duration)
    steps, lanes, dt = network.model.steps, program.lanes, network.model.dt
    records, whole = np.empty((len(z), rows)), np.ones(len(z), bool)
    alive, blocks = np.arange(len(z)), -(-len(z) // lanes)
    buffers, own = np.empty((blocks, program.values.layout.size * lanes)), np.empty((blocks, rows * lanes))
    given = np.empty((0, 3, 1)) if noise is None else np.ascontiguousarray(noise.transpose(1, 2, 0))
    for span in ((0, give_up), (give_up, steps)):
        arguments = z, numbers, drive, constants, noise is not None, given, dt, span, buffers, own
        share(partial(_call, stretch, arguments), len(buffers))
        columns = _columns(own, lanes)[:, : len(alive)]
        records[alive] = columns.T
        if span[1] == steps:
            break
        hopeless = is_hopeless(columns, span[1] * dt, cells)
        whole[alive[hopeless]] = False
        keep = np.flatnonzero(~hopeless)
        alive = alive[keep]
        if not len(alive):
            break
        buffers, own = (_blocks(_columns(array, lanes)[:, keep], lanes) for array in (buffers, own))
        given = given if noise is None else np.ascontiguousarray(given[:, :, keep])
    return records, whole


def _call(stretch, arguments, first, last):
    stretch(first, last, *arguments)


def _columns(array, lanes):
    """(blocks, rows * lanes) as (rows, blocks * lanes), one run a column."""
    blocks = len(array)
    return array.reshape(blocks, -1, lanes).transpose(1, 0, 2).reshape(-1, blocks * lanes)


def _blocks(columns, lanes):
    """The inverse; the last run is repeated in the lanes beyond."""
    count = columns.shape[1]
    index = np.minimum(np.arange(-(-count // lanes) * lanes), count - 1)
    return np.ascontiguousarray(
        columns[:, index].reshape(len(columns), -1, lanes).transpose(1, 0, 2).reshape(-1, len(columns) * lanes)
    )
