"""Support: validation, and its maps from the real line."""

import json
import pickle

import numpy as np
import pytest
from autograd import elementwise_grad
from scipy.stats import norm

from numepi.support import Support

MIXED = Support([-10.0, 0.0, -np.inf, -np.inf, 1e-2], [10.0, np.inf, 3.0, np.inf, 4.0])
BOX_MAPS = ["gaussian-cdf", "sigmoid"]


@pytest.mark.parametrize(
    ("lower", "upper", "match"),
    [
        ([0.0, 1.0], [1.0, 1.0], r"dimension 1 .*below"),
        ([0.0, 2.0], [1.0, 1.0], r"dimension 1 .*below"),
        ([np.nan, 0.0], [1.0, 1.0], "dimension 0"),
        ([0.0, np.inf], [1.0, np.inf], "dimension 1"),
        ([-np.inf, 0.0], [-np.inf, 1.0], "dimension 0"),
        ([], [], "no dimension"),
        ([0.0, 0.0], [1.0], r"\(2,\).*\(1,\)"),
        (0.0, 1.0, r"shape \(\)"),
        ([-1e308, 0.0], [1e308, 1.0], "overflows"),
    ],
)
def test_bad_bounds_are_refused_with_their_place(lower, upper, match):
    with pytest.raises(ValueError, match=match):
        Support(lower, upper)


def test_unknown_box_map_is_refused():
    with pytest.raises(ValueError, match="gaussian-cdf"):
        MIXED.kinds("tanh")


def test_bounds_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        MIXED.lower[0] = 0.0


def test_contains_is_closed_and_refuses_nan():
    box = Support([0.0, -1.0], [1.0, np.inf])
    z = [[0.0, -1.0], [1.0, 5.0], [1.0 + 1e-15, 0.0], [0.5, -1.1], [np.nan, 0.0]]
    assert box.contains(z).tolist() == [True, True, False, False, False]
    with pytest.raises(ValueError, match=r"\(2,\).*\(n, 2\)"):
        box.contains([0.5, 0.5])


def test_width_and_volume():
    box = Support([0.0, -1.0], [2.0, 2.0])
    assert box.width.tolist() == [2.0, 3.0]
    assert box.volume == 6.0
    assert box.log_volume == pytest.approx(np.log(6.0))
    assert box.is_box and not MIXED.is_box
    assert MIXED.volume == np.inf


@pytest.mark.parametrize("box_map", BOX_MAPS)
def test_maps_invert_and_agree_on_the_determinant(box_map):
    u = np.random.default_rng(0).standard_normal((200, 5)) * 2
    z, log_det = MIXED.from_line(u, box_map)
    assert MIXED.contains(z).all()
    back, log_det_back = MIXED.to_line(z, box_map)
    np.testing.assert_allclose(back, u, atol=1e-10)
    np.testing.assert_allclose(log_det_back, log_det, atol=1e-10)


@pytest.mark.parametrize("box_map", BOX_MAPS)
def test_determinant_is_the_derivative(box_map):
    u = np.random.default_rng(1).standard_normal((50, 5)) * 2
    z, log_det = MIXED.from_line(u, box_map)
    slope = elementwise_grad(lambda u: MIXED.from_line(u, box_map)[0])(u)
    np.testing.assert_allclose(log_det, np.log(slope).sum(axis=1), rtol=1e-10, atol=1e-10)
    slope_back = elementwise_grad(lambda z: MIXED.to_line(z, box_map)[0])(z)
    np.testing.assert_allclose(slope_back * slope, 1.0, rtol=1e-9)


def test_gaussian_cdf_map_is_the_probability_transform():
    box = Support([0.0, -3.0], [2.0, 5.0])
    u = np.linspace(-4, 4, 9)[:, None] * np.ones(2)
    z, log_det = box.from_line(u)
    np.testing.assert_allclose(z, box.lower + box.width * norm.cdf(u), rtol=1e-14)
    np.testing.assert_allclose(log_det, box.log_volume + norm.logpdf(u).sum(axis=1), rtol=1e-14)


@pytest.mark.parametrize("box_map", BOX_MAPS)
@pytest.mark.parametrize("extreme", [-700.0, -40.0, -9.0, 9.0, 40.0, 700.0])
def test_samples_that_round_to_a_bound_stay_finite(box_map, extreme):
    u = np.full((1, 5), extreme)
    z, log_det = MIXED.from_line(u, box_map)
    assert MIXED.contains(z).all()
    assert np.isfinite(log_det).all()
    back, log_det_back = MIXED.to_line(z, box_map)
    assert np.isfinite(back).all() and np.isfinite(log_det_back).all()
    assert (np.sign(back) == np.sign(extreme)).all()


@pytest.mark.parametrize("box_map", BOX_MAPS)
def test_points_on_the_bounds_are_taken_just_inside(box_map):
    box = Support([-10.0, 0.0], [10.0, 1.0])
    u, _ = box.to_line(np.array([box.lower, box.upper]), box_map)
    inside, _ = box.to_line(np.array([np.nextafter(box.lower, 1), np.nextafter(box.upper, 0)]), box_map)
    assert np.isfinite(u).all()
    assert (u[0] <= inside[0]).all() and (u[1] > inside[1]).all()
    # One bit further out at the bound of greatest magnitude: no jump into a far tail.
    assert abs(u[1, 0] - inside[1, 0]) < 1.5


def test_description_round_trip():
    assert Support.from_description(json.loads(json.dumps(MIXED.description))) == MIXED


