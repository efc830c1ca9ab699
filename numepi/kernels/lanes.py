"""Simulate many noisy trajectories at once: the CPU driver that every simulated circuit shares.

A circuit states its equations once, as plain scalar functions of tuples, in a `Simulator`.  One *simulation* is one
(parameter, task, trial).  The driver gives each to a *lane*: a block of simulations steps together, each state and
each derivative is a row of one small buffer, and the loops over lanes have unit stride, a fixed length and no branches,
so that LLVM turns the scalar functions into vector instructions.  Blocks run in parallel; memory does not grow with the
number of steps.  Every simulation writes its own statistics and these are averaged over trials in order, in float64:
no number depends on threads, blocks, lanes or the rest of the batch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numba
import numpy as np

from numepi.kernels.columns import put, take
from numepi.kernels.compile import block_function, kernel, parallel_kernel, scalar
from numepi.kernels.fastmath import bits_of, by_precision, from_bits
from numepi.kernels.random import normals_from_words, philox4x32

__all__ = ["Noise", "Observation", "Simulator", "average_over_trials"]

# Results of at most this many simulations are held before they are averaged.
_SIMULATIONS_PER_CALL = 1 << 16


@dataclass(frozen=True)
class Noise:
    """Given random numbers, in the order of simulations (parameter, task, trial).

    Attributes
    ----------
    initial : ndarray (n * n_tasks * trials, n_initial)
        What `Simulator.start` receives.
    steps : ndarray (n * n_tasks * trials, steps, n_noise)
        What `Simulator.step` receives at steps 1, 2, ...
    """

    initial: np.ndarray
    steps: np.ndarray


@dataclass(frozen=True)
class Observation:
    """Running totals over the last samples of a simulation, and their derivatives.

    Attributes
    ----------
    n_values : int
        Numbers kept, q; they start at zero.
    update : scalar function
        ``update(values, state, count, constants) -> values, linearisation``, called at each observed step, of which
        this is number ``count`` = 1, 2, ... (a float of the working precision).
    tangent : scalar function
        ``tangent(derivatives, state_tangents, linearisation, count, constants) -> derivatives`` (q D numbers).
    """

    n_values: int
    update: Callable
    tangent: Callable


@scalar
def _nothing(values, state, count, constants):
    return (), ()


@scalar
def _nothing_tangent(derivatives, tangents, linearisation, count, constants):
    return ()


@dataclass(frozen=True)
class Simulator:
    """The equations of a circuit, for any number of lanes on a CPU or threads on a GPU.

    All functions are ``scalar`` (see `numepi.kernels.compile`), take and return tuples of floats of the working
    precision, have no branches, and hold no bare float literals (a literal is a float64 and would promote float32):
    numbers come from ``constants``.  Each stage is a pair: the value, which also returns what its derivative needs (a
    tuple, the *linearisation*), and the derivative with respect to the D parameters.  Tangents are flat tuples, the S
    derivatives by the first parameter first.  The initial state must not depend on the parameters.

    Attributes
    ----------
    name : str
        Names the compiled kernels.
    n_parameters, n_states, n_noise, n_drive : int
        D; S; standard normals drawn each step; numbers in a row of ``drive``.
    n_statistics : int
        Statistics of one simulation, k; the circuit's are those of each task in turn.
    start : scalar function
        ``start(initial, constants) -> state``.
    step : scalar function
        ``step(state, parameters, noise, drive, task, constants) -> state, linearisation``; ``drive`` is the row of this
        step, ``task`` the task's number as a float.
    tangent : scalar function
        ``tangent(tangents, linearisation, parameters, drive, task, constants) -> tangents`` (D S numbers).
    statistic : scalar function
        ``statistic(state, observed, task, constants) -> values, linearisation`` after the last step (k numbers).
    statistic_tangent : scalar function
        ``statistic_tangent(tangents, observed_tangents, linearisation, constants) -> derivatives`` (k D numbers,
        those of the first statistic first).
    readout : scalar function
        ``readout(state, drive, constants) -> activity``: what a trajectory holds (``n_readout`` numbers), from the
        state after the step of that row of ``drive``.
    initial_noise : scalar function
        ``initial_noise(w0, w1, w2, w3, like) -> four numbers`` from the generator's words (default: normals).
    n_initial, n_readout, n_tasks : int
    observation : Observation
        What is accumulated along the way (default: nothing).
    lanes : int
        Simulations in a block: a multiple of 16.
    """

    name: str
    n_parameters: int
    n_states: int
    n_noise: int
    n_drive: int
    n_readout: int
    start: Callable
    step: Callable
    tangent: Callable
    statistic: Callable
    statistic_tangent: Callable
    readout: Callable
    n_statistics: int = 1
    n_initial: int = 4
    n_tasks: int = 1
    initial_noise: Callable = normals_from_words
    observation: Observation = Observation(0, _nothing, _nothing_tangent)  # noqa: RUF009 (frozen)
    lanes: int = 32

    def statistics(self, z, key, first_index, trials, drive, constants, with_jacobian, noise=None, observe_from=0):
        """Trial-averaged statistics of each parameter.

        Parameters
        ----------
        z : ndarray (n, D)
            Its dtype is the working precision.
        key : (int, int)
            Of the generator.
        first_index : int
            Counter of the first row of ``z``.
        trials : int
        drive : ndarray (steps + 1, n_drive)
            Time-dependent numbers, row t for step t = 1, 2, ...
        constants : NamedTuple of floats
        with_jacobian : bool
        noise : Noise, optional
            Used in place of the generator.
        observe_from : int
            First step whose state is observed.

        Returns
        -------
        f : ndarray (n, n_tasks * k), float64
            NaN where any trial was not finite.
        jacobian : ndarray (n, n_tasks * k, D), float64, or None
        """
        real = z.dtype.type
        drive = np.ascontiguousarray(drive, dtype=real)
        constants = type(constants)(*map(real, constants))
        kernel = self._kernel_with_tangents if with_jacobian else self._kernel
        rows = self.n_statistics * (1 + self.n_parameters * with_jacobian)
        per_parameter = self.n_tasks * trials
        means = np.empty((len(z), self.n_tasks, rows))
        chunk = max(1, _SIMULATIONS_PER_CALL // per_parameter)
        for low in range(0, len(z), chunk):
            part = z[low : low + chunk]
            simulations = len(part) * per_parameter
            results = np.empty((rows, -(-simulations // self.lanes) * self.lanes), real)
            given = _slice(noise, low * per_parameter, simulations)
            kernel(
                part, np.uint64(key[0]), np.uint64(key[1]), first_index + low, trials, drive, constants, given is not None,
                *(given or self._no_noise), observe_from, results,
            )  # fmt: skip
            average_over_trials(results, trials, means[low : low + chunk].reshape(-1, rows))
        return self._unpack(means, with_jacobian)

    def _unpack(self, means, with_jacobian):
        n, k, dim = len(means), self.n_statistics, self.n_parameters
        f = means[:, :, :k].reshape(n, -1)
        f = np.where(np.isfinite(f), f, np.nan)
        if not with_jacobian:
            return f, None
        jacobian = means[:, :, k:].reshape(n, -1, dim)
        return f, np.where(np.isfinite(f)[:, :, None], jacobian, np.nan)

    @cached_property
    def _no_noise(self):
        return np.empty((0, self.n_initial)), np.empty((0, 0, self.n_noise))

    @cached_property
    def _kernel(self):
        return _statistics_kernel(self, with_tangents=False)

    @cached_property
    def _kernel_with_tangents(self):
        return _statistics_kernel(self, with_tangents=True)

    @cached_property
    def _trajectory_kernel(self):
        return _trajectory_kernel(self)

    def trajectories(self, z, key, first_index, trials, drive, constants, noise=None):
        """Readouts of every simulation: ndarray (n, n_tasks, trials, steps + 1, n_readout), float64.

        Arguments as of `statistics`; row 0 of ``drive`` belongs to the initial state.
        """
        z = np.ascontiguousarray(z, dtype=np.float64)
        drive = np.ascontiguousarray(drive, dtype=np.float64)
        constants = type(constants)(*map(float, constants))
        values = np.empty((len(z), self.n_tasks, trials, len(drive), self.n_readout))
        given = _slice(noise, 0, len(z) * self.n_tasks * trials)
        self._trajectory_kernel(
            z, np.uint64(key[0]), np.uint64(key[1]), first_index, trials, drive, constants, given is not None,
            *(given or self._no_noise), values.reshape(-1, len(drive), self.n_readout),
        )  # fmt: skip
        return values


def _slice(noise, first, count):
    """The given numbers of some simulations as a pair of arrays, or None."""
    if noise is None:
        return None
    return noise.initial[first : first + count], noise.steps[first : first + count]


@scalar
def _indices(simulation, trials, n_tasks):
    """Row, task and trial of a simulation, trials running fastest."""
    pair = simulation // trials
    return pair // n_tasks, pair % n_tasks, simulation % trials


@scalar
def _word_double(word, like):
    return from_bits(word)


@scalar
def _word_single(word, like):
    return from_bits(np.uint32(word))


@by_precision(_word_double, _word_single)
def _as_float(word, like):
    """The float of the precision of ``like`` whose bits spell ``word`` (below 2^32): integers kept in a float array."""


@scalar
def _as_word(x):
    return np.uint64(bits_of(x))


def _statistics_kernel(simulator, with_tangents):
    """Compile the driver for one circuit, with or without derivatives."""
    simulate_block = _block_function(simulator, with_tangents)
    lanes, n_tasks = simulator.lanes, simulator.n_tasks

    def kernel(z, key0, key1, first_index, trials, drive, constants, given, initial, noise, observe_from, results):
        for block in numba.prange(results.shape[1] // lanes):
            simulate_block(
                block,
                z,
                key0,
                key1,
                first_index,
                trials,
                drive,
                constants,
                given,
                initial,
                noise,
                observe_from,
                results,
            )

    return parallel_kernel(kernel, name=f"{simulator.name}_{'tangents' if with_tangents else 'values'}")


def _block_function(simulator, with_tangents):
    """Return the function that simulates one block of lanes and writes its columns of ``results``."""
    lanes, initial_noise, start, step = simulator.lanes, simulator.initial_noise, simulator.start, simulator.step
    tangent, statistic, statistic_tangent = simulator.tangent, simulator.statistic, simulator.statistic_tangent
    observe, observe_tangent = simulator.observation.update, simulator.observation.tangent
    n_parameters, n_states, n_tasks = simulator.n_parameters, simulator.n_states, simulator.n_tasks
    n_initial, n_noise, n_drive = simulator.n_initial, simulator.n_noise, simulator.n_drive
    n_statistics, n_observed = simulator.n_statistics, simulator.observation.n_values
    n_tangents, n_observed_tangents = n_parameters * n_states, n_parameters * n_observed
    initial_blocks, noise_blocks = -(-n_initial // 4), -(-n_noise // 4)
    # Where each group of rows begins in the buffer; a row holds one number of each lane.  The buffer also holds the
    # counters and the random words, as bits: with one array and constant distances no two rows can overlap.
    parameters_at = 0
    task_at = parameters_at + n_parameters * lanes
    row_at = task_at + lanes
    trial_at = row_at + lanes
    noise_at = trial_at + lanes
    state_at = noise_at + 4 * max(initial_blocks, noise_blocks) * lanes
    tangents_at = state_at + n_states * lanes
    observed_at = tangents_at + with_tangents * n_tangents * lanes
    observed_tangents_at = observed_at + n_observed * lanes
    size = observed_tangents_at + with_tangents * n_observed_tangents * lanes

    @scalar
    def draw_words(buffer, step_number, blocks, key0, key1):
        for block in range(blocks):
            first = noise_at + 4 * block * lanes
            for lane in range(lanes):
                row, trial = _as_word(buffer[row_at + lane]), _as_word(buffer[trial_at + lane])
                w0, w1, w2, w3 = philox4x32(row, trial, step_number, block, key0, key1)
                like = buffer[row_at + lane]
                words = _as_float(w0, like), _as_float(w1, like), _as_float(w2, like), _as_float(w3, like)
                put(buffer, first + lane, lanes, words)

    @scalar
    def draw_initial(buffer, key0, key1):
        draw_words(buffer, 0, initial_blocks, key0, key1)
        for block in range(initial_blocks):
            first = noise_at + 4 * block * lanes
            for lane in range(lanes):
                w0, w1, w2, w3 = take(buffer, first + lane, lanes, 4)
                numbers = initial_noise(_as_word(w0), _as_word(w1), _as_word(w2), _as_word(w3), w0)
                put(buffer, first + lane, lanes, numbers)

    @scalar
    def draw_normals(buffer, step_number, key0, key1):
        draw_words(buffer, step_number, noise_blocks, key0, key1)
        for block in range(noise_blocks):
            first = noise_at + 4 * block * lanes
            for lane in range(lanes):
                w0, w1, w2, w3 = take(buffer, first + lane, lanes, 4)
                normals = normals_from_words(_as_word(w0), _as_word(w1), _as_word(w2), _as_word(w3), w0)
                put(buffer, first + lane, lanes, normals)

    @scalar
    def label_lanes(buffer, block, z, first_index, trials):
        last = len(z) * n_tasks * trials - 1
        for lane in range(lanes):
            # The lanes beyond the last simulation repeat it; nobody reads their results.
            row, task, trial = _indices(min(block * lanes + lane, last), trials, n_tasks)
            like = z[row, 0]
            for p in range(n_parameters):
                buffer[parameters_at + p * lanes + lane] = z[row, p]
            buffer[task_at + lane] = task
            buffer[row_at + lane] = _as_float(np.uint64(first_index + row), like)
            buffer[trial_at + lane] = _as_float(np.uint64(trial * n_tasks + task), like)

    @scalar
    def copy_noise(buffer, block, numbers):
        for lane in range(lanes):
            simulation = min(block * lanes + lane, len(numbers) - 1)
            for i in range(numbers.shape[1]):
                buffer[noise_at + i * lanes + lane] = numbers[simulation, i]

    @block_function
    def simulate_block(
        block, z, key0, key1, first_index, trials, drive, constants, given, initial, noise, observe_from, results
    ):
        buffer = np.empty(size, z.dtype)
        buffer[:] = 0
        label_lanes(buffer, block, z, first_index, trials)
        if given:
            copy_noise(buffer, block, initial)
        else:
            draw_initial(buffer, key0, key1)
        for lane in range(lanes):
            put(buffer, state_at + lane, lanes, start(take(buffer, noise_at + lane, lanes, n_initial), constants))
        for t in range(1, len(drive)):
            if given:
                copy_noise(buffer, block, noise[:, t - 1])
            else:
                draw_normals(buffer, t, key0, key1)
            now = take(drive, t * n_drive, 1, n_drive)
            for lane in range(lanes):
                parameters = take(buffer, parameters_at + lane, lanes, n_parameters)
                task = buffer[task_at + lane]
                state = take(buffer, state_at + lane, lanes, n_states)
                normals = take(buffer, noise_at + lane, lanes, n_noise)
                state, linearisation = step(state, parameters, normals, now, task, constants)
                put(buffer, state_at + lane, lanes, state)
                if with_tangents:
                    tangents = take(buffer, tangents_at + lane, lanes, n_tangents)
                    tangents = tangent(tangents, linearisation, parameters, now, task, constants)
                    put(buffer, tangents_at + lane, lanes, tangents)
            if n_observed > 0 and t >= observe_from:
                count = z.dtype.type(t - observe_from + 1)
                for lane in range(lanes):
                    state = take(buffer, state_at + lane, lanes, n_states)
                    observed = take(buffer, observed_at + lane, lanes, n_observed)
                    observed, linearisation = observe(observed, state, count, constants)
                    put(buffer, observed_at + lane, lanes, observed)
                    if with_tangents:
                        tangents = take(buffer, tangents_at + lane, lanes, n_tangents)
                        derivatives = take(buffer, observed_tangents_at + lane, lanes, n_observed_tangents)
                        derivatives = observe_tangent(derivatives, tangents, linearisation, count, constants)
                        put(buffer, observed_tangents_at + lane, lanes, derivatives)
        column = block * lanes
        pitch = results.shape[1]
        for lane in range(lanes):
            state = take(buffer, state_at + lane, lanes, n_states)
            observed = take(buffer, observed_at + lane, lanes, n_observed)
            values, linearisation = statistic(state, observed, buffer[task_at + lane], constants)
            put(results, column + lane, pitch, values)
            if with_tangents:
                tangents = take(buffer, tangents_at + lane, lanes, n_tangents)
                derivatives = take(buffer, observed_tangents_at + lane, lanes, n_observed_tangents)
                derivatives = statistic_tangent(tangents, derivatives, linearisation, constants)
                put(results, n_statistics * pitch + column + lane, pitch, derivatives)

    return simulate_block


def _trajectory_kernel(simulator):
    """Compile the kernel that keeps the readout of every step: one simulation at a time, float64."""
    initial_noise, start, step, readout = simulator.initial_noise, simulator.start, simulator.step, simulator.readout
    n_parameters, n_tasks = simulator.n_parameters, simulator.n_tasks
    n_initial, n_noise, n_drive, n_readout = (
        simulator.n_initial, simulator.n_noise, simulator.n_drive, simulator.n_readout,
    )  # fmt: skip

    @scalar
    def draw(numbers, generate, row, trial, step_number, key0, key1):
        for block in range(numbers.shape[0] // 4):
            w0, w1, w2, w3 = philox4x32(row, trial, step_number, block, key0, key1)
            put(numbers, 4 * block, 1, generate(w0, w1, w2, w3, numbers[0]))

    def kernel(z, key0, key1, first_index, trials, drive, constants, given, initial, noise, values):
        for simulation in numba.prange(len(values)):
            row, task, trial = _indices(simulation, trials, n_tasks)
            counter = first_index + row, trial * n_tasks + task
            parameters = take(z, row * n_parameters, 1, n_parameters)
            first, normals = np.empty(-(-n_initial // 4) * 4), np.empty(-(-n_noise // 4) * 4)
            if given:
                first[:n_initial] = initial[simulation]
            else:
                draw(first, initial_noise, counter[0], counter[1], 0, key0, key1)
            state = start(take(first, 0, 1, n_initial), constants)
            now = take(drive, 0, 1, n_drive)
            put(values, simulation * len(drive) * n_readout, 1, readout(state, now, constants))
            for t in range(1, len(drive)):
                if given:
                    normals[:n_noise] = noise[simulation, t - 1]
                else:
                    draw(normals, normals_from_words, counter[0], counter[1], t, key0, key1)
                now = take(drive, t * n_drive, 1, n_drive)
                state, _ = step(state, parameters, take(normals, 0, 1, n_noise), now, z[0, 0] * 0 + task, constants)
                put(values, (simulation * len(drive) + t) * n_readout, 1, readout(state, now, constants))

    return parallel_kernel(kernel, name=f"{simulator.name}_trajectories")


@kernel
def average_over_trials(results, trials, means):
    """Mean of each run of ``trials`` columns of ``results`` (rows, >= groups * trials): means (groups, rows)."""
    for group in range(means.shape[0]):
        for row in range(means.shape[1]):
            total = 0.0
            for trial in range(trials):
                total += results[row, group * trials + trial]
            means[group, row] = total / trials
