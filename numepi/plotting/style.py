"""Colours and sizes that the figures share: legible in print and to colour-blind readers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numepi.arguments import check_instance

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe & Ito's palette, without its yellow (too light on white).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
DENSITY_MAP = "viridis"
BAND = "0.85"


def tidy(ax: Axes) -> Any:
    """Remove the frame lines that carry no information."""
    from matplotlib.axes import Axes

    check_instance("ax", ax, Axes, "give the axes of a figure")
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
    return ax
