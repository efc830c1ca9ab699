"""Run a `numepi.simulation.lanes.Job` on the GPU: only (z, f, J) and given noise cross the bus.

A batch is cut into blocks of rows that fit into device memory; no number depends on where it is cut.

Import this module only where numba-cuda is installed.
"""

from functools import cache

import numba
import numpy as np

from numepi.simulation.cuda.launch import compiled, launch
from numepi.simulation.cuda.memory import memory
from numepi.simulation.cuda.simulation_kernels import DeviceRun, average_kernel, simulation_kernel, summary_kernel
from numepi.simulation.lane_kernels import Layout
from numepi.simulation.lanes import in_precision

__all__ = ["kernels", "statistics"]


@cache
def _simulation(simulator, real, with_tangents, given):
    return compiled(simulation_kernel(simulator, real, with_tangents, given))


@cache
def _summary(simulator, n_arrays):
    return compiled(summary_kernel(simulator, n_arrays))


@cache
def _average():
    return compiled(average_kernel())


def kernels(job, real, dim):
    """Every kernel that a job may launch in the precision ``real``: a list of (name, function, argument types)."""
    scalar, simulator = numba.from_dtype(np.dtype(real)), job.simulator
    matrix, stack, means = scalar[:, ::1], scalar[:, :, ::1], numba.float64[:, ::1]
    constants = numba.typeof(in_precision(real, job.drive, _writable(job.constants))[1])
    run = numba.typeof(DeviceRun(0, 0, 0, 0, 0, 0))
    found = [
        (
            f"{simulator.name} {'value and Jacobian' if with_tangents else 'value'}{', given noise' * given}",
            simulation_kernel(simulator, real, with_tangents, given),
            (matrix, run, matrix, constants, matrix, stack, stack, matrix),
        )
        for with_tangents in (False, True)
        for given in (False, True)
    ]
    if simulator.summary is not None:
        templates = _workspace(job)
        work = numba.types.Tuple([numba.types.Array(numba.float64, array.ndim, "A") for array in templates])
        summary = summary_kernel(simulator, len(templates))
        found.append((f"{simulator.name} summary", summary, (stack, constants, work, matrix)))
    return [*found, ("average over trials", average_kernel(), (matrix, numba.int64, means))]


def _writable(constants):
    """Constants whose tables have the type of device arrays."""
    return constants._replace(
        **{field: value.copy() for field, value in constants._asdict().items() if isinstance(value, np.ndarray)}
    )


def statistics(job, z, key, first_index, with_jacobian):
    """See `numepi.simulation.cuda.statistics`."""
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
    in_summary = sum(array.nbytes for array in _workspace(job))
    per_row = simulator.n_tasks * (job.trials * (numbers * dtype.itemsize + in_summary) + 8 * n_values)
    per_row += simulator.n_parameters * dtype.itemsize
    return device.rows_that_fit(simulator.name, per_row, simulator.n_tasks * job.trials)


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
    kept = _room_to_keep(device, job, simulations, real, with_jacobian)
    constants = _with_tables(device, simulator.name, constants)
    kernel = _simulation(simulator, real, with_jacobian, job.noise is not None)
    launch(
        kernel, simulations, device.stream,
        device.upload("z", z.T), run, device.upload("drive", drive.T), constants, initial, noise, kept, results,
    )  # fmt: skip
    if simulator.summary is not None:
        work = tuple(device.workspace(f"work {i}", template, simulations) for i, template in enumerate(_workspace(job)))
        launch(_summary(simulator, len(work)), simulations, device.stream, kept, constants, work, results)
    launch(_average(), means.size, device.stream, results, job.trials, means)
    return device.download(means).reshape(-1, n, simulator.n_tasks).transpose(1, 2, 0)


def _with_tables(device, name, constants):
    """Constants with their tables on the device."""
    tables = {
        field: device.table(f"{name}.{field}", value)
        for field, value in constants._asdict().items()
        if isinstance(value, np.ndarray)
    }
    return constants._replace(**tables)


def _workspace(job):
    """Arrays that the summary of one simulation works in."""
    if job.simulator.summary is None:
        return ()
    return job.simulator.workspace(len(job.drive) - job.observe_from, 1, job.constants)


def _room_to_keep(device, job, simulations, real, with_jacobian):
    layout = Layout(job.simulator, with_jacobian)
    if job.simulator.summary is None:
        return device.array("kept", (1, 1, 1), real)
    rows = layout.n_observed + layout.n_observed_tangents
    return device.array("kept", (len(job.drive) - job.observe_from, rows, simulations), real)


def _given(device, job, low, n, real):
    """Given numbers of the rows, with simulations last and trials slowest among them."""
    if job.noise is None:
        return device.array("initial", (1, 1), real), device.array("noise", (1, 1, 1), real)
    simulator = job.simulator
    per_row = simulator.n_tasks * job.trials
    rows = slice(low * per_row, (low + n) * per_row)

    def simulations_last(numbers):
        numbers = numbers[rows].astype(real).reshape(n * simulator.n_tasks, job.trials, *numbers.shape[1:])
        return np.moveaxis(numbers, (0, 1), (-1, -2)).reshape(*numbers.shape[2:], n * per_row)

    return device.upload("initial", simulations_last(job.noise.initial)), device.upload(
        "noise", simulations_last(job.noise.steps)
    )
