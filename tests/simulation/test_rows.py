"""The row driver on a toy circuit that NumPy repeats: counters, given noise, workspace, threads, precision."""

from typing import NamedTuple

import numpy as np
import pytest

from numepi.kernels.compile import block_function
from numepi.kernels.random import normals4
from numepi.simulation.rows import RowJob, RowStatistics

KEY = (123, 456)


class Constants(NamedTuple):
    scale: float


@block_function
def workspace(z):
    return (np.empty(z.shape[1], z.dtype),)


@block_function
def row(z, c, index, key, noise, work, f, jacobian):
    """f = scale sum(z^2) + (a normal, or the given number)."""
    (squares,) = work
    for i in range(len(z)):
        squares[i] = z[i] * z[i]
    total = z[0] - z[0]
    for i in range(len(z)):
        total += squares[i]
    number = noise[0] if len(noise) > 0 else normals4(index, 0, 0, 0, key[0], key[1], total)[0]
    f[0] = c.scale * total + number
    if len(jacobian) > 0:
        for i in range(len(z)):
            jacobian[0, i] = c.scale * (z[i] + z[i])


TOY = RowStatistics(name="toy", n_statistics=1, row=row, workspace=workspace, rows_per_share=2)


@pytest.fixture
def z(rng):
    return rng.standard_normal((7, 3))


def test_values_jacobian_and_counters(z):
    f, jacobian = RowJob(TOY, Constants(0.5)).statistics(z, KEY, 10, True)
    normals = [normals4(10 + i, 0, 0, 0, *KEY, np.float64(0))[0] for i in range(7)]
    np.testing.assert_allclose(f[:, 0], 0.5 * (z**2).sum(axis=1) + normals, rtol=1e-14)
    np.testing.assert_allclose(jacobian[:, 0], z, rtol=1e-14)
    values, nothing = RowJob(TOY, Constants(0.5)).statistics(z, KEY, 10, False)
    np.testing.assert_array_equal(values, f)
    assert nothing is None
    assert RowJob(TOY, Constants(0.5)).statistics(z[:0], KEY, 0, True)[1].shape == (0, 1, 3)


def test_given_noise_replaces_the_generator(z):
    f, _ = RowJob(TOY, Constants(0.5), np.arange(7.0)[:, None]).statistics(z, KEY, 10, False)
    np.testing.assert_allclose(f[:, 0], 0.5 * (z**2).sum(axis=1) + np.arange(7), rtol=1e-14)


def test_bits_depend_neither_on_threads_nor_on_the_batch(z, on_any_threads):
    job = RowJob(TOY, Constants(0.5))
    f, _ = on_any_threads(lambda: job.statistics(z, KEY, 10, True))
    np.testing.assert_array_equal(job.statistics(z[4:], KEY, 14, True)[0], f[4:])


def test_single_precision_stays_single(z):
    f, jacobian = RowJob(TOY, Constants(0.5)).statistics(z.astype(np.float32), KEY, 10, True)
    assert f.dtype == jacobian.dtype == np.float32
    np.testing.assert_allclose(f, RowJob(TOY, Constants(0.5)).statistics(z, KEY, 10, False)[0], rtol=1e-5)
