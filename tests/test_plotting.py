"""Figures: what is drawn, on what, with which labels."""

import matplotlib as mpl
import matplotlib.pyplot
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
    axes = ne.plotting.pairs(z, rng.normal(size=50), ("a", "b", "c"), support, points=z[:2])
    assert axes[0, 1] is None and axes[2, 0].get_xlabel() == "a" and axes[2, 0].get_ylabel() == "c"
    assert axes[1, 0].get_xlim()[0] < -1 < -0.9 and axes[1, 0].get_ylim()[1] > 2
    points, stars = axes[1, 0].collections
    assert len(points.get_offsets()) == 50 and len(stars.get_offsets()) == 2
    assert axes[0, 0].figure.axes[-1].get_ylabel() == "log density (nats)"


def test_pairs_draws_the_densest_points_on_top(rng):
    z, density = rng.normal(size=(20, 2)), rng.normal(size=20)
    axes = ne.plotting.pairs(z, density)
    assert np.all(np.diff(axes[1, 0].collections[0].get_array()) >= 0)


def test_pairs_refuses_an_unreadable_number_of_panels(rng):
    with pytest.raises(ValueError, match="choose at most 12"):
        ne.plotting.pairs(rng.normal(size=(5, 40)))


def test_lds_contours_are_where_the_statistic_says(rng):
    axes = ne.plotting.lds_contours(rng.uniform(-10, 10, (10, 4)), np.zeros(10))
    growth = axes[0].collections[1]
    for level, path in zip(growth.levels, growth.get_paths()):
        # the pair is complex for |a11 - a22| < 20, and growth is half the trace
        inner = path.vertices[np.abs(np.diff(path.vertices)[:, 0]) < 19]
        np.testing.assert_allclose(inner.sum(1) / 2, level, atol=0.05)


def test_activity_accepts_tasks_and_trials(rng):
    for shape, panels in (((2, 30, 3), (2, 1)), ((2, 4, 30, 3), (2, 1)), ((2, 2, 4, 30, 3), (2, 2))):
        paths = ne.circuits.Trajectories(np.arange(30.0), rng.normal(size=shape), ("a", "b", "c"))
        axes = ne.plotting.activity(paths)
        assert axes.shape == panels and axes[-1, 0].get_xlabel() == "time (s)"
    wild = rng.normal(size=(2, 30, 1)) * np.array([1.0, 1e6])[:, None, None]  # one network runs away
    small, large = ne.plotting.activity(ne.circuits.Trajectories(np.arange(30.0), wild, ("a",)))[:, 0]
    assert small.get_ylim()[1] < 10 and large.get_ylim()[1] > 1e5
    with pytest.raises(ValueError, match="expected 3, 4 or 5 axes"):
        ne.plotting.activity(ne.circuits.Trajectories(np.arange(3.0), rng.normal(size=(3, 3)), ()))


def test_samples_without_densities_are_drawn_plain(rng):
    z = rng.normal(size=(20, 4))
    axes = ne.plotting.pairs(z, names=("a", "b", "c", "d"), parameters=("a", 3))
    assert axes.shape == (2, 2) and axes[1, 0].get_ylabel() == "d"
    ne.plotting.lds_contours(z)
    with pytest.raises(ValueError, match="'e' is unknown: choose from a, b, c, d"):
        ne.plotting.pairs(z, names=("a", "b", "c", "d"), parameters=("e",))
    with pytest.raises(ValueError, match="names has 1 entries: give 4 different names"):
        ne.plotting.pairs(z, names=("a",))


def test_lds_contours_of_a_property_that_leaves_moments_free():
    axes = ne.plotting.lds_contours(prop=ne.EmergentProperty(mean=[0.5, None]))
    assert list(axes[0].collections[0].levels) == [0.5] and not axes[1].collections


@pytest.fixture
def ax():
    return mpl.pyplot.figure().add_subplot()


def test_plane_puts_the_densest_samples_on_top_and_names_its_axes(ax, rng):
    z, density = rng.normal(size=(30, 3)), rng.normal(size=30)
    assert ne.plotting.plane(z, density, (2, 0), ("a", "b", "c"), ax=ax) is ax
    (points,) = ax.collections
    assert np.all(np.diff(points.get_array()) >= 0) and (ax.get_xlabel(), ax.get_ylabel()) == ("c", "a")
    np.testing.assert_array_equal(points.get_offsets(), z[np.argsort(density)][:, [2, 0]])
    assert ne.plotting.plane(z, ax=ax).collections[-1].get_array() is None


