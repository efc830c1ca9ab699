"""Simulate many noisy trajectories at once: the driver that every simulated circuit shares.

A circuit states its equations once, as plain scalar functions of tuples, in a `Simulator`.  One *simulation* is one
(parameter, task, trial).  On the CPU each simulation is a *lane*: a block of them steps together, each state and each
derivative is a row of one small buffer, and the loops over lanes have unit stride, a fixed length and no branches, so
that LLVM turns the scalar functions into vector instructions (`numepi.simulation.lane_kernels`).  Blocks run in
parallel. Every simulation writes its own statistics, and these are averaged over trials in order, in float64: no number
depends on threads, blocks, lanes or the rest of the batch.  Memory does not grow with the number of steps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from numba.core.errors import NumbaError

from numepi.kernels.compile import block_function
from numepi.kernels.random import normals_from_words
from numepi.kernels.threads import share
from numepi.simulation import lane_kernels
from numepi.simulation.checks import check_arrays, check_definition, check_job, explanation

__all__ = ["Job", "Noise", "Observation", "Run", "Simulator", "in_precision"]

_CONSTANTS = 3  # their place among the arguments of every kernel

# Results of about this many simulations are held before they are averaged.
_SIMULATIONS_PER_CALL = 1 << 16


class Noise(NamedTuple):
    """Given random numbers, float64, in the order of simulations (parameter, task, trial).

    ``initial`` (n * n_tasks * trials, n_initial) is what `Simulator.start` receives, ``steps``
    (n * n_tasks * trials, steps, n_noise) what `Simulator.step` receives at steps 1, 2, ...
    """

    initial: np.ndarray
    steps: np.ndarray


class Run(NamedTuple):
    """Integers that tell one run from another: the generator's key, and who is simulated."""

    key0: int
    key1: int
    first_index: int
    trials: int
    observe_from: int


@dataclass(frozen=True)
class Observation:
    """What is kept of the simulated states on the way.

    Attributes
    ----------
    n_values : int
        Numbers kept, q.
    update : scalar function
        ``update(values, state, count, constants) -> values, linearisation``, called after each observed step, of which
        this is number ``count`` = 1, 2, ... (a float of the working precision).  ``values`` are those of the
        observation before, zeros at first: running totals.
    n_derivatives : int
        Numbers kept beside them when derivatives are wanted; they start at zero, too.
    tangent : scalar function, optional
        ``tangent(derivatives, tangents, linearisation, count, constants) -> derivatives``; none where the simulator
        has no tangent.
    keep_all : bool
        Keep the values of every observed step for `Simulator.summary`, not only the last.
    """

    n_values: int
    update: Callable
    n_derivatives: int = 0
    tangent: Callable | None = None
    keep_all: bool = False


@block_function
def nothing(n_observed, lanes, constants):
    """Return no arrays: the workspace of a summary that needs none."""
    return ()


