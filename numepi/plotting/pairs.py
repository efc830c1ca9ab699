"""Pair plots: samples of one answer, coloured by log density, or of several, with the marginals on the diagonal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from numepi.analysis.summary import strongest
from numepi.arguments import check_count, check_indices, check_instance, check_names
from numepi.plotting.checks import answers_of, check_size, colour_limits, drawable, marked_of, panels_of, range_of
from numepi.plotting.marginals import grid
from numepi.plotting.scales import scales_of, within
from numepi.plotting.style import COLOURS, DENSITY_MAP, GREY, LINES, MARKERS, ink, tidy
from numepi.support import Support

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from numepi.support import Support

__all__ = ["pairs", "strongest_pairs"]

_MAX_PANELS = 12
_MARKS = ("*", "P", "X", "d", "h", "8", "p")  # of points of interest


def pairs(
    z: ArrayLike | Mapping[str, ArrayLike],
    log_density: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    support: Support | None = None,
    points: ArrayLike | Mapping[str, ArrayLike] | None = None,
    parameters: Sequence[str | int] | None = None,
    prior: ArrayLike | None = None,
    units: Mapping[str, str] | None = None,
    limits: Mapping[str, Sequence[float]] | None = None,
    log: Sequence[str | int] = (),
    ax: Axes | ArrayLike | None = None,
) -> np.ndarray:
    """Draw samples in pairs of parameters (the paper's Figures 1D, 4B and 5C).

    Parameters
    ----------
    z : array (n, D), or dict of str to array
        Samples; of several answers by their names, each in its own colour, marker and line.
    log_density : array (n,), optional
        Of one answer: colours the points; the densest are drawn last, on top.
    names : sequence of str (D,), optional
    support : numepi.Support, optional
        Sets the limits of the panels where it is bounded.
    points : array (j, D), or dict of str to array (D,), optional
        Points of interest, marked with a star; with names they have a marker each, and stand in the legend.
    parameters : sequence of int or str, optional
        Which parameters to show; all of them by default, at most 12.
    prior : array (n', D), optional
        Samples of the prior, in grey behind.
    units : dict of str to str, optional
        By name of a parameter: written beside it.
    limits : dict of str to (float, float), optional
        By name of a parameter: instead of those of ``support`` and samples.
    log : sequence of str or int
        Parameters on logarithmic axes.
    ax : array of Axes, or Axes, optional
        The panels, or one whose place they take; new ones by default.

    Returns
    -------
    ndarray (d, d) of Axes
        Above the diagonal None: panels there are removed.
    """
    answers, log_density = answers_of(z, log_density, prior)
    before = None if prior is None else drawable("prior", prior, columns=answers[0][1].shape[1])[0]
    dim = answers[0][1].shape[1]
    names = tuple(f"z{i + 1}" for i in range(dim)) if names is None else check_names("names", names, dim)
    shown = check_indices("parameters", range(dim) if parameters is None else parameters, names)
    shown = (shown,) if isinstance(shown, int) else shown
    if support is not None and check_instance("support", support, Support, "give a numepi.Support").dim != dim:
        raise ValueError(f"support has {support.dim} dimensions: z has {dim} columns")
    if len(shown) > _MAX_PANELS:
        raise ValueError(
            f"{len(shown)} parameters make an unreadable figure: choose at most {_MAX_PANELS}, or draw "
            "the pairs that hang together most, strongest_pairs(z)"
        )
    marked = marked_of(points, dim)
    scales = scales_of(names, units, limits, log)
    everything = [values for _, values in answers] + ([] if before is None else [before])
    for values in everything:
        scales.check("z or prior", values)
    spans = {i: _limits(np.concatenate([values[:, i] for values in everything]), support, i, scales) for i in shown}
    d = len(shown)
    axes, last = panels_of(ax, d, d, (1.6 * d + 1.2, 1.6 * d)).copy(), None
    for row, column in zip(*np.triu_indices(d, 1)):
        axes[row, column].remove()
        axes[row, column] = None
    for row, i in enumerate(shown):
        for column, j in enumerate(shown[: row + 1]):
            panel = tidy(axes[row, column])
            scales.apply(panel, "x", j, spans[j])
            if row == column:
                _histograms(panel, [values[:, i] for values in everything], before is not None, scales, i)
            else:
                last = _cloud(panel, answers, log_density, before, (j, i))
                _mark(panel, marked, (j, i))
                scales.apply(panel, "y", i, spans[i])
            _label(panel, row, column, d, scales.label(i), scales.label(j))
    drawn = [panel for panel in axes.ravel() if panel is not None]
    alone = set(drawn) == set(drawn[0].figure.axes)
    if last is not None and log_density is not None:
        bar = drawn[0].figure.colorbar(last, ax=drawn, shrink=0.5, pad=0.02, extend="min")
        bar.set_label("log density (nats)")
    _legend(drawn, alone, {"loc": "upper left", "bbox_to_anchor": (1, 1)} if d > 1 else {"loc": "best"})
    return axes


def strongest_pairs(
    z: ArrayLike | Mapping[str, ArrayLike],
    log_density: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    n: int = 9,
    points: ArrayLike | Mapping[str, ArrayLike] | None = None,
    prior: ArrayLike | None = None,
    units: Mapping[str, str] | None = None,
    limits: Mapping[str, Sequence[float]] | None = None,
    log: Sequence[str | int] = (),
    ax: Axes | ArrayLike | None = None,
) -> np.ndarray:
    """Draw the pairs of parameters that hang together most, of any number of parameters.

    Parameters
    ----------
    z, log_density, names, points, prior, units, limits, log
        As for `pairs`.  Of several answers the first decides which pairs are shown.
    n : int
        How many pairs: those of greatest |Spearman rank correlation|, which stands above each panel.
    ax : array of Axes, or Axes, optional
        The panels, or one whose place they take; new ones by default.

    Returns
    -------
    ndarray of Axes
    """
    answers, log_density = answers_of(z, log_density, prior)
    check_count("n", n)
    dim = answers[0][1].shape[1]
    if dim == 1:
        raise ValueError("z has one column: there are no pairs; draw marginals(z)")
    before = None if prior is None else drawable("prior", prior, columns=dim)[0]
    names = tuple(f"z{i + 1}" for i in range(dim)) if names is None else check_names("names", names, dim)
    marked = marked_of(points, dim)
    scales = scales_of(names, units, limits, log)
    for values in [values for _, values in answers] + ([] if before is None else [before]):
        scales.check("z or prior", values)
    if len(answers[0][1]) == 1:
        raise ValueError("z has one finite row: a rank correlation needs two or more")
    chosen = strongest(answers[0][1], n)
    axes = grid(len(chosen), ax)
    last, alone = None, set(axes) == set(axes[0].figure.axes)
    for panel, (i, j, r) in zip(axes, chosen):
        last = _cloud(panel, answers, log_density, before, (i, j))
        _mark(panel, marked, (i, j))
        scales.apply(panel, "x", i)
        scales.apply(panel, "y", j)
        panel.set(xlabel=scales.label(i), ylabel=scales.label(j))
        panel.set_title(f"{r:+.2f}", fontsize=8)
    if log_density is not None:
        bar = axes[0].figure.colorbar(last, ax=list(axes), shrink=0.6, extend="min")
        bar.set_label("log density (nats)")
    _legend(axes, alone, {"loc": "best"})
    return axes


def _cloud(ax, answers, log_density, before, pair):
    """Samples in one panel; returns what a colour bar needs."""
    x, y = pair
    if before is not None:
        ax.scatter(before[:, x], before[:, y], s=3, linewidths=0, color=GREY, alpha=0.4, label="prior", rasterized=True)
    for k, (name, values) in enumerate(answers):
        how = {"color": COLOURS[k]}
        if log_density is not None:
            order = np.argsort(log_density)
            values, colour = values[order], log_density[order]
            low, high = colour_limits(colour)
            how = {"c": colour, "cmap": DENSITY_MAP, "vmin": low, "vmax": high}
        drawn = ax.scatter(
            values[:, x], values[:, y], s=4, linewidths=0, marker=MARKERS[k], label=name, rasterized=True, **how
        )
    return drawn


def _mark(ax, marked, pair):
    """Points of interest over the samples."""
    for k, (name, values) in enumerate(marked):
        ax.scatter(
            values[:, pair[0]], values[:, pair[1]], marker=_MARKS[k % len(_MARKS)], s=90, color=COLOURS[1],
            edgecolor=ink(), linewidth=0.6, zorder=3, label=name,
        )  # fmt: skip


def _histograms(ax, columns, with_prior, scales, index):
    """Marginals on the diagonal: grey of the prior, else of a single answer; lines of several."""
    edges = scales.edges(index, *columns)
    answers = columns[:-1] if with_prior else columns
    if with_prior:
        ax.hist(columns[-1], bins=edges, color=GREY, alpha=0.6, density=within(columns[-1], edges))
    if len(answers) == 1 and not with_prior:
        ax.hist(answers[0], bins=edges, color=GREY, density=within(answers[0], edges))
    else:
        for k, values in enumerate(answers):
            how = {"histtype": "step", "color": COLOURS[k], "linestyle": LINES[k]}
            ax.hist(values, bins=edges, density=within(values, edges), **how)
    ax.set_yticks([])


def _limits(values, support, index, scales):
    """From the least to the greatest, or the bounds of the support, with a margin of 2 %."""
    low, high = values.min(), values.max()
    logarithmic = index in scales.logarithmic
    if support is not None:
        bounds = np.array([support.lower[index], support.upper[index]])
        check_size("support", bounds)
        usable = np.isfinite(bounds) & ((bounds > 0) | (not logarithmic))
        low, high = np.where(usable, bounds, [low, high])
    if logarithmic:
        low, high = np.log(low), np.log(high)
    low, high = range_of(low, high)
    margin = 0.02 * (high - low)
    limits = low - margin, high + margin
    return tuple(np.exp(limits)) if logarithmic else limits


def _legend(axes, alone, where):
    """Names of answers, prior and points, once, where there are any: beside panels that are ``alone`` on a figure.

    On a figure with other plots it stands by the first panel, ``where`` says how: they may have legends of their own.
    """
    found = {}
    for ax in axes:
        found |= dict(zip(*reversed(ax.get_legend_handles_labels())))
    if found:
        owner, where = (axes[0].figure, {"loc": "outside upper right"}) if alone else (axes[0], where)
        legend = owner.legend(found.values(), found.keys(), frameon=False, fontsize=8, **where)
        legend.set_in_layout(alone)
        for handle in legend.legend_handles:
            handle.set_sizes([30])


def _label(ax, row, column, d, y_name, x_name):
    if row == d - 1:
        ax.set_xlabel(x_name)
    else:
        _bare(ax, "x")
    if column == 0 and row > 0:
        ax.set_ylabel(y_name)
    elif column != row:
        _bare(ax, "y")


def _bare(ax, axis):
    """Hide the labels of ticks, here and not in panels that share the axis."""
    ax.tick_params(axis=axis, which="both", **{"labelbottom" if axis == "x" else "labelleft": False})
    getattr(ax, f"{axis}axis").offsetText.set_visible(False)
