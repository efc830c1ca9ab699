"""Eigenmode directions, silencing and the task flip."""

import numpy as np
import pytest

import numepi as ne
from numepi.analysis import Perturbation, sc
from numepi.circuits.sc.connectivity import EIGENMODE_NAMES, eigenvalues

Z = np.array([[-0.5, -3.6, -1.5, -1.7], [0.2, -3.2, -1.2, -2.4], [-1.2, -4.0, -1.8, -1.6]])


def test_each_direction_raises_one_eigenvalue_alone():
    directions = sc.eigenmode_directions()
    assert tuple(directions) == EIGENMODE_NAMES
    for i, vector in enumerate(directions.values()):
        assert np.linalg.norm(vector) == pytest.approx(1)
        change = eigenvalues(Z[0] + vector) - eigenvalues(Z[0])
        np.testing.assert_allclose(change, 2 * np.eye(4)[i], atol=1e-12)
    np.testing.assert_allclose(directions["task"], [0.5, -0.5, 0.5, -0.5])


def test_silencing_of_strength_zero_changes_nothing_and_strong_silencing_hurts_anti():
    circuit = ne.circuits.SC(trials=100)
    found = sc.silence(circuit, Z, [0.0, 0.9], rng=3)
    np.testing.assert_array_equal(found.accuracy[0], found.baseline)
    np.testing.assert_array_equal(found.baseline, circuit.statistics(Z, rng=3))
    assert found.rise.shape == (2, 3, 2) and found.mean_rise[1, 1] > 0.1
    total = sc.silence(circuit, Z, 0.9, window="total", rng=3)
    assert not np.array_equal(total.accuracy[0], found.accuracy[1])


def test_the_strength_of_a_given_rise_is_interpolated():
    gammas = np.array([0.0, 0.5, 0.7, 0.9, 1.0])
    rise = np.array([0.0, 0.02, 0.12, 0.3, 0.3])
    baseline = np.full((2, 2), 0.75)
    accuracy = baseline - np.stack([0 * rise, rise], axis=1)[:, None, :] * np.array([[[1.0], [1.0]]])
    found = sc.Silencing(gammas, "delay", baseline, accuracy)
    assert found.gamma_at(0.07) == pytest.approx(0.6)
    assert found.saturation() == pytest.approx(0.7 + 0.2 * (0.285 - 0.12) / 0.18)
    assert np.isnan(found.gamma_at(0.5)) and np.isnan(found.gamma_at(0.01, "pro"))
    assert found.gamma_at(0.0) == 0.0


def test_trends_are_against_the_eigenvalues(rng):
    z = rng.normal(size=(50, 4))
    error = -0.3 * eigenvalues(z)[:, 2]
    found = sc.eigenvalue_trends(z, error)
    assert found.parameter_names == EIGENMODE_NAMES
    assert found.slope[0, 2] == pytest.approx(-0.3) and found.r[0, 2] == pytest.approx(-1)


def test_a_flipped_task_is_told_from_guessing(rng):
    pro = rng.uniform(0.6, 0.9, 300)
    flipped = sc.task_flip(pro, 1 - pro + 0.01 * rng.normal(size=300))
    assert flipped.correlation < -0.95 and flipped.rms < 0.02 < flipped.rms_guessing
    assert flipped.slope == pytest.approx(-1, abs=0.05) and flipped.mean_anti == pytest.approx(0.25, abs=0.02)
    guessing = sc.task_flip(pro, 0.5 + 0.01 * rng.normal(size=300))
    assert abs(guessing.correlation) < 0.2 and guessing.rms > 0.2 > guessing.rms_guessing


def test_the_response_of_anti_accuracy_is_named_by_its_two_sides():
    pro = [[0.6, 0.7, 0.8], [0.6, 0.7, 0.8], [0.6, 0.7, 0.8], [0.9, 0.7, 0.5], [0.6, 0.7, 0.8]]
    anti = [[0.5, 0.7, 0.6], [0.6, 0.7, 0.69], [0.8, 0.7, 0.5], [0.8, 0.7, 0.5], [0.8, 0.7, 0.9]]
    accuracy = np.stack([pro, anti], axis=-1)[:, None]
    moved = Perturbation(("v1",), np.array([-0.25, 0, 0.25]), None, accuracy, None, ("p_pro", "p_anti"))
    assert [sc.RESPONSES[kind] for kind in sc.anti_response(moved, "v1")] == [
        "falls both ways", "rises with Pro", "falls as Pro rises", "rises with Pro", "rises both ways",
    ]  # fmt: skip
