"""Figures: what is drawn, on what, with which labels."""

import matplotlib as mpl
import numpy as np
import pytest

import numepi as ne

mpl.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    yield
    mpl.pyplot.close("all")


def test_pairs_draws_every_pair_with_labels_limits_and_modes(rng):
    support = ne.Support([-1.0, -2.0, 0.0], [1.0, 2.0, np.inf])
    z = np.abs(rng.uniform(0, 0.9, (50, 3)))
    figure, axes = ne.plotting.pairs(z, rng.normal(size=50), ("a", "b", "c"), support, modes=z[:2])
    assert axes[0, 1] is None and axes[2, 0].get_xlabel() == "a" and axes[2, 0].get_ylabel() == "c"
    assert axes[1, 0].get_xlim()[0] < -1 < -0.9 and axes[1, 0].get_ylim()[1] > 2
    points, stars = axes[1, 0].collections
    assert len(points.get_offsets()) == 50 and len(stars.get_offsets()) == 2
    assert figure.axes[-1].get_ylabel() == "log density (nats)"


def test_pairs_draws_the_densest_points_on_top(rng):
    z, density = rng.normal(size=(20, 2)), rng.normal(size=20)
    _, axes = ne.plotting.pairs(z, density)
    assert np.all(np.diff(axes[1, 0].collections[0].get_array()) >= 0)


def test_pairs_refuses_an_unreadable_number_of_panels(rng):
    with pytest.raises(ValueError, match="choose at most 12"):
        ne.plotting.pairs(rng.normal(size=(5, 40)))


def test_lds_contours_are_where_the_statistic_says(rng):
    _, axes = ne.plotting.lds_contours(rng.uniform(-10, 10, (10, 4)), np.zeros(10))
    growth = axes[0].collections[1]
    for level, path in zip(growth.levels, growth.get_paths()):
        # the pair is complex for |a11 - a22| < 20, and growth is half the trace
        inner = path.vertices[np.abs(np.diff(path.vertices)[:, 0]) < 19]
        np.testing.assert_allclose(inner.sum(1) / 2, level, atol=0.05)


def test_activity_accepts_tasks_and_trials(rng):
    for shape, panels in (((2, 30, 3), (2, 1)), ((2, 4, 30, 3), (2, 1)), ((2, 2, 4, 30, 3), (2, 2))):
        paths = ne.circuits.Trajectories(np.arange(30.0), rng.normal(size=shape), ("a", "b", "c"))
        _, axes = ne.plotting.activity(paths)
        assert axes.shape == panels and axes[-1, 0].get_xlabel() == "time (s)"
    with pytest.raises(ValueError, match="expected 3, 4 or 5 axes"):
        ne.plotting.activity(ne.circuits.Trajectories(np.arange(3.0), rng.normal(size=(3, 3)), ()))


def test_samples_without_densities_are_drawn_plain(rng):
    z = rng.normal(size=(20, 4))
    _, axes = ne.plotting.pairs(z, names=("a", "b", "c", "d"), parameters=("a", 3))
    assert axes.shape == (2, 2) and axes[1, 0].get_ylabel() == "d"
    ne.plotting.lds_contours(z)
    with pytest.raises(ValueError, match="parameters names 'e': choose from a, b, c, d"):
        ne.plotting.pairs(z, names=("a", "b", "c", "d"), parameters=("e",))
    with pytest.raises(ValueError, match="names has 1 entries: z has 4 columns"):
        ne.plotting.pairs(z, names=("a",))


def test_lds_contours_of_a_property_that_leaves_moments_free():
    _, axes = ne.plotting.lds_contours(prop=ne.EmergentProperty(mean=[0.5, None]))
    assert list(axes[0].collections[0].levels) == [0.5] and not axes[1].collections
