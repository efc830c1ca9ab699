"""Which of these tests can run in this process: the simulator and the compiler exclude each other."""

import os
import shutil
from importlib.util import find_spec

import pytest

SIMULATOR = os.environ.get("NUMBA_ENABLE_CUDASIM", "0") == "1"


def device_error():
    """Why no device can be used, or None."""
    from numepi.simulation.cuda.device import require_device

    try:
        require_device()
    except (ImportError, RuntimeError) as error:
        return str(error)
    return None


def reason_to_skip(module):
    """Why the tests of a module cannot run here, or None."""
    if find_spec("numba_cuda") is None:
        return "needs numba-cuda (the extras cuda12, cuda13): run .ci/cuda"
    if module == "test_simulator":
        return None if SIMULATOR else "needs a process with NUMBA_ENABLE_CUDASIM=1: run .ci/cuda"
    if SIMULATOR:
        return "needs a process without NUMBA_ENABLE_CUDASIM: run .ci/cuda"
    if module == "test_translated_ptx" and shutil.which("gcc") is None:
        return "needs gcc, to compile translated PTX"
    return device_error() if module == "test_device" else None


def pytest_collection_modifyitems(items):
    reasons = {}
    for item in items:
        module = item.path.stem
        if item.path.parent.name == "cuda":
            if module not in reasons:
                reasons[module] = reason_to_skip(module)
            if reasons[module]:
                item.add_marker(pytest.mark.skip(reason=reasons[module]))
