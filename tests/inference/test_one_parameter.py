"""One parameter: the whole chain on problems whose answers quadrature gives."""

import numpy as np
import pytest

import numepi as ne

QUICK = {"most_rows": 6000, "surrogate_first_steps": 800, "surrogate_steps": 400, "progress": False}
CELLS = 200_000


def exact(statistic, eta, low, high):
    """Mean and variance of the statistic and entropy under p ~ exp(eta . (f, f^2)) on [low, high], by midpoints."""
    z = low + (np.arange(CELLS) + 0.5) / CELLS * (high - low)
    f = statistic(z)
    log_p = eta[0] * f + eta[1] * f**2
    log_p -= log_p.max()
    log_p -= np.log(np.exp(log_p).mean() * (high - low))
    weights = np.exp(log_p) * (high - low) / CELLS
    mean = weights @ f
    return mean, weights @ (f - mean) ** 2, -weights @ log_p


def circuit_of(statistic, low, high, **settings):
    support = ne.Support([low], [high])
    return ne.circuits.FunctionCircuit(statistic, support, ["gain"], ["response"], **settings)


@pytest.mark.parametrize("gradient", ["auto", "none"])
def test_two_modes_on_an_interval(gradient):
    mean, variance, entropy = exact(lambda z: z**2, [8.0, -4.0], -2.0, 2.0)
    circuit = circuit_of(lambda z: z**2, -2.0, 2.0)
    result = ne.infer(circuit, ne.EmergentProperty([mean], [variance]), gradient=gradient, rng=2, **QUICK)
    assert result.success, result.message
    assert isinstance(result.distribution.flow, ne.ElementwiseFlow)
    # The exact KL is H* - H where the constraints are met.
    assert entropy - 0.1 < result.entropy < entropy + 0.05
    assert result.certificate.entropy_bound == pytest.approx(entropy, abs=0.03)
    z = result.sample(4000)
    assert z.shape == (4000, 1)
    # each mode has half of the mass: five standard errors of a share of 4000 draws are 0.04 (false alarms: 6e-7), and
    # the fit may tilt them a little
    assert np.mean(z > 0) == pytest.approx(0.5, abs=0.1)


def test_a_bell_at_the_bound_with_corrected_samples():
    mean, variance, entropy = exact(lambda z: z, [6.0, -1.0], 0.0, 2.0)
    result = ne.infer(circuit_of(lambda z: 1.0 * z, 0.0, 2.0), ne.EmergentProperty([mean], [variance]), rng=0, **QUICK)
    assert result.success, result.message
    assert result.entropy == pytest.approx(entropy, abs=0.03)
    z = result.sample(4000, corrected=True)
    # five standard errors of the mean of 4000 draws, one in a million
    assert abs(z.mean() - mean) < 5 * np.sqrt(variance / 4000)


def test_algorithm_one_on_the_open_line():
    circuit = circuit_of(lambda z: 1.0 * z, -np.inf, np.inf)
    result = ne.infer(
        circuit, ne.EmergentProperty([3.0], [4.0]), solver="augmented-lagrangian", progress=False,
        epochs=4, iterations_per_epoch=300, batch_size=200, learning_rate=3e-3, penalty=1.0,
    )  # fmt: skip
    assert isinstance(result.distribution.flow, ne.ElementwiseFlow)
    assert result.statistic_mean[0] == pytest.approx(3.0, abs=0.3)
    assert result.entropy == pytest.approx(0.5 * np.log(2 * np.pi * np.e * 4.0), abs=0.15)


def test_a_stored_answer_of_one_parameter_comes_back(tmp_path):
    settings = QUICK | {"most_rows": 400}
    result = ne.infer(circuit_of(lambda z: 1.0 * z, 0.0, 1.0), ne.EmergentProperty([0.5], [0.02]), **settings)
    result.save(tmp_path / "one.npz")
    np.testing.assert_array_equal(ne.load(tmp_path / "one.npz").sample(10), result.sample(10))
