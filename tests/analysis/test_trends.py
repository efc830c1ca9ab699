"""Linear trends against scipy, one pair at a time."""

import numpy as np
import pytest
from scipy import stats

from numepi.analysis import linear_trends


def test_every_pair_agrees_with_linregress(rng):
    z = rng.normal(size=(40, 3))
    f = np.stack([z @ [1.0, -2.0, 0.0] + rng.normal(size=40), rng.normal(size=40)], axis=1)
    found = linear_trends(np.vstack([z, np.ones(3)]), np.vstack([f, [np.nan, 0]]), ("a", "b", "c"), ("s", "t"))
    for i in range(2):
        for j in range(3):
            line = stats.linregress(z[:, j], f[:, i])
            expected = (line.slope, line.rvalue, line.pvalue)
            np.testing.assert_allclose([found.slope[i, j], found.r[i, j], found.p[i, j]], expected, rtol=1e-9)
    assert "s                b" in str(found) and len(str(found).splitlines()) == 7


def test_a_perfect_line_and_bad_shapes(rng):
    z = rng.normal(size=(10, 1))
    assert linear_trends(z, 3 * z).p[0, 0] < 1e-12
    with pytest.raises(ValueError, match="expected"):
        linear_trends(z, np.zeros((9, 1)))
    with pytest.raises(ValueError, match="a trend needs three"):
        linear_trends(z[:2], z[:2])