@dataclass(frozen=True)
class Simulator:
    """The equations of a circuit, for any number of lanes on a CPU or threads on a GPU.

    All functions are ``scalar`` (see `numepi.kernels.compile`), take and return tuples of floats of the working
    precision, have no branches (``a if c else b`` of computed values is none), and hold no bare float literals: a
    literal is a float64 and would promote float32, so numbers come from ``constants``.  A stage is a pair: the value,
    which also returns what its derivative needs (a tuple, the *linearisation*), and the derivative with respect to the
    D parameters.  Tangents are flat tuples of whatever derivatives the circuit carries; they start at zero, as the
    initial state must not depend on the parameters.

    Attributes
    ----------
    name : str
        Names the compiled kernels.
    n_parameters, n_states, n_noise, n_drive, n_readout : int
        D; numbers in the state; standard normals drawn each step; numbers in a row of ``drive`` and in a sample of a
        trajectory.
    start : scalar function
        ``start(initial, constants) -> state``.
    step : scalar function
        ``step(state, parameters, noise, drive, task, constants) -> state, linearisation``; ``drive`` is the row of this
        step, ``task`` the task's number as a float.
    tangent : scalar function, optional
        ``tangent(tangents, linearisation, parameters, drive, task, constants) -> tangents``.  Without it, and then
        without ``statistic_tangent`` and the observation's, the simulator gives values only.
    readout : scalar function
        ``readout(state, drive, constants) -> activity``: a sample of the trajectory, from the state after the step of
        that row of ``drive``.
    statistic, statistic_tangent : scalar functions, optional
        ``statistic(state, observed, task, constants) -> values, linearisation`` after the last step (k numbers), and
        ``statistic_tangent(tangents, observed_tangents, linearisation, constants) -> derivatives`` (k D numbers, those
        of the first statistic first).
    summary : block_function, optional
        In their place where statistics need every observed step: ``summary(kept, constants, work, results)`` with
        ``kept`` (observed steps, values and derivatives, lanes) fills ``results`` (k (1 + D), lanes), the values before
        their derivatives; without derivatives ``kept`` holds values only and ``results`` has k rows.  It serves any
        number of lanes (on a GPU one), and makes no arrays.
    workspace : block_function
        Beside ``summary`` where it needs room: ``workspace(observed steps, lanes, constants)`` makes the arrays that it
        works in, a tuple ``work``.  Their last axis but one counts lanes, or groups of lanes that are done one after
        the other.
    n_tangents : int
        Numbers in the tangents (default: D for each number in the state).
    n_statistics : int
        k, statistics of one simulation; the circuit's are those of each task in turn.
    n_initial, n_tasks : int
        Numbers that ``start`` receives (0, 4, 8, ...: whole draws of the generator); tasks.
    initial_noise : scalar function
        ``initial_noise(w0, w1, w2, w3, like) -> four numbers`` from the generator's words (default: normals).
    observation : Observation, optional
    lanes : int
        Simulations in a block, a multiple of 16.  Fewer spread a small batch over more threads.

    Notes
    -----
    Random numbers: counter c0 = parameter index, c1 = trial * n_tasks + task, c2 = 0 for ``start`` and t for step t,
    c3 = block of four numbers.
    """

    name: str
    n_parameters: int
    n_states: int
    n_noise: int
    n_drive: int
    n_readout: int
    start: Callable
    step: Callable
    readout: Callable
    tangent: Callable | None = None
    statistic: Callable | None = None
    statistic_tangent: Callable | None = None
    summary: Callable | None = None
    workspace: Callable = nothing
    n_statistics: int = 1
    n_tangents: int | None = None
    n_initial: int = 4
    n_tasks: int = 1
    initial_noise: Callable = normals_from_words
    observation: Observation | None = None
    lanes: int = 32

    def __post_init__(self):
        check_definition(self)

    def statistics(self, z, key, first_index, trials, drive, constants, with_jacobian, noise=None, observe_from=1):
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
            Of each task.
        drive : ndarray (steps + 1, n_drive)
            Time-dependent numbers: row t for step t = 1, 2, ...
        constants : NamedTuple of floats
            Converted to the working precision; arrays (tables for `summary`) are passed as they are.
        with_jacobian : bool
        noise : Noise, optional
            Used in place of the generator.
        observe_from : int
            First observed step.

        Returns
        -------
        f : ndarray (n, n_tasks * k), float64
            NaN where a trial was not finite.
        jacobian : ndarray (n, n_tasks * k, D), float64, or None

        Raises
        ------
        ValueError
            If ``z``, ``drive`` or ``noise`` has not the shape that the simulator says; or for a Jacobian of a simulator
            without tangents.
        TypeError
            If a function does not compile or returns other numbers than the simulator says; the message names it.
        """
        check_arrays(self, z, trials, drive, noise)
        if with_jacobian and self.tangent is None:
            raise ValueError(f"simulator {self.name!r} has no tangent: it gives values only")
        drive, constants = in_precision(z.dtype.type, drive, constants)
        kernel = self._kernel_with_tangents if with_jacobian else self._kernel
        n_values = self.n_statistics * (1 + with_jacobian * self.n_parameters)
        per_parameter = self.n_tasks * trials
        means = np.empty((len(z), self.n_tasks, n_values))
        chunk = max(1, _SIMULATIONS_PER_CALL // per_parameter)
        for low in range(0, len(z), chunk):
            part, average = z[low : low + chunk], means[low : low + chunk]
            blocks = -(-len(part) * per_parameter // self.lanes)
            results = np.empty((n_values, blocks * self.lanes), z.dtype)
            run = Run(*key, first_index + low, trials, observe_from)
            given = self._by_block(noise, low * per_parameter, blocks)
            self._share(kernel, (part, run, drive, constants, *given, results), blocks, z.dtype)
            lane_kernels.average_over_trials(results, trials, average.reshape(-1, n_values))
        return self.unpack(means, with_jacobian)

    def trajectories(self, z, key, first_index, trials, drive, constants, noise=None):
        """Readouts of every simulation, float64: ndarray (n, n_tasks, trials, steps + 1, n_readout).

        Arguments as of `statistics`; row 0 of ``drive`` belongs to the initial state.
        """
        check_arrays(self, z, trials, drive, noise)
        drive, constants = in_precision(np.float64, drive, constants)
        values = np.empty((len(z), self.n_tasks, trials, len(drive), self.n_readout))
        if noise is None:
            noise = Noise(np.empty((0, self.n_initial)), np.empty((0, len(drive) - 1, self.n_noise)))
        arguments = (
            np.ascontiguousarray(z, dtype=np.float64), Run(*key, first_index, trials, 0), drive, constants, *noise,
            values.reshape(-1, len(drive), self.n_readout),
        )  # fmt: skip
        self._share(self._trajectory_kernel, arguments, values[..., 0, 0].size, np.float64)
        return values

    def _share(self, kernel, arguments, count, real):
        """Run the kernel on numba's threads; where it does not compile, say in a line which function is at fault."""
        try:
            share(partial(_call, kernel, arguments), count)
        except NumbaError as error:
            raise explanation(self, real, arguments[_CONSTANTS], error) from None

    def _by_block(self, noise, first, blocks):
        """Given numbers as kernels read them, flat: (blocks, n_initial, lanes) and (blocks, steps, n_noise, lanes)."""
        if noise is None:
            return np.empty(0), np.empty(0)
        # the lanes beyond the last simulation repeat it
        index = np.minimum(np.arange(blocks * self.lanes) + first, len(noise.initial) - 1)
        initial = noise.initial[index].reshape(blocks, self.lanes, self.n_initial)
        steps = noise.steps[index].reshape(blocks, self.lanes, -1, self.n_noise)
        return initial.transpose(0, 2, 1).ravel(), steps.transpose(0, 2, 3, 1).ravel()

    def unpack(self, means, with_jacobian):
        """Split averages over trials (n, n_tasks, k (1 + D) or k) into what `statistics` returns."""
        n, k, dim = len(means), self.n_statistics, self.n_parameters
        f = means[:, :, :k].reshape(n, self.n_tasks * k)
        f = np.where(np.isfinite(f), f, np.nan)
        if not with_jacobian:
            return f, None
        jacobian = means[:, :, k:].reshape(n, self.n_tasks * k, dim)
        return f, np.where(np.isfinite(f)[:, :, None], jacobian, np.nan)

    @cached_property
    def _kernel(self):
        return lane_kernels.statistics_kernel(self, with_tangents=False)

    @cached_property
    def _kernel_with_tangents(self):
        return lane_kernels.statistics_kernel(self, with_tangents=True)

    @cached_property
    def _trajectory_kernel(self):
        return lane_kernels.trajectory_kernel(self)


