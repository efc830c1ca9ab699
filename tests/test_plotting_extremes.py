"""Figures of extreme numbers are drawn, or refused in one line of numepi's own."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

import numepi as ne
from numepi import analysis, plotting

mpl.use("Agg")
RANDOM = np.random.default_rng(0)


EXTREMES = {
    "huge": lambda shape: np.full(shape, 1e308),
    "one of them huge": lambda shape: np.where(np.arange(np.prod(shape)).reshape(shape) == 0, 1e308, 1.0),
    "large": lambda shape: np.full(shape, 1e300),
    "wide": lambda shape: RANDOM.uniform(-1e300, 1e300, shape),
    "tiny spread": lambda shape: RANDOM.standard_normal(shape) * 1e-322,
    "far from zero": lambda shape: 1e16 + RANDOM.standard_normal(shape),
    "constant": lambda shape: np.full(shape, 3.0),
}
Z = RANDOM.uniform(-1, 1, (50, 4))
PROPERTY = ne.EmergentProperty(mean=[0.0, 0.0], variance=[1.0, 1.0])
DRAWINGS = {
    "pairs": ((5, 2), plotting.pairs),
    "pairs-density": ((50,), lambda a: plotting.pairs(Z[:, :2], log_density=a)),
    "pairs-points": ((3, 2), lambda a: plotting.pairs(Z[:, :2], points=a)),
    "plane": ((50, 4), plotting.plane),
    "plane-density": ((50,), lambda a: plotting.plane(Z, log_density=a)),
    "lds_contours": ((50, 4), plotting.lds_contours),
    "histograms": ((50,), lambda a: plotting.histograms({"x": a}, "x")),
    "statistic_clouds": ((50, 2), lambda a: plotting.statistic_clouds(a, PROPERTY, ("f", "g"))),
    "trend_matrix": ((50, 2), lambda a: plotting.trend_matrix(analysis.linear_trends(Z, a))),
    "norm_curves": ((3, 5), lambda a: plotting.norm_curves(np.arange(5.0), a)),
    "norm_curves-time": ((5,), lambda a: plotting.norm_curves(a, np.ones((3, 5)))),
    "contrast_curves": ((5, 4), lambda a: plotting.contrast_curves(np.arange(5.0), a)),
    "task_flip_points": ((5,), lambda a: plotting.task_flip_points(a, a, colour=a)),
    "activity": ((2, 5, 3), lambda a: plotting.activity(ne.circuits.Trajectories(np.arange(5.0), a, tuple("xyz")))),
    "perturbation_curves": ((2, 1, 3, 2), lambda a: plotting.perturbation_curves(analysis.Perturbation(
        ("x",), np.arange(3.0), np.zeros((2, 1, 3, 4)), a, np.ones((2, 1, 3), bool), ("f", "g")), "x")),
    "silencing_curves": ((3, 5, 2), lambda a: plotting.silencing_curves(analysis.sc.Silencing(
        np.arange(3.0) / 2, "delay", np.ones((5, 2)), a))),
    "mode_points": ((3, 4), lambda a: plotting.mode_points(analysis.ModePath(
        "a", a[:, 0], a, np.zeros(3), np.ones(3, bool), np.zeros(3)))),
    "frequency_contours": ((4, 3), lambda a: plotting.frequency_contours(analysis.stg.FrequencyMap(
        np.arange(3.0), np.arange(4.0), a))),
    "arrows": ((2, 4), lambda a: plotting.arrows(analysis.Sensitivity(
        a, -np.ones((2, 4)), np.stack([np.eye(4)] * 2), tuple("abcd")))),
}  # fmt: skip


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("extreme", EXTREMES)
@pytest.mark.parametrize("drawing", DRAWINGS)
def test_extreme_numbers_are_drawn_or_refused_in_one_line(drawing, extreme):
    shape, draw = DRAWINGS[drawing]
    values = EXTREMES[extreme](shape)
    try:
        drawn = draw(values)
    except ValueError as error:
        assert "axes hold 1e+300" in str(error) and "\n" not in str(error)
        assert np.abs(values).max() >= 1e299, "what an axis holds must be drawn"
    else:
        FigureCanvasAgg(np.ravel(drawn)[0].figure).draw()  # ticks are placed now; a warning is an error


def test_a_histogram_of_numbers_that_are_almost_the_same_has_them_all():
    for values in (np.full(7, 1e300), 1e16 + np.arange(7.0), np.full(7, 1e-320), np.full(7, 3.0)):
        (bars,) = plotting.histograms({"x": values}, "x").containers
        assert sum(bar.get_height() * bar.get_width() for bar in bars) == pytest.approx(1.0)
