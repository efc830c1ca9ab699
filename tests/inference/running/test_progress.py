"""Progress: what is said, where, and how often."""

import io
import logging
import sys
from types import SimpleNamespace
from typing import ClassVar

import numba
import numpy as np
import pytest

from numepi.inference.running.progress import Progress
from numepi.inference.running.run import RunState
from numepi.kernels.announce import to_people

STATE = RunState(
    epoch=2, iteration=100, entropy=1.5, violation_in_stderr=np.array([0.5, 3.25]), n_simulations=12_345,
    elapsed=30.0, remaining=90.0, solver=None, phase="fit", distance=0.0625,
)  # fmt: skip
LINE = (
    "fit, epoch 3, iteration 100, entropy 1.500 nats, KL 0.062 nats, worst constraint 3.2 s.e., 12,345 simulations, "
    "1:30 left"
)


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self):
        return True


class Bar:
    """What tqdm does with what it is given."""

    made: ClassVar = []

    def __init__(self, total, desc, bar_format):
        self.total, self.desc, self.n, self.said, self.closed = total, desc, 0, [], False
        Bar.made.append(self)

    def set_postfix_str(self, text):
        self.said.append((self.n, text))

    def close(self):
        self.closed = True


@pytest.fixture
def tqdm(monkeypatch):
    """A tqdm that is installed, whether or not one is."""
    monkeypatch.setattr(Bar, "made", [])
    monkeypatch.setitem(sys.modules, "tqdm", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "tqdm.auto", SimpleNamespace(tqdm=Bar))


def updated(progress, state=STATE):
    """The progress after an update that is due."""
    progress.interval = -1.0
    progress.update(state)
    return progress


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


def test_who_wants_no_progress_hears_of_no_circuits_compilation_either(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with Progress(False, "stg").announcing_compilation(), to_people("stg"):
        compiled()
    assert sys.stderr.getvalue() == ""


def test_a_terminal_shows_a_bar_where_tqdm_is_installed(tqdm, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    progress = updated(updated(Progress(True, "stg")))
    (bar,) = Bar.made
    assert (bar.total, bar.desc) == (100, "stg")
    assert bar.said == [(25, LINE)] * 2  # 30 of 120 seconds
    assert sys.stderr.getvalue() == "" and not bar.closed
    progress.close()
    assert bar.closed


def test_a_terminal_shows_a_line_where_tqdm_is_not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    monkeypatch.setattr(sys, "stderr", Terminal())
    updated(Progress(True, "stg")).close()
    assert sys.stderr.getvalue() == f"\rstg: {LINE}\x1b[K\n"


def test_a_file_gets_lines_and_a_notebook_a_bar(tqdm, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    updated(Progress(True, "stg")).close()
    assert sys.stderr.getvalue() == f"stg: {LINE}\n" and not Bar.made
    monkeypatch.setitem(sys.modules, "ipykernel", SimpleNamespace())
    updated(Progress(True, "stg")).close()
    assert len(Bar.made) == 1


def test_records_are_logged_now_and_then_whether_or_not_anything_is_printed(caplog):
    progress = Progress(False, "stg", io.StringIO())
    progress.update(STATE)
    with caplog.at_level(logging.INFO, logger="numepi"):
        progress.update(STATE)
        assert not caplog.records  # the last was just now
        progress._logged -= 11
        progress.update(STATE)
        progress.update(STATE)
    assert [record.getMessage() for record in caplog.records] == [f"stg: {LINE}"]
    assert progress.stream.getvalue() == ""
