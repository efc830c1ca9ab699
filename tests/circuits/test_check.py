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
    with pytest.raises(ValueError, match=r"differs.*in 30 of 30 rows.*d\(x\)/d\(b\)"):
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
    with pytest.raises(ValueError, match=r"rows mix: 'f1' of row 0 is .* among 3 rows and 0 alone"):
        ne.check_jacobian(mixed, z)
    for function in (mixed.function, lambda x: np.sort(x, axis=0), lambda x: -np.sort(-x, axis=0)):
        mixed = ne.circuits.FunctionCircuit(function, SUPPORT, differentiable=False)
        with pytest.raises(ValueError, match="rows mix"):
            ne.infer(mixed, ne.EmergentProperty(mean=[0.0, 0.0]), progress=False)


@pytest.mark.parametrize(
    "noisy", [lambda x, rng: x + rng.standard_normal(x.shape), lambda x, rng: x + rng.poisson(np.abs(x[::-1]) * 0 + 3)]
)
def test_noise_that_hangs_on_other_rows_is_not_taken_for_mixing(noisy, z):
    own = ne.circuits.FunctionCircuit(noisy, SUPPORT, jacobian=lambda x, rng: np.tile(np.eye(2), (len(x), 1, 1)))
    assert ne.check_jacobian(own, z).mixing is None


def test_counts_with_noise_of_their_own_cannot_be_told(z):
    # how many numbers a Poisson draw takes depends on its mean: rows after it have other noise
    counts = ne.circuits.FunctionCircuit(
        lambda x, rng: rng.poisson(50 * x[:, :1]), SUPPORT, jacobian=lambda x, rng: np.zeros((len(x), 1, 2))
    )
    assert ne.check_jacobian(counts, z, raise_error=False).mixing is None


def spike_time(x):
    """Of a leaky neuron from rest: -tau log(1 - 1 / I), with a pole at I = 1."""
    return (-x[:, 1] * anp.log(1 - 1 / x[:, 0]))[:, None]


NEURON = ne.Support([1.0001, 5.0], [3.0, 50.0])


def test_right_jacobian_of_a_spike_time_near_its_pole_passes_and_a_wrong_one_does_not():
    # At a step of 1e-4 of the support differences are off by a third and more; the exact derivatives are known.
    z = np.array([[1.0004, 10.0], [1.001, 20.0], [2.0, 30.0]])
    check = ne.check_jacobian(ne.circuits.FunctionCircuit(spike_time, NEURON), z)
    assert check.ok and check.error.max() < 1e-7 and (check.disagreeing, check.undecided) == (0, 0)

    def wrong(x):
        slope = (
            x[:, 1] / (x[:, 0] * (x[:, 0] - 1)) * (1 + 1e-3 * (x[:, 0] < 1.002))
        )  # exact but for the sign and a little
        return np.stack([-slope, spike_time(x)[:, 0] / x[:, 1]], axis=1)[:, None]

    with pytest.raises(ValueError, match=r"differs from central differences in 2 of 3 rows.*1\.0e-03"):
        ne.check_jacobian(ne.circuits.FunctionCircuit(spike_time, NEURON, jacobian=wrong), z)


def test_a_step_lost_in_rounding_says_that_it_cannot_tell(z):
    for factor in (1.0, 2.0):
        with pytest.raises(ValueError, match=r"cannot be told: .*rounding in all 30 rows"):
            ne.check_jacobian(circuit(factor), z, step=1e-17)


def test_rows_that_disagree_are_counted(z):
    def partly(x):
        out = jacobian(x)
        out[:7, 0, 0] *= 1.1
        return out

    wrong = ne.circuits.FunctionCircuit(statistics, SUPPORT, jacobian=partly)
    check = ne.check_jacobian(wrong, z, raise_error=False)
    assert check.disagreeing == 7 and "in 7 of 30 rows" in str(check)


def test_failed_rows_are_counted_and_all_failed_is_an_error(z):
    def fails(x):
        return np.where(x[:, :1] > 0.5, np.nan, x[:, :1] * 2)

    failing = ne.circuits.FunctionCircuit(
        fails, SUPPORT, jacobian=lambda x: np.tile([[[2.0, 0.0]]], (len(x), 1, 1)), statistic_names=["y"]
    )
    check = ne.check_jacobian(failing, z)
    assert check.ok and check.skipped == (z[:, 0] > 0.5).sum()  # there is a step small enough for the others
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


def offset(size, slope):
    """``size`` + a, with the derivative ``slope``."""
    return ne.circuits.FunctionCircuit(
        lambda x: size + x[:, :1], SUPPORT, jacobian=lambda x: np.tile([[[slope, 0.0]]], (len(x), 1, 1))
    )


def test_a_small_derivative_of_a_large_statistic_is_compared_and_not_taken_for_zero(z):
    # The unit of rounding is 1e-7 at 1e9 and 1e-4 at 1e12, where ten of them over a thousandth of the support are 1.
    for slope in (3.0, 1.5, 0.0):
        with pytest.raises(ValueError, match=r"differs from central differences in 30 of 30 rows"):
            ne.check_jacobian(offset(1e9, slope), z)
    for size, slope in ((1e12, 3.0), (1e12, 1.0), (1e16, 3.0), (1e20, 3.0)):
        with pytest.raises(ValueError, match=r"cannot be told: .*rounding in all 30 rows"):
            ne.check_jacobian(offset(size, slope), z)
    assert ne.check_jacobian(offset(1e6, 1.0), z).undecided == 0


@pytest.mark.parametrize("step", [1e-12, 1e-17])
@pytest.mark.parametrize("slope", [1.0, 1.001])
def test_steps_in_rounding_decide_nothing(z, step, slope):
    check = ne.check_jacobian(offset(1.0, slope), z, step=step, raise_error=False)
    assert not check.ok and check.disagreeing == 0 and check.undecided_rows == tuple(range(30))


def test_rows_that_cannot_be_told_are_named():
    far = ne.circuits.FunctionCircuit(
        lambda x: np.where(x[:, :1] > 0.5, 1e16, 0) + x[:, :1], SUPPORT,
        jacobian=lambda x: np.tile([[[1.0, 0.0]]], (len(x), 1, 1)),
    )  # fmt: skip
    check = ne.check_jacobian(far, [[0.2, 0.0], [0.3, 0.0], [0.8, 0.0]])
    assert check.ok and check.undecided_rows == (2,) and "in 1 rows it cannot be told" in str(check)
    assert str(check).endswith("(rounding, or a kink): 2")


def test_a_derivative_that_is_nan_in_one_row_is_wrong(z):
    def once(x):
        out = jacobian(x)
        out[3, 1, 0] = np.nan
        return out

    broken = ne.circuits.FunctionCircuit(statistics, SUPPORT, jacobian=once)
    check = ne.check_jacobian(broken, z, raise_error=False)
    assert not check.ok and check.disagreeing == 1 and check.row == 3