def drawn_arrows(ax):
    return [text for text in ax.texts if text.arrow_patch is not None]


def test_arrows_are_as_long_as_the_curvature_says(ax):
    ax.set(xlim=(-1, 9))
    found = ne.analysis.Sensitivity(np.array([1.0, 2.0]), np.array([-4.0, -1.0]), np.eye(2), ("a", "b"))
    first, second = drawn_arrows(ne.plotting.arrows(found, directions=(0, 1), labels=("v1", "v2"), ax=ax))
    np.testing.assert_allclose([first.xyann, first.xy], [[1, 2], [1.5, 2]])
    np.testing.assert_allclose(second.xy, [1, 3])
    fixed = drawn_arrows(ne.plotting.arrows(found, scale=0, ax=ax))[-1]
    np.testing.assert_allclose(fixed.xy, [2, 2])


def test_a_mode_path_is_drawn_through_its_modes(ax, rng):
    z = rng.normal(size=(4, 3))
    path = ne.analysis.ModePath("a", np.arange(4.0), z, np.zeros(4), np.ones(4, bool), np.zeros(4))
    (points,) = ne.plotting.mode_points(path, (0, 2), ax=ax).collections
    np.testing.assert_array_equal(points.get_offsets(), z[:, [0, 2]])
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), z[:, 2])


def test_frequency_contours_have_the_targets_levels(ax):
    g_el, g_synA = np.linspace(4, 8, 5), np.linspace(0, 4, 6)
    plane_map = ne.analysis.stg.FrequencyMap(g_el, g_synA, 0.4 + 0.05 * np.add.outer(g_synA, 0 * g_el))
    (lines,) = ne.plotting.frequency_contours(plane_map, ax=ax).collections
    np.testing.assert_allclose(lines.levels, [0.5, 0.525, 0.55, 0.575, 0.6])
    np.testing.assert_allclose(lines.get_paths()[2].vertices[:, 1], 3.0)
    assert ax.get_xlabel() == "g_el (nS)"


def test_perturbation_curves_show_one_direction(ax):
    circuit = ne.circuits.LDS()
    moved = ne.analysis.perturb(circuit, np.ones((2, 4)), {"a11": np.eye(4)[0], "a12": np.eye(4)[1]}, [-1, 0, 1])
    lines = ne.plotting.perturbation_curves(moved, "a12", 1, labels=("x", "y"), ax=ax).lines
    np.testing.assert_array_equal(lines[1].get_ydata(), moved.statistics[1, 1, :, 1])
    assert ax.get_ylabel() == "im_lambda1" and lines[1].get_label() == "y"


def test_silencing_curves_mark_the_strength_of_the_experiments_rise(ax, rng):
    gammas = np.linspace(0, 1, 6)
    accuracy = np.full((6, 30, 2), 0.75)
    accuracy[:, :, 1] -= 0.2 * gammas[:, None]
    found = ne.analysis.sc.Silencing(gammas, "delay", np.full((30, 2), 0.75), accuracy)
    lines = ne.plotting.silencing_curves(found, ax=ax).lines
    pro, anti = (line for line in lines if "(mean" in line.get_label())
    np.testing.assert_allclose(pro.get_ydata(), 0, atol=1e-12)
    np.testing.assert_allclose(anti.get_ydata(), 20 * gammas)
    assert [text.get_text() for text in ax.texts] == ["7% at γ = 0.35"]
    assert "saturates at γ = 0.95" in [text.get_text() for text in ax.get_legend().get_texts()]
    np.testing.assert_allclose([line.get_ydata()[0] for line in lines if line.get_marker() == "o"], [7.0, 19.0])
    ne.plotting.task_flip_points(found.baseline[:, 0], accuracy[-1, :, 1], rng.normal(size=30), ax=ax)
    assert len(ax.collections[-1].get_offsets()) == 30


def test_contrast_and_norm_curves(ax, rng):
    lines = ne.plotting.contrast_curves(np.linspace(0, 1, 5), rng.uniform(size=(5, 4)), ax=ax).lines
    assert [line.get_label() for line in lines] == ["E", "P", "S", "V"]
    drawn = ne.plotting.norm_curves(np.arange(7.0), rng.uniform(size=(50, 7)), np.arange(50) % 3, ("a", "b", "c"))
    _, *lines = drawn.lines  # the first is at 1
    assert len(lines) == 40 and lines[4].get_color() == lines[1].get_color() != lines[0].get_color()


