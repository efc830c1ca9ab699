"""Findings on the superior colliculus, on 188 circuits drawn from the exact maximum-entropy solution.

They came from `Result.sample_corrected` (seed 5) of a fit with seed 0; the noise here is fresh.
"""

from pathlib import Path

import numpy as np
import pytest

import numepi as ne
from numepi.analysis import linear_trends, sc


@pytest.fixture(scope="module")
def circuits():
    return np.load(Path(__file__).parent / "sc_circuits.npz")["z"].astype(float)


def test_the_distribution_is_bent_and_linear_trends_miss_it(circuits):
    low, high = np.quantile(circuits[:, 0], [0.4, 0.6])
    right, left = circuits[circuits[:, 0] > high], circuits[circuits[:, 0] < low]
    assert np.corrcoef(right[:, 0], right[:, 2])[0, 1] < -0.5 < 0.5 < np.corrcoef(left[:, 0], left[:, 2])[0, 1]
    f = ne.circuits.SC().statistics(circuits, rng=11)
    # 188 circuits: a mean of spread 0.075 has a standard error of 0.006
    np.testing.assert_allclose(f.mean(axis=0), 0.75, atol=0.03)
    assert np.max(linear_trends(circuits, f).r ** 2) < 0.25


def test_delay_silencing_raises_the_anti_error_alone_then_flips_the_task(circuits):
    found = sc.silence(ne.circuits.SC(), circuits, [0.3, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0], rng=12)
    assert np.abs(found.mean_rise[:, 0]).max() < 0.03
    assert found.mean_rise[0, 1] < 0.02 and found.mean_rise[-1, 1] > 0.4
    assert found.gamma_at(0.07) == pytest.approx(0.675, abs=0.06)
    assert found.saturation() == pytest.approx(0.87, abs=0.06)
    flip = sc.task_flip(found.baseline[:, 0], found.accuracy[7, :, 1])
    assert flip.correlation < -0.5 and flip.rms < 0.5 * flip.rms_guessing
    assert flip.mean_anti == pytest.approx(flip.mean_flipped, abs=0.05)
    weak = sc.task_flip(found.baseline[:, 0], found.accuracy[3, :, 1])
    assert weak.correlation > -0.25
