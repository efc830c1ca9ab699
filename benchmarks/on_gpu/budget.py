"""What is left of the time, and whether a step is worth what it will take of it."""

import time

__all__ = ["Budget"]

# A single row may take this share of what is left: eight of them in a row leave a quarter.
_SHARE = 0.15


class Budget:
    """Seconds that a run may take in all.

    Parameters
    ----------
    seconds : float
    clock : callable
        Seconds from some moment on.
    """

    def __init__(self, seconds, clock=time.monotonic):
        self._clock, self._end = clock, clock() + seconds
        self._seen = {}

    @property
    def left(self):
        """Seconds."""
        return self._end - self._clock()

    def remember(self, key, size, seconds):
        """A step of that kind and size took so long."""
        self._seen.setdefault(key, {})[size] = seconds

    def predicted(self, key, size):
        """Seconds that a step will take, in proportion to the largest smaller one of its kind; None without one."""
        smaller = [known for known in self._seen.get(key, ()) if known <= size]
        return self._seen[key][max(smaller)] * size / max(smaller) if smaller else None

    def reason_to_skip(self, key, size):
        """Why a step should not be done, or None."""
        if self.left <= 0:
            return "the time was over"
        seconds = self.predicted(key, size)
        if seconds is not None and seconds > _SHARE * self.left:
            return f"{seconds:.0f} s predicted from a smaller batch, {self.left:.0f} s left"
        return None