def test_comparisons_draw_what_they_were_given(ax, rng):
    first, second = ne.plotting.histograms({"low": rng.normal(size=90), "high": np.ones(9)}, "x (Hz)", ax=ax).containers
    assert len(first) == len(second) == 40 and ax.get_xlabel() == "x (Hz)"
    prop = ne.EmergentProperty(mean=[0.0, 1.0], variance=[4.0, 1.0])
    ne.plotting.statistic_clouds(rng.normal(size=(20, 2)), prop, ("f", "g"), ax=ax)
    np.testing.assert_allclose([patch.width for patch in ax.patches[-2:]], [4, 8])
    z = rng.normal(size=(50, 2))
    trends = ne.analysis.linear_trends(z, z[:, :1], ("a", "b"), ("s",))
    matrix = ne.plotting.trend_matrix(trends)
    np.testing.assert_array_equal(matrix.images[0].get_array(), trends.r)
    assert matrix.texts[0].get_text() == "1.00" and matrix.texts[1].get_text().startswith("(")


def test_coupling_bars_name_the_pairs(ax):
    summary = ne.analysis.Summary(np.ones(1), np.ones((1, 3)), np.ones(3), [(0, 2, -0.8), (1, 2, 0.3)], 0.1, "abc")
    (bars,) = ne.plotting.coupling_bars(summary, ax=ax).containers
    assert [bar.get_width() for bar in bars] == [0.3, -0.8]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["b, c", "a, c"]


@pytest.mark.slow
def test_a_fit_is_recorded_and_animated_without_external_programs(tmp_path):
    from PIL import Image

    circuit = ne.circuits.LDS()
    recorder = ne.plotting.FitRecorder(every=10, n_samples=50)
    settings = {"epochs": 1, "iterations_per_epoch": 40, "batch_size": 20, "test_batch_size": 20, "n_tests": 5}
    settings |= {"solver": "augmented-lagrangian", "initial": "uniform", "progress": False, "callback": recorder}
    ne.infer(circuit, circuit.emergent_property(), **settings)
    assert recorder.steps == [0, 10, 20, 30, 40] and recorder.samples[0].shape == (50, 4)
    ne.plotting.animate_fit(recorder, tmp_path / "fit.gif", circuit, (1, 2), target=7.04, dpi=30)
    with Image.open(tmp_path / "fit.gif") as image:
        assert image.n_frames == 5
    with pytest.raises(ValueError, match="holds 0 frames"):
        ne.plotting.animate_fit(ne.plotting.FitRecorder(), tmp_path / "none.gif", circuit)
    with pytest.raises(ValueError, match="every = 0"):
        ne.plotting.FitRecorder(every=0)


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("dim", [1, 3])
def test_few_samples_and_few_columns_are_drawn(n, dim):
    z = np.ones((n, dim))
    axes = ne.plotting.pairs(z, np.zeros(n), points=z[0])
    assert axes.shape == (dim, dim)
    mpl.pyplot.gcf().canvas.draw()


def test_rows_that_are_not_finite_are_left_out(ax, rng):
    z, density = rng.normal(size=(30, 3)), rng.normal(size=30)
    z[3, 0], z[4, 2], density[5], density[6] = np.nan, np.inf, np.nan, -np.inf
    axes = ne.plotting.pairs(z, density)
    points = axes[1, 0].collections[0]
    assert len(points.get_offsets()) == 27 and np.isfinite(points.get_clim()).all()
    assert len(ne.plotting.plane(z, density, ax=ax).collections[-1].get_offsets()) == 27
    ne.plotting.plane(np.ma.masked_greater(z, 1.0), ax=ax)
    assert len(ax.collections[-1].get_offsets()) == (z.max(axis=1) <= 1.0).sum()
    first, second = ne.plotting.histograms({"one": [2.0, np.nan], "same": [2.0]}, "x", ax=ax).containers
    assert sum(bar.get_height() > 0 for bar in first) == sum(bar.get_height() > 0 for bar in second) == 1
    mpl.pyplot.gcf().canvas.draw()


