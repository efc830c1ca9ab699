"""Which room of the package a thread is in, looked up many times a second: where the time of a whole fit goes."""

import sys
import threading
from collections import Counter
from pathlib import Path

import numepi

__all__ = ["Rooms"]

_INTERVAL = 0.005  # seconds
_PACKAGE = Path(numepi.__file__).parent
# What they do they do for the room that called them; a simulation is one from the circuit's method on.
_SHARED, _OF_SIMULATIONS = ("kernels", "worker_threads"), ("circuits", "simulation")


class Rooms:
    """Within ``with``, counts in which room the thread that entered it is found; see `shares`."""

    def __enter__(self):
        self._seen, self._over = Counter(), threading.Event()
        self._thread = threading.Thread(target=self._look, args=(threading.get_ident(),), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._over.set()
        self._thread.join()

    def _look(self, watched):
        while not self._over.wait(_INTERVAL):
            self._seen[_room(sys._current_frames()[watched])] += 1

    def shares(self):
        """Share of the time by room, the largest first."""
        total = sum(self._seen.values())
        return {room: count / total for room, count in self._seen.most_common()}


def _room(frame):
    """The room of the innermost frame that lies in one which does not work for others."""
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(_PACKAGE):
            room = path.relative_to(_PACKAGE).parts[0].removesuffix(".py")
            if room not in _SHARED:
                return "simulation" if room in _OF_SIMULATIONS else room
        frame = frame.f_back
    return "outside"
