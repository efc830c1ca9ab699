"""The problem a solver sees: simulations that fail, and derivatives that do."""

import numpy as np
import pytest

import numepi as ne
from numepi.inference.problem import Problem, Stream

BOX = ne.Support([-1.0, -1.0], [1.0, 1.0])
PROP = ne.EmergentProperty(mean=[0.0, 0.0], variance=[0.1, 0.1])
QUICK = {
    "solver": "augmented-lagrangian", "initial": "uniform", "progress": False, "epochs": 1, "iterations_per_epoch": 8,
    "batch_size": 20, "test_batch_size": 20, "n_tests": 5,
}  # fmt: skip


def circuit(bad, dead=-2.0):
    """The identity, with NaN derivatives where x < ``bad`` and failing where x < ``dead``."""

    def jacobian(z):
        out = np.tile(np.eye(2), (len(z), 1, 1))
        out[z[:, 0] < bad, 1, 0] = np.nan
        return out

    return ne.circuits.FunctionCircuit(
        lambda z: np.where(z[:, :1] < dead, np.nan, z), BOX, statistic_names=("x", "y"), jacobian=jacobian
    )


def test_rows_without_a_derivative_are_counted_apart():
    p = Problem(circuit(bad=0.0, dead=-0.5), PROP, np.random.SeedSequence(0))
    z = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    batch = p.simulate(z, Stream.NOISE, 0, with_jacobian=True)
    np.testing.assert_array_equal(batch.valid, z[:, 0] >= 0)
    assert (p.n_failed, p.n_not_differentiable) == ((z[:, 0] < -0.5).sum(), ((z[:, 0] < 0) & (z[:, 0] >= -0.5)).sum())
    assert p.simulate(z, Stream.NOISE, 0).valid.sum() == (z[:, 0] >= -0.5).sum()  # statistics need no derivative
    again = Problem(circuit(bad=0.0), PROP, np.random.SeedSequence(0))
    again.restore(p.state())
    assert again.account["n_not_differentiable"] == p.n_not_differentiable > 0


def test_a_nan_derivative_is_not_called_a_failed_simulation():
    result = ne.infer(circuit(bad=2.0), PROP, **QUICK)
    assert result.status == "failed" and result.n_failed == 0 and result.n_not_differentiable == 20
    assert "d(y)/d(x)" not in result.message and "d(y)/d(z1) = nan at z = " in result.message
    assert "simulations failed" not in result.message and "narrow the support" not in result.message
    assert "gradient='none'" in result.message
    some = ne.infer(circuit(bad=-0.8), PROP, **QUICK)
    assert f"{some.n_not_differentiable:,} had statistics but no finite derivative" in some.message


def test_failed_simulations_are_still_called_so():
    result = ne.infer(circuit(bad=-2.0, dead=2.0), PROP, **QUICK)
    assert "20 of 20 simulations failed" in result.message and result.n_not_differentiable == 0


@pytest.mark.parametrize("inside", [0.25, 1.0])
def test_a_branch_not_taken_does_not_leak_into_derivatives(inside):
    import autograd.numpy as anp

    def root(z):
        return anp.where(z > 0, anp.sqrt(z), 3.0 * z)

    with np.errstate(invalid="ignore"):
        circuit = ne.circuits.FunctionCircuit(root, BOX, statistic_names=("x", "y"))
        _, jacobian = circuit.statistics_and_jacobian([[inside, -0.5], [-0.25, 0.25]])
    slope = 0.5 / np.sqrt(inside)
    np.testing.assert_allclose(jacobian, [[[slope, 0], [0, 3.0]], [[3.0, 0], [0, 1.0]]])
    moment = ne.Moment("root", lambda f: anp.where(f[:, 0] > 0, anp.sqrt(f[:, 0]), 3.0 * f[:, 0]), 0.0)
    constraints = ne.EmergentProperty(mean=[None, 0.0], functions=[moment]).constraints(("x", "y"))
    with np.errstate(invalid="ignore"):
        derivative = constraints.derivative(np.array([[inside, 0.0], [-0.5, 0.0]]))
    np.testing.assert_allclose(derivative[:, 1], [[slope, 0], [3.0, 0]])


def test_noise_is_the_same_in_both_modes_of_differentiation():
    import autograd.numpy as anp

    noisy = ne.circuits.FunctionCircuit(
        lambda z, rng: anp.where(z > 0, anp.sqrt(z), 1.0) * rng.standard_normal(z.shape),
        BOX,
        statistic_names=("x", "y"),
    )
    z = [[0.25, -0.5], [0.25, 0.25]]
    with np.errstate(invalid="ignore"):
        f, jacobian = noisy.statistics_and_jacobian(z, rng=3)
    np.testing.assert_allclose(jacobian[0, 0, 0], f[0, 0] / 0.5)  # d(sqrt z xi)/dz = xi / (2 sqrt z) = f / (2 z)
    np.testing.assert_allclose(jacobian[1], np.diag(f[1] / 0.5))
    assert jacobian[0, 1, 1] == 0


def test_the_range_of_what_was_seen_is_kept_by_checkpoints():
    p = Problem(circuit(bad=-2.0, dead=-0.5), PROP, np.random.SeedSequence(0))
    z = np.random.default_rng(0).uniform(-1, 1, (200, 2))
    for part in (z[:100], z[100:]):
        p.simulate(part, Stream.NOISE, 0)
    good = z[z[:, 0] >= -0.5]
    expected = np.column_stack([good, good**2])
    np.testing.assert_array_equal(p.seen, [expected.min(axis=0), expected.max(axis=0)])
    again = Problem(circuit(bad=0.0), PROP, np.random.SeedSequence(0))
    assert np.isinf(again.seen).all()
    again.restore(p.state())
    np.testing.assert_array_equal(again.seen, p.seen)


def test_a_target_out_of_sight_is_named_with_the_range_that_was_seen():
    prop = ne.EmergentProperty(mean=[3.0, 0.0], variance=[0.1, 0.1])
    result = ne.infer(circuit(bad=-2.0), prop, **QUICK)
    assert not result.success and "have 'mean x' between -" in result.message
    assert "and its target 3 lies 2 beyond" in result.message and "larger budget" not in result.message


def test_where_nothing_works_nothing_is_said_to_be_scored():
    result = ne.infer(circuit(bad=-2.0, dead=2.0), PROP, **QUICK)
    text = str(result)
    assert "there is nothing to score" in text and "what is scored" not in text
    assert "the paper's test" not in text and "nan" not in text.replace("not finite", "") and "unknown" in text
    assert "no draw has a weight" in text and "ESS" not in text and "entropy unknown: no draw works" in text


def test_statistics_whose_powers_overflow_are_not_called_failed_simulations():
    big = ne.circuits.FunctionCircuit(lambda z: 1e200 * z, BOX, statistic_names=("x", "y"))
    with pytest.warns(UserWarning, match="badly conditioned"):
        result = ne.infer(big, ne.EmergentProperty(mean=[0.0, 0.0], variance=[1e70, 1e70]), **QUICK)
    assert (
        "20 of 20 simulations have finite statistics whose powers or functions are not, for example" in result.message
    )
    assert "change their unit" in result.message and "narrow the support" not in result.message
