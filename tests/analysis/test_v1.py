"""Sums of squares, paradoxical effect, contrast and linear theory of the V1 circuit."""

import numpy as np
import pytest
from scipy import stats

import numepi as ne
from numepi.analysis import v1
from numepi.analysis.v1_linear import linear_standard_deviation, variance_gains


class Uniform:
    """Independent uniform amplitudes: ``scale`` times U(0, 0.1) for E and P, U(0, 0.5) for S and V."""

    def __init__(self, scale):
        self.scale = scale

    def sample(self, n, rng):
        return rng.uniform(0, [0.1 * self.scale, 0.1 * self.scale, 0.5, 0.5], (n, 4))


def test_sums_and_their_test_agree_with_scipy(rng):
    low, high = Uniform(1.0).sample(80, rng), Uniform(1.5).sample(80, rng)
    sums = v1.sums_of_squares(low)
    np.testing.assert_allclose(sums[:, 1], low[:, 2] ** 2 + low[:, 3] ** 2)
    found = v1.compare_sums(low, high)
    for i in range(2):
        t = stats.ttest_ind(sums[:, i], v1.sums_of_squares(high)[:, i], equal_var=False)
        assert found.p[i] == pytest.approx(t.pvalue)
    assert found.effect[0] > 0.5 and found.means.shape == (2, 2)


def test_effect_sizes_tell_a_difference_from_none():
    found = v1.effect_sizes(Uniform(1.0), Uniform(1.5), n=100, repeats=50, rng=1)
    assert found.effect.shape == (50, 2) and found.interval[0, 0] > 0
    # no difference in S and V: at this seed, as in 95 % of seeds, the mean's interval holds 0
    assert found.mean_interval[1, 0] < 0 < found.mean_interval[1, 1]


def test_only_p_is_paradoxical():
    response = v1.paradoxical(ne.circuits.V1())
    assert [name for name, change in response.items() if change < 0] == ["P"]


def test_contrast_response_is_the_steady_state_at_each_contrast():
    circuit = ne.circuits.V1()
    rates = v1.contrast_response(circuit, [0.0, 0.5])
    np.testing.assert_allclose(rates[1], ne.circuits.V1(contrast=0.5).steady_state())
    np.testing.assert_allclose(rates[0], circuit.steady_state())


def test_linear_theory_is_exact_for_small_noise():
    # the mean square of many short windows: 400 trials leave a standard error of some 3 %
    circuit = ne.circuits.V1(trials=400)
    z = 1e-3 * np.array([[1.0, 0.3, 2.0, 1.0]])
    x = circuit.simulate(z, rng=5).values[0][:, circuit.time >= 0.075 - 1e-9]
    measured = np.sqrt(x.var(axis=1).mean(axis=0))
    np.testing.assert_allclose(linear_standard_deviation(circuit, z)[0], measured, rtol=0.1)


def test_linear_variance_in_continuous_time_of_one_population_is_known():
    # without recurrence gain^2 sigma-tilde^2 tau_noise / (tau + tau_noise), which the scale of sigma-tilde cancels
    circuit = ne.circuits.V1(weights=np.zeros((4, 4)))
    gain = 2 * np.array(circuit.baseline_input)
    np.testing.assert_allclose(variance_gains(circuit, as_simulated=False), np.diag(gain**2), rtol=1e-9)
    # the window and the steps of the simulation lower and raise it
    assert not np.allclose(variance_gains(circuit), np.diag(gain**2), rtol=0.05)


def test_an_unstable_circuit_has_no_linear_theory():
    with pytest.raises(ValueError, match="steady state"):
        variance_gains(ne.circuits.V1(weights=np.eye(4)))
