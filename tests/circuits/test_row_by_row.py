"""Simulators of one parameter set: shapes, noise of each row, failures, executors, end to end."""

import concurrent.futures

import numpy as np
import pytest

import numepi as ne
from numepi.inference.running.shards import simulate

SUPPORT = ne.Support([-2.0, -1.0], [2.0, 1.0])
RowCircuit = ne.circuits.FunctionCircuit


def polar(z):
    return np.hypot(z[0], z[1]), z[0] * z[1]


def noisy_sum(z, rng):
    return z.sum() + 0.1 * rng.standard_normal()


def fragile(z):
    if z[0] < 0:
        raise ArithmeticError("the membrane blew up")
    return z.sum()


@pytest.fixture
def points(rng):
    return rng.uniform([-2, -1], [2, 1], (40, 2))


def test_rows_are_those_of_the_function(points):
    circuit = RowCircuit(polar, SUPPORT, vectorised=False)
    assert circuit.statistic_names == ("f1", "f2") and not circuit.differentiable
    expected = np.stack([np.hypot(*points.T), np.prod(points, axis=1)], axis=1)
    np.testing.assert_allclose(circuit.statistics(points), expected, rtol=1e-15)


def test_a_number_is_one_statistic_and_the_argument_is_a_copy(points):
    def greedy(z):
        z[:] = np.round(z)
        return int(z.sum())

    before = points.copy()
    f = RowCircuit(greedy, SUPPORT, vectorised=False).statistics(points)
    assert f.shape == (40, 1) and f.dtype == np.float64
    np.testing.assert_array_equal(points, before)


def test_the_noise_of_a_row_is_its_own_in_any_batch(points):
    circuit = RowCircuit(noisy_sum, SUPPORT, vectorised=False)
    f = circuit.statistics(points, rng=3, first_index=5)
    np.testing.assert_array_equal(circuit.statistics(points[10:12], rng=3, first_index=15), f[10:12])
    assert np.all(circuit.statistics(points, rng=4, first_index=5) != f)
    assert len(np.unique(f - points.sum(axis=1, keepdims=True))) == 40


def test_a_direct_call_raises_what_the_simulator_raises(points):
    circuit = RowCircuit(fragile, SUPPORT, statistic_names=["sum"], vectorised=False)
    with pytest.raises(ArithmeticError, match="the membrane blew up"):
        circuit.statistics(points)


def test_rows_that_raise_are_failed_rows_and_no_row_is_simulated_twice(points):
    calls = []

    def counted(z):
        calls.append(z)
        return fragile(z)

    circuit = RowCircuit(counted, SUPPORT, statistic_names=["sum"], vectorised=False)
    f, reports = simulate(circuit.statistics, points, 0, 0, 1)
    bad = points[:, 0] < 0
    assert len(calls) == len(points) and reports.n_raised == bad.sum() > 0
    np.testing.assert_array_equal(np.isnan(f[:, 0]), bad)
    np.testing.assert_allclose(f[~bad, 0], points[~bad].sum(axis=1))
    assert "the membrane blew up" in reports.texts[0]


def test_a_given_jacobian_of_one_row(points):
    circuit = RowCircuit(
        polar,
        SUPPORT,
        vectorised=False,
        jacobian=lambda z: [z / np.hypot(*z), [z[1], z[0]]],
        statistic_names=["a", "b"],
    )
    assert circuit.differentiable
    _, jacobian = circuit.statistics_and_jacobian(points)
    assert jacobian.shape == (40, 2, 2)
    assert ne.check_jacobian(circuit, points).ok


@pytest.mark.parametrize("pool", [concurrent.futures.ThreadPoolExecutor, concurrent.futures.ProcessPoolExecutor])
def test_an_executor_gets_single_rows_and_gives_the_same_bits(points, pool):
    circuit = RowCircuit(noisy_sum, SUPPORT, vectorised=False, statistic_names=["sum"])
    sizes = []
    with pool(2) as executor:
        submit = executor.submit
        executor.submit = lambda call, *a: sizes.append(len(a[1])) or submit(call, *a)
        f, _ = simulate(circuit.statistics, points, 3, 5, 1, executor)
    np.testing.assert_array_equal(f, circuit.statistics(points, rng=3, first_index=5))
    assert sizes == [1] * 40


def test_the_whole_chain_with_failures():
    circuit = RowCircuit(fragile, SUPPORT, statistic_names=["sum"], vectorised=False)
    small = {"max_simulations": 600, "surrogate_first_steps": 100, "surrogate_steps": 50, "fit_steps": 20}
    with pytest.warns(UserWarning, match="the membrane blew up"):
        result = ne.infer(circuit, ne.EmergentProperty([1.0], [0.25]), max_failed_fraction=0.9, progress=False, **small)
    assert result.n_failed == result.n_raised > 50 and (result.failed_examples[:, 0] < 0).all()
    assert "in fragile" in result.failure_reports[0]
    assert abs(result.statistic_mean[0] - 1.0) < 0.5


def test_settings_tell_it_apart():
    both = [RowCircuit(lambda z: z.sum(axis=-1, keepdims=True), SUPPORT, vectorised=v).settings for v in (True, False)]
    assert both[0] != both[1]


@pytest.mark.parametrize(("settings", "error", "message"), [
    ({"function": lambda z: np.zeros((2, 2))}, ValueError, r"returned shape \(2, 2\) for one parameter set: expected"),
    ({"function": lambda z: [[1.0], [1.0, 2.0]]}, ValueError, "ragged"),
    ({"function": lambda z: 1j}, TypeError, "dtype complex128: expected real numbers"),
    ({"function": lambda z: []}, ValueError, r"returned shape \(0,\)"),
    ({"function": polar, "differentiable": True}, ValueError, "give a jacobian"),
    ({"function": polar, "vectorised": 0}, TypeError, "vectorised = 0: give True or False"),
])  # fmt: skip
def test_what_does_not_fit_is_said(settings, error, message):
    with pytest.raises(error, match=message):
        RowCircuit(support=SUPPORT, **({"vectorised": False} | settings))


def test_a_shape_that_contradicts_the_names(points):
    circuit = RowCircuit(polar, SUPPORT, statistic_names=["a", "b", "c"], vectorised=False)
    with pytest.raises(ValueError, match=r"returned shape \(2,\) for one parameter set: expected \(3,\)"):
        circuit.statistics(points)