def test_equality_hash_and_repr():
    same = Support(MIXED.lower, MIXED.upper)
    assert same == MIXED and hash(same) == hash(MIXED)
    assert Support([0.0, 0.0], [1.0, 1.0]) != MIXED
    assert MIXED != "box"
    assert repr(Support([0, 0], [1, np.inf])) == "Support(lower=[0.0, 0.0], upper=[1.0, inf])"
    assert "400 dimensions" in repr(Support([0.0] * 400, [1.0] * 400))


def ordered(z):
    return z[:, 0] < z[:, 1]


def test_a_condition_cuts_the_volume_and_is_sampled():
    triangle = Support([0.0, 0.0], [2.0, 1.0], where=lambda z: z[:, 0] < 2 * z[:, 1])
    share, stderr = triangle.share
    # five standard errors at a fixed seed: false alarm 6e-7
    assert abs(share - 0.5) < 5 * stderr and stderr == pytest.approx(0.5 / 512)
    assert triangle.volume == pytest.approx(2 * share) and triangle.log_volume == pytest.approx(np.log(2 * share))
    z = triangle.sample(5000, rng=1)
    assert triangle.contains(z).all() and z.shape == (5000, 2)
    # uniform on the triangle: means 2/3 and 2/3, variances 2/9 and 1/18; five standard errors, false alarm 1e-6
    assert np.all(np.abs(z.mean(axis=0) - 2 / 3) < 5 * np.sqrt([2 / 9, 1 / 18]) / np.sqrt(5000))
    assert triangle.contains([[0.5, 0.5], [1.5, 0.5], [0.5, 1.5]]).tolist() == [True, False, False]
    assert triangle.within_bounds([[1.5, 0.5]]).all()
    assert Support([0.0], [1.0]).share == (1.0, 0.0) and triangle.sample(0).shape == (0, 2)


def test_integers_widen_by_half_a_unit_and_round_within_bounds():
    support = Support([1, 0.0, -np.inf], [5, 1.0, 3], integer=(0, 2), where=lambda z: z[:, 0] != 3)
    assert support.lower.tolist() == [0.5, 0.0, -np.inf] and support.upper.tolist() == [5.5, 1.0, 3.5]
    z = np.array([[0.5, 0.2, -7.3], [5.5, 0.7, 3.5], [2.6, 0.1, 0.4]])
    assert support.rounded(z).tolist() == [[1, 0.2, -7], [5, 0.7, 3], [3, 0.1, 0]]
    # the condition is asked about the numbers that are simulated
    assert support.contains(z).tolist() == [True, True, False]
    draws = Support([1], [4], integer=[0]).sample(4000, rng=0)[:, 0]
    counts = np.bincount(draws.astype(int))[1:]
    assert len(counts) == 4 and np.all(np.abs(counts - 1000) < 5 * np.sqrt(750))  # false alarm 2e-6


def test_description_equality_and_pickle_with_condition_and_integers():
    support = Support([1, 0.0], [5, 9.0], where=ordered, integer=[0])
    description = json.loads(json.dumps(support.description))
    assert (
        description["lower"] == [1, 0] and description["upper"] == [5, 9] and description["where"].endswith("ordered")
    )
    assert Support.from_description(description, where=ordered) == support
    nameless = Support.from_description(description)
    assert nameless == support and hash(nameless) == hash(support)
    with pytest.raises(ValueError, match="ordered, known by name only"):
        nameless.contains([[1.0, 2.0]])
    assert nameless.within_bounds([[1.0, 2.0]]).all()
    assert pickle.loads(pickle.dumps(support)).where is ordered
    local = Support([0.0, 0.0], [1.0, 1.0], where=lambda z: z[:, 0] < z[:, 1])
    assert pickle.loads(pickle.dumps(local)) == local
    assert support != Support([1, 0.0], [5, 9.0], integer=[0]) != Support([0.5, 0.0], [5.5, 9.0])
    assert "where=" in repr(support) and "integer=(0,)" in repr(support)


@pytest.mark.parametrize(("arguments", "error", "match"), [
    ({"where": 3}, TypeError, "where = 3: give a function of z"),
    ({"where": lambda z: z[:, 0]}, TypeError, "where returned float64: it must return booleans"),
    ({"where": lambda z: z > 0}, ValueError, r"where returned shape \(3, 2\) for 3 rows"),
    ({"where": lambda z: z[:, 0] < -1}, ValueError, "where holds for 0 of 262,144 draws: narrow the bounds"),
    ({"integer": (2,)}, ValueError, "integer = 2: give a whole number from 0 to 1"),
    ({"integer": (0.0,)}, ValueError, "integer = 0.0: give a whole number"),
    ({"integer": (1,)}, ValueError, r"upper\[1\] = 1.5: bounds of an integer parameter are whole numbers"),
])  # fmt: skip
def test_bad_conditions_and_integers_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        Support([0.0, 0.0], [1.0, 1.5], **arguments)


@pytest.mark.parametrize(
    ("lower", "remedy"),
    [
        ([(0, 1), (0.5, 2)], r"write Support\(\[0.0, 0.5\], \[1.0, 2.0\]\)"),
        ([0, 1], r"write Support\(lower, upper\)"),
        ("ab", r"write Support\(lower, upper\)"),
    ],
)
def test_pairs_of_bounds_are_refused_with_what_to_write(lower, remedy):
    with pytest.raises(TypeError, match=rf"^upper is missing beside lower = .*{remedy}"):
        Support(lower)
