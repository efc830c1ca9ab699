"""Run a `numepi.kernels.lanes.Job` on the GPU: only (z, f, J) and given noise cross the bus.

A batch is cut into blocks of rows that fit into device memory; no number depends on where it is cut.

Import this module only where numba-cuda is installed.
"""

from functools import cache

import numpy as np
from numba import cuda

from numepi.kernels.cuda.memory import memory
from numepi.kernels.cuda.simulation_kernels import DeviceRun, average_kernel, simulation_kernel
from numepi.kernels.lane_kernels import Layout
from numepi.kernels.lanes import in_precision

__all__ = ["THREADS", "statistics"]

THREADS = 128  # of a block: four warps


@cache
def _compiled(simulator, real, with_tangents, given):
    return cuda.jit(simulation_kernel(simulator, real, with_tangents, given))


@cache
def _average():
    return cuda.jit(average_kernel())


def launch(kernel, threads, stream, *arguments):
    """Run ``kernel`` on at least ``threads`` threads."""
    kernel[-(-threads // THREADS), THREADS, stream](*arguments)


def statistics(job, z, key, first_index, with_jacobian):
    """See `numepi.kernels.cuda.statistics`."""
    device = memory()
    with device.lock:
        rows = _rows_that_fit(device, job, z.dtype, with_jacobian)
        parts = [
            _block(device, job, z[low : low + rows], low, key, first_index, with_jacobian)
            for low in range(0, len(z), rows)
        ]
    means = np.concatenate(parts) if parts else np.empty((0, job.simulator.n_tasks, _n_values(job, with_jacobian)))
    return job.simulator.unpack(means, with_jacobian)


def _n_values(job, with_jacobian):
    return job.simulator.n_statistics * (1 + with_jacobian * job.simulator.n_parameters)


def _rows_that_fit(device, job, dtype, with_jacobian):
    """How many parameters fit into memory at once."""
    simulator, layout = job.simulator, Layout(job.simulator, with_jacobian)
    n_values, steps = _n_values(job, with_jacobian), len(job.drive) - 1
    numbers = n_values
    if job.noise is not None:
        numbers += simulator.n_initial + steps * simulator.n_noise
    if simulator.summary is not None:
        numbers += (steps + 1 - job.observe_from) * (layout.n_observed + layout.n_observed_tangents)
    per_row = simulator.n_tasks * (job.trials * numbers * dtype.itemsize + 8 * n_values)
    per_row += simulator.n_parameters * dtype.itemsize
    rows = int(min(device.available / per_row, 2**31 // (simulator.n_tasks * job.trials)))
    if rows < 1:
        raise MemoryError(
            f"one parameter of {simulator.name!r} with {job.trials} trials takes {per_row / 2**20:.1f} MiB, and the "
            f"GPU has {device.available / 2**20:.1f} MiB free: use fewer trials, precision='float32' or device='cpu'"
        )
    return rows


def _block(device, job, z, low, key, first_index, with_jacobian):
    """Averages over trials (n, n_tasks, k (1 + D) or k) of rows ``low`` ... of the batch."""
    simulator, real, n = job.simulator, z.dtype.type, len(z)
    drive, constants = in_precision(real, job.drive, job.constants)
    pairs = n * simulator.n_tasks
    simulations = pairs * job.trials
    run = DeviceRun(*key, first_index + low, job.trials, len(drive) - 1, job.observe_from)
    initial, noise = _given(device, job, low, n, real)
    results = device.array("results", (_n_values(job, with_jacobian), simulations), real)
    means = device.array("means", (_n_values(job, with_jacobian), pairs), np.float64)
    kept = device.array("kept", (1, 1, 1), real)
    kernel = _compiled(simulator, real, with_jacobian, job.noise is not None)
    launch(
        kernel, simulations, device.stream,
        device.upload("z", z.T), run, device.upload("drive", drive.T), constants, initial, noise, kept, results,
    )  # fmt: skip
    launch(_average(), means.size, device.stream, results, job.trials, means)
    return device.download(means).reshape(-1, n, simulator.n_tasks).transpose(1, 2, 0)


def _given(device, job, low, n, real):
    """Given numbers of the rows, with simulations last and trials slowest among them."""
    if job.noise is None:
        return device.array("initial", (1, 1), real), device.array("noise", (1, 1, 1), real)
    simulator = job.simulator
    per_row = simulator.n_tasks * job.trials
    rows = slice(low * per_row, (low + n) * per_row)

    def simulations_last(numbers):
        numbers = numbers[rows].astype(real).reshape(n * simulator.n_tasks, job.trials, *numbers.shape[1:])
        return np.moveaxis(numbers, (0, 1), (-1, -2)).reshape(*numbers.shape[2:], -1)

    return device.upload("initial", simulations_last(job.noise.initial)), device.upload(
        "noise", simulations_last(job.noise.steps)
    )
