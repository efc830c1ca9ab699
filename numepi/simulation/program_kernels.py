"""The compiled kernels behind `numepi.simulation.programs`: the driver around a program's generated functions."""

import numpy as np

from numepi.kernels.compile import block_function, kernel, scalar
from numepi.kernels.random import normals_from_words, uniform
from numepi.simulation.lane_kernels import as_float, draw_function, labels

__all__ = ["average", "driving", "statistics_kernel", "trajectory_kernel", "uniforms_from_words"]

_kernels: dict[tuple[str, object], object] = {}  # by program and kind


@scalar
def uniforms_from_words(w0, w1, w2, w3, like):
    """Four uniforms in (0, 1)."""
    return uniform(w0, like), uniform(w1, like), uniform(w2, like), uniform(w3, like)


def driving(program, layout):
    """Functions that fill a block's buffer: ``label``, ``draw_initial``, ``draw_noise``, ``copy``."""
    lanes, n_parameters, n_tasks, n_constants = (
        program.lanes, program.n_parameters, program.n_tasks, program.n_constants,
    )  # fmt: skip
    at_parameters, at_task, at_row, at_trial, at_noise = (
        place * lanes for place in (layout.parameters, layout.task, layout.row, layout.trial, layout.noise)
    )
    places = _Places(at_noise, at_row, at_trial)
    draw_uniforms = draw_function(places, lanes, 4 * program.uniform_blocks, uniforms_from_words)
    draw_normals = draw_function(places, lanes, program.n_initial, normals_from_words, program.uniform_blocks)
    draw_noise = draw_function(places, lanes, program.n_noise, normals_from_words)

    @scalar
    def label(buffer, block, z, run, tasks):
        last = len(z) * n_tasks * run.trials - 1
        for lane in range(lanes):
            # the lanes beyond the last simulation repeat it: nobody reads their results
            row, task, trial = labels(min(block * lanes + lane, last), run.trials, n_tasks)
            for p in range(n_parameters):
                buffer[at_parameters + p * lanes + lane] = z[row, p]
            for k in range(n_constants):
                buffer[at_task + k * lanes + lane] = tasks[task, k]
            buffer[at_row + lane] = as_float(np.uint64(run.first_index + row), buffer[0])
            buffer[at_trial + lane] = as_float(np.uint64(trial * n_tasks + task), buffer[0])

    @scalar
    def draw_initial(buffer, run):
        draw_uniforms(buffer, 0, run)
        draw_normals(buffer, 0, run)

    @scalar
    def copy(buffer, numbers, first, count):
        for i in range(count):
            buffer[at_noise + i] = numbers[first + i]

    return label, draw_initial, draw_noise, copy


class _Places:
    def __init__(self, noise, row, trial):
        self.noise, self.row, self.trial = noise, row, trial


@block_function
def _no_workspace(n_observed, lanes, c, tables):
    return ()


@block_function
def _no_summary(kept, c, tables, work, results):
    pass


def statistics_kernel(program, with_tangents):
    """The driver of a program, with or without derivatives.

    ``kernel(first, last, z, run, drive, constants, tasks, tables, given, initial, noise, results)`` fills the columns
    of ``results`` (k (1 + D) or k, simulations padded to whole blocks) that belong to blocks first ... last - 1.
    """
    key = program.name, with_tangents
    if key not in _kernels:
        _kernels[key] = _statistics_kernel(program, with_tangents)
    return _kernels[key]


