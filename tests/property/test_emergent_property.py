"""Emergent properties: targets, sufficient statistics, derivatives, errors."""

import autograd.numpy as anp
import numpy as np
import pytest

import numepi as ne

NAMES = ("a", "b")


def full_property():
    return ne.EmergentProperty(
        mean=[1.0, -2.0],
        variance=[0.25, 4.0],
        covariance={("a", "b"): 0.3},
        moments={("a", 3): 0.1, ("b", 4): 40.0},
        functions=[ne.Moment("ratio", lambda f: anp.tanh(f[:, 0] * f[:, 1]), 0.2)],
    )


def test_sufficient_statistics_are_the_moments_about_the_targets(rng):
    f = rng.normal(size=(7, 2))
    a, b = f[:, 0], f[:, 1]
    c = full_property().constraints(NAMES)
    expected = [a, b, (a - 1) ** 2, (b + 2) ** 2, (a - 1) * (b + 2), (a - 1) ** 3, (b + 2) ** 4, np.tanh(a * b)]
    np.testing.assert_allclose(c.sufficient_statistics(f), np.stack(expected, 1), rtol=1e-14)
    np.testing.assert_array_equal(c.target, [1, -2, 0.25, 4, 0.3, 0.1, 40, 0.2])
    assert c.names[0] == "mean a" and c.names[-1] == "ratio" and len(c) == 8


def test_mean_expectation_equals_target_at_the_target_distribution(rng):
    f = rng.normal([1.0, -2.0], [0.5, 2.0], size=(200_000, 2))
    c = ne.EmergentProperty(mean=[1.0, -2.0], variance=[0.25, 4.0]).constraints(NAMES)
    T = c.sufficient_statistics(f)
    # 5 standard errors of 4 means: false alarm below 3e-6
    assert np.all(np.abs(T.mean(0) - c.target) < 5 * T.std(0) / np.sqrt(len(f)))
    # the scale of a constraint is its standard deviation under a normal
    np.testing.assert_allclose(T.std(0), c.scale, rtol=0.02)


def test_derivative_matches_finite_differences(rng):
    f = rng.normal(size=(5, 2))
    c = full_property().constraints(NAMES)
    derivative = c.derivative(f)
    for j in range(2):
        h = np.zeros(2)
        h[j] = 1e-6
        numeric = (c.sufficient_statistics(f + h) - c.sufficient_statistics(f - h)) / 2e-6
        np.testing.assert_allclose(derivative[:, :, j], numeric, rtol=1e-6, atol=1e-8)


def test_given_jacobian_of_a_user_function_is_used(rng):
    moment = ne.Moment("sum", lambda f: f.sum(1), 0.0, jacobian=lambda f: 7 * np.ones_like(f))
    c = ne.EmergentProperty(mean=[None, None], functions=[moment]).constraints(NAMES)
    assert np.all(c.derivative(rng.normal(size=(3, 2))) == 7)


def test_pullback_contracts_both_jacobians(rng):
    f, jacobian, weights = rng.normal(size=(4, 2)), rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 8))
    c = full_property().constraints(NAMES)
    expected = np.einsum("nm,nmk,nkd->nd", weights, c.derivative(f), jacobian)
    np.testing.assert_allclose(c.pullback(f, jacobian, weights), expected, rtol=1e-12)


def test_none_leaves_moments_free():
    c = ne.EmergentProperty(mean=[None, 0.5], variance=[None, None]).constraints(NAMES)
    assert c.names == ("mean b",)


