"""Simulate programs: equations that come as generated functions on a block's buffer (`numepi.circuits.dynamics`).

The driver is that of `numepi.simulation.lanes`: blocks of simulations side by side, one flat buffer each, the same
random numbers and the same averages.  What differs is who owns the loops over lanes: a program's functions do, so that
they may also loop over units, directions and stages.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from numepi.kernels.threads import share
from numepi.simulation import program_kernels
from numepi.simulation.lanes import Noise, Run, in_precision

__all__ = ["Layout", "Program", "ProgramJob", "Variant"]

# Results of about this many simulations are held before they are averaged.
_SIMULATIONS_PER_CALL = 1 << 16


class Layout(NamedTuple):
    """Rows of a block's buffer: where each group begins, and how many there are."""

    parameters: int
    task: int  # constants of the simulation's task
    row: int
    trial: int
    noise: int
    values: int
    results: int
    n_results: int
    size: int
    kept: int  # rows that are kept at every observed step, from here on ...
    n_kept: int


@dataclass(frozen=True)
class Variant:
    """A program with or without derivatives.

    Attributes
    ----------
    layout : Layout
    functions : dict
        ``start``, ``advance``, ``observe`` and ``finish``, each ``(buffer, t, drive, c)`` for step t:
        ``scalar`` functions, which have one call in a kernel, that work on every lane of a block.
    summary, workspace : block_function, optional
        As a `numepi.simulation.lanes.Simulator`'s, of what is kept at every observed step.
    """

    layout: Layout
    functions: dict
    summary: object = None
    workspace: object = None


@dataclass(frozen=True)
class Program:
    """What the driver needs to know of a model.

    Attributes
    ----------
    name : str
        Names the compiled kernels: the hash of their source.
    n_parameters, n_statistics, n_tasks, n_constants, n_noise, n_drive : int
        D; statistics of one simulation; tasks, and constants of each; normals drawn each step; numbers of a drive row.
    uniform_blocks, normal_blocks : int
        Blocks of four random numbers for the initial state.
    lanes : int
    values, tangents : Variant
    """

    name: str
    n_parameters: int
    n_statistics: int
    n_tasks: int
    n_constants: int
    n_noise: int
    n_drive: int
    uniform_blocks: int
    normal_blocks: int
    lanes: int
    values: Variant
    tangents: Variant

    @property
    def n_initial(self):
        """Random numbers for the initial state, whole blocks."""
        return 4 * (self.uniform_blocks + self.normal_blocks)


@dataclass(frozen=True)
class ProgramJob:
    """All that a simulation of a program takes but its parameters.

    Attributes
    ----------
    program : Program
    trials : int
    drive : ndarray (steps + 1, n_drive)
    constants : ndarray
        Numbers and tables of the equations, flat.
    tasks : ndarray (n_tasks, n_constants)
    noise : Noise, optional
    observe_from : int
        First observed step.
    least_share : float
        Share of the trials that must have a statistic for their mean to count; 1: all.
    tables : tuple of ndarray
        Float64 arrays that a program's summary reads.
    for_threads : callable, optional
        Returns the same program for one lane, which a thread of a GPU runs; its constants are the same.
    """

    program: Program
    trials: int
    drive: np.ndarray
    constants: np.ndarray
    tasks: np.ndarray
    noise: Noise | None = None
    observe_from: int = 1
    least_share: float = 1.0
    tables: tuple = ()
    for_threads: Callable[[], Program] | None = None

    differentiable = True

    @property
    def n_parameters(self):
        """D."""
        return self.program.n_parameters

    @property
    def n_statistics(self):
        """Of all tasks."""
        return self.program.n_statistics * self.program.n_tasks

    def statistics(self, z, key, first_index, with_jacobian):
        """Statistics (n, k) and Jacobian (n, k, D), or None, float64, averaged over trials."""
        program = self.program
        kernel = program_kernels.statistics_kernel(program, with_jacobian)
        n_values = program.n_statistics * (1 + with_jacobian * program.n_parameters)
        per_parameter = program.n_tasks * self.trials
        means = np.empty((len(z), program.n_tasks, n_values))
        chunk = max(1, _SIMULATIONS_PER_CALL // per_parameter)
        for low in range(0, len(z), chunk):
            part, average = z[low : low + chunk], means[low : low + chunk]
            blocks = -(-len(part) * per_parameter // program.lanes)
            results = np.empty((n_values, blocks * program.lanes), z.dtype)
            run = Run(*key, first_index + low, self.trials, self.observe_from)
            arguments = part, run, *self._in(z.dtype), *self._by_block(low * per_parameter, blocks), results
            share(partial(_call, kernel, arguments), blocks)
            program_kernels.average(
                results, self.trials, program.n_statistics, self.least_share, average.reshape(-1, n_values)
            )
        return self.unpack(means, with_jacobian)

    def trajectories(self, z, key, first_index=0):
        """All values after every step, float64: (n, n_tasks, trials, steps + 1, values)."""
        program, layout = self.program, self.program.values.layout
        simulations = len(z) * program.n_tasks * self.trials
        values = np.empty((simulations, len(self.drive), layout.results - layout.values))
        blocks = -(-simulations // program.lanes)
        z = np.ascontiguousarray(z, np.float64)
        run = Run(*key, first_index, self.trials, 0)
        arguments = z, run, *self._in(np.float64), *self._by_block(0, blocks), values
        share(partial(_call, program_kernels.trajectory_kernel(program), arguments), blocks)
        return values.reshape(len(z), program.n_tasks, self.trials, len(self.drive), -1)

    def _in(self, dtype):
        real = np.dtype(dtype).type
        drive, _ = in_precision(real, self.drive, Run(0, 0, 0, 0, 0))
        constants, tasks = (np.ascontiguousarray(array, real) for array in (self.constants, self.tasks))
        return drive.ravel(), constants, tasks, self.tables

    def _by_block(self, first, blocks):
        """Given numbers as kernels read them, flat: (blocks, n_initial, lanes) and (blocks, steps, n_noise, lanes)."""
        if self.noise is None:
            return False, np.empty(0), np.empty(0)
        program, noise = self.program, self.noise
        index = np.minimum(np.arange(blocks * program.lanes) + first, len(noise.initial) - 1)
        initial = noise.initial[index].reshape(blocks, program.lanes, program.n_initial)
        steps = noise.steps[index].reshape(blocks, program.lanes, len(self.drive) - 1, program.n_noise)
        return True, initial.transpose(0, 2, 1).ravel(), steps.transpose(0, 2, 3, 1).ravel()

    def unpack(self, means, with_jacobian):
        """Split averages over trials (n, n_tasks, k (1 + D) or k) into what `statistics` returns."""
        program = self.program
        n, k = len(means), program.n_statistics
        f = means[:, :, :k].reshape(n, program.n_tasks * k)
        f = np.where(np.isfinite(f), f, np.nan)
        if not with_jacobian:
            return f, None
        jacobian = means[:, :, k:].reshape(n, program.n_tasks * k, program.n_parameters)
        return f, np.where(np.isfinite(f)[:, :, None], jacobian, np.nan)


def _call(kernel, arguments, first, last):
    kernel(first, last, *arguments)
