"""CUDA kernels of a `numepi.simulation.lanes.Simulator`: one thread for each simulation, then one for each average.

Simulations are numbered with trials slowest, then parameters, then tasks: neighbouring threads belong to the same
trial, so that the average over trials, in the order of trials, reads neighbouring numbers.  Random numbers have the
counters of the CPU's lanes.

Import this module only where numba-cuda is installed.
"""

from typing import NamedTuple

from numba import cuda

from numepi.kernels.compile import scalar
from numepi.kernels.random import normals_from_words, philox4x32
from numepi.simulation.cuda.columns import reader, writer
from numepi.simulation.cuda.device_functions import device_function, inlined
from numepi.simulation.lane_kernels import Layout

__all__ = ["DeviceRun", "average_kernel", "simulation_kernel", "summary_kernel"]


class DeviceRun(NamedTuple):
    """Integers that tell one launch from another."""

    key0: int
    key1: int
    first_index: int
    trials: int
    steps: int
    observe_from: int


def _drawing(numbers_from_words, blocks, real, block=0):
    """Scalar function ``draw(parameter, trial, step, key0, key1)``: four numbers from each of ``blocks`` counters."""
    like = real(0)
    if blocks == 0:

        def draw(parameter, trial, step, key0, key1):
            return ()

    else:
        rest = _drawing(numbers_from_words, blocks - 1, real, block + 1)

        def draw(parameter, trial, step, key0, key1):
            w0, w1, w2, w3 = philox4x32(parameter, trial, step, block, key0, key1)
            return numbers_from_words(w0, w1, w2, w3, like) + rest(parameter, trial, step, key0, key1)

    return scalar(draw)


def _observing(simulator, layout, real, with_tangents):
    """Device function that takes a step's state into what is observed, and keeps it where a summary asks for that."""
    if simulator.observation is None:

        def observe(observed, derivatives, state, tangents, place, constants, kept, simulation):
            return observed, derivatives

        return inlined(observe)
    update = device_function(simulator.observation.update)
    update_tangent = device_function(simulator.observation.tangent) if with_tangents else None
    keep_values = writer(layout.n_observed)
    keep_derivatives = writer(layout.n_observed_tangents, layout.n_observed)
    keep_all = simulator.observation.keep_all

    def observe(observed, derivatives, state, tangents, place, constants, kept, simulation):
        count = real(place + 1)
        observed, linearisation = update(observed, state, count, constants)
        if with_tangents:
            derivatives = update_tangent(derivatives, tangents, linearisation, count, constants)
        if keep_all:
            keep_values(kept[place], simulation, observed)
            keep_derivatives(kept[place], simulation, derivatives)
        return observed, derivatives

    return inlined(observe)


def _finishing(simulator, with_tangents):
    """Device function that writes the statistics of the last state, unless a summary does so later."""
    if simulator.summary is not None:

        def finish(state, observed, tangents, derivatives, task, constants, results, simulation):
            pass

        return inlined(finish)
    statistic = device_function(simulator.statistic)
    statistic_tangent = device_function(simulator.statistic_tangent) if with_tangents else None
    put_values = writer(simulator.n_statistics)
    put_derivatives = writer(simulator.n_statistics * simulator.n_parameters, simulator.n_statistics)

    def finish(state, observed, tangents, derivatives, task, constants, results, simulation):
        values, linearisation = statistic(state, observed, task, constants)
        put_values(results, simulation, values)
        if with_tangents:
            put_derivatives(results, simulation, statistic_tangent(tangents, derivatives, linearisation, constants))

    return inlined(finish)