def test_marginals_are_beside_their_prior(rng):
    z, prior = rng.normal(size=(400, 4)), rng.uniform(-5, 5, (300, 4))
    axes = ne.plotting.marginals(z, prior, ("a", "b", "c", "d"))
    assert [ax.get_xlabel() for ax in axes] == ["a", "b", "c", "d"]
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["prior", "inferred"]
    for ax in axes:  # both on the same bins, each of unit area
        grey = [patch for patch in ax.patches if hasattr(patch, "get_width")]
        assert sum(p.get_width() * p.get_height() for p in grey) == pytest.approx(1)
        assert ax.get_xlim()[0] < -4.5 and ax.get_xlim()[1] > 4.5
    assert len(ne.plotting.marginals(rng.normal(size=(9, 20)))) == 12
    with pytest.raises(ValueError, match="prior has shape"):
        ne.plotting.marginals(z, prior[:, :3])
    ne.plotting.marginals(np.ones((5, 1)))  # all of one value


def test_predictive_check_shows_targets_and_data(rng):
    prop = ne.EmergentProperty(mean=[1.0, None], variance=[4.0, None])
    f, data = rng.normal(size=(200, 2)), rng.normal(5, 1, size=(30, 2))
    axes = ne.plotting.predictive_check(f, prop, ("rate", "period"), data)
    labels = [text.get_text() for text in axes[0].get_legend().get_texts()]
    assert sorted(labels) == ["data", "simulated", "target mean", "target s.d."]
    (line,) = axes[0].lines
    assert list(line.get_xdata()) == [1.0, 1.0]
    band = next(p for p in axes[0].patches if p.get_label() == "target s.d.")
    assert (band.get_x(), band.get_width()) == (-1.0, 4.0)
    assert not axes[1].lines and axes[1].get_xlabel() == "period"  # a free statistic has no target
    with pytest.raises(ValueError, match="data has shape"):
        ne.plotting.predictive_check(f, prop, ("rate", "period"), data[:, :1])


def test_predictive_check_shows_what_the_property_came_from_column_by_column(rng):
    prop = ne.EmergentProperty.from_data(rng.normal(5, 1, (30, 1)), ["period"])
    _, period = axes = ne.plotting.predictive_check(rng.normal(size=(200, 2)), prop, ("rate", "period"))
    grey = [
        [patch for patch in ax.patches if patch.get_label() == "data" or patch.get_facecolor()[0] == 0.6] for ax in axes
    ]
    assert not grey[0] and sum(bar.get_width() * bar.get_height() for bar in grey[1]) == pytest.approx(1)
    assert period.get_xlim()[1] > 6
    data = np.array([[np.nan, -1.0], [1.0, np.nan]])
    with pytest.raises(ValueError, match="log has 'period', of which data has -1"):
        ne.plotting.predictive_check(np.ones((5, 2)), prop, ("rate", "period"), data, log=["period"])
    with pytest.raises(ValueError, match="data has no finite number"):
        ne.plotting.predictive_check(np.ones((5, 2)), prop, ("rate", "period"), data * np.nan)


NAMES = ("a", "b", "c")


