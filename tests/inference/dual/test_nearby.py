"""Local means of what the rows next to a place say."""

import numpy as np
import pytest

from numepi.inference.dual.nearby import among_themselves, many_places, surely


def test_neighbours_are_the_nearest_in_units_of_the_rows_own_spread(rng):
    """Two clusters apart on an axis a thousand times shorter than the other: eight rows of the same cluster."""
    n = 400
    side = np.arange(n) % 2
    rows = np.column_stack([1e-3 * (side + 0.01 * rng.random(n)), rng.random(n)])
    np.testing.assert_allclose(surely(rows, side + 0.0, np.array([[0.0, 0.5], [1e-3, 0.5]])), [0.0, 1.0])


def test_a_mean_loses_its_standard_error(rng):
    rows = rng.random((40_000, 2))
    found = surely(rows, rng.normal(size=len(rows)), rng.random((2000, 2)))
    # standard errors of eight, and of 2,000 means of them that share rows
    assert found.mean() == pytest.approx(-0.965 * np.sqrt(1 / 8), abs=0.05)
    assert found.std() == pytest.approx(np.sqrt(1 / 8), rel=0.15)


def test_a_rows_own_value_has_no_part_in_its_mean(rng):
    rows, values = rng.random((500, 2)), np.zeros(500)
    values[7] = 80.0
    found = among_themselves(rows, values)
    assert found[7] == 0.0 and set(found) == {0.0, 10.0}


@pytest.mark.parametrize("n, dim, many", [(400, 2, True), (380, 2, False), (8100, 3, True), (60_000, 4, False)])
def test_places_are_counted_on_each_axis(n, dim, many):
    assert many_places(np.zeros((n, dim))) is many
