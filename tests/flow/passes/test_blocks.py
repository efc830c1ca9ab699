"""The blocked layout."""

import numpy as np
import pytest

from numepi.flow.passes.blocks import LANES, from_blocks, to_blocks, vector_from_blocks, vector_to_blocks


@pytest.mark.parametrize("n", [0, 1, LANES - 1, LANES, LANES + 1, 3 * LANES])
def test_round_trip(n):
    x = np.random.default_rng(0).standard_normal((n, 3))
    blocks = to_blocks(x, np.float64)
    assert blocks.shape == (-(-n // LANES), 3, LANES)
    np.testing.assert_array_equal(from_blocks(blocks, n), x)
    np.testing.assert_array_equal(vector_from_blocks(vector_to_blocks(x[:, 0]), n), x[:, 0])


def test_last_block_is_filled_with_the_first_row_or_zeros():
    x = np.arange(6.0).reshape(2, 3) + 1
    assert (to_blocks(x, np.float32)[0, :, 2:] == x[:1].T).all()
    assert (to_blocks(x, np.float32, fill=False)[0, :, 2:] == 0).all()
    assert to_blocks(x, np.float32).dtype == np.float32
