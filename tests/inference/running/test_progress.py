"""Progress: what is said, where, and how often."""

import io

import numba

from numepi.inference.running.progress import Progress


def compiled():
    """Call a function that no cache knows."""
    return numba.njit(lambda x: x + 1)(1)


def test_compilation_is_announced_once_and_only_where_there_is_any():
    stream = io.StringIO()
    progress = Progress(True, "stg", stream)
    known = numba.njit(lambda x: x + 2)
    known(1)
    with progress.announcing_compilation():
        known(1)
    assert stream.getvalue() == ""
    with progress.announcing_compilation():
        compiled()
        compiled()
    assert stream.getvalue() == "stg: compiling kernels, once: later runs find them in the cache\n"


def test_nothing_is_announced_after_the_block_or_without_progress():
    stream = io.StringIO()
    progress = Progress(True, "stg", stream)
    with progress.announcing_compilation():
        pass
    compiled()
    silent = Progress(False, "stg", stream)
    with silent.announcing_compilation():
        compiled()
    assert stream.getvalue() == ""
