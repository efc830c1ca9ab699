"""Styles and colours: for their block alone, and told apart by all eyes."""

import matplotlib as mpl
import matplotlib.pyplot
import numpy as np
import pytest

import numepi as ne

mpl.use("Agg")


def test_a_style_is_for_its_block(rng):
    before = dict(mpl.rcParams)
    with ne.plotting.style("dark"):
        axes = ne.plotting.pairs(rng.normal(size=(9, 2)), names=("a", "b"), points={"here": [0, 0]})
        figure = axes[0, 0].figure
        paper = mpl.colors.to_rgb(figure.get_facecolor())
        words = [axes[1, 0].xaxis.label, figure.legends[0].get_texts()[0], axes[1, 0].get_xticklabels()[0]]
        assert max(paper) < 0.2 and all(min(mpl.colors.to_rgb(word.get_color())) > 0.8 for word in words)
        assert mpl.colors.to_hex(axes[1, 0].collections[-1].get_edgecolor()[0]) == mpl.rcParams["text.color"]
    with ne.plotting.style("print"):
        assert (mpl.rcParams["savefig.dpi"], mpl.rcParams["svg.fonttype"]) == (300, "none")
    assert dict(mpl.rcParams) == before
    with pytest.raises(ValueError, match="style = 'sepia': choose from 'screen', 'dark', 'print'"):
        ne.plotting.style("sepia")


# Viénot, Brettel & Mollon (1999): linear RGB as it looks to who lacks long- or middle-wave cones.
_BLINDNESS = {
    "none": np.eye(3),
    "protanopia": [[0.1121, 0.8853, -0.0005], [0.1127, 0.8897, -0.0001], [0.0045, 0.0, 1.0019]],
    "deuteranopia": [[0.2920, 0.7054, -0.0003], [0.2934, 0.7089, 0.0], [-0.0210, 0.0256, 1.0019]],
}


def lab(colours):
    """CIE L*a*b* of linear RGB (n, 3)."""
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    t = np.clip(colours @ to_xyz.T / to_xyz.sum(axis=1), 0, None)
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


@pytest.mark.parametrize("eyes", _BLINDNESS)
def test_colours_are_told_apart_by_all_eyes_on_any_paper(eyes):
    rgb = np.array([mpl.colors.to_rgb(colour) for colour in ne.plotting.COLOURS])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = lab(np.clip(linear @ np.array(_BLINDNESS[eyes]).T, 0, 1))
    apart = np.linalg.norm(seen[:, None] - seen, axis=2)[np.triu_indices(len(rgb), 1)]
    assert apart.min() > 10  # a difference of 2.3 is just noticed (Mahy et al. 1994)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    white, dark = 1.05 / (luminance + 0.05), (luminance + 0.05) / (0.0095 + 0.05)
    assert white.min() > 2 and dark.min() > 3
