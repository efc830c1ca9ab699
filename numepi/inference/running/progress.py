"""Progress of a run on standard error: one line that is rewritten on a terminal, a line now and then elsewhere."""

import sys
import time
from contextlib import contextmanager

import numpy as np
from numba.core import event

__all__ = ["Progress"]


class Progress:
    """Prints epoch, iteration, entropy, worst constraint in standard errors, and the time left."""

    def __init__(self, enabled, label, stream=None):
        self.label = label
        self.stream = sys.stderr if stream is None else stream
        self.enabled = enabled and self.stream is not None  # programs without a console have no standard error
        self.terminal = self.enabled and self.stream.isatty()
        self.interval = 0.2 if self.terminal else 10.0
        self._last = time.monotonic()
        self._open = self._compiled = False

    def update(self, state):
        """Print ``state`` if the last line is old enough."""
        now = time.monotonic()
        if not self.enabled or now - self._last < self.interval:
            return
        self._last = now
        worst = np.max(state.violation_in_stderr)
        line = (
            f"{self.label}: epoch {state.epoch + 1}, iteration {state.iteration}, entropy {state.entropy:.3f} nats, "
            f"worst constraint {worst:.1f} s.e., {state.n_simulations:,} simulations, {_clock(state.remaining)} left"
        )
        self.stream.write(f"\r{line}\x1b[K" if self.terminal else line + "\n")
        self.stream.flush()
        self._open = self.terminal

    @contextmanager
    def announcing_compilation(self):
        """Say so, once, when kernels are compiled within the block: a first call that takes long is no hanging one."""
        if not self.enabled:
            yield
            return
        with event.install_listener("numba:compile", _Compilation(self)):
            yield

    def compiling(self):
        """Print that kernels are being compiled, the first time that this is called."""
        if not self._compiled:
            self._compiled = True
            self.close()
            self.stream.write(f"{self.label}: compiling kernels, once: later runs find them in the cache\n")
            self.stream.flush()

    def close(self):
        """End the rewritten line."""
        if self._open:
            self.stream.write("\n")
            self.stream.flush()
            self._open = False


class _Compilation(event.Listener):
    """Hears of every kernel that numba compiles, and of none that comes from its cache."""

    def __init__(self, progress):
        self.progress = progress

    def on_start(self, event):
        self.progress.compiling()

    def on_end(self, event):
        """There is nothing to say."""


def _clock(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
