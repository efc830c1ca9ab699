"""Vectors as values in kernels."""

import numpy as np
import pytest
from numba import TypingError

from numepi.kernels.compile import kernel
from numepi.kernels.vectors import (
    VECTOR_BYTES,
    add,
    add_sums,
    broadcast,
    load,
    multiply,
    multiply_add,
    spread,
    store,
    subtract,
    where_at_least,
    where_equal,
    zeros,
)


@kernel
def weighted_sum(w, x, y):
    """y[lane] += sum_r w[r] x[r, lane]."""
    step = VECTOR_BYTES // x.itemsize
    for lane in range(0, x.shape[1], step):
        total = load(y, lane)
        for r in range(len(x)):
            total = multiply_add(broadcast(w, r), load(x, r * x.shape[1] + lane), total)
        store(y, lane, total)


@kernel
def sums_of_four(x, sums):
    """sums[1 + i] += sum of x[i]."""
    y = multiply_add(load(x, 0), zeros(x), load(x, 0))  # x itself, by way of zeros
    size = x.shape[1]
    add_sums(sums, 1, y, load(x, size), load(x, 2 * size), load(x, 3 * size))


@kernel
def of_two(x, y, number, results):
    """Rows of results: x + y, x - y, x y, number where x >= y, number where x == y, and x elsewhere."""
    for lane in range(0, len(x), VECTOR_BYTES // x.itemsize):
        a, b, other = load(x, lane), load(y, lane), spread(x, number)
        store(results[0], lane, add(a, b))
        store(results[1], lane, subtract(a, b))
        store(results[2], lane, multiply(a, b))
        store(results[3], lane, where_at_least(a, b, other, a))
        store(results[4], lane, where_equal(a, b, other, a))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_two_vectors_are_joined_element_by_element(dtype):
    rng = np.random.default_rng(0)
    x, y = rng.integers(-3, 3, (2, 64)).astype(dtype)
    x[3], y[5], x[7], y[7], x[9] = np.nan, np.nan, np.nan, np.nan, -0.0
    y[9] = 0.0
    results = np.empty((5, 64), dtype)
    of_two(x, y, dtype(0.5), results)
    np.testing.assert_array_equal(results[:3], [x + y, x - y, x * y])
    np.testing.assert_array_equal(results[3:], [np.where(x >= y, 0.5, x), np.where(x == y, 0.5, x)])
    assert np.isnan(results[:, 7]).all() and results[3, 9] == results[4, 9] == 0.5


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_vectors_hold_consecutive_elements(dtype):
    size = VECTOR_BYTES // np.dtype(dtype).itemsize
    rng = np.random.default_rng(0)
    w, x = rng.integers(-9, 9, 5).astype(dtype), rng.integers(-9, 9, (5, 2 * size)).astype(dtype)
    y = np.arange(2 * size, dtype=dtype)
    weighted_sum(w, x, y)
    np.testing.assert_array_equal(y, np.arange(2 * size) + w @ x)
    sums = np.full(6, 0.5, dtype)
    sums_of_four(np.ascontiguousarray(x[:4, :size]), sums)
    np.testing.assert_array_equal(sums, 0.5 + np.concatenate([[0], x[:4, :size].sum(axis=1), [0]]))


def test_other_layouts_and_precisions_are_refused():
    with pytest.raises(TypeError, match="C-contiguous"):
        weighted_sum(np.ones(16)[::2], np.ones((8, 8)), np.ones(8))
    with pytest.raises(TypingError):
        weighted_sum(np.ones(8), np.ones((8, 16)), np.ones(16, np.float32))
    with pytest.raises(TypeError, match="spread: float64 among elements"):
        of_two(np.ones(64, np.float32), np.ones(64, np.float32), np.float64(1), np.ones((5, 64), np.float32))
