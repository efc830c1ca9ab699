"""When the surrogate is dropped: how often it may miss, and what must be left for a run without it."""

from types import SimpleNamespace

import numpy as np
import pytest

import numepi as ne
from numepi.inference.dual.lead import worthless
from numepi.inference.dual.settings import Settings
from numepi.inference.dual.state import Rounds

CONSTRAINTS = ne.EmergentProperty(mean=[1.0]).constraints(("x",))


def is_dropped(misses, optimal=True, limit=None, spent=0, error=5.0, **settings):
    """Whether it is after so many misses in a row, with a mean ``error`` from its target (tolerance 0.1)."""
    score = SimpleNamespace(
        constraint=CONSTRAINTS.target + error, constraint_stderr=np.full(1, 0.01), constraint_spread=np.ones(1),
        least=np.full(1, -9.0), greatest=np.full(1, 9.0), p_values=np.full(1, 0.5),
    )  # fmt: skip
    state = SimpleNamespace(
        rounds=Rounds(3, 600, misses), dual=SimpleNamespace(optimal=optimal), answer=SimpleNamespace(score=score)
    )
    problem = SimpleNamespace(constraints=CONSTRAINTS, limit=limit, left=lambda limit: limit - spent)
    return worthless(state, problem, Settings(**settings))


def test_a_surrogate_may_miss_more_often_on_the_way_than_at_the_optimum():
    assert not is_dropped(2) and is_dropped(3)
    assert not is_dropped(5, optimal=False) and is_dropped(6, optimal=False)
    assert not is_dropped(29, optimal=False, most_misses=30)


@pytest.mark.parametrize("optimal", [True, False])
def test_a_limited_run_drops_it_only_while_enough_rows_are_left_to_do_without(optimal):
    assert is_dropped(6, optimal, limit=50_000, spent=4000)
    assert not is_dropped(6, optimal, limit=50_000, spent=30_000)
    assert is_dropped(6, optimal, spent=59_000)


def test_a_limited_run_keeps_what_met_the_constraints():
    assert not is_dropped(3, limit=50_000, spent=4000, error=0.0)
    assert is_dropped(3, error=0.0)
