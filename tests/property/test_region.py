"""Regions and bounds of a property: units, membership, what they do to constraints, and what cannot be asked."""

import numpy as np
import pytest

import numepi as ne
from numepi.property.region import Region

NAMES = ("a", "b", "c", "d")


def mixed():
    return ne.EmergentProperty(
        mean=[1.0, -2.0, 0.0, None], variance=[0.25, None, None, None], variance_at_most=[None, 4.0, None, None],
        within=3,
    )  # fmt: skip


def test_the_unit_is_the_target_deviation_or_the_size_of_the_mean():
    region = mixed().constraints(NAMES).region
    np.testing.assert_array_equal(region.unit, [0.5, 2.0, 1.0, np.inf])
    alone = ne.EmergentProperty(mean=[-5.0], within=2).constraints(("a",)).region
    np.testing.assert_array_equal(alone.unit, [5.0])


def test_membership():
    region = mixed().constraints(NAMES).region
    rows = [[1, -2, 0, 1e9], [2.5, 4, 3, 0], [2.51, -2, 0, 0], [1, 4.1, 0, 0], [1, -2, -3.1, 0], [1, np.nan, 0, 0]]
    assert region.contains(np.array(rows, float)).tolist() == [True, True, False, False, False, False]
    assert ne.EmergentProperty(mean=[0.0]).constraints(("a",)).region is None
    T = mixed().constraints(NAMES).sufficient_statistics(np.array(rows[:5], float))
    assert mixed().constraints(NAMES).inside(T).tolist() == [True, True, False, False, False]
    assert ne.EmergentProperty(mean=[0.0]).constraints(("a",)).inside(np.array([[1e9]])).all()


def test_a_bound_is_a_variance_that_may_be_missed_from_below():
    c = mixed().constraints(NAMES)
    assert c.names[3:] == ("variance a", "variance b") and c.is_bound.tolist() == [False] * 4 + [True]
    assert c.target[4] == 4.0 and c.tolerance[4] == pytest.approx(0.4)
    np.testing.assert_allclose(c.miss(c.target + [0.1, 0, 0, -0.2, -3.0]), [0.1, 0, 0, 0.2, 0.0])
    np.testing.assert_allclose(c.miss(c.target + [0.1, 0, 0, -0.2, 3.0]), [0.1, 0, 0, 0.2, 3.0])
    np.testing.assert_array_equal(c.admissible(np.ones(5)), [1, 1, 1, 1, 0])
    np.testing.assert_array_equal(c.admissible(-np.ones(5)), -np.ones(5))


def test_both_survive_alignment_and_description():
    prop = ne.EmergentProperty(mean=[2.0, 0.0], variance_at_most=[1.0, None], within=4, statistics=("b", "a"))
    aligned = prop.aligned(("a", "b", "c"))
    assert aligned.variance_at_most == (None, 1.0, None) and aligned.within == 4
    again = ne.EmergentProperty.from_description(prop.description())
    assert again.variance_at_most == prop.variance_at_most and again.within == 4


def test_what_cannot_be_asked():
    with pytest.raises(ValueError, match="give one of them"):
        ne.EmergentProperty(mean=[0.0], variance=[1.0], variance_at_most=[2.0])
    with pytest.raises(ValueError, match="about the mean"):
        ne.EmergentProperty(mean=[None], variance_at_most=[2.0])
    with pytest.raises(ValueError, match="every mean is None"):
        ne.EmergentProperty(mean=[None], functions=[ne.Moment("m", np.sum, 0.0)], within=2)
    with pytest.raises(ValueError, match="knows equalities only"):
        ne.infer(
            ne.circuits.LDS(), ne.EmergentProperty(mean=[0, 6.283], variance_at_most=[1, 1]),
            solver="augmented-lagrangian",
        )  # fmt: skip


def test_contradictions_with_bounds_are_seen():
    # |covariance| <= the product of the largest deviations
    with pytest.raises(ValueError, match="covariance"):
        ne.EmergentProperty(
            mean=[0, 0], variance_at_most=[1, 1], covariance={("a", "b"): 1.5}
        ).constraints(("a", "b"))  # fmt: skip
    with pytest.raises(ValueError, match="Cantelli"):
        ne.EmergentProperty(
            mean=[0.0], variance_at_most=[1.0], functions=[ne.Moment.probability("a", above=3.0, target=0.2)]
        ).constraints(("a",))
    # but a fourth moment below that of a normal with the bound's variance is no contradiction
    ne.EmergentProperty(mean=[0.0], variance_at_most=[1.0], moments={("a", 4): 0.5}).constraints(("a",))


def test_the_way_out_is_the_derivative_of_the_distance():
    region = Region(2.0, np.array([1.0, 0.0, 5.0]), np.array([0.5, 2.0, np.inf]))
    f = np.array([[1.5, 3.0, 100.0], [2.5, -4.5, 0.0], [-0.5, 0.0, 0.0]])

    def distance(f):
        return np.maximum(np.abs(f - region.centre) / region.unit - region.within, 0).sum()

    step = 1e-6
    wanted = [[(distance(row + step * e) - distance(row - step * e)) / (2 * step) for e in np.eye(3)] for row in f]
    np.testing.assert_allclose(region.outward(f), wanted, atol=1e-8)
    assert not region.outward(f)[0].any() and region.outward(f)[1:].any(axis=1).all()
