"""Probabilities, quantiles and correlations as moments, and what of moments is refused."""

import json
import pickle

import numpy as np
import pytest

import numepi as ne

NAMES = ("a", "b")
ALL = {
    "above": ne.Moment.probability("b", above=1.0, target=0.3),
    "below": ne.Moment.probability("b", below=1.0, target=0.3),
    "between": ne.Moment.probability("b", above=-1.0, below=1.0, target=0.3),
    "quantile": ne.Moment.quantile("b", 0.9, target=1.0),
    "correlation": ne.Moment.correlation("a", "b", target=0.4, centre=(1.0, 2.0), spread=(0.5, 3.0)),
}


def constraints(*moments, names=NAMES, **settings):
    settings.setdefault("mean", [None] * len(names))
    return ne.EmergentProperty(functions=moments, **settings).constraints(names)


@pytest.mark.parametrize(("name", "expected"), [
    ("above", [0, 0, 0, 1]), ("below", [1, 1, 0, 0]), ("between", [0, 1, 0, 0]), ("quantile", [1, 1, 1, 0]),
])  # fmt: skip
def test_indicators_of_the_named_statistic(name, expected):
    f = np.array([[9.0, -1.5], [9.0, 0.5], [-9.0, 1.0], [0.0, 1.5]])
    c = constraints(ALL[name])
    np.testing.assert_array_equal(c.sufficient_statistics(f)[:, 0], expected)
    np.testing.assert_array_equal(c.derivative(f), 0)
    assert not c.prop.differentiable and np.isnan(c.sufficient_statistics([[0.0, np.nan]])).all()


def test_names_say_what_is_asked():
    names = [moment.name for moment in ALL.values()]
    assert names == ["P(1 < b)", "P(b < 1)", "P(-1 < b < 1)", "P(b <= 1)", "correlation a, b"]


def test_a_function_of_some_statistics_sees_their_columns_in_order(rng):
    moment = ne.Moment("difference", lambda f: f[:, 0] - 2 * f[:, 1], 0.0, statistics=("b", "a"))
    f = rng.normal(size=(5, 2))
    c = constraints(moment)
    np.testing.assert_allclose(c.sufficient_statistics(f)[:, 0], f[:, 1] - 2 * f[:, 0])
    np.testing.assert_allclose(c.derivative(f)[:, 0], np.tile([-2.0, 1.0], (5, 1)))
    with pytest.raises(ValueError, match="'difference' names the statistic 'b': choose from a, c"):
        constraints(moment, names=("a", "c"))


def test_correlation_is_met_by_a_distribution_that_has_it_and_by_no_neighbour(rng):
    centre, spread, target = np.array([1.0, -2.0]), np.array([0.5, 3.0]), 0.4
    c = constraints(ne.Moment.correlation("a", "b", target=target, centre=centre, spread=spread))
    n = 400_000
    for correlation in (0.4, 0.5, -0.4):
        normals = rng.standard_normal((n, 2))
        normals[:, 1] = correlation * normals[:, 0] + np.sqrt(1 - correlation**2) * normals[:, 1]
        T = c.sufficient_statistics(centre + spread * normals)[:, 0]
        # five standard errors: false alarms 6e-7 each
        assert abs(T.mean() - correlation) < 5 * T.std() / np.sqrt(n)
        # spreads of the same ratio say the same: only where it is zero matters
        twice = c.sufficient_statistics(centre + 2 * spread * normals)[:, 0]
        assert abs(twice.mean() - target - 4 * (T.mean() - target)) < 1e-9
        if correlation == target:  # of a normal, the scale is T's standard deviation
            np.testing.assert_allclose(T.std(), c.scale, rtol=0.02)


def test_error_of_a_correlation_with_other_centre_and_spread(rng):
    """What the docstring says of a reference that is off, to second order."""
    target, d, e = 0.4, np.array([0.1, 0.2]), 0.2
    c = constraints(ne.Moment.correlation("a", "b", target=target, centre=(0.0, 0.0), spread=(1.0, 1.0)))
    shift = target * (e**2 + d @ d) / 2 - d[0] * d[1]
    # E[T] of normals with this correlation, in closed form from their second moments
    correlation, u, w = target + shift, 1.0, 1 + e
    mean = target + correlation * u * w + d[0] * d[1] - target / 2 * (u**2 + w**2 + d @ d)
    normals = rng.standard_normal((1_000_000, 2))
    normals[:, 1] = correlation * normals[:, 0] + np.sqrt(1 - correlation**2) * normals[:, 1]
    T = c.sufficient_statistics(d + normals * [u, w])[:, 0]
    assert abs(T.mean() - mean) < 5 * T.std() / 1000  # false alarm 6e-7
    assert mean == pytest.approx(target, abs=5e-3)


