"""Means out of reach never count as met, wherever a statistic has its zero; probabilities are met as they say."""

import autograd.numpy as anp
import numpy as np
import pytest

import numepi as ne

QUICK = {
    "progress": False, "kl": 0.1, "most_rows": 4000, "surrogate_first_steps": 400, "surrogate_steps": 200,
    "landing_steps": 200, "pool_size": 4000, "check_size": 5000, "score_draws": 10_000,
}  # fmt: skip
SQUARE = ne.Support([-1.0, -1.0], [1.0, 1.0])


def circuit_of(function, **settings):
    return ne.circuits.FunctionCircuit(function, SQUARE, statistic_names=["f"], **settings)


def first(z):
    return z[:, :1]


@pytest.mark.parametrize(("function", "target"), [
    (lambda z: z[:, :1] - 64.0, -58.0),  # between -65 and -63: within a tenth of |target|
    (lambda z: 1e4 + z[:, :1], 1e4 + 1.001),
    (first, 1.001),
    (lambda z: 1.0 - z[:, :1] ** 2, 1.002),
], ids=["far", "far and close", "close", "flat top"])  # fmt: skip
def test_a_mean_beyond_the_greatest_value_is_not_met(function, target):
    result = ne.infer(circuit_of(function), ne.EmergentProperty([target]), rng=0, max_simulations=60_000, **QUICK)
    assert not result.success and result.constraint_tolerance_source == ("spread",)


def test_a_mean_alone_is_met_within_a_tenth_of_its_spread_with_any_origin():
    results = [
        ne.infer(circuit_of(function), ne.EmergentProperty([target]), rng=0, **QUICK)
        for function, target in ((first, 0.3), (lambda z: 1e3 + z[:, :1], 1000.3))
    ]
    assert all(result.success for result in results)
    tolerances = [result.constraint_tolerance[0] for result in results]
    # The spread of exp(eta f) on [-1, 1] with this mean is 0.53; 20,000 draws know it to half a per cent.
    assert tolerances == pytest.approx([0.053, 0.053], rel=0.05)


def test_probabilities_against_the_exact_answer():
    """P(f > 0.5) = 0.6 and nothing else: uniform on each side, so H = H(0.6) + log areas."""
    moment = ne.Moment.probability("f", above=0.5, target=0.6)
    prop = ne.EmergentProperty([None], functions=[moment])
    result = ne.infer(circuit_of(first), prop, rng=0, **(QUICK | {"final_rounds": 4, "refine_steps": 300}))
    assert result.success and result.constraint_tolerance_source == ("binomial",), result.message
    entropy = -0.6 * np.log(0.6 / 1.0) - 0.4 * np.log(0.4 / 3.0)
    assert entropy - 0.15 < result.entropy < entropy + 0.03  # the flow has no steps
    assert result.certificate.entropy_bound == pytest.approx(entropy, abs=0.03)
    z = result.sample(4000, corrected=True)
    assert abs(np.mean(z[:, 0] > 0.5) - 0.6) < 8 * np.sqrt(0.24 / 4000)  # false alarm below 1e-6


def test_a_median_against_the_exact_answer():
    prop = ne.EmergentProperty([None], functions=[ne.Moment.quantile("f", 0.5, target=-0.5)])
    result = ne.infer(circuit_of(first), prop, rng=0, **(QUICK | {"refine_steps": 300}))
    assert result.success, result.message
    assert np.median(result.sample(4000, corrected=True)[:, 0]) == pytest.approx(-0.5, abs=0.05)


def test_a_certain_event_is_not_met_at_less():
    prop = ne.EmergentProperty([None], functions=[ne.Moment.probability("f", above=0.5, target=1.0)])
    result = ne.infer(circuit_of(first), prop, rng=0, max_simulations=40_000, **QUICK)
    assert result.success == (result.constraint[0] >= 0.999)


def test_a_correlation_with_free_means_and_variances_against_quadrature():
    """Two statistics whose means and variances stay free: the fixed point has the correlation asked for."""
    circuit = ne.circuits.FunctionCircuit(
        lambda z: anp.stack([anp.exp(z[:, 0]), z[:, 0] + z[:, 1]], axis=1), SQUARE, statistic_names=["a", "b"]
    )
    n = 200
    axis = -1 + (np.arange(n) + 0.5) * 2 / n
    f = circuit.statistics(np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2))
    weights = np.full(len(f), 1 / len(f))
    for _ in range(30):  # the exact fixed point: means, spreads and multiplier in turn
        centre = weights @ f
        spread = np.sqrt(weights @ (f - centre) ** 2)
        x, y = ((f - centre) / spread).T
        T = x * y - 0.2 / 2 * (x**2 + y**2)
        eta = 0.0
        for _ in range(8):
            w = np.exp(eta * T - np.max(eta * T))
            w /= w.sum()
            mean = w @ T
            eta -= mean / (w @ (T - mean) ** 2)
        weights = w
    exact = np.array([weights @ f, np.sqrt(weights @ (f - weights @ f) ** 2)])
    assert np.sum(weights * x * y) == pytest.approx(0.2, abs=1e-4)
    moment = ne.Moment.correlation("a", "b", target=0.2, centre=exact[0], spread=exact[1])
    result = ne.infer(circuit, ne.EmergentProperty([None, None], functions=[moment]), rng=0, **QUICK)
    assert result.success, result.message
    entropy = -weights @ np.log(weights * len(f) / 4)
    assert result.certificate.entropy_bound == pytest.approx(entropy, abs=0.03)
    z = result.sample(20_000, rng=1, corrected=True)
    # eight standard errors, (1 - r^2) / sqrt(n), for the weights of the correction; false alarm below 1e-6
    assert abs(np.corrcoef(circuit.statistics(z).T)[0, 1] - 0.2) < 8 * 0.96 / np.sqrt(20_000)
