"""Marginals of answers beside those of their prior: what the property has narrowed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from numepi.arguments import check_names
from numepi.plotting.checks import answers_of, drawable, panels_of
from numepi.plotting.scales import scales_of, within
from numepi.plotting.style import COLOURS, GREY, LINES, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["grid", "marginals"]

_MAX_PANELS = 12
_COLUMNS = 3


def marginals(
    z: ArrayLike | Mapping[str, ArrayLike],
    prior: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    units: Mapping[str, str] | None = None,
    limits: Mapping[str, Sequence[float]] | None = None,
    log: Sequence[str | int] = (),
    ax: Axes | ArrayLike | None = None,
) -> np.ndarray:
    """Draw the distribution of each parameter, one panel each, at most twelve.

    Parameters
    ----------
    z : array (n, D), or dict of str to array
        Samples of the answer; of several answers by their names.
    prior : array (n', D), optional
        Samples of the prior, drawn in grey behind.
    names : sequence of str (D,), optional
    units : dict of str to str, optional
        By name of a parameter: written beside it.
    limits : dict of str to (float, float), optional
        By name of a parameter.
    log : sequence of str or int
        Parameters on logarithmic axes.
    ax : array of Axes, or Axes, optional
        The panels, or one whose place they take; new ones by default.

    Returns
    -------
    ndarray of Axes
    """
    answers, _ = answers_of(z, prior=prior)
    dim = answers[0][1].shape[1]
    names = tuple(f"z{i + 1}" for i in range(dim)) if names is None else check_names("names", names, dim)
    before = None if prior is None else drawable("prior", prior, columns=dim)[0]
    scales = scales_of(names, units, limits, log)
    everything = [values for _, values in answers] + ([] if before is None else [before])
    for values in everything:
        scales.check("z or prior", values)
    axes = grid(min(dim, _MAX_PANELS), ax)
    for i, panel in enumerate(axes):
        edges = scales.edges(i, *(values[:, i] for values in everything))
        if before is not None:
            density = within(before[:, i], edges)
            panel.hist(before[:, i], bins=edges, density=density, color=GREY, alpha=0.6, label="prior")
        for k, (name, values) in enumerate(answers):
            panel.hist(
                values[:, i], bins=edges, density=within(values[:, i], edges), histtype="step", color=COLOURS[k],
                linestyle=LINES[k], linewidth=1.4, label=name,
            )  # fmt: skip
        scales.apply(panel, "x", i)
        panel.set_xlabel(scales.label(i))
        panel.set_yticks([])
    if axes[0].get_legend_handles_labels()[1]:
        axes[0].legend(fontsize=7, frameon=False)
    return axes


def grid(n, ax):
    """``n`` panels: those of ``ax``, or new ones in rows of up to three, in its place or on a new figure."""
    columns = min(n, _COLUMNS)
    rows = -(-n // columns)
    axes = panels_of(ax, rows, columns, (2.6 * columns + 0.6, 1.9 * rows + 0.2), n=n)
    for panel in axes:
        tidy(panel)
    return axes
