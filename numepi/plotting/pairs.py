"""Pair plot: every two parameters of samples, coloured by log-density, with the marginals on the diagonal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from numepi.arguments import check_indices, check_instance, check_names, check_points
from numepi.plotting.checks import check_size, colour_limits, drawable, figure_of, range_of
from numepi.plotting.style import COLOURS, DENSITY_MAP, tidy
from numepi.support import Support

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from numepi.support import Support

__all__ = ["pairs"]

_MAX_PANELS = 12


def pairs(
    z: ArrayLike,
    log_density: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    support: Support | None = None,
    modes: ArrayLike | None = None,
    parameters: Sequence[str | int] | None = None,
    figure: Figure | None = None,
) -> Any:
    """Draw samples in pairs of parameters (the paper's Figures 1D, 4B and 5C).

    Parameters
    ----------
    z : array (n, D)
        Samples.
    log_density : array (n,), optional
        Colours the points; the densest are drawn last, on top.
    names : sequence of str (D,), optional
    support : numepi.Support, optional
        Sets the limits of the panels where it is bounded.
    modes : array (j, D), optional
        Points to mark with a star.
    parameters : sequence of int or str, optional
        Which parameters to show; all of them by default, at most 12.
    figure : matplotlib.figure.Figure, optional

    Returns
    -------
    figure, axes : Figure, ndarray (d, d) of Axes
        Panels above the diagonal are None.
    """
    z, log_density = drawable("z", z, log_density)
    dim = z.shape[1]
    names = tuple(f"z{i + 1}" for i in range(dim)) if names is None else check_names("names", names, dim)
    shown = check_indices("parameters", range(dim) if parameters is None else parameters, names)
    shown = (shown,) if isinstance(shown, int) else shown
    if support is not None and check_instance("support", support, Support, "give a numepi.Support").dim != dim:
        raise ValueError(f"support has {support.dim} dimensions: z has {dim} columns")
    if len(shown) > _MAX_PANELS:
        raise ValueError(f"{len(shown)} parameters make an unreadable figure: choose at most {_MAX_PANELS}")
    modes = np.empty((0, dim)) if modes is None else check_points("modes", modes, dim)[0]
    check_size("modes", modes)
    order = np.arange(len(z)) if log_density is None else np.argsort(log_density)
    colour = {"color": COLOURS[0]}
    if log_density is not None:
        values = log_density[order]
        low, high = colour_limits(values)
        colour = {"c": values, "cmap": DENSITY_MAP, "vmin": low, "vmax": high}
    limits = [_limits(z[:, i], support, i) for i in shown]
    d = len(shown)
    figure = figure_of(figure, figsize=(1.6 * d + 1.2, 1.6 * d), layout="constrained")
    axes = np.full((d, d), None)
    points = None
    for row, i in enumerate(shown):
        for column, j in enumerate(shown[: row + 1]):
            ax = axes[row, column] = tidy(figure.add_subplot(d, d, row * d + column + 1))
            if row == column:
                ax.hist(z[:, i], bins=40, range=limits[row], color="0.6", density=True)
                ax.set_yticks([])
            else:
                points = ax.scatter(z[order, j], z[order, i], s=4, linewidths=0, rasterized=True, **colour)
                ax.scatter(modes[:, j], modes[:, i], marker="*", s=90, color=COLOURS[1], edgecolor="white", zorder=3)
                ax.set_ylim(limits[row])
            ax.set_xlim(limits[column])
            _label(ax, row, column, d, names[i], names[j])
    if points is not None and log_density is not None:
        bar = figure.colorbar(points, ax=[a for a in axes.ravel() if a is not None], shrink=0.5, pad=0.02, extend="min")
        bar.set_label("log density (nats)")
    return figure, axes


def _limits(values, support, index):
    low, high = values.min(), values.max()
    if support is not None:
        bounds = np.array([support.lower[index], support.upper[index]])
        check_size("support", bounds)
        low, high = np.where(np.isfinite(bounds), bounds, [low, high])
    low, high = range_of(low, high)
    margin = 0.02 * (high - low)
    return low - margin, high + margin


def _label(ax, row, column, d, y_name, x_name):
    if row == d - 1:
        ax.set_xlabel(x_name)
    else:
        ax.set_xticklabels([])
    if column == 0 and row > 0:
        ax.set_ylabel(y_name)
    elif column != row:
        ax.set_yticklabels([])
