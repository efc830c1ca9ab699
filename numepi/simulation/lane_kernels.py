"""The compiled kernels behind `numepi.simulation.lanes`: one specialisation for each circuit, run over ranges of
blocks.

A block of lanes owns one flat buffer of floats.  A row of it holds one number of every lane, a group of rows begins at
a constant offset: parameters, task, counters, random numbers, state, tangents, observed values and their tangents.
Counters and random words are kept there too, as bits: within one array at constant distances LLVM knows that rows never
overlap, so each loop over lanes becomes vector instructions without checks or remainders.
"""

import numpy as np

from numepi.kernels.compile import kernel, scalar
from numepi.kernels.fastmath import bits_of, by_precision, from_bits
from numepi.kernels.random import normals_from_words, philox4x32
from numepi.simulation.columns import put, take

__all__ = [
    "Layout", "as_float", "average_over_trials", "draw_function", "labels", "statistics_kernel", "trajectory_kernel",
]  # fmt: skip


@scalar
def labels(simulation, trials, n_tasks):
    """Row, task and trial of a simulation; trials run fastest."""
    pair = simulation // trials
    row = pair // n_tasks
    return row, pair - row * n_tasks, simulation - pair * trials


@scalar
def _word_as_double(word, like):
    return from_bits(word)


@scalar
def _word_as_single(word, like):
    return from_bits(np.uint32(word))


@by_precision(_word_as_double, _word_as_single)
def as_float(word, like):
    """Return the float of the precision of ``like`` whose bits spell ``word`` (below 2^32)."""


@scalar
def _as_word(x):
    return np.uint64(bits_of(x))


