"""The shape of the tail of importance weights."""

import numpy as np
import pytest

from numepi.inference.assessment.pareto import pareto_k


def test_pareto_k_recovers_the_shape_of_a_pareto_tail(rng):
    for k in (0.3, 0.9):
        estimates = [pareto_k((1 - rng.random(20_000)) ** -k) for _ in range(20)]
        assert np.mean(estimates) == pytest.approx(k, abs=0.08)
    assert pareto_k(np.ones(1000)) == -np.inf


def test_a_tail_of_one_value():
    """One of the grid's rates is exactly zero then: 0 / 0 where the limit is meant."""
    assert pareto_k(np.r_[np.ones(1097), np.full(103, 2.0)]) < 0.7
