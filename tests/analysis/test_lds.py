"""Analytic contours of the linear system."""

import numpy as np

import numepi as ne
from numepi.analysis import lds


def test_contours_are_where_the_statistics_say():
    circuit = ne.circuits.LDS(tau=2.0)
    a12 = np.concatenate([np.linspace(-9, -1, 5), np.linspace(1, 9, 5)])
    a21 = lds.frequency_contour(3.0, a12, difference=1.5, tau=2.0)
    a11 = np.linspace(0.1, 1.0, 10)
    z = np.stack([a11, a12, a21, a11 - 1.5], axis=1)
    np.testing.assert_allclose(circuit.statistics(z)[:, 1], 3.0)
    z[:, 3] = lds.growth_contour(0.25, a11, tau=2.0)
    np.testing.assert_allclose(circuit.statistics(z)[:, 0], 0.25)


def test_shares():
    assert lds.rotation_share([[0, 1, 0, 0], [0, -1, 0, 0], [0, 2, 0, 0], [0, 3, 0, 0]]) == 0.75
    prop = ne.circuits.LDS().emergent_property()
    f = np.array([[0.0, 6.3], [0.6, 6.3], [0.0, 9.0], [0.4, 7.0]])
    assert lds.share_within(f, prop) == 0.5
    assert lds.share_within(f, prop, 1.0) == 0.25