def test_description_round_trip():
    prop = full_property()
    again = ne.EmergentProperty.from_description(prop.description(), prop.functions)
    assert again == prop
    with pytest.raises(ValueError, match="ratio"):
        ne.EmergentProperty.from_description(prop.description())
    other = ne.Moment("ratio", prop.functions[0].function, 0.3)
    with pytest.raises(ValueError, match=r"'ratio' has target 0\.2, the one given 0\.3"):
        ne.EmergentProperty.from_description(prop.description(), [other])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mean": [0, 1], "variance": [1]}, "mean has 2 entries and variance 1"),
        ({"mean": [0, 1], "variance": [1, 0]}, r"variance\[1\] = 0.0: a target variance must be positive"),
        ({"mean": [0, 1], "variance": [1, -2]}, "must be positive"),
        ({"mean": [0, np.nan]}, r"mean\[1\] = nan: give a finite number"),
        ({"mean": [0, 1], "variance": [1, np.inf]}, r"variance\[1\] = inf"),
        ({"mean": [None, 1], "variance": [1, 1]}, r"variance\[0\] is set but mean\[0\] is None"),
        ({"mean": [0, 1], "moments": {("a", 2): 1.0}}, "powers are integers from 3"),
        ({"mean": [0, 1], "functions": [abs]}, "must be a numepi.Moment"),
        ({"mean": 0.5}, "mean = 0.5: expected a sequence"),
        ({"mean": [0, 1], "covariance": {"ab": 0.0}}, "covariance has the key 'ab': expected a pair"),
        ({"mean": [0, 1], "tolerance": {"mean a": 0.0}}, r"tolerance\['mean a'\] = 0.0: give a finite number above 0"),
    ],
)
def test_bad_targets_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ne.EmergentProperty(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mean": [0]}, r"mean has 1 entries but the circuit has 2 statistics: a, b \(None leaves one free\)"),
        ({"mean": [0, 1], "moments": {("c", 3): 1.0}}, "moments names the statistic 'c': choose from a, b"),
        ({"mean": [0, None], "covariance": {("a", "b"): 0.0}}, "covariance of 'b' needs its mean target"),
        ({"mean": [0, 1], "variance": [1, 1], "covariance": {("a", "b"): 1.5}}, "must be below 1"),
        ({"mean": [None, None]}, "empty"),
        ({"mean": [0, 1], "covariance": {("a", "b"): 0.1, ("b", "a"): 0.2}}, "in both orders: give it once"),
        (
            {"mean": [0, 1], "tolerance": {"mean c": 1.0}},
            "tolerance names the constraint 'mean c': choose",
        ),
        ({"mean": [0], "statistics": ["c"]}, "statistics names 'c': choose from a, b"),
        ({"mean": [0, 1], "variance": [2, 1], "moments": {("a", 4): 3.9}}, "an even moment must exceed 4"),
        ({"mean": [0, 1], "moments": {("a", 4): -1.0}}, "an even moment must exceed 0"),
    ],
)
def test_bad_properties_are_refused_when_bound(arguments, message):
    with pytest.raises(ValueError, match=message):
        ne.EmergentProperty(**arguments).constraints(NAMES)


def test_wrong_user_function_shape_is_refused(rng):
    c = ne.EmergentProperty(mean=[0, 0], functions=[ne.Moment("bad", lambda f: f, 0.0)]).constraints(NAMES)
    with pytest.raises(ValueError, match=r"'bad' returned float64 of shape \(3, 2\): expected real numbers of shape"):
        c.sufficient_statistics(rng.normal(size=(3, 2)))


def test_a_user_function_that_autograd_cannot_differentiate_is_named(rng):
    moment = ne.Moment("bad", lambda f: np.asarray([float(row[0]) for row in f]), 0.0)
    c = ne.EmergentProperty(mean=[0, 0], functions=[moment]).constraints(NAMES)
    with pytest.raises(TypeError, match=r"cannot differentiate Moment 'bad'.*give a jacobian"):
        c.derivative(rng.normal(size=(3, 2)))


def test_badly_conditioned_constraints_are_named():
    c = ne.EmergentProperty(mean=[1e-3, 50.0], variance=[1e-6, 100.0]).constraints(NAMES)
    with pytest.warns(UserWarning, match="'variance a' varies by about 1.4e-06 and 'variance b' by 1.4e\\+02"):
        c.warn_if_badly_conditioned()


def test_the_remainder_is_what_noise_adds_to_second_moments(rng):
    prop = ne.EmergentProperty(mean=[1.0, -2.0], variance=[1.0, 4.0], covariance={("a", "b"): 0.5})
    constraints = prop.constraints(("a", "b"))
    about, noise = rng.normal(size=(50, 2)), rng.normal(size=(50, 2))
    remainder = constraints.remainder(about + noise, about)
    np.testing.assert_allclose(remainder[:, :2], 0, atol=1e-12)  # means are linear
    np.testing.assert_allclose(remainder[:, 2:], np.column_stack([noise**2, noise[:, 0] * noise[:, 1]]), atol=1e-12)
