"""The compiled tails of the normal against SciPy's; loops of them are vector instructions."""

import re

import numpy as np
from scipy.special import ndtr

from numepi.flow.elementwise.normal_tails import normal_tails
from numepi.kernels.compile import kernel


@kernel
def tails(x, out):
    for i in range(len(x)):
        out[0, i], out[1, i], out[2, i] = normal_tails(x[i])


tails._cache.disable()  # only fresh code can be inspected


def test_agrees_with_scipy_in_both_tails():
    x = np.concatenate([np.linspace(-37, 37, 20_001), np.geomspace(1e-20, 1, 101)])
    out = np.empty((3, len(x)))
    tails(x, out)
    near = np.abs(x) < 15  # further out SciPy's own rounding of x^2 shows: 2e-13
    np.testing.assert_allclose(out[0][near], ndtr(x[near]), rtol=5e-14)
    np.testing.assert_allclose(out[1][near], ndtr(-x[near]), rtol=5e-14)
    np.testing.assert_allclose(out[0], ndtr(x), rtol=5e-13)
    np.testing.assert_allclose(out[2], np.exp(-x * x / 2) / np.sqrt(2 * np.pi), rtol=1e-13)


def test_far_out_a_tail_vanishes():
    out = np.empty((3, 3))
    tails(np.array([-60.0, 60.0, 0.0]), out)
    np.testing.assert_array_equal(out[:2, :2], [[0, 1], [1, 0]])
    np.testing.assert_allclose(out[:, 2], [0.5, 0.5, 1 / np.sqrt(2 * np.pi)], rtol=1e-14)


def test_loops_are_vectorised():
    tails(np.zeros(64), np.empty((3, 64)))
    (code,) = tails.inspect_llvm().values()
    assert re.search(r"fdiv[a-z ]*<\d+ x double>", code)
