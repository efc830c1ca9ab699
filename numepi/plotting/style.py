"""Colours and sizes that the figures share, and styles for the screen, for dark screens and for print.

Colours are told apart by colour-blind readers, and seen on white as on dark paper; several answers have markers and
line styles of their own besides, for print in grey.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from numepi.arguments import check_choice, check_instance

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BAND", "COLOURS", "DENSITY_MAP", "GREY", "LINES", "MARKERS", "check_axes", "ink", "style", "tidy"]

# Okabe & Ito's palette, with a grey for its black (unseen on dark paper) and without its yellow (too light on white).
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#767676")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))
DENSITY_MAP = "viridis"
GREY = "0.6"  # what stands behind: priors, data
BAND = "#80808040"  # on any paper

_DARK_PAPER, _DARK_INK = "#16191d", "#e6e8eb"
_STYLES: dict[str, dict[str, Any]] = {
    "screen": {},
    "dark": {
        **dict.fromkeys(("figure.facecolor", "axes.facecolor", "savefig.facecolor", "legend.facecolor"), _DARK_PAPER),
        **dict.fromkeys(
            ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color", "legend.labelcolor"),
            _DARK_INK,
        ),
    },
    # 300 dots an inch for what is drawn as dots, and text that stays text in a vector graphic
    "print": {"savefig.dpi": 300, "pdf.fonttype": 42, "svg.fonttype": "none", "savefig.bbox": "tight"},
}


def style(name: str) -> AbstractContextManager[None]:
    """Settings of matplotlib for figures that are made and saved within a ``with`` block.

    Parameters
    ----------
    name : "screen", "dark" or "print"
        As matplotlib is set; light ink on dark paper; 300 dots an inch, and text that stays text.

    Returns
    -------
    context manager
        Afterwards matplotlib is set as before.
    """
    from matplotlib import rc_context

    settings: Any = _STYLES[check_choice("style", name, tuple(_STYLES))]  # matplotlib's types want literals
    return rc_context(settings)


def ink() -> str:
    """The colour of text, for what has to be seen on any paper."""
    from matplotlib import rcParams

    return rcParams["text.color"]


def check_axes(name: str, ax: Any, remedy: str) -> Any:
    """Return ``ax``, matplotlib Axes with a horizontal and a vertical axis."""
    from matplotlib.axes import Axes

    check_instance(name, ax, Axes, remedy)
    if ax.name != "rectilinear":
        raise ValueError(f"{name} has the projection {ax.name!r}: give Axes that were made without projection")
    return ax


def tidy(ax: Axes) -> Any:
    """Remove the frame lines that carry no information."""
    check_axes("ax", ax, "give the axes of a figure")
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=8)
    return ax
