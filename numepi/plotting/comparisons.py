"""Distributions side by side, matrices of trends, and the couplings of many parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from numepi.analysis.summary import Summary
from numepi.analysis.trends import LinearTrends
from numepi.arguments import check_array, check_count, check_instance, check_mapping, check_names, check_text
from numepi.plotting.checks import axes_of, check_size, drawable, range_of
from numepi.plotting.style import BAND, COLOURS, GREY, tidy
from numepi.property.emergent_property import EmergentProperty

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from numepi.analysis.summary import Summary
    from numepi.analysis.trends import LinearTrends
    from numepi.property.emergent_property import EmergentProperty

__all__ = ["coupling_bars", "histograms", "statistic_clouds", "trend_matrix"]

_SIGNIFICANT = 0.05


def histograms(samples: Any, label: str, bins: int = 40, ax: Axes | None = None) -> Axes:
    """Overlaid histograms of named samples on common bins.

    Parameters
    ----------
    samples : dict of str to array (n,)
    label : str
        Of the horizontal axis, with units.
    bins : int
    ax : Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    Axes
    """
    samples = check_mapping("samples", samples, "give a dict of names and arrays (n,)")
    check_count("bins", bins)
    check_text("label", label)
    if not 1 <= len(samples) <= len(COLOURS):
        raise ValueError(f"samples has {len(samples)} entries: give 1 to {len(COLOURS)} arrays")
    samples = {name: _finite(f"samples[{name!r}]", values) for name, values in samples.items()}
    ax = tidy(axes_of(ax))
    pooled = np.concatenate(list(samples.values()))
    low, high = range_of(pooled.min(), pooled.max())
    edges = np.linspace(low, high, bins + 1)
    for i, (name, values) in enumerate(samples.items()):
        ax.hist(values, edges.tolist(), density=True, color=COLOURS[i], alpha=0.55, label=name)
    ax.set(xlabel=label, ylabel="density")
    ax.legend(fontsize=8, frameon=False)
    return ax


def _finite(name, values):
    values = check_array(name, values, ("n",), finite=False)
    check_size(name, values)
    if not np.isfinite(values).any():
        raise ValueError(f"{name} has no finite number among its {len(values)}: there is nothing to draw")
    return values[np.isfinite(values)]


def statistic_clouds(f: Any, prop: EmergentProperty, names: Any, ax: Axes | None = None) -> Axes:
    """Two statistics of samples, with the property's targets at one and two standard deviations as ellipses.

    Parameters
    ----------
    f : array (n, 2)
    prop : EmergentProperty
        With a mean and a variance for both.
    names : sequence of str (2,)
    ax : Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    Axes
    """
    from matplotlib.patches import Ellipse

    f, _ = drawable("f", f, columns=2)
    names = check_names("names", names, 2)
    check_instance("prop", prop, EmergentProperty, "give a numepi.EmergentProperty")
    if len(prop.mean) != 2 or None in (*prop.mean, *(prop.variance or ())):
        raise ValueError(f"prop has the means {prop.mean} and variances {prop.variance}: give both for two statistics")
    check_size("prop", np.array([prop.mean, prop.variance], float))
    ax = tidy(axes_of(ax))
    ax.scatter(f[:, 0], f[:, 1], s=4, linewidths=0, color=GREY, rasterized=True)
    centre, spread = np.array(prop.mean, float), np.sqrt(np.array(prop.variance, float))
    for k in (1, 2):
        ellipse = Ellipse(tuple(centre), *(2 * k * spread), fill=False, edgecolor=COLOURS[1], linewidth=1.6 / k)
        ellipse.set_label(f"target ± {k} s.d.")
        ax.add_patch(ellipse)
    ax.set(xlabel=names[0], ylabel=names[1])
    ax.legend(fontsize=8, frameon=False, loc="upper left")
    return ax


def trend_matrix(trends: LinearTrends, ax: Axes | None = None) -> Axes:
    """Correlations of `linear_trends` as a coloured matrix with numbers; insignificant ones (p > 0.05) in brackets.

    Parameters
    ----------
    trends : LinearTrends
    ax : Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    Axes
    """
    check_instance("trends", trends, LinearTrends, "give what linear_trends() returns")
    ax = axes_of(ax)
    ax.imshow(trends.r, cmap="PuOr", vmin=-1, vmax=1, aspect="auto")
    for i, j in np.ndindex(trends.r.shape):
        text = f"{trends.r[i, j]:.2f}" if trends.p[i, j] <= _SIGNIFICANT else f"({trends.r[i, j]:.2f})"
        dark = abs(trends.r[i, j]) > 0.6
        ax.text(j, i, text, ha="center", va="center", fontsize=8, color="white" if dark else "black")
    ax.set_xticks(range(len(trends.parameter_names)), trends.parameter_names)
    ax.set_yticks(range(len(trends.statistic_names)), trends.statistic_names)
    ax.tick_params(labelsize=8, length=0)
    return ax


def coupling_bars(summary: Summary, ax: Axes | None = None) -> Axes:
    """The strongest pairs of a `Summary` as bars, with the level that chance reaches.

    Parameters
    ----------
    summary : Summary
    ax : Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    Axes
    """
    check_instance("summary", summary, Summary, "give what summarise() returns")
    ax = tidy(axes_of(ax))
    names = summary.parameter_names
    labels = [f"{names[i]}, {names[j]}" for i, j, _ in summary.couplings][::-1]
    values = [r for *_, r in summary.couplings][::-1]
    ax.axvspan(-summary.noise, summary.noise, color=BAND, zorder=0, label="chance (95 %)")
    ax.barh(labels, values, color=[COLOURS[0] if v > 0 else COLOURS[1] for v in values])
    ax.set(xlabel="rank correlation")
    ax.legend(fontsize=8, frameon=False)
    return ax
