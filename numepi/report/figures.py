"""Pictures within a page: each drawn twice, for light and for dark screens, and stored in the page itself."""

import base64
import io
from collections.abc import Callable

from numepi.markup import escaped

__all__ = ["picture"]

_DPI = 100
_LIGHT, _DARK = "#1b1f24", "#e6e8eb"  # of the text: the page's colours, see `numepi.report.page`


def picture(draw: Callable, alt: str, size: tuple[float, float]) -> str:
    """A figure as HTML.

    Parameters
    ----------
    draw : callable
        ``draw(figure)`` draws on a matplotlib Figure.
    alt : str
        Says in words what is to be seen.
    size : (float, float)
        Width and height in inches.
    """
    light, dark = _pngs(draw, size)
    width, height = (round(_DPI * each) for each in size)
    return (
        f'<picture><source media="(prefers-color-scheme: dark)" srcset="{dark}">'
        f'<img src="{light}" alt="{escaped(alt)}" width="{width}" height="{height}"></picture>'
    )


def _pngs(draw, size):
    """The drawing in both inks, as data URLs; pyplot and its backend are left alone."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    paper = ("figure.facecolor", "axes.facecolor", "savefig.facecolor", "legend.facecolor")
    urls = []
    with rc_context(dict.fromkeys(paper, "none") | {"text.color": _LIGHT}):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        for ink in (_LIGHT, _DARK):
            _write_in(figure, ink)
            urls.append(_url(figure))
            figure.set_layout_engine("none")  # where it put things the first time
    return urls


def _write_in(figure, ink):
    """Give text, axes, and what was drawn in the ink of text (`numepi.plotting.style.ink`) another one."""
    from matplotlib.collections import Collection
    from matplotlib.colors import same_color
    from matplotlib.lines import Line2D
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_color(ink)
    for ax in figure.axes:
        ax.tick_params(which="both", colors=ink)
        ax.spines[:].set_color(ink)
    for line in figure.findobj(Line2D):
        if same_color(line.get_color(), _LIGHT):
            line.set_color(ink)
    for points in figure.findobj(Collection):
        edges = points.get_edgecolor()
        if len(edges) == 1 and same_color(edges[0], _LIGHT):
            points.set_edgecolor(ink)


def _url(figure):
    with io.BytesIO() as file:
        figure.savefig(file, format="png", dpi=_DPI)
        return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
