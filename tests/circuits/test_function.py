"""User functions as circuits: derivatives, noise, and messages for what does not fit."""

import re

import autograd.numpy as anp
import numpy as np
import pytest

import numepi as ne

SUPPORT = ne.Support([-2.0, -1.0, 0.0], [2.0, 1.0, np.inf])


def polar(z):
    return anp.stack([anp.sqrt(anp.sum(z**2, axis=1)), z[:, 0] * anp.exp(z[:, 1])], axis=1)


def polar_jacobian(z):
    radius = np.sqrt(np.sum(z**2, axis=1, keepdims=True))
    growth = np.exp(z[:, 1])
    second = np.stack([growth, z[:, 0] * growth, 0 * growth], axis=1)
    return np.stack([z / radius, second], axis=1)


def noisy(z, rng):
    return anp.sum(z, axis=1, keepdims=True) * (1 + 0.1 * rng.standard_normal((len(z), 1)))


@pytest.fixture
def points(rng):
    return rng.uniform([-2, -1, 0], [2, 1, 4], (20, 3))


def test_autograd_and_given_jacobian_agree(points):
    by_autograd = ne.circuits.FunctionCircuit(polar, SUPPORT)
    given = ne.circuits.FunctionCircuit(polar, SUPPORT, jacobian=polar_jacobian)
    f, jacobian = by_autograd.statistics_and_jacobian(points)
    np.testing.assert_array_equal(f, polar(points))
    np.testing.assert_allclose(jacobian, polar_jacobian(points), rtol=1e-13)
    np.testing.assert_array_equal(given.statistics_and_jacobian(points)[1], polar_jacobian(points))
    assert by_autograd.differentiable and given.differentiable


def test_names_default_and_given():
    circuit = ne.circuits.FunctionCircuit(polar, SUPPORT)
    assert circuit.parameter_names == ("z1", "z2", "z3") and circuit.statistic_names == ("f1", "f2")
    named = ne.circuits.FunctionCircuit(polar, SUPPORT, ["a", "b", "c"], ["radius", "growth"])
    assert named.parameter_names == ("a", "b", "c") and named.statistic_names == ("radius", "growth")
    assert named.settings["function"]["name"].endswith("test_function:polar") and "polar" in repr(named)


def test_noise_repeats_with_the_key_and_changes_with_it(points):
    circuit = ne.circuits.FunctionCircuit(noisy, SUPPORT)
    first = circuit.statistics(points, rng=1)
    np.testing.assert_array_equal(circuit.statistics(points, rng=1), first)
    f, jacobian = circuit.statistics_and_jacobian(points, rng=1)
    np.testing.assert_array_equal(f, first)
    np.testing.assert_allclose(jacobian[:, 0], (f / points.sum(axis=1, keepdims=True)) * np.ones(3))
    assert np.all(circuit.statistics(points, rng=2) != first)
    assert np.all(circuit.statistics(points, rng=1, first_index=20) != first)
    assert ne.check_jacobian(circuit, points, rng=5).ok


def test_statistic_that_ignores_the_parameters(points):
    circuit = ne.circuits.FunctionCircuit(lambda z: anp.ones((len(z), 1)) * 3, SUPPORT)
    with pytest.warns(UserWarning, match="independent of input"):  # autograd's: it may be a mistake
        f, jacobian = circuit.statistics_and_jacobian(points)
    np.testing.assert_array_equal(f, 3)
    np.testing.assert_array_equal(jacobian, 0)


def test_without_derivatives(points):
    circuit = ne.circuits.FunctionCircuit(lambda z: np.floor(z[:, :2]), SUPPORT, differentiable=False)
    assert not circuit.differentiable
    np.testing.assert_array_equal(circuit.statistics(points), np.floor(points[:, :2]))
    with pytest.raises(TypeError, match="differentiable=False"):
        circuit.statistics_and_jacobian(points)
    with pytest.raises(ValueError, match="needs gradients"):
        ne.infer(circuit, ne.EmergentProperty([0, 0], [1, 1]), solver="augmented-lagrangian")


def test_integers_are_numbers_and_the_argument_is_a_copy(points):
    def counts(z):
        z[:] = np.round(z)
        return z.astype(int)

    before = points.copy()
    f = ne.circuits.FunctionCircuit(counts, SUPPORT, differentiable=False).statistics(points)
    assert f.dtype == np.float64
    np.testing.assert_array_equal(points, before)


