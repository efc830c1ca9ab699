"""Brute force by uniform draws."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import numepi as ne
from numepi.analysis import brute_force

SQUARE = ne.Support([0.0, 0.0], [1.0, 2.0])


def half(f):
    return f[:, 0] < 0.5


def circuit():
    def statistics(z):
        f = z.copy()
        f[z[:, 1] > 1] = np.nan
        return f

    return ne.circuits.FunctionCircuit(statistics, SQUARE, ("a", "b"), ("f", "g"))


def test_what_is_kept_is_accepted_and_the_rate_is_right():
    found = brute_force(circuit(), half, 400, rng=1, batch_size=300)
    assert len(found.z) >= 400 and found.complete
    assert found.z[:, 0].max() < 0.5 and found.z[:, 1].max() <= 1
    np.testing.assert_array_equal(found.statistics, found.z)
    # a quarter of some 1,700 draws: four standard errors
    assert found.acceptance_rate == pytest.approx(0.25, abs=0.042)
    assert found.seconds_per_sample == found.seconds / len(found.z)


def test_an_executor_changes_nothing_but_the_place():
    alone = brute_force(circuit(), half, 400, rng=1, batch_size=300)
    with ThreadPoolExecutor(3) as pool:
        shared = brute_force(circuit(), half, 400, rng=1, batch_size=300, executor=pool)
    np.testing.assert_array_equal(alone.z, shared.z)
    assert alone.n_simulations == shared.n_simulations


def test_a_budget_ends_the_search():
    found = brute_force(circuit(), lambda f: f[:, 0] < 0, 5, batch_size=30, max_simulations=100)
    assert not found.complete and found.n_simulations == 100 and found.seconds_per_sample == np.inf


def test_an_open_support_is_refused():
    open_circuit = ne.circuits.FunctionCircuit(
        lambda z: z, ne.Support([0.0, 0.0], [1.0, np.inf]), ("a", "b"), ("f", "g")
    )
    with pytest.raises(ValueError, match="is not a box"):
        brute_force(open_circuit, half, 5)


@pytest.mark.parametrize(
    "accept",
    [
        lambda f: f[:, 0],
        lambda f: (f[:, 0] > 0).astype(float),
        lambda f: np.array([True]),
        lambda f: True,
        lambda f: f > 0,
        lambda f: None,
    ],
)
def test_what_accept_returns_must_be_one_truth_for_each_row(accept):
    with pytest.raises(TypeError, match=r"accept returned .*: expected bool of shape \(2000,\)"):
        brute_force(ne.circuits.LDS(), accept, 5)


def test_what_accept_masks_is_not_accepted():
    def masked(f):
        return np.ma.array(np.ones(len(f), bool), mask=f[:, 0] > 0.5)

    found = brute_force(circuit(), masked, 50, rng=1, batch_size=300)
    assert len(found.z) >= 50 and np.all(found.statistics[:, 0] <= 0.5)
