"""Seeds and keys (SPEC 7)."""

import numpy as np
import pytest

from numepi.random_streams import seed_sequence, stream_key


def test_same_seed_same_key_and_generators_advance():
    assert stream_key(3) == stream_key(np.random.SeedSequence(3)) == stream_key(np.int64(3))
    assert stream_key(3) != stream_key(4)
    generator = np.random.default_rng(0)
    assert stream_key(generator) != stream_key(generator)
    assert stream_key(np.random.default_rng(0)) == stream_key(np.random.default_rng(0))
    assert stream_key(None) != stream_key(None)


def test_spawned_seeds_have_other_keys():
    root = np.random.SeedSequence(1)
    keys = {stream_key(child) for child in root.spawn(100)} | {stream_key(root)}
    assert len(keys) == 101
    assert all(0 <= word < 2**32 for key in keys for word in key)


@pytest.mark.parametrize(("rng", "error"), [
    (-1, ValueError), ([], ValueError), ([1, -2], ValueError), (1.5, TypeError), (True, TypeError), ("a", TypeError),
    ([1.5], TypeError), ([[1]], TypeError), (np.random, TypeError), (np.array([0.5]), TypeError),
])  # fmt: skip
def test_bad_seeds_are_refused(rng, error):
    with pytest.raises(error, match=r"seed = .*: give an int of zero or more, a SeedSequence or a numpy Generator"):
        seed_sequence(rng, "seed")


def test_every_kind_of_numpy_generator_is_advanced_by_one_draw():
    expected = stream_key(np.random.default_rng(3))
    assert stream_key(np.random.PCG64(3)) == expected
    assert stream_key([3]) != stream_key([4]) and stream_key(np.array([3, 1])) == stream_key([3, 1])
    legacy = np.random.RandomState(3)
    assert stream_key(legacy) != stream_key(legacy)
    assert stream_key(np.random.RandomState(3)) == stream_key(np.random.RandomState(3))
