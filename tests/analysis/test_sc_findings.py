"""Findings on the superior colliculus, on 188 circuits of the exact maximum-entropy solution and 162 by brute force.

The first came from `Result.sample_corrected` (seed 5) of a fit with seed 0.  The others owe nothing to a fit: 440,000
uniform draws (seed 11), kept if both accuracies lay within (0.4, 0.999) in 16 trials and then, as in the paper, within
(0.6, 0.9) in 200.  The noise here is fresh.
"""

from pathlib import Path

import numpy as np
import pytest

import numepi as ne
from numepi.analysis import linear_trends, mode_path, perturb, ridge_path, sc, sensitivity, simulator_metric
from numepi.circuits.sc.connectivity import eigenvalues


@pytest.fixture(scope="module")
def circuits():
    return np.load(Path(__file__).parent / "sc_circuits.npz")["z"].astype(float)


@pytest.fixture(scope="module")
def brute_force():
    return np.load(Path(__file__).parent / "sc_brute_force.npz")["z"].astype(float)


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


def test_the_anti_error_rises_by_half_where_it_has_saturated_and_one_more_step_moves_that(circuits, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "examples")
    from paper.sc import LongerDelay

    gammas = [0.6, 0.65, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0]
    found, longer = (sc.silence(kind(), circuits, gammas, rng=12) for kind in (ne.circuits.SC, LongerDelay))
    rise = found.mean_rise[:, 1]
    assert rise[6] == pytest.approx(0.5, abs=0.03) and 0.3 < rise[4] < 0.45
    assert longer.mean_rise[4, 1] == pytest.approx(0.5, abs=0.03)
    assert found.saturation() == pytest.approx(0.89, abs=0.02) and longer.saturation() == pytest.approx(0.85, abs=0.02)
    assert LongerDelay(silencing=0.5).time[50] == pytest.approx(1.2)


def test_from_the_ends_of_the_exact_ridge_the_two_regimes_are_as_in_the_paper(circuits):
    circuit = ne.circuits.SC(trials=2000)
    start = circuits[np.argmin(np.abs(circuits[:, 0] - 1))]
    path = ridge_path(circuit, "sW", np.linspace(1, -1, 21), start, circuit.emergent_property(), rng=0)
    # at sW = 1 the greatest Anti accuracy is near 0.75, and in this draw of the noise below it
    assert path.on_target[1:].all() and np.abs(path.statistics - 0.75).max() < 0.03
    assert path.z[-1, 2] == pytest.approx(-1.47, abs=0.1) and path.z[-1, 3] < -2.1
    ends = path.z[[0, -1]]
    metric = simulator_metric(circuit, ends, circuit.emergent_property(), rng=1, sign={"hW": -1})
    directions = {"v1": metric.vectors[:, 0], "diag": sc.eigenmode_directions()["diag"]}
    moved = perturb(circuit, ends, directions, [-0.25, 0, 0.25], rng=5)
    assert sc.anti_response(moved, "v1", threshold=0.05).tolist() == [0, 1]  # falls both ways, rises with Pro
    anti = moved.along("diag")[:, :, 1]
    assert anti[0, 2] - anti[0, 1] < -0.05 and anti[1, 2] - anti[1, 1] > 0.05


def test_the_papers_continuation_on_a_fitted_flow_follows_the_same_ridge():
    q = ne.load(Path(__file__).parents[2] / "docs" / "findings" / "fits" / "sc-dual-0.npz").distribution
    path = mode_path(q, "sW", np.arange(1, -1.01, -0.25), method="ascent", n_starts=1)
    assert path.z[-1, 2] == pytest.approx(-1.47, abs=0.1) and path.z[-1, 3] < -2.1  # the other ridge: -1.2
    # 2000 trials: a standard error of 0.01
    np.testing.assert_allclose(ne.circuits.SC(trials=2000).statistics(path.z, rng=4), 0.75, atol=0.08)
    ends = path.z[[0, -1]]
    found = sensitivity(q, ends, sign={"hW": -1})
    moved = perturb(ne.circuits.SC(trials=1000), ends, {"v1": found.v1}, [-0.25, 0, 0.25], rng=5)
    assert sc.anti_response(moved, "v1", threshold=0.05).tolist() == [0, 1]  # falls both ways, rises with Pro


def test_anti_accuracy_falls_both_ways_where_sw_is_high_and_follows_pro_accuracy_where_it_is_low(brute_force):
    circuit = ne.circuits.SC()
    metric = simulator_metric(circuit, brute_force, circuit.emergent_property(), draws=2, sign={"hW": -1})
    moved = perturb(circuit, brute_force, {"v1": metric.vectors[:, 0]}, [-0.25, 0, 0.25], rng=13)
    kind = sc.anti_response(moved, "v1")
    high, low = brute_force[:, 0] > 0.25, brute_force[:, 0] < -0.5
    assert np.mean(kind[high] == 0) > 0.7 and np.mean(kind[low] == 0) < 0.2
    assert np.mean(kind[low] == 1) > np.mean(kind[low] == 2)


def test_the_loss_of_anti_accuracy_is_a_matter_of_task_strength_and_spares_circuits_of_high_sw(brute_force):
    # the paper finds it in its regime 1 alone, and regime 1 is high sW by its Figure 4D
    found = sc.silence(ne.circuits.SC(), brute_force, [0.5, 0.6, 0.65, 0.675, 0.7, 0.8], rng=14)
    assert found.gamma_at(0.07) == pytest.approx(0.675, abs=0.03)
    rise, sw = found.rise[3, :, 1], brute_force[:, 0]
    assert rise[sw > 0.75].mean() < 0.02 and rise[sw < -0.25].mean() > 0.05
    inside = sw < 0.5
    assert np.corrcoef(eigenvalues(brute_force[inside])[:, 2], rise[inside])[0, 1] < -0.5
    assert np.median(rise[inside]) < 0.03 and np.quantile(rise[inside], 0.9) > 0.2
