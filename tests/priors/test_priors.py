"""Priors ready made: densities against scipy and quadrature, gradients three ways, samples, restriction, messages."""

import json

import numpy as np
import pytest
from scipy import integrate, stats

import numepi as ne
from numepi.priors import marginals

ONE = {
    "uniform": (ne.priors.uniform(-1.0, 3.0), stats.uniform(-1, 4)),
    "log-uniform": (ne.priors.log_uniform(0.01, 10.0), stats.loguniform(0.01, 10)),
    "normal": (ne.priors.normal(2.0, 0.5), stats.norm(2, 0.5)),
    "truncated": (ne.priors.truncated_normal(1.0, 2.0, 0.0, 3.0), stats.truncnorm(-0.5, 1.0, 1, 2)),
    "truncated, far above the mean": (
        ne.priors.truncated_normal(0.0, 1.0, 9.0, np.inf),
        stats.truncnorm(9.0, np.inf, 0, 1),
    ),
    "beta": (ne.priors.beta(2.0, 0.7), stats.beta(2, 0.7)),
    "stretched beta": (ne.priors.beta(1.5, 3.0, -2.0, 4.0), stats.beta(1.5, 3.0, -2, 6)),
    "frozen": (ne.priors.independent([stats.gamma(2.5, scale=0.3)]), stats.gamma(2.5, scale=0.3)),
    "frozen, heavy tails": (ne.priors.independent([stats.t(3, 1.0, 2.0)]), stats.t(3, 1.0, 2.0)),
}
GOLDEN = {  # at (0.4, -1.2): log density and gradient, by hand
    "normal": (ne.priors.normal([0.0, -1.0], [1.0, 0.5]), -np.log(2 * np.pi) - 0.08 + np.log(2) - 0.08, [-0.4, 0.8]),
    "correlated": (
        ne.priors.multivariate_normal([0.0, -1.0], [[1.0, 0.5], [0.5, 1.0]]),
        -np.log(2 * np.pi) - 0.5 * np.log(0.75) - (0.16 + 0.04 + 0.08) / 1.5,
        [-0.4 * 4 / 3 - 0.2 * 2 / 3, 0.2 * 4 / 3 + 0.4 * 2 / 3],
    ),
}
# What a normal scale means to a difference: where scipy's own density is too rough for complex steps.
ANALYTIC = {
    "frozen": lambda z: 1.5 / z - 1 / 0.3,
    "frozen, heavy tails": lambda z: -4 * ((z - 1) / 2) / (3 + ((z - 1) / 2) ** 2) / 2,
}


def draws(prior, n=200):
    return prior.sample(n, rng=5)


@pytest.mark.parametrize("name", ONE)
def test_density_is_scipys_and_zero_outside(name):
    prior, reference = ONE[name]
    z = draws(prior)
    np.testing.assert_allclose(prior.log_prob(z), reference.logpdf(z[:, 0]), rtol=1e-9, atol=1e-9)
    low, high = reference.support()
    assert (prior.support.lower[0], prior.support.upper[0]) == pytest.approx((low, high))
    outside = np.array([[low - 1.0], [high + 1.0]])
    outside = outside[np.isfinite(outside[:, 0])]
    assert np.isneginf(prior.log_prob(outside)).all() and np.isnan(prior.gradient(outside)).all()
    assert np.isnan(prior.log_prob([[np.nan]])).all()


