"""Which of these tests can run in this process: the simulator and the compiler exclude each other."""

import os
from importlib.util import find_spec

import pytest

SIMULATOR = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") == "1"
NEEDS = {
    "test_simulator": (SIMULATOR, "needs a process with NUMBA_ENABLE_CUDASIM=1: run .ci/cuda"),
}


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.parent.name != "cuda":
            continue
        possible, reason = NEEDS[item.path.stem]
        if find_spec("numba_cuda") is None:
            possible, reason = False, "needs numba-cuda (the extras cuda12, cuda13): run .ci/cuda"
        if not possible:
            item.add_marker(pytest.mark.skip(reason=reason))
