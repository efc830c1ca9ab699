"""Batches of simulations in parts on an executor."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import numepi as ne
from numepi.inference.running.shards import simulate_on

TINY = {
    "solver": "augmented-lagrangian", "initial": "uniform", "epochs": 1, "iterations_per_epoch": 3, "batch_size": 20,
    "test_batch_size": 20, "n_tests": 5,
}  # fmt: skip


class Noisy(ne.circuits.Circuit):
    """The two parameters with noise that is a function of key and row."""

    name, parameter_names, statistic_names = "noisy", ("a", "b"), ("x", "y")
    support = ne.Support([-2.0, -2.0], [2.0, 2.0])

    def __init__(self, scale=0.1):
        self.scale = scale

    def _evaluate(self, z, key, first_index, noise, with_jacobian):
        rows = range(first_index, first_index + len(z))
        xi = np.array([np.random.default_rng([*key, row]).standard_normal(2) for row in rows])
        return z + self.scale * xi, np.broadcast_to(np.eye(2), (len(z), 2, 2)) if with_jacobian else None


class Counting(ThreadPoolExecutor):
    def __init__(self):
        super().__init__(2)
        self.sizes = []

    def submit(self, function, call, z, *arguments):
        self.sizes.append(len(z))
        return super().submit(function, call, z, *arguments)


PROPERTY = ne.EmergentProperty(mean=[0.0, 0.5], variance=[0.25, 0.25])


@pytest.mark.parametrize("n", [1, 16, 17, 100, 5000])
def test_parts_have_the_bits_of_the_batch(n):
    z = np.random.default_rng(0).uniform(-2, 2, (n, 2))
    with Counting() as pool:
        f = simulate_on(pool, Noisy().statistics, z, rng=3, first_index=40, precision="float32")
        both = simulate_on(pool, Noisy().statistics_and_jacobian, z, rng=3, first_index=40)
    np.testing.assert_array_equal(f, Noisy().statistics(z, rng=3, first_index=40, precision="float32"))
    for part, whole in zip(both, Noisy().statistics_and_jacobian(z, rng=3, first_index=40)):
        np.testing.assert_array_equal(part, whole)
    assert sum(pool.sizes) == 2 * n and max(pool.sizes) <= 40


def test_a_run_on_an_executor_has_the_same_bits():
    alone = ne.infer(Noisy(), PROPERTY, rng=4, progress=False, **TINY)
    with Counting() as pool:
        threads = ne.infer(Noisy(), PROPERTY, rng=4, progress=False, executor=pool, **TINY)
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        processes = ne.infer(Noisy(), PROPERTY, rng=4, progress=False, executor=pool, **TINY)
    for result in (threads, processes):
        np.testing.assert_array_equal(result.distribution.theta, alone.distribution.theta)
        np.testing.assert_array_equal(result.constraint, alone.constraint)
        assert result.configuration == alone.configuration and type(result.circuit) is Noisy


class Wrong(Noisy):
    def _evaluate(self, z, *arguments):
        if len(z) > 2:
            raise ArithmeticError("too many")
        return super()._evaluate(z, *arguments)


def test_an_error_in_a_part_is_raised():
    with ThreadPoolExecutor(2) as pool, pytest.raises(ArithmeticError, match="too many"):
        ne.infer(Wrong(), PROPERTY, progress=False, executor=pool, **TINY)
