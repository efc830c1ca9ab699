"""Progress of a run: a bar on terminals and in notebooks where tqdm is installed, else lines; and log records.

On a terminal without tqdm one line is rewritten; elsewhere there is a line now and then.  Whatever ``progress`` says,
the same lines go as records of level INFO to the logger "numepi", for clusters: ``logging.basicConfig(level="INFO")``
shows them.
"""

import logging
import sys
import time

import numpy as np

from numepi.kernels.announce import announcing, compiling_line

__all__ = ["Progress"]

_LOG = logging.getLogger("numepi")
_INTERVAL = 10.0  # seconds between lines that stay
_TERMINAL_INTERVAL = 0.2  # between those that are rewritten
_PERCENT = 100


class Progress:
    """Says what is being done, epoch, iteration, entropy, KL, worst constraint in standard errors, and the time left.

    Parameters
    ----------
    enabled : bool
        Whether to write to the stream; log records are made in any case.
    label : str
        Whose progress it is.
    stream : file, optional
        Default standard error, where a bar may take the lines' place.
    """

    def __init__(self, enabled, label, stream=None):
        self.label = label
        self.stream = sys.stderr if stream is None else stream
        self.enabled = enabled and self.stream is not None  # programs without a console have no standard error
        self.terminal = self.enabled and self.stream.isatty()
        self.interval = _TERMINAL_INTERVAL if self.terminal else _INTERVAL
        shows_bars = self.enabled and stream is None and (self.terminal or _in_notebook())
        self._bar_class = _bar_class() if shows_bars else None
        self._bar = None
        self._last = self._logged = time.monotonic()
        self._open = self._compiled = False

    def update(self, state):
        """Print ``state`` if the last line is old enough, and log it."""
        now = time.monotonic()
        if now - self._logged >= _INTERVAL and _LOG.isEnabledFor(logging.INFO):
            self._logged = now
            _LOG.info("%s: %s", self.label, _line(state))
        if not self.enabled or now - self._last < self.interval:
            return
        self._last = now
        if self._bar_class is not None:
            self._show(state)
            return
        line = f"{self.label}: {_line(state)}"
        self.stream.write(f"\r{line}\x1b[K" if self.terminal else line + "\n")
        self.stream.flush()
        self._open = self.terminal

    def _show(self, state):
        if self._bar is None:
            self._bar = self._bar_class(
                total=_PERCENT, desc=self.label, bar_format="{desc}: {percentage:3.0f}%|{bar:20}{postfix}"
            )
        self._bar.n = int(_PERCENT * state.elapsed / max(state.elapsed + state.remaining, 1e-9))
        self._bar.set_postfix_str(_line(state))

    def announcing_compilation(self):
        """A block in which compilation is announced, once; where there is no progress, in which none is."""
        return announcing(self.compiling if self.enabled else None)

    def compiling(self):
        """Print that kernels are being compiled, the first time that this is called."""
        if not self._compiled:
            self._compiled = True
            self.close()
            self.stream.write(compiling_line(self.label))
            self.stream.flush()

    def close(self):
        """End the rewritten line, or the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        if self._open:
            self.stream.write("\n")
            self.stream.flush()
            self._open = False


def _bar_class():
    """tqdm's bar for this terminal or notebook; None where it is not installed."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return None
    return tqdm


def _in_notebook():
    return "ipykernel" in sys.modules


def _line(state):
    """What is said of a state."""
    parts = [
        f"epoch {state.epoch + 1}, iteration {state.iteration}",
        f"entropy {state.entropy:.3f} nats",
        f"worst constraint {np.max(state.violation_in_stderr):.1f} s.e.",
        f"{state.n_simulations:,} simulations",
        f"{_clock(state.remaining)} left",
    ]
    if state.distance is not None:
        parts.insert(2, f"KL {state.distance:.3f} nats")
    if state.phase:
        parts.insert(0, state.phase)
    return ", ".join(parts)


def _clock(seconds):
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"
