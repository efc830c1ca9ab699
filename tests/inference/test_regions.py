"""Conditions between parameters, integers and priors with holes: end to end, against values by quadrature."""

import concurrent.futures
import json

import autograd.numpy as anp
import numpy as np
import pytest

import numepi as ne

QUICK = {
    "progress": False, "most_rows": 8000, "surrogate_first_steps": 800, "surrogate_steps": 400, "landing_steps": 400,
}  # fmt: skip
CELLS = 2000


def below(z):
    return z[:, 0] < z[:, 1]


def total(z):
    return anp.sum(z, axis=1, keepdims=True)


def difference(z):
    return z[:, 1:] - z[:, :1]


class Counting(ne.circuits.FunctionCircuit):
    """Keeps what it was asked to simulate."""

    def __init__(self, *arguments, **settings):
        self.asked = []
        super().__init__(*arguments, **settings)

    def _evaluate(self, z, *arguments):
        self.asked.append(z.copy())
        return super()._evaluate(z, *arguments)


def grid(lower, upper):
    axes = [low + (np.arange(CELLS) + 0.5) / CELLS * (high - low) for low, high in zip(lower, upper)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2), np.prod(
        np.subtract(upper, lower)
    ) / CELLS**2


def exact(f, log_p0, cell, eta):
    """Mean, variance and relative entropy of p ~ p0 exp(eta . (f, f^2)) and of its first two moments in z."""
    log_p = log_p0 + eta[0] * f + eta[1] * f**2
    log_p = log_p - log_p.max()
    log_p = log_p - np.log(np.exp(log_p).sum() * cell)
    weights = np.exp(log_p) * cell
    mean = weights @ f
    inside = weights > 0
    relative_entropy = -weights[inside] @ (log_p[inside] - log_p0[inside])
    return mean, weights @ (f - mean) ** 2, relative_entropy, weights


def test_a_triangle_against_quadrature():
    support = ne.Support([0.0, 0.0], [1.0, 1.0], where=below)
    z, cell = grid(support.lower, support.upper)
    with np.errstate(divide="ignore"):
        mean, variance, entropy, weights = exact(total(z)[:, 0], np.log(below(z)), cell, [12.0, -6.0])
    circuit = Counting(total, support, ["low", "high"], ["total"])
    result = ne.infer(circuit, ne.EmergentProperty([mean], [variance]), rng=1, **QUICK)
    assert result.success, result.message
    assert all(below(asked).all() for asked in circuit.asked), "rows outside were simulated"
    # Without the renormalisation it would be log 2 off.
    assert entropy - 0.15 < result.entropy < entropy + 0.03
    assert result.certificate.entropy_bound == pytest.approx(entropy, abs=0.03)
    assert -0.02 < result.certificate.kl < 0.15
    assert result.n_failed == 0
    z_fit, log_q = result.distribution.sample_with_log_prob(5000, rng=3)
    assert below(z_fit).all() and below(result.sample(2000, rng=2, corrected=True)).all()
    assert -log_q.mean() == pytest.approx(result.entropy, abs=0.05)
    # The corrected samples' mean: five standard errors of 2000 draws, false alarm 6e-7, efficiency apart.
    corrected = result.sample(2000, rng=2, corrected=True)
    spread = np.sqrt(weights @ (z - weights @ z) ** 2)
    assert np.all(np.abs(corrected.mean(axis=0) - weights @ z) < 8 * spread / np.sqrt(2000))
    outside = result.distribution.log_prob([[0.9, 0.1], [0.1, 0.9]])
    assert np.isneginf(outside[0]) and np.isfinite(outside[1])


