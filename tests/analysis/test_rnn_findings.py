"""Figure 2, supplement 3 without a fit: what ten times the network's own noise does to the exact solution, N = 5.

Uniform draws reweighted: exp(eta . T) of the mean of several draws of T, the exponent corrected for their noise as in
the science, section 1.
"""

import numpy as np
import pytest

import numepi as ne
from tests.analysis.tilted import tilted

NEURONS, ROWS = 5, 6000


def exact(g, draws):
    """Entropy in nats, and mean and spread about the target of fresh statistics (2,), of the exact solution."""
    circuit = ne.circuits.RankTwoRNN(NEURONS, g=g)
    prop = circuit.emergent_property()
    z = np.random.default_rng(1).uniform(-1, 1, (ROWS, 4 * NEURONS))
    f = np.stack([circuit.statistics(z, rng=k) for k in range(draws)], axis=1)
    T = np.concatenate([f - prop.mean, (f - prop.mean) ** 2 - prop.variance], axis=-1)
    _, p = tilted(T)
    entropy = 4 * NEURONS * np.log(2) - p @ np.log(np.maximum(p * ROWS, 1e-300))
    fresh = circuit.statistics(z, rng=99)
    return entropy, p @ fresh, np.sqrt(p @ (fresh - prop.mean) ** 2)


@pytest.mark.parametrize(("g", "draws", "nats"), [(0.01, 4, 12.40), (0.1, 40, 11.7)])
def test_means_and_variances_are_as_asked_for_whatever_the_noise_and_entropy_pays(g, draws, nats):
    entropy, mean, spread = exact(g, draws)
    # some 430 effective draws: a mean has a standard error of 0.012, a spread one of 0.009, the entropy some 0.05
    assert entropy == pytest.approx(nats, abs=0.2)
    np.testing.assert_allclose(mean, [0.5, 1.5], atol=0.04)
    np.testing.assert_allclose(spread, 0.25, atol=0.035)
