"""Two parameters at a time: samples by density, sensitivity arrows, mode paths, frequency contours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from numepi.analysis.metric import SimulatorMetric
from numepi.analysis.paths import ModePath
from numepi.analysis.sensitivity import Sensitivity
from numepi.analysis.stg import FrequencyMap
from numepi.arguments import check_counts, check_instance, check_names, check_number
from numepi.plotting.checks import axes_of, check_size, colour_limits, drawable, pair_of
from numepi.plotting.style import COLOURS, DENSITY_MAP, GREY, ink, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from numepi.analysis.paths import ModePath
    from numepi.analysis.sensitivity import Sensitivity
    from numepi.analysis.stg import FrequencyMap

__all__ = ["arrows", "frequency_contours", "mode_points", "plane"]


def plane(
    z: ArrayLike,
    log_density: ArrayLike | None = None,
    parameters: Sequence[int] = (0, 1),
    names: Sequence[str] | None = None,
    size: float = 4,
    colour: str = GREY,
    ax: Axes | None = None,
) -> Axes:
    """Scatter two parameters of samples, coloured by log-density, the densest on top.

    Parameters
    ----------
    z : array (n, D)
    log_density : array (n,), optional
    parameters : pair of int or str
    names : sequence of str (D,), optional
        For the labels of the axes.
    size : float
    colour : str
        Of samples without densities.
    ax : Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    Axes
        A colour bar takes ``ax.collections[-1]``.
    """
    z, log_density = drawable("z", z, log_density)
    dim = z.shape[1]
    names = None if names is None else check_names("names", names, dim)
    i, j = pair_of(parameters, names or tuple(f"z{k + 1}" for k in range(dim)))
    ax = tidy(axes_of(ax))
    if log_density is None:
        ax.scatter(z[:, i], z[:, j], s=size, linewidths=0, color=colour, rasterized=True)
    else:
        order = np.argsort(log_density)
        low, high = colour_limits(log_density)
        ax.scatter(
            z[order, i], z[order, j], c=log_density[order], s=size, linewidths=0, cmap=DENSITY_MAP, vmin=low, vmax=high,
            rasterized=True,
        )  # fmt: skip
    if names is not None:
        ax.set(xlabel=names[i], ylabel=names[j])
    return ax


def arrows(
    sensitivity: Sensitivity,
    parameters: Sequence[int] = (0, 1),
    directions: Sequence[int] = (0,),
    scale: float = 1.0,
    colour: str | None = None,
    labels: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw sensitivity directions from their points, each 1/sqrt|eigenvalue| times ``scale`` long.

    Parameters
    ----------
    sensitivity : Sensitivity or SimulatorMetric
    parameters : (int, int)
    directions : sequence of int
        Which of the ordered eigenvectors: 0 is v1.
    scale : float
        Set 0 to draw all arrows in the length of a tenth of the axes' width.
    colour : str, optional
        That of text by default.
    labels : sequence of str, optional
        One for each direction, written at the tip.
    ax : Axes, optional
        Where to draw; new ones by default.  In equal aspect arrows keep their angles.

    Returns
    -------
    Axes
    """
    check_instance("sensitivity", sensitivity, (Sensitivity, SimulatorMetric), "give a Sensitivity or SimulatorMetric")
    ax = axes_of(ax)
    check_number("scale", scale, least=0)
    parameters = pair_of(parameters, sensitivity.parameter_names)
    directions = check_counts("directions", directions, least=0, most=np.shape(sensitivity.vectors)[-2] - 1)
    labels = None if labels is None else check_names("labels", labels, len(directions))
    z = np.atleast_2d(sensitivity.z)[:, list(parameters)]
    vectors = np.asarray(sensitivity.vectors).reshape(len(z), -1, sensitivity.vectors.shape[-1])
    lengths = np.asarray(sensitivity.arrow_lengths).reshape(len(z), -1)
    check_size("sensitivity", z)
    check_size("sensitivity", lengths * max(scale, 1.0))
    for number, k in enumerate(directions):
        for point, vector, length in zip(z, vectors[:, k][:, list(parameters)], lengths[:, k]):
            if not np.isfinite(length) and scale > 0:
                continue  # a direction that changes nothing has no length
            extent = 0.1 * np.abs(np.diff(ax.get_xlim())[0]) if scale == 0 else scale * length
            tip = point + extent * vector
            style = {
                "arrowstyle": "-|>",
                "color": ink() if colour is None else colour,
                "linewidth": 1.4,
                "linestyle": "-" if number == 0 else "--",
            }
            ax.annotate("", tip, point, arrowprops=style | {"shrinkA": 0, "shrinkB": 0}, zorder=4)
            if labels is not None:
                ax.annotate(labels[number], tip, xytext=(4, 4), textcoords="offset points", fontsize=9, zorder=5)
    return ax


def mode_points(
    path: ModePath, parameters: Sequence[int] = (0, 1), colour_map: str = "plasma", ax: Axes | None = None
) -> Axes:
    """Mark the modes of a path, coloured by the path's parameter, and join them.

    Parameters
    ----------
    path : ModePath
    parameters : (int, int)
    colour_map : str
    ax : Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    Axes
        A colour bar takes ``ax.collections[-1]``.
    """
    check_instance("path", path, ModePath, "give what mode_path() returns")
    i, j = pair_of(parameters, tuple(f"z{k + 1}" for k in range(path.z.shape[1])))
    for values in (path.z, path.values):
        check_size("path", values)
    ax = axes_of(ax)
    ax.plot(path.z[:, i], path.z[:, j], color=ink(), linewidth=0.8, zorder=3)
    ax.scatter(
        path.z[:, i], path.z[:, j], c=path.values, cmap=colour_map, s=36, edgecolor="white", linewidth=0.7, zorder=4
    )
    return ax


def frequency_contours(
    plane_map: FrequencyMap, target: float = 0.55, deviation: float = 0.025, ax: Axes | None = None
) -> Axes:
    """Contours of the hub's frequency at its target and one and two standard deviations from it.

    Parameters
    ----------
    plane_map : numepi.analysis.stg.FrequencyMap
    target, deviation : float
        Hz.
    ax : Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    Axes
    """
    check_instance("plane_map", plane_map, FrequencyMap, "give what frequency_map() returns")
    check_number("target", target)
    check_number("deviation", deviation, above=0)
    if not np.isfinite(plane_map.frequency).any():
        raise ValueError("plane_map has no finite frequency: there is nothing to draw")
    for values in (plane_map.g_el, plane_map.g_synA, plane_map.frequency, target, deviation):
        check_size("plane_map, target or deviation", np.asarray(values))
    ax = tidy(axes_of(ax))
    levels = target + deviation * np.arange(-2, 3)
    ax.contour(
        plane_map.g_el, plane_map.g_synA, plane_map.frequency, levels, colors=COLOURS[1], linewidths=[0.7, 1, 2, 1, 0.7]
    )
    ax.plot([], [], color=COLOURS[1], linewidth=2, label=f"{target:g} Hz, then ± 1, 2 s.d. ({deviation:g} Hz)")
    ax.legend(fontsize=8, frameon=False, loc="upper left")
    ax.set(xlabel="g_el (nS)", ylabel="g_synA (nS)")
    return ax