def test_a_thin_region_is_found_and_costs_no_simulations_outside():
    """The condition leaves one in fifty of the box."""
    support = ne.Support([0.0, 0.0], [1.0, 1.0], where=lambda z: np.abs(z[:, 0] - z[:, 1]) < 0.01)
    z, cell = grid(support.lower, support.upper)
    with np.errstate(divide="ignore"):
        log_p0 = np.log(support.where(z))
    mean, variance, entropy, _ = exact(total(z)[:, 0], log_p0, cell, [4.0, -4.0])
    circuit = ne.circuits.FunctionCircuit(total, support)
    result = ne.infer(circuit, ne.EmergentProperty([mean], [variance]), rng=0, **QUICK)
    assert result.success, result.message
    assert result.n_failed == 0 and entropy - 0.4 < result.entropy < entropy + 0.05
    assert result.certificate.entropy_bound == pytest.approx(entropy, abs=0.06)


@pytest.mark.parametrize("make", [dict, lambda: {"executor": concurrent.futures.ThreadPoolExecutor(2)}])
def test_the_same_bits_with_an_executor(make):
    circuit = ne.circuits.FunctionCircuit(total, ne.Support([0.0, 0.0], [1.0, 1.0], where=below))
    small = QUICK | {"most_rows": 400, "fit_steps": 20, "landing_steps": 20}
    prop = ne.EmergentProperty([1.0], [0.02])
    here = ne.infer(circuit, prop, **small)
    there = ne.infer(circuit, prop, **small, **make())
    np.testing.assert_array_equal(here.distribution.theta, there.distribution.theta)


def test_a_stored_answer_needs_the_condition_again_only_where_it_is_used(tmp_path):
    circuit = ne.circuits.FunctionCircuit(total, ne.Support([0.0, 0.0], [1.0, 1.0], where=below))
    small = QUICK | {"most_rows": 400, "fit_steps": 20, "landing_steps": 20}
    result = ne.infer(circuit, ne.EmergentProperty([1.0], [0.02]), **small)
    result.save(tmp_path / "r.npz")
    again = ne.load(tmp_path / "r.npz", circuit=circuit)
    np.testing.assert_array_equal(again.sample(10), result.sample(10))
    with pytest.raises(ValueError, match=r"condition .*below, known by name only"):
        ne.load(tmp_path / "r.npz").sample(10)


def test_an_integer_parameter_against_sums():
    """A number of channels n from 1 to 12 times a conductance: p* over n by summation, over g by quadrature."""
    support = ne.Support([1, 0.0], [12, 1.0], integer=(0,))

    def current(z):
        return z[:, :1] * z[:, 1:]

    n, g = np.arange(1, 13), (np.arange(CELLS) + 0.5) / CELLS
    f = n[:, None] * g
    log_p = 8.0 * f - 1.0 * f**2
    weights = np.exp(log_p - log_p.max())
    log_p = log_p - log_p.max() - np.log(weights.sum() / CELLS)
    weights /= weights.sum()
    mean = np.sum(weights * f)
    variance, entropy = np.sum(weights * (f - mean) ** 2), -np.sum(weights * log_p)
    circuit = Counting(current, support, ["channels", "conductance"], ["current"])
    result = ne.infer(circuit, ne.EmergentProperty([mean], [variance]), rng=0, **QUICK)
    assert result.success, result.message
    assert all((asked[:, 0] == np.rint(asked[:, 0])).all() and asked[:, 0].min() >= 1 for asked in circuit.asked)
    assert entropy - 0.25 < result.entropy < entropy + 0.03
    assert result.certificate.entropy_bound == pytest.approx(entropy, abs=0.04)
    z = result.sample(4000, rng=1, corrected=True)
    shares = np.bincount(z[:, 0].astype(int), minlength=13)[1:] / 4000
    # Eight standard errors of a share of 4000 draws, for the weights of the correction; false alarm below 1e-6.
    probabilities = weights.sum(axis=1)
    assert np.all(np.abs(shares - probabilities) < 8 * np.sqrt(probabilities * (1 - probabilities) / 4000) + 1e-3)
    assert set(np.unique(result.sample(500)[:, 0])) <= set(range(1, 13))


