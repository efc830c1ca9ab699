"""Orders between couplings: random, fair, from a seed."""

from itertools import pairwise

import numpy as np
import pytest

from numepi.flow.elementwise.permutation import balanced_permutations


def moved_labels(dim, orders):
    labels = np.arange(dim)
    sets = [set(labels[dim // 2 :])]
    for order in orders:
        assert sorted(order) == list(range(dim))
        labels = labels[order]
        sets.append(set(labels[dim // 2 :]))
    return sets


@pytest.mark.parametrize("dim", [2, 3, 4, 7, 40])
@pytest.mark.parametrize("seed", range(5))
def test_every_coordinate_is_moved_equally_often(dim, seed):
    sets = moved_labels(dim, balanced_permutations(dim, 6, np.random.default_rng(seed)))
    for stages in range(2, 7):
        counts = [sum(label in moved for moved in sets[:stages]) for label in range(dim)]
        assert min(counts) >= 1
        assert max(counts) - min(counts) <= 1
    assert all(a != b for a, b in pairwise(sets))


def test_orders_follow_the_seed():
    first, second, other = (balanced_permutations(40, 3, np.random.default_rng(s)) for s in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first, second))
    assert any((a != b).any() for a, b in zip(first, other))
