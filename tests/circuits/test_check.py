"""The Jacobian check: passes what is right, and finds and names what is wrong."""

import autograd.numpy as anp
import numpy as np
import pytest

import numepi as ne

SUPPORT = ne.Support([0.0, -np.inf], [1.0, np.inf])


def statistics(z):
    return np.stack([z[:, 0] * np.sin(z[:, 1]), np.log(z[:, 0]), 0 * z[:, 0] + 7], axis=1)


def jacobian(z, factor=1.0):
    zero = np.zeros(len(z))
    first = np.stack([np.sin(z[:, 1]), factor * z[:, 0] * np.cos(z[:, 1])], axis=1)
    return np.stack([first, np.stack([1 / z[:, 0], zero], axis=1), np.stack([zero, zero], axis=1)], axis=1)


def circuit(factor=1.0):
    names = {"parameter_names": ["a", "b"], "statistic_names": ["x", "y", "constant"]}
    return ne.circuits.FunctionCircuit(statistics, SUPPORT, jacobian=lambda z: jacobian(z, factor), **names)


@pytest.fixture
def z(rng):
    return rng.uniform([0.1, -3], [1, 3], (30, 2))


def test_right_jacobian_passes(z):
    check = ne.check_jacobian(circuit(), z)
    assert check.ok and check.error.shape == (3, 2) and check.error.max() < 1e-8
    assert "agrees" in str(check)


def test_points_on_a_bound_are_moved_inside():
    assert ne.check_jacobian(circuit(), [[0.0, 1.0], [1.0, -3.0]], step=1e-3, tolerance=0.2).skipped == 0


def test_wrong_jacobian_is_found_and_named(z):
    with pytest.raises(ValueError, match=r"differs.*d\(x\)/d\(b\)"):
        ne.check_jacobian(circuit(factor=1.01), z)
    check = ne.check_jacobian(circuit(factor=1.01), z, raise_error=False)
    assert not check.ok and (check.statistic, check.parameter) == ("x", "b")
    assert check.error[0, 1] == pytest.approx(0.01, rel=0.1)
    assert check.error[1].max() < 1e-8
    assert check.jacobian == pytest.approx(1.01 * check.difference)


def test_nan_in_the_jacobian_is_an_error(z):
    bad = ne.circuits.FunctionCircuit(statistics, SUPPORT, jacobian=lambda x: jacobian(x, np.nan))
    assert not ne.check_jacobian(bad, z, raise_error=False).ok


def test_rows_mixed_by_the_function_are_found(z):
    mixed = ne.circuits.FunctionCircuit(lambda x: x - anp.mean(x, axis=0), SUPPORT)
    assert not ne.check_jacobian(mixed, z[:3], raise_error=False).ok


def test_failed_rows_are_counted_and_all_failed_is_an_error(z):
    def fails(x):
        return np.where(x[:, :1] > 0.5, np.nan, x[:, :1] * 2)

    failing = ne.circuits.FunctionCircuit(
        fails, SUPPORT, jacobian=lambda x: np.tile([[[2.0, 0.0]]], (len(x), 1, 1)), statistic_names=["y"]
    )
    check = ne.check_jacobian(failing, z)
    assert check.ok and check.skipped == (z[:, 0] > 0.5 - 2e-4).sum()
    with pytest.raises(ValueError, match="no row"):
        ne.check_jacobian(failing, [[0.9, 0.0]])


def test_numepi_circuits_pass(rng):
    for circuit in (ne.circuits.LDS(), ne.circuits.RankTwoRNN(5)):
        z = circuit.support.from_line(rng.standard_normal((10, circuit.support.dim)))[0]
        assert ne.check_jacobian(circuit, z, rng=3, tolerance=1e-3).ok


@pytest.mark.parametrize("step", [0, -1, 0.3])
def test_bad_step(step, z):
    with pytest.raises(ValueError, match="step"):
        ne.check_jacobian(circuit(), z, step=step)