@pytest.mark.parametrize("how", ["differences", "autograd"])
def test_derivative_of_a_correlation(rng, how):
    import autograd

    f = rng.normal(size=(6, 2))
    c = constraints(ALL["correlation"])
    if how == "autograd":
        expected = autograd.elementwise_grad(ALL["correlation"].function)(f)
    else:
        steps = 1e-6 * np.eye(2)
        columns = [c.sufficient_statistics(f + s)[:, 0] - c.sufficient_statistics(f - s)[:, 0] for s in steps]
        expected = np.stack(columns, axis=1) / 2e-6
    np.testing.assert_allclose(c.derivative(f)[:, 0], expected, rtol=1e-6, atol=1e-9)


def test_correlation_takes_centre_and_spread_from_the_targets():
    free = ne.Moment.correlation("a", "b", target=0.4)
    fixed = constraints(free, mean=[1.0, 2.0], variance=[0.25, 9.0])
    f = np.array([[1.5, 5.0], [0.0, 2.0]])
    np.testing.assert_allclose(fixed.sufficient_statistics(f)[:, -1], [0.4 + 1 - 0.4, 0.4 - 0.2 * 4])
    with pytest.raises(ValueError, match="has no centre, and the mean of b is free: give centre="):
        constraints(free, mean=[1.0, None], variance=[0.25, None])
    with pytest.raises(ValueError, match="has no spread, and the variance of a is free: give spread="):
        constraints(free, mean=[1.0, 2.0])


@pytest.mark.parametrize("name", ALL)
def test_description_rebuilds_and_pickles(name):
    prop = ne.EmergentProperty(mean=[None, None], functions=[ALL[name]])
    again = ne.EmergentProperty.from_description(json.loads(json.dumps(prop.description())))
    assert again.description() == prop.description()
    f = np.random.default_rng(0).normal(size=(50, 2))
    for other in (again, pickle.loads(pickle.dumps(prop))):
        np.testing.assert_array_equal(
            other.constraints(NAMES).sufficient_statistics(f), prop.constraints(NAMES).sufficient_statistics(f)
        )


M = ne.Moment


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: M("m", 3, 0.0), TypeError, "function of Moment 'm' = 3: give a function of f"),
    (lambda: M(3, abs, 0.0), TypeError, "name = 3: give a string"),
    (lambda: M("m", abs, np.nan), ValueError, "target of Moment 'm' = nan"),
    (lambda: M("m", abs, 0.0, scale=-1.0), ValueError, "scale of Moment 'm' = -1.0: give a finite number above 0"),
    (lambda: M("m", abs, 0.0, tolerance=0), ValueError, "tolerance of Moment 'm' = 0"),
    (lambda: M("m", abs, 0.0, jacobian=1), TypeError, "jacobian of Moment 'm' = 1"),
    (lambda: M("m", abs, 0.0, statistics="a"), TypeError, "statistics of Moment 'm' = 'a'"),
    (lambda: M("m", abs, 0.0, differentiable=1), TypeError, "differentiable of Moment 'm' = 1"),
    (lambda: M.probability("a", target=0.5), ValueError, "give above=, below= or both"),
    (lambda: M.probability("a", above=2, below=1, target=0.5), ValueError, "above = 2 and below = 1: above must"),
    (lambda: M.probability("a", above=2, target=1.5), ValueError, r"target = 1.5: give a finite number in \[0, 1\]"),
    (lambda: M.probability(0, above=2, target=0.5), TypeError, "statistic = 0: give a string"),
    (lambda: M.probability("a", above="x", target=0.5), TypeError, "above = 'x'"),
    (lambda: M.quantile("a", 1.0, target=0.5), ValueError, r"q = 1.0: give a finite number in \(0, 1\)"),
    (lambda: M.correlation("a", "a", target=0.5), ValueError, "a, b has 'a' twice"),
    (lambda: M.correlation("a", "b", target=1.0), ValueError, r"target = 1.0: give a finite number in \(-1, 1\)"),
    (lambda: M.correlation("a", "b", target=0, spread=(1, 0)), ValueError, "spread = 0.0: give a finite number"),
    (lambda: M.correlation("a", "b", target=0, centre=1.0), ValueError, r"centre has shape \(\): expected \(2,\)"),
])  # fmt: skip
def test_bad_moments_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize("attribute", ["target", "scale", "function"])
def test_a_moment_cannot_be_edited(attribute):
    """Properties that share one would change with it."""
    moment = ne.Moment("cubed", lambda f: f[:, 0] ** 3, target=2.0)
    with pytest.raises(AttributeError):
        setattr(moment, attribute, None)
