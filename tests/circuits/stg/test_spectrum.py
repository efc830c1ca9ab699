"""The softmax spectrum: the definition and its complex-step derivative, even and odd lengths, silence, NaN."""

import numpy as np
import pytest

from numepi.circuits.stg.spectrum import frequency, spectrum_tables, workspace
from tests.circuits.stg.reference import hub_frequency

FREQUENCIES = tuple(np.arange(101) / 100)


def evaluate(samples, slope=100.0, gradient=True):
    """Frequency and gradient of one signal: among three others, and the same alone."""
    signals = np.random.default_rng(0).normal(0, 0.03, (4, len(samples)))
    signals[2] = samples
    omega, gradients = evaluate_all(signals, slope, gradient)
    omega_alone, gradients_alone = evaluate_all(signals[2:3], slope, gradient)
    np.testing.assert_allclose(omega_alone[0], omega[2], rtol=1e-14)
    np.testing.assert_allclose(gradients_alone[0], gradients[2], rtol=1e-13, atol=1e-13 * np.abs(gradients[2]).max())
    return omega[2], gradients[2]


def evaluate_all(signals, slope, gradient):
    n_signals, n = signals.shape
    tables, frequencies, omega = spectrum_tables(n, 20, 0.025, FREQUENCIES), np.array(FREQUENCIES), np.empty(n_signals)
    samples, halves, moduli = workspace(n_signals, n, tables, frequencies)
    samples[:] = signals
    halves[:] = np.nan  # what is left of the signals before must not matter
    frequency(samples, tables, frequencies, slope, gradient, halves, moduli, omega)
    return omega, samples


def definition(samples, slope=100.0):
    return hub_frequency(np.concatenate([np.zeros(20, samples.dtype), samples]), slope=slope)


def oscillation(n, rng):
    """Volts; the middle is at the peak, so that it counts."""
    return 0.03 * np.cos(2 * np.pi * 0.6 * 0.025 * (np.arange(n) - n // 2)) + 0.002 * rng.standard_normal(n)


@pytest.mark.parametrize("n", [121, 120, 41, 22, 21])
def test_value_and_gradient(n, rng):
    samples = oscillation(n, rng)
    value, gradient = evaluate(samples)
    assert value == pytest.approx(definition(samples).real, abs=1e-13)
    assert gradient[n // 2] != 0 or n < 22
    exact = np.array([definition(samples + 1e-30j * e).imag / 1e-30 for e in np.eye(n)])
    np.testing.assert_allclose(gradient, exact, atol=1e-11 * max(1e-3, np.abs(exact).max()))
    assert not gradient[samples < 0].any()


def test_steep_softmax_finds_the_frequency(rng):
    value, _ = evaluate(oscillation(1001, rng), slope=1e4)
    assert value == pytest.approx(0.6, abs=0.01)


def test_without_gradient_the_samples_stay(rng):
    samples = oscillation(281, rng)
    value, work = evaluate(samples, gradient=False)
    np.testing.assert_array_equal(work, samples)
    assert value == evaluate(samples)[0]


def test_silence_gives_the_middle_and_no_gradient():
    value, gradient = evaluate(np.full(281, -0.06))
    assert value == pytest.approx(0.5, abs=1e-15)
    assert not gradient.any()


def test_nan_is_kept(rng):
    samples = np.full(281, -0.06)
    samples[40] = np.nan
    assert np.isnan(evaluate(samples)[0])


def test_cached_tables_cannot_be_overwritten():
    with pytest.raises(ValueError, match="read-only"):
        spectrum_tables(281, 20, 0.025, FREQUENCIES)[0, 0, 0, 0] = 1
