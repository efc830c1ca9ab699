"""The loop around a solver: budgets, checkpoints, progress, callbacks and a clean stop on Ctrl-C."""

from __future__ import annotations

import signal
import threading
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from numepi.arguments import check_count, check_number
from numepi.flow import FlowDistribution

__all__ = ["Budget", "Outcome", "RunState", "run"]


@dataclass(frozen=True)
class Budget:
    """What a run may spend on fitting; None is no limit."""

    max_simulations: int | None = None
    max_time: float | None = None

    def __post_init__(self):
        if self.max_simulations is not None:
            check_count("max_simulations", self.max_simulations)
        if self.max_time is not None:
            check_number("max_time", self.max_time, above=0, open_ended=True)

    def exhausted_by(self, solver, elapsed):
        """The name of the budget that the next step would exceed, or None."""
        planned = solver.problem.n_simulations + solver.simulations_per_step + solver.reserve
        if self.max_simulations is not None and planned > self.max_simulations:
            return "max_simulations"
        if self.max_time is not None and elapsed >= self.max_time:
            return "max_time"
        return None


@dataclass(frozen=True)
class Outcome:
    """Why a run ended: ``status`` ("finished", "budget", "interrupted", "stopped" or "failed") and details."""

    status: str
    detail: str
    elapsed: float


@dataclass(frozen=True)
class RunState:
    """What a callback sees after a step.

    Attributes
    ----------
    epoch, iteration : int
    entropy : float
        Of the last batch, nats (relative to the prior when there is one).
    violation_in_stderr : ndarray (m,)
        |E[T] - target| of the last batch in its standard errors.
    n_simulations : int
    elapsed, remaining : float
        Seconds spent in this process, and an estimate of those to come if the budget ends the run; a certificate that
        says enough ends it before.
    phase : str
        What is being done, where the solver says so; else empty.
    distance : float, optional
        KL(q || p*) by the solver's last certificate, nats; None where it has none.
    solver : object
        The running solver, to be read only.
    """

    epoch: int
    iteration: int
    entropy: float
    violation_in_stderr: np.ndarray
    n_simulations: int
    elapsed: float
    remaining: float
    solver: Any  # a Solver
    phase: str = ""
    distance: float | None = None

    @property
    def distribution(self) -> FlowDistribution:
        """The current flow as a distribution."""
        return FlowDistribution(self.solver.flow, self.solver.theta, self.solver.problem.circuit.parameter_names)


def run(solver, budget, checkpoint, progress, callback):
    """Advance ``solver`` until it is finished or something ends it; return the `Outcome`.

    Ctrl-C ends the run after the step in hand, with its state saved; a second one at once.  An error that the callback
    raises passes through, after the state is saved.
    """
    start = time.perf_counter()
    with _DeferredInterrupt() as interrupt:
        try:
            if not checkpoint.restore_into(solver):
                solver.initialise()
            first = solver.steps_done
            outcome = None
            while outcome is None and not solver.finished:
                elapsed = time.perf_counter() - start
                spent = budget.exhausted_by(solver, elapsed)
                if spent is not None:
                    outcome = Outcome("budget", f"{spent} was reached", elapsed)
                elif interrupt.requested:
                    outcome = Outcome("interrupted", "stopped by Ctrl-C", elapsed)
                else:
                    solver.step()
                    state = _state(solver, start, first)
                    progress.update(state)
                    checkpoint.save_if_due(solver)
                    try:
                        outcome = _call(callback, state)
                    except Exception:
                        checkpoint.save(solver)
                        raise
            checkpoint.save(solver)
        except KeyboardInterrupt:
            # The step was cut: its state may be half updated, so the last checkpoint stands.
            outcome = Outcome("interrupted", "stopped at once by Ctrl-C", time.perf_counter() - start)
            if solver.theta is None:
                raise
        finally:
            progress.close()
    elapsed = time.perf_counter() - start
    if outcome is None and interrupt.requested:  # in what turned out to be the last step: other seeds are not begun
        outcome = Outcome("interrupted", solver.failure or "stopped by Ctrl-C in its last step", elapsed)
    elif outcome is None:
        outcome = Outcome("failed", solver.failure, elapsed) if solver.failure else Outcome("finished", "", elapsed)
    return outcome


def _call(callback, state):
    if callback is not None:
        try:
            callback(state)
        except StopIteration as stop:
            return Outcome("stopped", str(stop) or "stopped by the callback", state.elapsed)
    return None


def _state(solver, start, first):
    elapsed = time.perf_counter() - start
    done = solver.steps_done - first
    trace = solver.trace["entropy"]
    return RunState(
        epoch=solver.epoch,
        iteration=solver.iteration,
        entropy=trace[-1] if len(trace) else float("nan"),
        violation_in_stderr=solver.violation_in_stderr,
        n_simulations=solver.problem.n_simulations,
        elapsed=elapsed,
        remaining=elapsed / max(done, 1) * (solver.n_steps - solver.steps_done),
        solver=solver,
        phase=getattr(solver, "phase", ""),
        distance=getattr(solver, "distance", None),
    )


class _DeferredInterrupt:
    """Turn the first SIGINT into a request to stop, where it would raise KeyboardInterrupt.

    A program that handles or ignores the signal in its own way keeps that, and so do threads other than the main one.
    """

    def __init__(self):
        self.requested = False
        self._previous = None  # handler that this one stands in for

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            found = signal.getsignal(signal.SIGINT)
            if found is signal.default_int_handler or isinstance(getattr(found, "__self__", None), _DeferredInterrupt):
                self._previous = found
                signal.signal(signal.SIGINT, self._handle)
        return self

    def _handle(self, number, frame):
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True
        if self._previous is not signal.default_int_handler:
            self._previous(number, frame)  # a run within a run's callback: both stop

    def __exit__(self, *exception):
        if self._previous is not None and signal.getsignal(signal.SIGINT) == self._handle:
            signal.signal(signal.SIGINT, self._previous)