class Layout:
    """How many numbers of each kind a simulation holds, and where each group of rows begins in a block's buffer."""

    def __init__(self, simulator, with_tangents):
        lanes, observation = simulator.lanes, simulator.observation
        n_tangents = simulator.n_tangents
        if n_tangents is None:
            n_tangents = simulator.n_parameters * simulator.n_states
        self.n_tangents = n_tangents * with_tangents
        self.n_observed, self.n_observed_tangents = 0, 0
        if observation is not None:
            self.n_observed, self.n_observed_tangents = observation.n_values, observation.n_derivatives * with_tangents
        self.initial_blocks, self.noise_blocks = -(-simulator.n_initial // 4), -(-simulator.n_noise // 4)
        self.parameters = 0
        self.task = self.parameters + simulator.n_parameters * lanes
        self.row = self.task + lanes
        self.trial = self.row + lanes
        self.noise = self.trial + lanes
        self.state = self.noise + 4 * max(self.initial_blocks, self.noise_blocks) * lanes
        self.tangents = self.state + simulator.n_states * lanes
        self.observed = self.tangents + self.n_tangents * lanes
        self.results = self.observed + (self.n_observed + self.n_observed_tangents) * lanes
        self.n_results = simulator.n_statistics * (1 + simulator.n_parameters * with_tangents)
        self.size = self.results + self.n_results * lanes


def statistics_kernel(simulator, with_tangents):
    """Compile the driver of a `Simulator`, with or without derivatives.

    ``kernel(first, last, z, run, drive, constants, initial, noise, results)`` fills the columns of ``results``
    (k (1 + D) or k, simulations padded to whole blocks) that belong to blocks first ... last - 1; ``initial`` and
    ``noise`` hold given random numbers (blocks, [steps,] numbers, lanes) as flat arrays, or are empty.
    """
    layout, lanes = Layout(simulator, with_tangents), simulator.lanes
    n_parameters, n_tasks, n_noise, n_drive = (
        simulator.n_parameters, simulator.n_tasks, simulator.n_noise, simulator.n_drive,
    )  # fmt: skip
    n_initial, n_states, n_tangents = simulator.n_initial, simulator.n_states, layout.n_tangents
    start, step, tangent = simulator.start, simulator.step, simulator.tangent
    at_parameters, at_task, at_row, at_trial = layout.parameters, layout.task, layout.row, layout.trial
    at_noise, at_state, at_tangents, size = layout.noise, layout.state, layout.tangents, layout.size
    draw_initial = draw_function(layout, lanes, simulator.n_initial, simulator.initial_noise)
    draw_normals = draw_function(layout, lanes, simulator.n_noise, normals_from_words)
    n_kept, observe, finish = _observation_functions(simulator, layout, with_tangents)

    @scalar
    def label_lanes(buffer, block, z, run):
        last = len(z) * n_tasks * run.trials - 1
        for lane in range(lanes):
            # the lanes beyond the last simulation repeat it: nobody reads their results
            row, task, trial = labels(min(block * lanes + lane, last), run.trials, n_tasks)
            for p in range(n_parameters):
                buffer[at_parameters + p * lanes + lane] = z[row, p]
            buffer[at_task + lane] = task
            buffer[at_row + lane] = as_float(np.uint64(run.first_index + row), buffer[0])
            buffer[at_trial + lane] = as_float(np.uint64(trial * n_tasks + task), buffer[0])

    @scalar
    def copy_noise(buffer, numbers, first, count):
        for i in range(count):
            buffer[at_noise + i] = numbers[first + i]

    def statistics(first, last, z, run, drive, constants, initial, noise, results):
        steps = len(drive) - 1
        given = len(noise) > 0
        buffer = np.empty(size, z.dtype)
        kept = np.empty(n_kept(steps, run), z.dtype)
        for block in range(first, last):
            buffer[:] = 0
            label_lanes(buffer, block, z, run)
            if given:
                copy_noise(buffer, initial, block * n_initial * lanes, n_initial * lanes)
            else:
                draw_initial(buffer, 0, run)
            for lane in range(lanes):
                state = start(take(buffer, at_noise + lane, lanes, n_initial), constants)
                put(buffer, at_state + lane, lanes, n_states, state)
            for t in range(1, steps + 1):
                if given:
                    copy_noise(buffer, noise, (block * steps + t - 1) * n_noise * lanes, n_noise * lanes)
                else:
                    draw_normals(buffer, t, run)
                now = take(drive, t * n_drive, 1, n_drive)
                for lane in range(lanes):
                    parameters = take(buffer, at_parameters + lane, lanes, n_parameters)
                    state = take(buffer, at_state + lane, lanes, n_states)
                    numbers = take(buffer, at_noise + lane, lanes, n_noise)
                    task = buffer[at_task + lane]
                    state, linearisation = step(state, parameters, numbers, now, task, constants)
                    put(buffer, at_state + lane, lanes, n_states, state)
                    if with_tangents:
                        tangents = take(buffer, at_tangents + lane, lanes, n_tangents)
                        tangents = tangent(tangents, linearisation, parameters, now, task, constants)
                        put(buffer, at_tangents + lane, lanes, n_tangents, tangents)
                if t >= run.observe_from:
                    observe(buffer, kept, t - run.observe_from, constants)
            finish(buffer, kept, constants, results, block)

    return kernel(statistics, name=f"{simulator.name}_{'tangents' if with_tangents else 'values'}")


def draw_function(layout, lanes, count, numbers_from_words, begin=0):
    """Compile ``draw(buffer, step_number, run)``: random numbers for every lane into the noise rows, of blocks of four
    from block ``begin`` on, ``count`` with those before it.

    Words and numbers in loops of their own: words are 64 bits wide, and would halve the lanes of float32 arithmetic.
    Where one or two are left for the last block, its other two are not computed: half of the normals' time
    for a model with two noises.
    """
    at_noise, at_row, at_trial = layout.noise, layout.row, layout.trial
    half_at_end = 1 <= count % 4 <= 2
    whole = -(-count // 4) - half_at_end

    @scalar
    def draw_block(buffer, block, half, step_number, run):
        first = at_noise + 4 * block * lanes
        for lane in range(lanes):
            row, trial = _as_word(buffer[at_row + lane]), _as_word(buffer[at_trial + lane])
            w0, w1, w2, w3 = philox4x32(row, trial, step_number, block, run.key0, run.key1)
            like = buffer[at_row + lane]
            words = as_float(w0, like), as_float(w1, like), as_float(w2, like), as_float(w3, like)
            put(buffer, first + lane, lanes, 4, words)
        for lane in range(lanes):
            w0, w1, w2, w3 = take(buffer, first + lane, lanes, 4)
            x0, x1, x2, x3 = numbers_from_words(_as_word(w0), _as_word(w1), _as_word(w2), _as_word(w3), w0)
            if half:
                put(buffer, first + lane, lanes, 2, (x0, x1))
            else:
                put(buffer, first + lane, lanes, 4, (x0, x1, x2, x3))

    @scalar
    def draw(buffer, step_number, run):
        for block in range(begin, whole):
            draw_block(buffer, block, False, step_number, run)
        if half_at_end:
            draw_block(buffer, whole, True, step_number, run)

    return draw


def _observation_functions(simulator, layout, with_tangents):
    """Compile what is kept on the way and what becomes of it.

    ``n_kept(steps, run)`` numbers for ``kept``; ``observe(buffer, kept, index, constants)`` after an observed step;
    ``finish(buffer, kept, constants, results, block)`` after the last.
    """
    lanes, n_states, n_statistics = simulator.lanes, simulator.n_states, simulator.n_statistics
    n_observed, n_tangents, n_observed_tangents = layout.n_observed, layout.n_tangents, layout.n_observed_tangents
    at_task, at_state, at_tangents, at_observed = layout.task, layout.state, layout.tangents, layout.observed
    at_observed_tangents, n_rows = at_observed + n_observed * lanes, n_observed + n_observed_tangents
    at_results, n_results, n_derivatives = layout.results, layout.n_results, n_statistics * simulator.n_parameters
    statistic, statistic_tangent = simulator.statistic, simulator.statistic_tangent
    summary, workspace = simulator.summary, simulator.workspace

    @scalar
    def keep_nothing(steps, run):
        return 0

    @scalar
    def keep_all(steps, run):
        return (steps - run.observe_from + 1) * n_rows * lanes

    @scalar
    def observe_nothing(buffer, kept, index, constants):
        pass

    @scalar
    def finish_lanes(buffer, kept, constants, results, block):
        for lane in range(lanes):
            state = take(buffer, at_state + lane, lanes, n_states)
            observed = take(buffer, at_observed + lane, lanes, n_observed)
            values, linearisation = statistic(state, observed, buffer[at_task + lane], constants)
            put(buffer, at_results + lane, lanes, n_statistics, values)
            if with_tangents:
                tangents = take(buffer, at_tangents + lane, lanes, n_tangents)
                derivatives = take(buffer, at_observed_tangents + lane, lanes, n_observed_tangents)
                derivatives = statistic_tangent(tangents, derivatives, linearisation, constants)
                put(buffer, at_results + n_statistics * lanes + lane, lanes, n_derivatives, derivatives)
        for row in range(n_results):
            for lane in range(lanes):
                results[row, block * lanes + lane] = buffer[at_results + row * lanes + lane]

    @scalar
    def finish_summary(buffer, kept, constants, results, block):
        samples = kept.reshape(-1, n_rows, lanes)
        work = workspace(len(samples), lanes, constants)
        summary(samples, constants, work, results[:, block * lanes : (block + 1) * lanes])

    finish = finish_lanes if summary is None else finish_summary
    if simulator.observation is None:
        return keep_nothing, observe_nothing, finish
    update, update_tangent = simulator.observation.update, simulator.observation.tangent

    @scalar
    def observe_last(buffer, kept, index, constants):
        count = buffer.dtype.type(index + 1)
        for lane in range(lanes):
            state = take(buffer, at_state + lane, lanes, n_states)
            values = take(buffer, at_observed + lane, lanes, n_observed)
            values, linearisation = update(values, state, count, constants)
            put(buffer, at_observed + lane, lanes, n_observed, values)
            if with_tangents:
                tangents = take(buffer, at_tangents + lane, lanes, n_tangents)
                derivatives = take(buffer, at_observed_tangents + lane, lanes, n_observed_tangents)
                derivatives = update_tangent(derivatives, tangents, linearisation, count, constants)
                put(buffer, at_observed_tangents + lane, lanes, n_observed_tangents, derivatives)

    @scalar
    def observe_all(buffer, kept, index, constants):
        observe_last(buffer, kept, index, constants)
        for i in range(n_rows * lanes):
            kept[index * n_rows * lanes + i] = buffer[at_observed + i]

    if simulator.observation.keep_all:
        return keep_all, observe_all, finish
    return keep_nothing, observe_last, finish


def trajectory_kernel(simulator):
    """Compile the kernel that keeps the readout of every step: float64, one simulation at a time.

    ``kernel(first, last, z, run, drive, constants, initial, noise, values)`` fills rows first ... last - 1 of
    ``values`` (simulations, steps + 1, n_readout); ``initial`` and ``noise`` hold given numbers by simulation, or are
    empty.
    """
    start, step, readout, initial_noise = simulator.start, simulator.step, simulator.readout, simulator.initial_noise
    n_parameters, n_tasks, n_drive = simulator.n_parameters, simulator.n_tasks, simulator.n_drive
    n_initial, n_noise, n_readout = simulator.n_initial, simulator.n_noise, simulator.n_readout
    size = max(n_initial, n_noise) + 4

    @scalar
    def draw(numbers, count, numbers_from_words, row, trial, step_number, run):
        for block in range((count + 3) // 4):
            w0, w1, w2, w3 = philox4x32(row, trial, step_number, block, run.key0, run.key1)
            put(numbers, 4 * block, 1, 4, numbers_from_words(w0, w1, w2, w3, numbers[0]))

    def trajectories(first, last, z, run, drive, constants, initial, noise, values):
        given = len(noise) > 0
        numbers = np.zeros(size)
        for simulation in range(first, last):
            row, task, trial = labels(simulation, run.trials, n_tasks)
            counter = trial * n_tasks + task
            if given:
                for i in range(n_initial):
                    numbers[i] = initial[simulation, i]
            else:
                draw(numbers, n_initial, initial_noise, run.first_index + row, counter, 0, run)
            parameters = take(z, row * n_parameters, 1, n_parameters)
            state = start(take(numbers, 0, 1, n_initial), constants)
            for t in range(len(drive)):
                now = take(drive, t * n_drive, 1, n_drive)
                if t > 0:
                    if given:
                        for i in range(n_noise):
                            numbers[i] = noise[simulation, t - 1, i]
                    else:
                        draw(numbers, n_noise, normals_from_words, run.first_index + row, counter, t, run)
                    state, _ = step(state, parameters, take(numbers, 0, 1, n_noise), now, float(task), constants)
                put(values, (simulation * len(drive) + t) * n_readout, 1, n_readout, readout(state, now, constants))

    return kernel(trajectories, name=f"{simulator.name}_trajectories")


@kernel
def average_over_trials(results, trials, means):
    """Mean of each run of ``trials`` columns of ``results`` (rows, >= groups * trials): means (groups, rows)."""
    for group in range(means.shape[0]):
        for row in range(means.shape[1]):
            total = 0.0
            for trial in range(trials):
                total += results[row, group * trials + trial]
            means[group, row] = total / trials
