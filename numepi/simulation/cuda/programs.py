"""Run a `numepi.simulation.programs.ProgramJob` on the GPU: one thread for each simulation, with a buffer of its own.

The program's functions are those of the CPU, generated for one lane; the buffer is the thread's local memory.

Import this module only where numba-cuda is installed.
"""

from functools import cache

import numba
import numpy as np
from numba import cuda

from numepi.kernels.compile import scalar
from numepi.kernels.random import normals_from_words, philox4x32
from numepi.simulation import program_kernels
from numepi.simulation.cuda.device_functions import device_function, inlined
from numepi.simulation.cuda.launch import compiled, launch
from numepi.simulation.cuda.memory import memory
from numepi.simulation.cuda.simulation_kernels import DeviceRun, average_kernel

__all__ = ["program_kernel", "statistics"]

_kernels = {}


@cache
def _average():
    return compiled(average_kernel())


def _drawing(numbers_from_words, first, last, at, real):
    """Device function that fills rows of a buffer with the numbers of blocks ``first`` ... ``last`` - 1."""
    like = real(0)

    @scalar
    def block_of_four(parameter, trial, step, block, key0, key1):
        w0, w1, w2, w3 = philox4x32(parameter, trial, step, block, key0, key1)
        return numbers_from_words(w0, w1, w2, w3, like)

    numbers = device_function(block_of_four)

    def draw(buffer, parameter, trial, step, key0, key1):
        for block in range(first, last):
            n0, n1, n2, n3 = numbers(parameter, trial, step, block, key0, key1)
            place = at + 4 * block
            buffer[place] = n0
            buffer[place + 1] = n1
            buffer[place + 2] = n2
            buffer[place + 3] = n3

    return inlined(draw)


