"""Lane driver for statistics of a whole time series: one statistic of the state, recorded at every step.

`numepi.kernels.lanes` keeps running totals; a spectrum needs the samples.  Here a block of lanes is a block of
parameters, one trial each, and the simulator's ``statistic`` and ``statistic_tangent`` are evaluated at every step
instead of after the last.  The series of a block is a small array that the caller reduces at once.
"""

import numpy as np

from numepi.kernels.columns import put, take
from numepi.kernels.compile import block_function, scalar
from numepi.kernels.random import normals4

__all__ = ["recording_function"]


def recording_function(simulator, with_tangents):
    """Compile the recording of one block.

    Parameters
    ----------
    simulator : numepi.kernels.lanes.Simulator
        With one task, one statistic, and no observation.
    with_tangents : bool

    Returns
    -------
    function
        ``record(block, z, key0, key1, first_index, drive, constants, noise, series)`` fills ``series`` (steps + 1,
        1 + D, lanes) (without tangents: 1 in place of 1 + D) for rows ``block * lanes ...`` of z (n, D), the last row
        repeated where there are no more.  ``drive`` has a row for the initial state and for each step.  ``noise``
        (n, steps, n_noise) is used unless it is empty; else step t draws at the counter (first_index + row, 0, t,
        block of four).
    """
    lanes, start, step, tangent = simulator.lanes, simulator.start, simulator.step, simulator.tangent
    statistic, statistic_tangent = simulator.statistic, simulator.statistic_tangent
    n_parameters, n_states, n_noise, n_drive = (
        simulator.n_parameters, simulator.n_states, simulator.n_noise, simulator.n_drive,
    )  # fmt: skip
    noise_blocks = -(-n_noise // 4)
    n_tangents = n_parameters * n_states
    # Rows of one buffer, a number of each lane in a row: constant distances tell the compiler that rows do not overlap.
    parameters_at = 0
    noise_at = parameters_at + n_parameters * lanes
    state_at = noise_at + 4 * noise_blocks * lanes
    tangents_at = state_at + n_states * lanes
    size = tangents_at + n_tangents * lanes

    @scalar
    def draw(buffer, first_row, step_number, key0, key1):
        like = buffer[0]
        for block in range(noise_blocks):
            first = noise_at + 4 * block * lanes
            for lane in range(lanes):
                put(buffer, first + lane, lanes, normals4(first_row + lane, 0, step_number, block, key0, key1, like))

    @scalar
    def copy(buffer, block, numbers):
        for lane in range(lanes):
            row = min(block * lanes + lane, len(numbers) - 1)
            for i in range(n_noise):
                buffer[noise_at + i * lanes + lane] = numbers[row, i]

    @scalar
    def sample(buffer, t, constants, series):
        for lane in range(lanes):
            state = take(buffer, state_at + lane, lanes, n_states)
            values, linearisation = statistic(state, (), buffer[0], constants)
            series[t, 0, lane] = values[0]
            if with_tangents:
                tangents = take(buffer, tangents_at + lane, lanes, n_tangents)
                derivatives = statistic_tangent(tangents, (), linearisation, constants)
                for d in range(n_parameters):
                    series[t, 1 + d, lane] = derivatives[d]

    @block_function
    def record(block, z, key0, key1, first_index, drive, constants, noise, series):
        buffer = np.empty(size, z.dtype)
        buffer[:] = 0
        for lane in range(lanes):
            for p in range(n_parameters):
                buffer[parameters_at + p * lanes + lane] = z[min(block * lanes + lane, len(z) - 1), p]
            put(buffer, state_at + lane, lanes, start((), constants))
        sample(buffer, 0, constants, series)
        for t in range(1, len(drive)):
            if noise.size > 0:
                copy(buffer, block, noise[:, t - 1])
            else:
                draw(buffer, first_index + block * lanes, t, key0, key1)
            now = take(drive, t * n_drive, 1, n_drive)
            for lane in range(lanes):
                parameters = take(buffer, parameters_at + lane, lanes, n_parameters)
                state = take(buffer, state_at + lane, lanes, n_states)
                normals = take(buffer, noise_at + lane, lanes, n_noise)
                state, linearisation = step(state, parameters, normals, now, parameters[0], constants)
                put(buffer, state_at + lane, lanes, state)
                if with_tangents:
                    tangents = take(buffer, tangents_at + lane, lanes, n_tangents)
                    tangents = tangent(tangents, linearisation, parameters, now, parameters[0], constants)
                    put(buffer, tangents_at + lane, lanes, tangents)
            sample(buffer, t, constants, series)

    return record