def test_a_prior_with_a_corner_of_no_density_against_quadrature():
    prior = ne.priors.independent([ne.priors.uniform(0.25, 2.0), ne.priors.normal(0.5, 0.5)])
    support = ne.Support([0.0, 0.0], [1.0, 1.0])
    z, cell = grid(support.lower, support.upper)
    log_p0 = prior.restricted_to(support).log_prob(z)
    mean, variance, relative, _ = exact(difference(z)[:, 0], log_p0, cell, [6.0, -6.0])
    circuit = Counting(difference, support, ["a", "b"], ["difference"])
    prop = ne.EmergentProperty([mean], [variance])
    result = ne.infer(circuit, prop, prior=prior, rng=0, gradient="none", **QUICK)
    assert result.success, result.message
    assert min(asked[:, 0].min() for asked in circuit.asked if len(asked) > 2) >= 0.25
    assert relative - 0.15 < -result.relative_entropy < relative + 0.03
    assert result.certificate.entropy_bound == pytest.approx(relative, abs=0.03)
    assert json.dumps(result.configuration["prior"]).count("family") == 2


class Odd:
    """A user's prior that goes wrong in a given way."""

    def __init__(self, log_prob, gradient=lambda z: 0 * z):
        self.log_prob, self.gradient = log_prob, gradient


@pytest.mark.parametrize(("prior", "error", "message"), [
    (Odd(lambda z: np.where(z[:, 0] > 0.5, np.nan, 0.0)), ValueError, r"prior.log_prob is nan at z = \["),
    (Odd(lambda z: np.where(z[:, 0] > 0.5, np.inf, 0.0)), ValueError, r"prior.log_prob is inf at z = \["),
    (Odd(lambda z: np.zeros((len(z), 1))), ValueError, r"prior.log_prob returned shape \(256, 1\) .*expected \(256,\)"),
    (Odd(lambda z: 0.0), ValueError, r"prior.log_prob returned shape \(\)"),
    (Odd(lambda z: z[:, 0] - z[:, 0].max()), ValueError, r"among 256 rows and \[0.\] alone: row i must depend"),
    (Odd(lambda z: ["a"] * len(z)), TypeError, r"prior.log_prob\(z\) holds strings"),
    (Odd(lambda z: np.full(len(z), -np.inf)), ValueError, "is -inf at all of 256 points"),
    (Odd(lambda z: 0 * z[:, 0], lambda z: z[:, 0]), ValueError, r"prior.gradient returned shape \(256,\)"),
    (Odd(lambda z: 0 * z[:, 0], lambda z: np.nan * z), ValueError, r"prior.gradient is \[nan nan\] at z"),
    (ne.priors.normal(0, 1), ValueError, "the prior has 1 parameters and the support 2"),
    (ne.priors.uniform([2, 2], [3, 3]), ValueError, "the prior has no mass on the support"),
])  # fmt: skip
def test_priors_are_tried_before_anything_is_simulated(prior, error, message):
    circuit = Counting(total, ne.Support([0.0, 0.0], [1.0, 1.0]), statistic_names=["total"])
    with pytest.raises(error, match=message):
        ne.infer(circuit, ne.EmergentProperty([1.0]), prior=prior, progress=False)
    assert not circuit.asked


@pytest.mark.parametrize("support", [
    ne.Support([0.0, 0.0], [1.0, 1.0], where=below), ne.Support([0, 0], [1, 1], integer=[1])
], ids=["condition", "integer"])  # fmt: skip
def test_gradients_are_refused_where_densities_jump(support):
    circuit = ne.circuits.FunctionCircuit(total, support)
    with pytest.raises(ValueError, match=r"gradient = 'exact', but the support has .* where densities jump"):
        ne.infer(circuit, ne.EmergentProperty([1.0]), gradient="exact")
    with pytest.raises(ValueError, match="'augmented-lagrangian' needs gradients"):
        ne.infer(circuit, ne.EmergentProperty([1.0]), solver="augmented-lagrangian")
