"""Shared fixtures."""

from pathlib import Path

import numba
import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(20210729)


@pytest.fixture(scope="session")
def golden():
    """Load a file of golden cases by name."""
    directory = Path(__file__).parent / "golden"
    return lambda name: dict(np.load(directory / f"{name}.npz"))


@pytest.fixture
def on_any_threads():
    """What a function returns, arrays in a tuple, found to be the same bits on one thread and on as many as there are.

    Where there is one thread only, it is asked twice: that still finds bits that depend on what ran before.
    """

    def answer(function):
        threads = numba.get_num_threads()
        together = function()
        numba.set_num_threads(1)
        try:
            alone = function()
        finally:
            numba.set_num_threads(threads)
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_array_equal(a, b)
        return together

    return answer
