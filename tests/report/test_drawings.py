"""What the figures of a report show, beyond that they are there."""

import base64
import io
import re
from types import SimpleNamespace

import matplotlib as mpl
import matplotlib.image
import pytest

import numepi as ne
from numepi.flow import FlowDistribution
from numepi.plotting.style import ink
from numepi.report import drawings
from numepi.report.figures import picture


@pytest.mark.parametrize("dim", [6, 7])
def test_of_many_parameters_the_strongest_pairs_are_drawn(dim, monkeypatch):
    flow = ne.RealNVP(ne.Support([-1.0] * dim, [1.0] * dim), stages=1, hidden=(4,))
    distribution = FlowDistribution(flow, flow.initial_parameters(0))
    result = SimpleNamespace(parameter_names=tuple(f"p{i}" for i in range(dim)), distribution=distribution)
    z = distribution.sample(100, rng=0)
    z[:, 0] = z[:, -1]  # no pair hangs together more, and the last parameter is in it
    shown = []
    monkeypatch.setattr(drawings, "strongest_pairs", lambda z, *a, **k: shown.append(z))
    text = drawings.pairs(result, z)
    assert ("pairs of the greatest rank correlation" in text) == (len(shown) > 0) == (dim > 6)


def test_what_is_drawn_in_ink_is_seen_on_dark_paper():
    def draw(figure):
        figure.set_layout_engine("none")
        ax = figure.add_axes((0, 0, 1, 1))
        ax.set(xlim=(0, 1), ylim=(0, 1))
        ax.set_axis_off()
        ax.axhline(0.25, color=ink(), linewidth=20)
        ax.scatter([0.5], [0.75], s=100, color="white", edgecolor=ink(), linewidth=20)
        ax.axhline(0.5, color="#D55E00", linewidth=5)

    stored = re.findall(r"data:image/png;base64,([^\"]+)", picture(draw, "ink", (2, 2)))
    dark, light = (mpl.image.imread(io.BytesIO(base64.b64decode(each))) for each in stored)
    for image, colour in ((light, "#1b1f24"), (dark, "#e6e8eb")):
        for row, column in ((150, 100), (50, 86)):  # the line, and the edge of the point
            assert mpl.colors.to_hex(image[row, column, :3]) == colour
        assert mpl.colors.to_hex(image[100, 100, :3]) == "#d55e00"


def test_activity_of_a_model_from_equations_is_drawn():
    equations = {"drift": lambda x, z, t: {"v": z.a - x.v}, "states": {"v": 0.0}, "parameters": {"a": (0.0, 1.0)}}
    model = ne.Dynamics(**equations, statistics={"end": ne.observe.final("v")}, dt=0.1, duration=1.0)
    text = drawings.activity(SimpleNamespace(circuit=model, parameter_names=("a",)), model.support.sample(3, rng=0))
    assert "Activity (v) over time at 3 draws" in text and "Not shown" not in text
