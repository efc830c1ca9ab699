"""Shared fixtures."""

from pathlib import Path

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