def program_kernel(program, real, with_tangents, given):
    """Kernel ``(z, run, drive, constants, tasks, initial, noise, results)``; arrays of simulations have these last.

    ``z`` (D, n), ``drive`` flat, ``initial`` (n_initial, simulations), ``noise`` (steps, n_noise, simulations),
    ``results`` (k (1 + D) or k, simulations).
    """
    variant = program.tangents if with_tangents else program.values
    layout, size, element = variant.layout, variant.layout.size, numba.from_dtype(np.dtype(real))
    start, advance, observe, finish = (
        device_function(variant.functions[name], takes_arrays=True)
        for name in ("start", "advance", "observe", "finish")
    )
    n_parameters, n_tasks, n_constants = program.n_parameters, program.n_tasks, program.n_constants
    n_initial, n_noise, n_results = program.n_initial, program.n_noise, layout.n_results
    at_parameters, at_task, at_noise, at_results = layout.parameters, layout.task, layout.noise, layout.results
    blocks = program.uniform_blocks + program.normal_blocks
    draw_uniforms = _drawing(program_kernels.uniforms_from_words, 0, program.uniform_blocks, at_noise, real)
    draw_normals = _drawing(normals_from_words, program.uniform_blocks, blocks, at_noise, real)
    draw_noise = _drawing(normals_from_words, 0, -(-n_noise // 4), at_noise, real)

    def simulate(z, run, drive, constants, tasks, initial, noise, results):
        simulation = cuda.grid(1)
        pairs = z.shape[1] * n_tasks
        if simulation >= pairs * run.trials:
            return
        trial = simulation // pairs
        pair = simulation - trial * pairs
        row = pair // n_tasks
        task = pair - row * n_tasks
        index, counter = run.first_index + row, trial * n_tasks + task
        buffer = cuda.local.array(size, element)
        for i in range(size):
            buffer[i] = 0
        for p in range(n_parameters):
            buffer[at_parameters + p] = z[p, row]
        for k in range(n_constants):
            buffer[at_task + k] = tasks[task, k]
        if given:
            for i in range(n_initial):
                buffer[at_noise + i] = initial[i, simulation]
        else:
            draw_uniforms(buffer, index, counter, 0, run.key0, run.key1)
            draw_normals(buffer, index, counter, 0, run.key0, run.key1)
        start(buffer, 1, drive, constants)
        for t in range(1, run.steps + 1):
            if given:
                for i in range(n_noise):
                    buffer[at_noise + i] = noise[t - 1, i, simulation]
            else:
                draw_noise(buffer, index, counter, t, run.key0, run.key1)
            advance(buffer, t, drive, constants)
            if t >= run.observe_from:
                observe(buffer, t, drive, constants)
        finish(buffer, run.steps, drive, constants)
        for i in range(n_results):
            results[i, simulation] = buffer[at_results + i]

    return simulate


def statistics(job, z, key, first_index, with_jacobian):
    """See `numepi.simulation.cuda.statistics`."""
    if job.tables:
        raise ValueError("device = 'cuda', but a softmax frequency keeps every sample: use device='cpu'")
    if job.least_share < 1.0:
        raise ValueError("device = 'cuda' averages over all trials: use least_share=1 or device='cpu'")
    program, device = job.for_threads(), memory()
    n_values = program.n_statistics * (1 + with_jacobian * program.n_parameters)
    per_row = program.n_tasks * (job.trials * n_values * z.dtype.itemsize + 8 * n_values)
    per_row += program.n_parameters * z.dtype.itemsize
    if job.noise is not None:
        numbers = program.n_initial + (len(job.drive) - 1) * program.n_noise
        per_row += program.n_tasks * job.trials * numbers * z.dtype.itemsize
    with device.lock:
        rows = device.rows_that_fit(program.name, per_row, program.n_tasks * job.trials)
        parts = [
            _block(device, job, program, z[low : low + rows], low, key, first_index, with_jacobian)
            for low in range(0, len(z), rows)
        ]
    means = np.concatenate(parts) if parts else np.empty((0, program.n_tasks, n_values))
    return job.unpack(means, with_jacobian)


def _block(device, job, program, z, low, key, first_index, with_jacobian):
    """Averages over trials (n, n_tasks, k (1 + D) or k) of rows ``low`` ... of the batch."""
    real, n, given = z.dtype.type, len(z), job.noise is not None
    n_values = program.n_statistics * (1 + with_jacobian * program.n_parameters)
    pairs, steps = n * program.n_tasks, len(job.drive) - 1
    simulations = pairs * job.trials
    run = DeviceRun(*key, first_index + low, job.trials, steps, job.observe_from)
    kind = program.name, real, with_jacobian, given
    if kind not in _kernels:
        _kernels[kind] = compiled(program_kernel(program, real, with_jacobian, given))
    initial, noise = _given(device, job, program, low, n, real)
    results = device.array("results", (n_values, simulations), real)
    means = device.array("means", (n_values, pairs), np.float64)
    constants = np.append(job.constants, 0.0).astype(real)  # never empty
    tasks = job.tasks.astype(real) if job.tasks.size else np.zeros((1, 1), real)
    launch(
        _kernels[kind], simulations, device.stream, device.upload("z", z.T), run,
        device.upload("drive", job.drive.astype(real).ravel()), device.upload("constants", constants),
        device.upload("tasks", tasks), initial, noise, results,
    )  # fmt: skip
    launch(_average(), means.size, device.stream, results, job.trials, means)
    return device.download(means).reshape(-1, n, program.n_tasks).transpose(1, 2, 0)


def _given(device, job, program, low, n, real):
    """Given numbers of the rows, with simulations last and trials slowest among them."""
    if job.noise is None:
        return device.array("initial", (1, 1), real), device.array("noise", (1, 1, 1), real)
    per_row = program.n_tasks * job.trials
    rows = slice(low * per_row, (low + n) * per_row)

    def simulations_last(numbers):
        numbers = numbers[rows].astype(real).reshape(n * program.n_tasks, job.trials, *numbers.shape[1:])
        return np.moveaxis(numbers, (0, 1), (-1, -2)).reshape(*numbers.shape[2:], n * per_row)

    return device.upload("initial", simulations_last(job.noise.initial)), device.upload(
        "noise", simulations_last(job.noise.steps)
    )