def shown_names(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_several_answers_stand_in_one_figure_with_colours_markers_and_lines_of_their_own(rng):
    answers = {"first": rng.normal(size=(50, 3)), "second": rng.normal(3, 1, size=(40, 3))}
    axes = ne.plotting.pairs(answers, names=NAMES, prior=rng.uniform(-5, 5, (60, 3)))
    assert shown_names(axes[0, 0].figure) == ["prior", "first", "second"]
    grey, first, second = axes[2, 1].collections
    assert [len(c.get_offsets()) for c in (grey, first, second)] == [60, 50, 40]
    np.testing.assert_array_equal(second.get_offsets(), answers["second"][:, [1, 2]])
    assert not np.array_equal(first.get_facecolor(), second.get_facecolor())
    assert len(first.get_paths()[0].vertices) != len(second.get_paths()[0].vertices)  # markers
    lines = [patch for patch in axes[0, 0].patches if not patch.get_fill()]
    assert len({patch.get_linestyle() for patch in lines}) == 2
    assert axes[2, 1].get_xlim()[0] < -4 and axes[2, 1].get_xlim()[1] > 4  # the prior is within the limits
    with pytest.raises(ValueError, match="log_density is given beside several answers"):
        ne.plotting.pairs(answers, np.zeros(50))
    with pytest.raises(ValueError, match=r"z\['second'\] has shape \(40, 2\): expected \(n, 3\)"):
        ne.plotting.pairs(answers | {"second": answers["second"][:, :2]})
    with pytest.raises(ValueError, match="z has 0 answers"):
        ne.plotting.marginals({})


def test_points_of_interest_are_named_and_told_apart(rng):
    axes = ne.plotting.pairs(rng.normal(size=(50, 3)), points={"mine": [0, 1, 2], "yours": [1, 1, 1]})
    assert shown_names(axes[0, 0].figure) == ["mine", "yours"]
    _, mine, yours = axes[2, 0].collections
    np.testing.assert_array_equal(mine.get_offsets(), [[0, 2]])
    assert len(mine.get_paths()[0].vertices) != len(yours.get_paths()[0].vertices)
    with pytest.raises(ValueError, match=r"points\['mine'\] has shape"):
        ne.plotting.pairs(rng.normal(size=(50, 3)), points={"mine": [0, 1]})


def test_units_limits_and_logarithms_go_by_name(rng):
    z = np.exp(rng.normal(size=(200, 2)))
    how = {"units": {"g": "nS"}, "limits": {"tau": (0.0, 9.0)}, "log": ["g"]}
    axes = ne.plotting.pairs(z, names=("g", "tau"), **how)
    low = axes[1, 0]
    assert (low.get_xlabel(), low.get_ylabel()) == ("g (nS)", "tau")
    assert (low.get_xscale(), low.get_yscale(), low.get_ylim()) == ("log", "linear", (0.0, 9.0))
    assert 0 < low.get_xlim()[0] <= z[:, 0].min() and low.get_xlim()[1] >= z[:, 0].max()
    (g, tau) = ne.plotting.marginals(z, names=("g", "tau"), **how)
    assert (g.get_xlabel(), g.get_xscale(), tau.get_xlim()) == ("g (nS)", "log", (0.0, 9.0))
    edges = g.patches[0].get_xy()[:, 0]
    steps = np.unique(np.log(edges[edges > 0]).round(9))
    np.testing.assert_allclose(np.diff(steps), np.diff(steps)[0], rtol=1e-6)  # bins are equally wide on the axis
    prop = ne.EmergentProperty(mean=[1.0, None])
    (g, tau) = ne.plotting.predictive_check(z, prop, ("g", "tau"), **how)
    assert (g.get_xlabel(), g.get_xscale(), tau.get_xlim()) == ("g (nS)", "log", (0.0, 9.0))


@pytest.mark.parametrize(
    ("how", "error", "message"),
    [
        ({"log": ["b"]}, ValueError, "log has 'b', of which z or prior has -1: a logarithmic axis"),
        ({"log": ["x"]}, ValueError, "log.* = 'x' is unknown: choose from a, b"),
        ({"units": {"x": "nS"}}, ValueError, "units = 'x' is unknown"),
        ({"units": "nS"}, TypeError, "units = 'nS': give a dict"),
        ({"limits": {"a": (2, 1)}}, ValueError, r"limits\['a'\] = \(2, 1\): give the lower one first"),
        ({"limits": {"a": (0, 1)}, "log": ["a"]}, ValueError, "above zero for a logarithmic axis"),
    ],
)
def test_axes_that_cannot_be_drawn_are_refused(how, error, message):
    for draw in (ne.plotting.pairs, ne.plotting.marginals, ne.plotting.strongest_pairs):
        with pytest.raises(error, match=message):
            draw(np.array([[1.0, -1.0], [2.0, 3.0]]), names=("a", "b"), **how)


def test_of_many_parameters_the_strongest_pairs_are_drawn(rng):
    z = rng.normal(size=(400, 40))
    z[:, 7] = -z[:, 30] + 0.1 * rng.normal(size=400)
    z[:, 3] = z[:, 4] + 0.5 * rng.normal(size=400)
    axes = ne.plotting.strongest_pairs(z, rng.normal(size=400), n=4, points=z[:2])
    assert len(axes) == 4 and axes[0].figure.axes[-1].get_ylabel() == "log density (nats)"
    assert [(ax.get_xlabel(), ax.get_ylabel()) for ax in axes[:2]] == [("z8", "z31"), ("z4", "z5")]
    assert float(axes[0].get_title()) < -0.98 and float(axes[1].get_title()) > 0.8
    assert len(ne.plotting.strongest_pairs(z[:, :2])) == 1
    with pytest.raises(ValueError, match="there are no pairs"):
        ne.plotting.strongest_pairs(z[:, :1])
