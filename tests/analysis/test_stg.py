"""The hub's frequency over the conductance plane."""

import numpy as np
import pytest

import numepi as ne
from numepi.analysis import stg


@pytest.mark.slow
def test_the_map_holds_the_frequency_of_each_grid_point():
    circuit = ne.circuits.STG()
    plane = stg.frequency_map(circuit, points=7)
    assert plane.frequency.shape == (7, 7)
    # hub near the slow pair's rhythm, the fast one's, or between
    assert 0.3 < plane.frequency.min() < 0.5 and 0.55 < plane.frequency.max() < 0.75
    point = np.array([[plane.g_el[5], plane.g_synA[2]]])
    quiet = ne.circuits.STG(noise=0.0)
    np.testing.assert_allclose(plane.frequency[2, 5], quiet.statistics(point)[0, 0])