@dataclass(frozen=True)
class Job:
    """All that a simulation takes but its parameters: what a circuit hands to the drivers of any device.

    Attributes
    ----------
    simulator : Simulator
    trials : int
    drive : ndarray (steps + 1, n_drive)
    constants : NamedTuple
    noise : Noise, optional
    observe_from : int
        See `Simulator.statistics`.
    """

    simulator: Simulator
    trials: int
    drive: np.ndarray
    constants: tuple
    noise: Noise | None = None
    observe_from: int = 0

    def __post_init__(self):
        check_job(self, Simulator)

    @property
    def n_parameters(self):
        """D."""
        return self.simulator.n_parameters

    @property
    def n_statistics(self):
        """Statistics of a parameter: those of each task in turn."""
        return self.simulator.n_tasks * self.simulator.n_statistics

    @property
    def differentiable(self):
        """Whether the simulator has tangents."""
        return self.simulator.tangent is not None

    def statistics(self, z, key, first_index, with_jacobian):
        """Statistics (n, k) and Jacobian (n, k, D), or None, on the CPU: see `Simulator.statistics`."""
        return self.simulator.statistics(
            z, key, first_index, self.trials, self.drive, self.constants, with_jacobian, self.noise, self.observe_from
        )

    def trajectories(self, z, key):
        """Readouts (n, n_tasks, trials, steps + 1, n_readout): see `Simulator.trajectories`."""
        return self.simulator.trajectories(z, key, 0, self.trials, self.drive, self.constants, self.noise)


def _call(kernel, arguments, first, last):
    kernel(first, last, *arguments)


def in_precision(real, drive, constants):
    """Drive and constants as kernels take them: numbers of type ``real``, and tables as they are."""
    constants = type(constants)(*(c if isinstance(c, np.ndarray) else real(c) for c in constants))
    return np.ascontiguousarray(drive, dtype=real), constants