def _statistics_kernel(program, with_tangents):
    variant = program.tangents if with_tangents else program.values
    layout, lanes = variant.layout, program.lanes
    start, advance, observe, finish = (variant.functions[name] for name in ("start", "advance", "observe", "finish"))
    label, draw_initial, draw_noise, copy = driving(program, layout)
    n_initial, n_noise, n_drive = program.n_initial * lanes, program.n_noise * lanes, max(1, program.n_drive)
    n_results, at_results, size = layout.n_results, layout.results * lanes, layout.size * lanes
    at_kept, n_kept = layout.kept * lanes, layout.n_kept * lanes
    workspace, summary = variant.workspace or _no_workspace, variant.summary or _no_summary

    def statistics(first, last, z, run, drive, constants, tasks, tables, given, initial, noise, results):
        steps = len(drive) // n_drive - 1
        observed = max(0, steps - run.observe_from + 1)
        buffer = np.empty(size, z.dtype)
        kept = np.empty(observed * n_kept, z.dtype)
        work = workspace(observed, lanes, constants, tables)
        for block in range(first, last):
            buffer[:] = 0
            label(buffer, block, z, run, tasks)
            if given:
                copy(buffer, initial, block * n_initial, n_initial)
            else:
                draw_initial(buffer, run)
            start(buffer, 1, drive, constants)
            for t in range(1, steps + 1):
                if given:
                    copy(buffer, noise, (block * steps + t - 1) * n_noise, n_noise)
                else:
                    draw_noise(buffer, t, run)
                advance(buffer, t, drive, constants)
                if t >= run.observe_from:
                    observe(buffer, t, drive, constants)
                    for i in range(n_kept):
                        kept[(t - run.observe_from) * n_kept + i] = buffer[at_kept + i]
            finish(buffer, steps, drive, constants)
            for row in range(n_results):
                for lane in range(lanes):
                    results[row, block * lanes + lane] = buffer[at_results + row * lanes + lane]
            if n_kept > 0:
                samples = kept.reshape(observed, n_kept // lanes, lanes)
                summary(samples, constants, tables, work, results[:, block * lanes : (block + 1) * lanes])

    return kernel(statistics, name=f"{program.name}_{'tangents' if with_tangents else 'values'}")


def trajectory_kernel(program):
    """The driver that keeps the values after every step, float64.

    ``kernel(first, last, z, run, drive, constants, tasks, tables, given, initial, noise, values)`` fills ``values``
    (simulations, steps + 1, n) of blocks first ... last - 1.
    """
    key = program.name, "trajectories"
    if key not in _kernels:
        _kernels[key] = _trajectory_kernel(program)
    return _kernels[key]


def _trajectory_kernel(program):
    layout, lanes, functions = program.values.layout, program.lanes, program.values.functions
    start, advance = functions["start"], functions["advance"]
    label, draw_initial, draw_noise, copy = driving(program, layout)
    n_initial, n_noise, n_drive = program.n_initial * lanes, program.n_noise * lanes, max(1, program.n_drive)
    at_values, size = layout.values * lanes, layout.size * lanes

    @scalar
    def keep(buffer, values, block, sample):
        for lane in range(min(lanes, len(values) - block * lanes)):
            for k in range(values.shape[2]):
                values[block * lanes + lane, sample, k] = buffer[at_values + k * lanes + lane]

    def trajectories(first, last, z, run, drive, constants, tasks, tables, given, initial, noise, values):
        steps = len(drive) // n_drive - 1
        buffer = np.empty(size)
        for block in range(first, last):
            buffer[:] = 0
            label(buffer, block, z, run, tasks)
            if given:
                copy(buffer, initial, block * n_initial, n_initial)
            else:
                draw_initial(buffer, run)
            start(buffer, 1, drive, constants)
            keep(buffer, values, block, 0)
            for t in range(1, steps + 1):
                if given:
                    copy(buffer, noise, (block * steps + t - 1) * n_noise, n_noise)
                else:
                    draw_noise(buffer, t, run)
                advance(buffer, t, drive, constants)
                keep(buffer, values, block, t)

    return kernel(trajectories, name=f"{program.name}_trajectories")


@kernel
def average(results, trials, n_statistics, least_share, means):
    """Mean of each run of ``trials`` columns of ``results`` (rows, >= groups * trials): means (groups, rows).

    Trials whose statistic (row i of the first ``n_statistics``; its derivatives follow, D to each) is not finite are
    left out if at least the share ``least_share`` of them has one; else the mean is NaN.
    """
    rows = means.shape[1]
    n_parameters = (rows - n_statistics) // n_statistics
    for group in range(means.shape[0]):
        for row in range(rows):
            statistic = row if row < n_statistics else (row - n_statistics) // n_parameters
            total, count = 0.0, 0
            for trial in range(trials):
                column = group * trials + trial
                if least_share >= 1.0 or np.isfinite(results[statistic, column]):
                    total += results[row, column]
                    count += 1
            means[group, row] = total / count if count > 0 and count >= least_share * trials else np.nan