@pytest.mark.parametrize("name", ONE)
def test_gradient_against_differences(name):
    prior, _ = ONE[name]
    z = draws(prior)
    low, high = prior.support.lower, prior.support.upper
    h = 1e-4 * np.minimum(1.0, np.minimum(z - low, high - z))
    near = prior.log_prob(z + h) - prior.log_prob(z - h)
    far = prior.log_prob(z + 2 * h) - prior.log_prob(z - 2 * h)
    numeric = ((8 * near - far) / (12 * h[:, 0]))[:, None]
    np.testing.assert_allclose(prior.gradient(z), numeric, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_values(name):
    prior, log_prob, gradient = GOLDEN[name]
    z = np.array([[0.4, -1.2]])
    assert prior.log_prob(z)[0] == pytest.approx(log_prob, rel=1e-13)
    np.testing.assert_allclose(prior.gradient(z)[0], gradient, rtol=1e-13)


@pytest.mark.parametrize("family", [
    marginals.Uniform(lower=np.array([-1.0]), upper=np.array([3.0])),
    marginals.LogUniform(lower=np.array([0.1]), upper=np.array([3.0])),
    marginals.Normal(mean=np.array([0.5]), standard_deviation=np.array([2.0])),
    marginals.TruncatedNormal(mean=np.array([0.5]), standard_deviation=np.array([2.0]), lower=np.array([0.0]),
                              upper=np.array([3.0])),
], ids=lambda family: type(family).__name__)  # fmt: skip
def test_gradient_against_complex_steps(family):
    z = np.array([[0.2], [1.3], [2.9]])
    step = 1e-30
    density = np.broadcast_to(family.log_density(z + 1j * step), z.shape)
    np.testing.assert_allclose(family.derivative(z), density.imag / step, rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize("name", ANALYTIC)
def test_gradient_of_a_frozen_distribution_is_accurate(name):
    z = draws(ONE[name][0], 1000)
    np.testing.assert_allclose(ONE[name][0].gradient(z), ANALYTIC[name](z), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("name", ONE)
def test_samples_follow_the_density(name):
    prior, reference = ONE[name]
    z = prior.sample(20_000, rng=3)
    # Kolmogorov-Smirnov at fixed seeds; false-alarm rate 1e-6 for each of nine
    assert stats.kstest(z[:, 0], reference.cdf).pvalue > 1e-6
    np.testing.assert_array_equal(prior.sample(20_000, rng=3), z)
    assert prior.sample(0).shape == (0, 1)


@pytest.mark.parametrize("name", ONE)
def test_mass_of_an_interval(name):
    prior, reference = ONE[name]
    low, high = reference.ppf([0.2, 0.7])
    restricted = prior.restricted_to(ne.Support([low], [high]))
    assert restricted.mass == pytest.approx(0.5, rel=1e-9) and restricted.mass_stderr == 0.0
    total, _ = integrate.quad(lambda x: np.exp(restricted.log_prob([[x]]))[0], low, high)
    assert total == pytest.approx(1.0, rel=1e-7)
    z = restricted.sample(500, rng=1)
    assert ((z >= low) & (z <= high)).all() and len(z) == 500


def test_several_parameters_in_order():
    prior = ne.priors.independent(
        [ne.priors.normal([0.0, 1.0], 2.0), stats.expon(scale=3.0), ne.priors.uniform(0.0, [1.0, 4.0])]
    )
    z = prior.sample(50, rng=2)
    expected = stats.norm(0, 2).logpdf(z[:, 0]) + stats.norm(1, 2).logpdf(z[:, 1]) + stats.expon(0, 3).logpdf(z[:, 2])
    np.testing.assert_allclose(prior.log_prob(z), expected - np.log(4.0), rtol=1e-10)
    assert prior.dim == 5 and prior.gradient(z).shape == (50, 5)
    np.testing.assert_allclose(prior.gradient(z)[:, 2], -1 / 3, rtol=1e-8)
    mixed = z[:3].copy()
    mixed[1, 2] = -1.0
    assert np.isfinite(prior.log_prob(mixed)).tolist() == [True, False, True]


def test_a_discrete_distribution_fills_unit_cells():
    prior = ne.priors.independent([stats.binom(5, 0.3)])
    assert (prior.support.lower[0], prior.support.upper[0]) == (-0.5, 5.5)
    z = np.array([[1.6], [2.0], [2.4]])
    np.testing.assert_allclose(prior.log_prob(z), stats.binom(5, 0.3).logpmf(2))
    np.testing.assert_array_equal(prior.gradient(z), 0)
    counts = np.bincount(np.rint(prior.sample(20_000, rng=0)[:, 0]).astype(int), minlength=6)
    # chi-square on six cells; false-alarm rate 1e-6
    assert stats.chisquare(counts, 20_000 * stats.binom(5, 0.3).pmf(np.arange(6))).pvalue > 1e-6
    half = prior.restricted_to(ne.Support([-0.5], [1.0]))
    assert half.mass == pytest.approx(stats.binom(5, 0.3).pmf(0) + stats.binom(5, 0.3).pmf(1) / 2)


@pytest.mark.skipif(not hasattr(stats, "Normal"), reason="scipy below 1.15 has the old distributions only")
def test_distributions_of_scipys_new_kind():
    prior = ne.priors.independent([stats.Normal(mu=1.0, sigma=2.0)])
    z = prior.sample(30, rng=0)
    np.testing.assert_allclose(prior.log_prob(z), stats.norm(1, 2).logpdf(z[:, 0]), rtol=1e-12)
    np.testing.assert_allclose(prior.gradient(z), (1 - z) / 4, rtol=1e-8, atol=1e-9)


def test_correlated_normal_and_its_mass_by_draws():
    covariance = np.array([[1.0, 0.8], [0.8, 2.0]])
    prior = ne.priors.multivariate_normal([1.0, -1.0], covariance)
    z = prior.sample(100_000, rng=4)
    # five standard errors of variances and covariance of 100,000 draws; false alarm below 2e-6
    assert np.abs(np.cov(z.T) - covariance).max() < 5 * 2 * np.sqrt(2 / 100_000)
    reference = stats.multivariate_normal([1, -1], covariance)
    np.testing.assert_allclose(prior.log_prob(z[:50]), reference.logpdf(z[:50]), rtol=1e-12)
    h = 1e-5
    for j in range(2):
        shift = h * np.eye(2)[j]
        numeric = (prior.log_prob(z[:50] + shift) - prior.log_prob(z[:50] - shift)) / (2 * h)
        np.testing.assert_allclose(prior.gradient(z[:50])[:, j], numeric, rtol=1e-7, atol=1e-8)
    box = ne.Support([0.0, -2.0], [2.0, 0.0])
    restricted = prior.restricted_to(box)
    exact = (
        reference.cdf([2.0, 0.0]) - reference.cdf([0.0, 0.0]) - reference.cdf([2.0, -2.0]) + reference.cdf([0.0, -2.0])
    )
    assert 0 < restricted.mass_stderr < 2e-3
    assert abs(restricted.mass - exact) < 5 * restricted.mass_stderr  # false alarm 6e-7, at a fixed seed
    assert prior.restricted_to(prior.support).mass == 1.0


def test_descriptions_are_plain_and_tell_priors_apart():
    priors = [prior for prior, _ in ONE.values()] + [prior for prior, *_ in GOLDEN.values()]
    descriptions = [json.dumps(prior.description) for prior in priors]
    assert len(set(descriptions)) == len(descriptions)
    assert json.dumps(ne.priors.normal(2.0, 0.5).description) == json.dumps(ONE["normal"][0].description)


P = ne.priors


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: P.uniform(1.0, 1.0), ValueError, r"lower\[0\] = 1.0 and upper\[0\] = 1.0: lower must be below upper"),
    (lambda: P.uniform(0.0, np.inf), ValueError, "give finite bounds"),
    (lambda: P.uniform("a", 1.0), TypeError, "lower holds strings"),
    (lambda: P.uniform([[0.0]], 1.0), ValueError, r"lower has shape \(1, 1\): give a number, or one for each"),
    (lambda: P.uniform([0, 0, 0], [1, 1]), ValueError, "upper has 2 entries: give 3 as the others have"),
    (lambda: P.log_uniform(0.0, 1.0), ValueError, r"lower\[0\] = 0.0: give a number above 0"),
    (lambda: P.normal(0.0, 0.0), ValueError, r"standard_deviation\[0\] = 0.0: give a number above 0"),
    (lambda: P.normal(np.nan, 1.0), ValueError, "mean = nan: give a finite number"),
    (lambda: P.normal([0.0, np.nan], 1.0), ValueError, r"mean\[1\] = nan: give finite numbers"),
    (lambda: P.normal(1j, 1.0), TypeError, "complex"),
    (lambda: P.truncated_normal(0, 1, np.inf, np.inf), ValueError, "lower must be below upper"),
    (lambda: P.truncated_normal(0, 1, 2.0, 1.0), ValueError, "lower must be below upper"),
    (lambda: P.beta(0.0, 1.0), ValueError, r"a\[0\] = 0.0: give a number above 0"),
    (lambda: P.beta(1.0, 1.0, 0.0, -1.0), ValueError, "lower must be below upper"),
    (lambda: P.independent([]), ValueError, "distributions is empty"),
    (lambda: P.independent(3), TypeError, r"distributions\[0\] is a int: give a prior of independent parameters"),
    (lambda: P.independent([stats.norm]), TypeError, r"distributions\[0\] is a norm_gen"),
    (lambda: P.independent([stats.multivariate_normal([0, 0])]), TypeError, "multivariate_normal_frozen"),
    (lambda: P.independent([P.multivariate_normal([0, 0], np.eye(2))]), TypeError, "NormalPrior"),
    (lambda: P.multivariate_normal([0, 0], np.eye(3)), ValueError, r"covariance has shape \(3, 3\): expected \(2, 2\)"),
    (lambda: P.multivariate_normal([0, 0], [[1, 2], [2, 1]]), ValueError, "eigenvalue -1: give a positive definite"),
    (lambda: P.multivariate_normal([0, 0], [[1, 0.5], [0.2, 1]]), ValueError, "not symmetric"),
    (lambda: P.normal(0, 1).log_prob([0.0]), ValueError, r"z has shape \(1,\): this prior expects \(n, 1\)"),
    (lambda: P.normal(0, 1).sample(-1), ValueError, "n = -1"),
    (lambda: P.normal(0, 1).restricted_to(ne.Support([0, 0], [1, 1])), ValueError, "1 parameters and the support 2"),
    (lambda: P.uniform(0, 1).restricted_to(ne.Support([2], [3])), ValueError, "the prior has no mass on the support"),
])  # fmt: skip
def test_bad_arguments_are_named(make, error, message):
    with pytest.raises(error, match=message):
        make()
