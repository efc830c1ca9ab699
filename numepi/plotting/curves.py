"""Curves: statistics under perturbation, error under silencing, contrast responses, sizes of activity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from numepi.analysis.perturbation import Perturbation
from numepi.analysis.sc import Silencing
from numepi.arguments import check_array, check_counts, check_indices, check_instance, check_names, check_number
from numepi.plotting.checks import axes_of, check_size
from numepi.plotting.style import BAND, COLOURS, ink, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from numepi.analysis.perturbation import Perturbation
    from numepi.analysis.sc import Silencing

__all__ = ["contrast_curves", "norm_curves", "perturbation_curves", "silencing_curves", "task_flip_points"]

_MAX_LINES = 40


def perturbation_curves(
    perturbation: Perturbation,
    direction: str,
    statistic: int = 0,
    labels: Sequence[str] | None = None,
    colours: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """A statistic against the displacement along one direction, a line for each point.

    Parameters
    ----------
    perturbation : Perturbation
    direction : str
    statistic : int
    labels, colours : sequences (n,), optional
    ax : Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    Axes
    """
    check_instance("perturbation", perturbation, Perturbation, "give what perturb() returns")
    values = perturbation.along(direction)
    statistic = check_indices("statistic", statistic, perturbation.statistic_names)
    for name, given in (("labels", labels), ("colours", colours)):
        if given is not None and len(given) != len(values):
            raise ValueError(f"{name} has {len(given)} entries: there are {len(values)} points")
    values = values[..., statistic]
    check_size("perturbation", values)
    check_size("perturbation", perturbation.deltas)
    ax = tidy(axes_of(ax))
    colours = [COLOURS[i % len(COLOURS)] for i in range(len(values))] if colours is None else colours
    for i, row in enumerate(values):
        label = None if labels is None else labels[i]
        ax.plot(perturbation.deltas, row, color=colours[i], linewidth=1.4, label=label)
    ax.axvline(0, color="0.7", linewidth=0.8, zorder=0)
    ax.set(xlabel=f"displacement along {direction}", ylabel=perturbation.statistic_names[statistic])
    return ax


def silencing_curves(silencing: Silencing, level: float = 0.07, ax: Axes | None = None) -> Axes:
    """Mean error rise of both tasks against the strength of silencing, with the spread over circuits.

    A grey dot marks where the Anti error saturates (`numepi.analysis.sc.Silencing.saturation`).

    Parameters
    ----------
    silencing : numepi.analysis.sc.Silencing
    level : float
        Rise of the Anti error to mark: the experiment's 7 %.
    ax : Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    Axes
    """
    check_instance("silencing", silencing, Silencing, "give what silence() returns")
    check_size("level", check_number("level", level))
    check_size("silencing", silencing.rise)
    check_size("silencing", 100 * silencing.rise)
    ax = tidy(axes_of(ax))
    for task, name in enumerate(("Pro", "Anti")):
        rise = 100 * silencing.rise[..., task]
        low, middle, high = np.quantile(rise, 0.25, axis=1), rise.mean(axis=1), np.quantile(rise, 0.75, axis=1)
        ax.fill_between(silencing.gammas, low, high, color=COLOURS[task], alpha=0.2, linewidth=0)
        ax.plot(silencing.gammas, middle, color=COLOURS[task], linewidth=1.6, label=f"{name} (mean, quartiles)")
    gamma = silencing.gamma_at(level)
    if np.isfinite(gamma):
        ax.plot(gamma, 100 * level, "o", color=ink(), markersize=5)
        ax.annotate(
            f"{level:.0%} at γ = {gamma:.2f}", (gamma, 100 * level), xytext=(-8, 6), textcoords="offset points",
            ha="right", fontsize=8,
        )  # fmt: skip
    saturation = silencing.saturation()
    if np.isfinite(saturation):
        anti = 100 * float(np.interp(saturation, silencing.gammas, silencing.mean_rise[:, 1]))
        ax.plot(saturation, anti, "o", color="0.5", markersize=5, zorder=3, label=f"saturates at γ = {saturation:.2f}")
    ax.axhline(0, color="0.7", linewidth=0.8, zorder=0)
    ax.set(xlabel="optogenetic strength γ", ylabel=f"rise in error, {silencing.window} silenced (%)")
    ax.legend(fontsize=8, frameon=False, loc="upper left")
    return ax


def task_flip_points(
    pro: ArrayLike,
    anti_silenced: ArrayLike,
    colour: str | None = None,
    size: float = 5,
    ax: Axes | None = None,
) -> Axes:
    """Anti accuracy under silencing against Pro accuracy without, and the line p_A = 1 - p_P of a flipped task.

    Parameters
    ----------
    pro, anti_silenced : array (n,)
    colour : array (n,), optional
    size : float
    ax : Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    Axes
    """
    pro = check_array("pro", pro, ("n",), finite=False)
    anti_silenced = check_array("anti_silenced", anti_silenced, pro.shape, finite=False)
    colour = None if colour is None else check_array("colour", colour, pro.shape, finite=False)
    check_number("size", size, above=0)
    for name, values in (("pro", pro), ("anti_silenced", anti_silenced), ("colour", colour)):
        if values is not None:
            check_size(name, values)
    if not np.isfinite(pro + anti_silenced).any():
        raise ValueError(f"pro and anti_silenced have no finite pair among their {len(pro)}: there is nothing to draw")
    ax = tidy(axes_of(ax))
    style: dict[str, Any] = {"color": COLOURS[0]} if colour is None else {"c": colour, "cmap": "plasma"}
    ax.scatter(pro, anti_silenced, s=size, linewidths=0, rasterized=True, **style)
    line = np.array([0.5, 1.0])
    ax.plot(line, 1 - line, color=ink(), linewidth=1.2, label="1 − Pro accuracy")
    ax.axhline(0.5, color="0.5", linewidth=1, linestyle=":", label="guessing")
    ax.set(xlabel="Pro accuracy", ylabel="Anti accuracy, silenced", xlim=(0.5, 1.0), ylim=(0.0, 0.8))
    ax.legend(fontsize=8, frameon=False, loc="upper right")
    return ax


def contrast_curves(
    contrasts: ArrayLike,
    rates: np.ndarray,
    names: Sequence[str] = ("E", "P", "S", "V"),
    ax: Axes | None = None,
) -> Axes:
    """Steady rates against contrast, a line for each population.

    Parameters
    ----------
    contrasts : array (m,)
    rates : array (m, v)
        Hz.
    names : sequence of str (v,)
    ax : Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    Axes
    """
    names = check_names("names", names)
    contrasts = check_array("contrasts", contrasts, ("m",))
    rates = check_array("rates", rates, (len(contrasts), len(names)), finite=False)
    check_size("contrasts", contrasts)
    check_size("rates", rates)
    if len(contrasts) == 0 or len(names) > len(COLOURS):
        raise ValueError(f"rates has shape {rates.shape}: give one contrast or more, and up to {len(COLOURS)} names")
    ax = tidy(axes_of(ax))
    for i, name in enumerate(names):
        ax.plot(contrasts, rates[:, i], color=COLOURS[i], label=name)
    ax.set(xlabel="contrast", ylabel="steady rate (Hz)")
    ax.legend(fontsize=8, frameon=False)
    return ax


def norm_curves(
    time: ArrayLike,
    norms: np.ndarray,
    classes: ArrayLike | None = None,
    class_names: Sequence[str] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """|x(t)| of networks, coloured by class; at most 40 lines.

    Parameters
    ----------
    time : array (T,)
        Seconds.
    norms : array (n, T)
    classes : array (n,) of int, optional
    class_names : sequence of str, optional
    ax : Axes, optional
        Where to draw; new ones by default.

    Returns
    -------
    Axes
    """
    time = check_array("time", time, ("T",))
    norms = check_array("norms", norms, ("n", len(time)), finite=False)
    check_size("time", time)
    check_size("norms", norms)
    classes = (0,) * len(norms) if classes is None else classes
    classes = check_counts("classes", classes, least=0, most=len(COLOURS) - 1) if len(norms) else ()
    if len(classes) != len(norms) or norms.size == 0:
        raise ValueError(f"norms has shape {norms.shape} beside {len(classes)} classes: give one for each of its rows")
    if class_names is not None:
        class_names = check_names("class_names", class_names)
        if max(classes) >= len(class_names):
            raise ValueError(f"class_names has {len(class_names)} entries: classes has a {max(classes)}")
    ax = tidy(axes_of(ax))
    ax.axhline(1, color=BAND, linewidth=1, zorder=0)
    seen = set()
    for row, kind in list(zip(norms, classes))[:_MAX_LINES]:
        label = class_names[kind] if class_names is not None and kind not in seen else None
        seen.add(kind)
        ax.plot(time, row, color=COLOURS[kind], linewidth=0.9, alpha=0.6, label=label)
    ax.set(xlabel="time (s)", ylabel="|x(t)|")
    if class_names is not None:
        ax.legend(fontsize=8, frameon=False)
    return ax
