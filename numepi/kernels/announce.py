"""Says that kernels are being compiled: a first call that takes long is no hanging one.

Numba tells listeners of every function that it compiles, and of none that comes from its cache.  Blocks nest: only the
outermost speaks, so that a run that announces its compilation, or was asked to be silent, has the say over the circuits
that it calls.
"""

import multiprocessing
import sys
from contextlib import contextmanager

from numba.core import event

__all__ = ["announcing", "compiling_line", "to_people"]

_KIND = "numba:compile"
_open: list[object] = []  # the blocks that are open, of all threads: numba's listeners hear of all threads, too


@contextmanager
def announcing(say):
    """Call ``say()`` when something is compiled within the block, each time; None says nothing."""
    block = object()
    _open.append(block)
    try:
        if say is None or len(_open) > 1:
            yield
        else:
            listener = _Compilation(say)
            event.register(_KIND, listener)
            try:  # which numba's own install_listener does not: it goes on listening after an exception
                yield
            finally:
                event.unregister(_KIND, listener)
    finally:
        _open.remove(block)


@contextmanager
def to_people(name):
    """A line on standard error, once, when ``name`` is compiled within the block and somebody looks on.

    That is on a terminal or in a notebook, and not in the workers of a pool.
    """
    said = []

    def say():
        if not said:
            said.append(True)
            sys.stderr.write(compiling_line(name))
            sys.stderr.flush()

    with announcing(say if _somebody_looks_on() else None):
        yield


def compiling_line(name):
    """What is said."""
    return f"{name}: compiling kernels, once: later runs find them in the cache\n"


def _somebody_looks_on():
    return (
        sys.stderr is not None  # programs without a console have none
        and (sys.stderr.isatty() or "ipykernel" in sys.modules)
        and multiprocessing.parent_process() is None
    )


class _Compilation(event.Listener):
    """Hears of every kernel that numba compiles."""

    def __init__(self, say):
        self._say = say

    def on_start(self, event):
        self._say()

    def on_end(self, event):
        """There is nothing to say."""
