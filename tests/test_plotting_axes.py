"""Every plot takes ``ax`` and returns the Axes it drew on: new ones, those given, or ones in the place of one given."""

import inspect
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

import numepi as ne
from numepi import analysis, plotting

mpl.use("Agg")
RANDOM = np.random.default_rng(0)
Z, F = RANDOM.uniform(-1, 1, (30, 4)), RANDOM.uniform(0.5, 1, (30, 2))
PROPERTY = ne.EmergentProperty(mean=[0.0, 0.0], variance=[1.0, 1.0])
FIT = Path(__file__).parents[1] / "docs" / "findings" / "fits" / "lds-paper-0.npz"
ONE_PANEL = {
    "plane": (Z,),
    "arrows": (analysis.Sensitivity(Z[:2], -np.ones((2, 4)), np.stack([np.eye(4)] * 2), tuple("abcd")),),
    "mode_points": (analysis.ModePath("a", Z[:3, 0], Z[:3], np.zeros(3), np.ones(3, bool), np.zeros(3)),),
    "frequency_contours": (
        analysis.stg.FrequencyMap(np.arange(3.0), np.arange(4.0), RANDOM.uniform(0.4, 0.7, (4, 3))),
    ),
    "histograms": ({"x": Z[:, 0]}, "x"),
    "statistic_clouds": (F, PROPERTY, ("f", "g")),
    "trend_matrix": (analysis.linear_trends(Z, F),),
    "coupling_bars": (analysis.Summary(np.ones(1), np.ones((1, 3)), np.ones(3), [(0, 2, -0.8)], 0.1, "abc"),),
    "perturbation_curves": (
        analysis.Perturbation(
            ("x",), np.arange(3.0), np.zeros((2, 1, 3, 4)), np.zeros((2, 1, 3, 2)), np.ones((2, 1, 3), bool), ("f", "g")
        ),
        "x",
    ),
    "silencing_curves": (
        analysis.sc.Silencing(np.arange(3.0) / 2, "delay", np.ones((5, 2)), RANDOM.uniform(size=(3, 5, 2))),
    ),
    "task_flip_points": (F[:, 0], F[:, 1]),
    "contrast_curves": (np.arange(3.0), np.ones((3, 4))),
    "norm_curves": (np.arange(3.0), np.ones((2, 3))),
}
SEVERAL_PANELS = {  # arguments, and the shape of what is returned
    "pairs": ((Z[:, :3],), (3, 3)),
    "strongest_pairs": ((Z, Z[:, 0], None, 4), (4,)),
    "marginals": ((Z,), (4,)),
    "predictive_check": ((F, PROPERTY, ("f", "g")), (2,)),
    "activity": ((ne.circuits.Trajectories(np.arange(5.0), RANDOM.uniform(size=(2, 2, 3, 5, 1)), ("v",)),), (2, 2)),
    "lds_contours": ((), (2,)),
    "traces": ((ne.load(FIT),), (4,)),
}
NO_PLOTS = {"COLOURS", "FitRecorder", "animate_fit", "style", "tidy"}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def drawn(axes):
    return [ax for ax in np.ravel(axes) if ax is not None]


def test_every_plot_takes_axes_last_and_by_default_makes_its_own():
    assert {*ONE_PANEL, *SEVERAL_PANELS} == set(plotting.__all__) - NO_PLOTS
    for name in (*ONE_PANEL, *SEVERAL_PANELS):
        *_, last = inspect.signature(getattr(plotting, name)).parameters.values()
        assert (last.name, last.default) == ("ax", None), name


@pytest.mark.parametrize("name", ONE_PANEL)
def test_a_plot_of_one_panel_returns_the_axes_it_drew_on(name):
    draw, arguments = getattr(plotting, name), ONE_PANEL[name]
    given = Figure().add_subplot()
    assert draw(*arguments, ax=given) is given and given.has_data() | len(given.texts)
    new = draw(*arguments)
    assert isinstance(new, Axes) and new.figure is plt.gcf()


@pytest.mark.parametrize("name", SEVERAL_PANELS)
def test_a_plot_of_several_panels_returns_those_it_drew_on(name):
    draw, (arguments, shape) = getattr(plotting, name), SEVERAL_PANELS[name]
    new = draw(*arguments)
    assert new.shape == shape and {ax.figure for ax in drawn(new)} == {plt.gcf()}

    figure = Figure()
    given = figure.subplots(*shape, squeeze=False).reshape(shape)
    returned = draw(*arguments, ax=given)
    assert returned.shape == shape
    for before, after in zip(given.ravel(), returned.ravel(), strict=True):
        assert after is before or (after is None and before not in figure.axes)
    with pytest.raises(ValueError, match=rf"ax has 1 Axes: there are {np.prod(shape)} panels"):
        draw(*arguments, ax=[Figure().add_subplot()])