def simulation_kernel(simulator, real, with_tangents, given):
    """Kernel ``(z, run, drive, constants, initial, noise, kept, results)`` that simulates.

    Parameters
    ----------
    simulator : numepi.simulation.lanes.Simulator
    real : numpy.float64 or numpy.float32
        The working precision.
    with_tangents : bool
        Whether to carry derivatives.
    given : bool
        Whether random numbers are given.

    Notes
    -----
    Arrays of the kernel, threads (simulations) last: ``z`` (D, n); ``drive`` (n_drive, steps + 1); given numbers
    ``initial`` (n_initial, simulations) and ``noise`` (steps, n_noise, simulations); ``kept`` (observed steps, numbers,
    simulations) where the simulator has a summary; ``results`` (k (1 + D) or k, simulations) where it has none.
    """
    layout = Layout(simulator, with_tangents)
    n_tasks, n_noise = simulator.n_tasks, simulator.n_noise
    no_tangents, nothing_observed = (real(0),) * layout.n_tangents, (real(0),) * layout.n_observed
    no_derivatives = (real(0),) * layout.n_observed_tangents
    start, step = device_function(simulator.start), device_function(simulator.step)
    tangent = device_function(simulator.tangent) if with_tangents else None
    observe = _observing(simulator, layout, real, with_tangents)
    finish = _finishing(simulator, with_tangents)
    draw_initial = device_function(_drawing(simulator.initial_noise, layout.initial_blocks, real))
    draw_noise = device_function(_drawing(normals_from_words, layout.noise_blocks, real))
    read_parameters, read_drive = reader(simulator.n_parameters), reader(simulator.n_drive)
    read_initial, read_noise = reader(simulator.n_initial), reader(n_noise)

    def simulate(z, run, drive, constants, initial, noise, kept, results):
        simulation = cuda.grid(1)
        pairs = z.shape[1] * n_tasks
        if simulation >= pairs * run.trials:
            return
        trial = simulation // pairs
        pair = simulation - trial * pairs
        row = pair // n_tasks
        task_number = pair - row * n_tasks
        index, counter, task = run.first_index + row, trial * n_tasks + task_number, real(task_number)
        parameters = read_parameters(z, row)
        if given:
            numbers = read_initial(initial, simulation)
        else:
            numbers = draw_initial(index, counter, 0, run.key0, run.key1)
        state = start(numbers, constants)
        tangents, observed, derivatives = no_tangents, nothing_observed, no_derivatives
        for t in range(1, run.steps + 1):
            if given:
                kicks = read_noise(noise[t - 1], simulation)
            else:
                kicks = draw_noise(index, counter, t, run.key0, run.key1)[:n_noise]
            now = read_drive(drive, t)
            state, linearisation = step(state, parameters, kicks, now, task, constants)
            if with_tangents:
                tangents = tangent(tangents, linearisation, parameters, now, task, constants)
            if t >= run.observe_from:
                observed, derivatives = observe(
                    observed, derivatives, state, tangents, t - run.observe_from, constants, kept, simulation
                )
        finish(state, observed, tangents, derivatives, task, constants, results, simulation)

    return simulate


def _own_views(count):
    """Device function ``own(work, thread)``: each array's part of one thread, which the last axis but one counts."""
    if count == 0:

        def own(work, thread):
            return ()

    else:
        rest, last = _own_views(count - 1), count - 1

        def own(work, thread):
            return rest(work, thread) + (work[last][..., thread : thread + 1, :],)

    return inlined(own)


def summary_kernel(simulator, n_arrays):
    """Kernel ``(kept, constants, work, results)`` that summarises what was kept: one thread for each simulation.

    ``kept`` and ``results`` are those of `simulation_kernel`; ``work`` has ``n_arrays`` arrays (..., simulations,
    length).
    """
    summary, own = device_function(simulator.summary, takes_arrays=True), _own_views(n_arrays)

    def summarise(kept, constants, work, results):
        thread = cuda.grid(1)
        if thread >= results.shape[1]:
            return
        ours = slice(thread, thread + 1)
        summary(kept[:, :, ours], constants, own(work, thread), results[:, ours])

    return summarise


def average_kernel():
    """Kernel ``(results, trials, means)``: means (values, pairs) over the trials of results (values, trials * pairs).

    One thread for each mean: the sum is taken in float64 in the order of trials, as on the CPU.
    """

    def average(results, trials, means):
        thread = cuda.grid(1)
        pairs = means.shape[1]
        if thread >= means.shape[0] * pairs:
            return
        value = thread // pairs
        pair = thread - value * pairs
        total = 0.0
        for trial in range(trials):
            total += results[value, trial * pairs + pair]
        means[value, pair] = total / trials

    return average
