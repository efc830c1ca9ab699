"""The gallery of models: what is known of each."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

import numepi as ne

DIRECTORY = Path(__file__).parents[3] / "examples" / "models"


@pytest.fixture
def load(monkeypatch):
    monkeypatch.syspath_prepend(DIRECTORY)
    yield importlib.import_module
    for path in DIRECTORY.glob("*.py"):
        sys.modules.pop(path.stem, None)


# a model, where it is simulated, and its statistics: exact, published (see its script), or as found with half the step
KNOWN = {
    "fitzhugh_nagumo": ([0.5, 0.08], [39.474, 1.3352], 1e-3),
    "morris_lecar": ([95.0, 4.4], [91.18], 1e-3),
    "hodgkin_huxley": ([10.0, 120.0, 36.0], [1000 / 68.2, 2.139], 2e-3),
    "adaptive_exponential": ([1000.0, 80.5], [26.21, 0.2783], 2e-3),
    "lotka_volterra": ([1.5, 0.8], [2 * np.pi / np.sqrt(1.2), 1.7156], 5e-3),
    "sir": ([0.4, 0.1], [34.84, 1 - (1 + np.log(4.0)) / 4.0], 2e-3),
}


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_known(name, load):
    z, expected, error = KNOWN[name]
    np.testing.assert_allclose(load(name).model().statistics([z])[0], expected, rtol=error)


def test_noisy_models(load):
    intervals = load("integrate_and_fire").model().statistics([[1.5, 0.01], [0.9, 0.5]])
    # nearly without noise: the closed form; Euler's steps of tau / 200 add up to half a step
    np.testing.assert_allclose(intervals[0, 0], 2 + 20 * np.log(1.5 / 0.5), rtol=0.01)
    assert intervals[0, 1] < 0.05 and 0.3 < intervals[1, 1] < 1.0
    oscillates, rests = load("wilson_cowan").model(5).statistics([[16.0, 12.0, 1.25], [13.0, 12.0, 1.0]])
    assert oscillates[0] > 3 * rests[0] and oscillates[2] > 10 * rests[2]
    remembers, forgets = load("gene_switch").model(5).statistics([[4.0, 1.0], [1.5, 1.0]])[:, 0]
    assert remembers > 0.95 and 0.2 < forgets < 0.8


def test_the_ring_keeps_its_bump(load):
    ring = load("ring_attractor").model()
    flat, bump = ring.statistics([[2.0, 1.0], [2.0, 6.0]])[:, 0]
    assert abs(flat) < 1e-6 and bump > 0.5
    assert ne.check_jacobian(ring, np.array([[2.0, 6.0], [3.0, 5.0]]), tolerance=1e-4).ok


def test_every_script_is_in_the_documentation():
    page = (DIRECTORY.parents[1] / "docs" / "models.md").read_text()
    for path in DIRECTORY.glob("*.py"):
        assert path.stem == "gallery" or (
            f"({'../examples/models/' + path.name})" in page and path.stem + ".png" in page
        )