@pytest.mark.parametrize("function, error, message", [
    (lambda z: z[:, 0], ValueError, r"returned shape (2,): expected (n, k) = (2, k); add an axis: f[:, None]"),
    (lambda z: z.T @ z, ValueError, r"returned shape (3, 3): expected (n, k) = (2, k)"),
    (lambda z: z.sum(), ValueError, r"returned shape (): expected (n, k) = (2, k)"),
    (lambda z: z[:, :0], ValueError, r"returned shape (2, 0)"),
    (lambda z: z + 1j, TypeError, r"returned dtype complex128: expected real numbers"),
    (lambda z: np.array([[None]] * len(z)), TypeError, r"returned dtype object"),
    (lambda z: [[1.0], [1.0, 2.0]], ValueError, r"returned a ragged list"),
])  # fmt: skip
def test_wrong_returns_say_expected_and_got(function, error, message):
    with pytest.raises(error, match=re.escape(message)):
        ne.circuits.FunctionCircuit(function, SUPPORT)


def test_shape_that_contradicts_the_names(points):
    circuit = ne.circuits.FunctionCircuit(polar, SUPPORT, statistic_names=["a", "b", "c"])
    with pytest.raises(ValueError, match=re.escape("returned shape (20, 2): expected (n, k) = (20, 3)")):
        circuit.statistics(points)
    wrong = ne.circuits.FunctionCircuit(polar, SUPPORT, jacobian=lambda z: polar_jacobian(z)[:, :, :2])
    with pytest.raises(ValueError, match=re.escape("returned shape (20, 2, 2): expected (n, k, D) = (20, 2, 3)")):
        wrong.statistics_and_jacobian(points)


def test_function_that_autograd_cannot_follow(points):
    circuit = ne.circuits.FunctionCircuit(lambda z: np.asarray(z, float) ** 2, SUPPORT)
    with pytest.raises(TypeError, match=r"write it with autograd\.numpy"):
        circuit.statistics_and_jacobian(points)


@pytest.mark.parametrize("arguments, error, message", [
    ({"function": 3}, TypeError, "function is a int"),
    ({"jacobian": 3}, TypeError, "jacobian is a int"),
    ({"jacobian": polar_jacobian, "differentiable": False}, ValueError, "leave one of the two out"),
    ({"parameter_names": ["a", "b"]}, ValueError, "give 3 different names"),
    ({"parameter_names": ["a", "b", "b"]}, ValueError, "twice: give different names"),
    ({"statistic_names": "radius"}, TypeError, "give a sequence of names"),
])  # fmt: skip
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        ne.circuits.FunctionCircuit(**({"function": polar, "support": SUPPORT} | arguments))


def test_parameters_that_are_vectors():
    support = ne.Support([-1.0] * 6, [1.0] * 6)
    circuit = ne.circuits.FunctionCircuit(lambda z: z[:, :1], support, parameter_vectors=2)
    assert circuit.parameter_vectors == 2 and circuit.settings["parameter_vectors"] == 2
    assert "parameter_vectors" not in ne.circuits.FunctionCircuit(lambda z: z[:, :1], support).settings
    with pytest.raises(ValueError, match="parameter_vectors = 4: choose a divisor of the 6"):
        ne.circuits.FunctionCircuit(lambda z: z[:, :1], support, parameter_vectors=4)


def test_sign_symmetries_by_name():
    circuit = ne.circuits.FunctionCircuit(polar, SUPPORT, parameter_names=["a", "b", "c"], sign_symmetries=[("b", "a")])
    assert circuit.sign_symmetries == ((1, 0),)
    assert circuit.settings["sign_symmetries"] == [["b", "a"]]
    with pytest.raises(ValueError, match="'d'"):
        ne.circuits.FunctionCircuit(polar, SUPPORT, sign_symmetries=[("d",)])
    with pytest.raises(TypeError, match=r"give sets of names, such as \[\('a',\)\]"):
        ne.circuits.FunctionCircuit(polar, SUPPORT, parameter_names=["a", "b", "c"], sign_symmetries=("a", "b"))
    with pytest.raises(ValueError, match="has 'z1' twice"):
        ne.circuits.FunctionCircuit(polar, SUPPORT, sign_symmetries=[("z1", "z1")])
    with pytest.raises(ValueError, match="sign_symmetries is empty"):
        ne.circuits.FunctionCircuit(polar, SUPPORT, sign_symmetries=[()])