@pytest.mark.parametrize("name", SEVERAL_PANELS)
def test_several_panels_take_the_place_of_one_axes(name):
    draw, (arguments, shape) = getattr(plotting, name), SEVERAL_PANELS[name]
    figure = Figure(layout="constrained")
    other, place = figure.subplots(1, 2)
    panels = draw(*arguments, ax=place)
    assert panels.shape == shape and place not in figure.axes
    figure.canvas.draw()
    assert all(ax.get_position().x0 > other.get_position().x1 for ax in drawn(panels))
    with pytest.raises(ValueError, match="ax has no place in a grid"):
        draw(*arguments, ax=Figure().add_axes((0, 0, 1, 1)))


def test_what_is_no_axes_is_refused():
    for ax in (3, "ax", Figure()):
        with pytest.raises(TypeError, match=r"ax is a \w+: give matplotlib Axes, or None"):
            plotting.plane(Z, ax=ax)
        with pytest.raises(TypeError, match=r"^ax is a \w+: give matplotlib Axes, an array of them, or None"):
            plotting.pairs(Z, ax=ax)
    with pytest.raises(TypeError, match=r"^ax\[1\] is a str: give matplotlib Axes"):
        plotting.marginals(Z[:, :2], ax=[Figure().add_subplot(), "ax"])


def test_axes_that_no_plot_can_use_are_refused():
    round_one = Figure().add_subplot(projection="polar")
    for draw in (lambda: plotting.plane(Z, ax=round_one), lambda: plotting.tidy(round_one)):
        with pytest.raises(ValueError, match=r"^ax has the projection 'polar': give Axes that were made without"):
            draw()
    with pytest.raises(ValueError, match=r"^ax\[0\] has the projection 'polar'"):
        plotting.marginals(Z[:, :1], ax=[round_one])
    place = Figure().add_subplot()
    with pytest.raises(ValueError, match=r"^ax has the same Axes twice: give 2 different ones"):
        plotting.marginals(Z[:, :2], ax=[place, place])
    plotting.marginals(Z, ax=place)
    with pytest.raises(ValueError, match=r"^ax is no longer on its figure: .* give another Axes"):
        plotting.pairs(Z, ax=place)


def test_labels_of_ticks_stay_at_the_bottom_of_columns_that_share_their_axis():
    figure = Figure()
    panels = plotting.pairs(Z[:, :3], ax=figure.subplots(3, 3, sharex="col"))
    figure.draw_without_rendering()
    ticks = [panel.xaxis.get_major_ticks() for panel in panels[:, 0]]
    shown = [any(tick.label1.get_visible() and tick.label1.get_text() for tick in each) for each in ticks]
    assert shown == [False, False, True]


def test_two_pair_plots_on_one_figure_have_a_legend_each_by_their_panels():
    figure = Figure(figsize=(10, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    both = [
        plotting.pairs({"one": Z[:, :3], "two": -Z[:, :3]}, ax=left),
        plotting.pairs({"three": Z[:, :3]}, prior=Z[:, :3], ax=right),
    ]
    figure.draw_without_rendering()
    assert not figure.legends
    for panels, names in zip(both, (["one", "two"], ["prior", "three"])):
        legend = panels[0, 0].get_legend()
        assert [text.get_text() for text in legend.get_texts()] == names
        box, taken = legend.get_window_extent(), panels[1, 1].get_window_extent()
        assert box.x0 >= panels[0, 0].get_window_extent().x1 and box.y0 >= taken.y1


@pytest.mark.filterwarnings("error")
def test_samples_outside_the_limits_are_drawn_as_none():
    limits = {"a": (5.0, 6.0)}
    axes = plotting.marginals(Z[:, :2], Z[:, :2], ["a", "b"], limits=limits)
    (outline,) = [patch for patch in axes[0].patches if isinstance(patch, Polygon)]
    assert not outline.get_xy()[:, 1].any()
    for drawing in (
        lambda: plotting.pairs(Z[:, :2], names=["a", "b"], limits=limits),
        lambda: plotting.pairs({"x": Z[:, :2]}, prior=Z[:, :2], names=["a", "b"], limits=limits),
        lambda: plotting.predictive_check(F, PROPERTY, ("a", "b"), data=F, limits=limits),
    ):
        drawing()


def test_logarithmic_axes_are_named_and_correlations_need_two_rows():
    for log in (True, None):
        with pytest.raises(TypeError, match=rf"^log = {log}: give a name or an index"):
            plotting.marginals(F, log=log)
    assert plotting.marginals(F, log=1)[1].get_xscale() == "log"
    with pytest.raises(ValueError, match=r"^z has one finite row: a rank correlation needs two"):
        plotting.strongest_pairs(Z[:1])
