"""The loop around a solver: whose signals it takes."""

import os
import signal

import numpy as np
import pytest

import numepi as ne

QUICK = {
    "solver": "augmented-lagrangian", "initial": "uniform", "progress": False, "epochs": 1, "iterations_per_epoch": 6,
    "batch_size": 20, "test_batch_size": 20, "n_tests": 5,
}  # fmt: skip
LDS = ne.circuits.LDS()


@pytest.fixture
def handler():
    """Set a handler of SIGINT; the one before comes back."""
    before = signal.getsignal(signal.SIGINT)
    yield lambda new: signal.signal(signal.SIGINT, new)
    signal.signal(signal.SIGINT, before)


def interrupt(state):
    if state.iteration == 3:
        os.kill(os.getpid(), signal.SIGINT)


def quick(**changes):
    return ne.infer(LDS, LDS.emergent_property(), **(QUICK | changes))


def test_a_program_that_handles_or_ignores_ctrl_c_itself_keeps_doing_so(handler):
    seen = []

    def own(number, frame):
        seen.append(number)

    for chosen in (own, signal.SIG_IGN):
        handler(chosen)
        assert quick(callback=interrupt).status != "interrupted"
        assert signal.getsignal(signal.SIGINT) == chosen
    assert seen == [signal.SIGINT]


def test_a_handler_that_the_callback_sets_stays(handler):
    handler(signal.default_int_handler)

    def own(number, frame):
        pass

    quick(callback=lambda state: signal.signal(signal.SIGINT, own))
    assert signal.getsignal(signal.SIGINT) == own


def test_ctrl_c_in_a_run_within_a_callback_stops_both(handler):
    handler(signal.default_int_handler)
    inner = []

    def callback(state):
        if state.iteration == 2:
            inner.append(quick(callback=interrupt))

    outer = quick(callback=callback)
    assert (inner[0].status, outer.status) == ("interrupted", "interrupted")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_in_the_last_step_begins_no_other_seed(handler):
    handler(signal.default_int_handler)
    after = []

    def callback(state):
        if state.solver.finished and True not in after:
            os.kill(os.getpid(), signal.SIGINT)
        after.append(state.solver.finished)

    result = quick(callback=callback, n_seeds=2)
    assert after.count(True) == 1 and after[-1]  # the second seed's steps followed
    assert result.ended["status"] == "interrupted" and np.isfinite(result.entropy)


def test_a_program_without_standard_error_can_run(monkeypatch):
    monkeypatch.setattr("sys.stderr", None)
    assert quick(progress=True).n_simulations > 0
