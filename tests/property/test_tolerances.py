"""How far from its target a constraint counts as met, and the reason that is given."""

import numpy as np
import pytest

import numepi as ne

NAMES = ("a", "b")


def of(name, spread=None, **arguments):
    arguments.setdefault("mean", [1.0, -2.0])
    constraints = ne.EmergentProperty(**arguments).constraints(NAMES)
    spread = np.full(len(constraints), np.nan) if spread is None else np.full(len(constraints), spread)
    tolerance, source = constraints.tolerances(spread)
    place = constraints.names.index(name)
    return tolerance[place], source[place]


VARIANCES = {"variance": [0.25, 4.0]}


@pytest.mark.parametrize(("name", "arguments", "expected", "source"), [
    ("mean a", VARIANCES, 0.05, "target"),
    ("variance b", VARIANCES, 0.4, "target"),
    ("covariance a, b", VARIANCES | {"covariance": {("a", "b"): 0.5}}, 0.1, "target"),
    ("moment 4 a", VARIANCES | {"moments": {("a", 4): 0.2}}, 0.02, "target"),
    ("mean a", VARIANCES | {"tolerance": {"mean a": 0.2}}, 0.2, "given"),
    ("mean a", VARIANCES | {"standard_error": {"mean a": 0.07}}, 0.07, "data"),
    ("mean a", VARIANCES | {"standard_error": {"mean a": 0.01}}, 0.05, "target"),
    ("mean a", VARIANCES | {"standard_error": {"mean a": 0.07}, "tolerance": {"mean a": 0.02}}, 0.02, "given"),
    ("m", {"functions": [ne.Moment("m", np.sum, 3.0, scale=0.5)]}, 0.05, "scale"),
    ("m", {"functions": [ne.Moment("m", np.sum, 3.0, scale=0.5, tolerance=0.2)]}, 0.2, "given"),
    ("P(a < 2)", {"functions": [ne.Moment.probability("a", below=2, target=0.5)]}, 0.05, "binomial"),
    ("P(a < 2)", {"functions": [ne.Moment.probability("a", below=2, target=0.1)]}, 0.02, "binomial"),
    ("P(a < 2)", {"functions": [ne.Moment.probability("a", below=2, target=0.99)]}, 0.002, "binomial"),
    ("P(a < 2)", {"functions": [ne.Moment.probability("a", below=2, target=1.0)]}, 0.001, "binomial"),
    ("P(a <= 2)", {"functions": [ne.Moment.quantile("a", 0.5, target=2)]}, 0.05, "binomial"),
    ("correlation a, b", VARIANCES | {"functions": [ne.Moment.correlation("a", "b", target=0.5)]}, 0.075, "scale"),
])  # fmt: skip
def test_known_before_there_is_an_answer(name, arguments, expected, source):
    value, found = of(name, **arguments)
    assert value == pytest.approx(expected) and found == source


@pytest.mark.parametrize(("name", "arguments"), [
    ("mean a", {}),
    ("moment 3 a", VARIANCES | {"moments": {("a", 3): 0.0}}),
    ("covariance a, b", {"covariance": {("a", "b"): 0.5}}),
    ("m", {"functions": [ne.Moment("m", np.sum, 3.0)]}),
])  # fmt: skip
def test_from_the_spread_of_the_answer(name, arguments):
    assert of(name, spread=0.7, **arguments) == (pytest.approx(0.07), "spread")
    assert np.isnan(of(name, **arguments)[0])


def test_a_mean_does_not_depend_on_the_origin():
    far = of("mean a", spread=0.7, mean=[1e6, None])[0]
    assert far == of("mean a", spread=0.7, mean=[0.0, None])[0] == pytest.approx(0.07)
