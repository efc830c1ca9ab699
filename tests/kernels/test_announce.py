"""Compilation is announced: by the outermost block, once, to people who look on."""

import io
import multiprocessing
import sys

import numba
import numpy as np
import pytest

import numepi as ne
from numepi.kernels.announce import announcing, compiling_line, to_people


class Terminal(io.StringIO):
    def isatty(self):
        return True


def compiled():
    """Call a function that no cache knows."""
    return numba.njit(lambda x: x + 1)(1)


def test_the_outermost_block_speaks_and_nobody_after_it():
    said = []
    with announcing(lambda: said.append("outer")), announcing(lambda: said.append("inner")):
        compiled()
    assert set(said) == {"outer"}
    with pytest.raises(ZeroDivisionError), announcing(lambda: said.append("failed")):
        _ = 1 / 0
    compiled()
    assert set(said) == {"outer"}, "a block that failed still listens"
    with announcing(None), announcing(lambda: said.append("in silence")):
        compiled()
    assert set(said) == {"outer"}
    with announcing(lambda: said.append("again")):
        compiled()
    assert said[-1] == "again"


def test_a_circuits_first_call_is_announced_once(monkeypatch):
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())

    def growth(z):
        return compiled() + z[:, :1]

    circuit = ne.FunctionCircuit(growth, ne.Support([0.0], [1.0]), ("a",), ("s",), name="growth")
    for call in (circuit.statistics, circuit.statistics):
        call(np.array([[0.5], [0.6]]))
        assert terminal.getvalue() == compiling_line("growth")
        terminal.seek(0)
        terminal.truncate()
    known = ne.circuits.LDS()
    known.simulate(np.zeros((1, 4)))
    terminal.seek(0)
    terminal.truncate()
    known.simulate(np.zeros((1, 4)))
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("where", ["in a file", "in a worker", "without a console"])
def test_where_nobody_looks_on_nothing_is_said(where, monkeypatch):
    stream = io.StringIO() if where == "in a file" else Terminal()
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    if where == "in a worker":
        monkeypatch.setattr(multiprocessing, "parent_process", object)
    monkeypatch.setattr(sys, "stderr", None if where == "without a console" else stream)
    with to_people("stg"):
        compiled()
    assert stream.getvalue() == ""


def test_a_notebook_is_told(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.setitem(sys.modules, "ipykernel", object())
    with to_people("stg"):
        compiled()
    assert sys.stderr.getvalue() == "stg: compiling kernels, once: later runs find them in the cache\n"
