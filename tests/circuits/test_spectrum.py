"""The softmax spectrum: the definition and its complex-step derivative, even and odd lengths, silence, NaN."""

import numpy as np
import pytest

from numepi.circuits.spectrum import frequency, spectrum_tables
from tests.circuits.reference_stg import hub_frequency

FREQUENCIES = tuple(np.arange(101) / 100)


def evaluate(samples, slope=100.0, gradient=True):
    """Frequency and gradient of one signal, among three others."""
    work = np.random.default_rng(0).normal(0, 0.03, (4, len(samples)))
    work[2] = samples
    omega = np.empty(4)
    tables = spectrum_tables(len(samples), 20, 0.025, FREQUENCIES)
    frequency(work, tables, np.array(FREQUENCIES), slope, gradient, omega)
    return omega[2], work[2]


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
