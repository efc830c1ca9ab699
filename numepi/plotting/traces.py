"""Traces of an optimisation: entropy, constraints with their targets, multipliers and penalty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from numepi.arguments import check_instance
from numepi.plotting.checks import figure_of
from numepi.plotting.style import BAND, COLOURS, ink, tidy
from numepi.result import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from numepi.result import Result

__all__ = ["traces"]

_MAX_POINTS = 150


def traces(result: Result, figure: Figure | None = None) -> Any:
    """Draw how a result was reached.

    Parameters
    ----------
    result : numepi.result.Result
    figure : matplotlib.figure.Figure, optional

    Returns
    -------
    figure, axes : Figure, list of Axes
        Entropy; E[T] - target of each constraint in its natural scale, smoothed, with a band of +-0.1; and what the
        solver records: the effective share of samples under its target, or multipliers and penalty of each epoch.
    """
    check_instance("result", result, Result, "give what infer() or load() returns")
    if not len(result.history.get("entropy", ())):
        raise ValueError("result has no history: the run ended before its first step")
    history = result.history
    panels = ["entropy", "violation"] + [k for k in ("ess", "epoch_multipliers", "epoch_penalty") if k in history]
    figure = figure_of(figure, figsize=(8, 1.9 * len(panels)), layout="constrained")
    axes = [tidy(ax) for ax in figure.subplots(len(panels), 1, squeeze=False)[:, 0]]
    scale = result.property.constraints(result.statistic_names).scale
    for ax, panel in zip(axes, panels):
        values = history[panel]
        if panel == "entropy":
            ax.plot(*_smooth(values), color=COLOURS[0])
            ax.set_ylabel("entropy (nats)")
        elif panel == "violation":
            ax.axhspan(-0.1, 0.1, color=BAND, zorder=0, label="±0.1 of the natural scale")
            for i, name in enumerate(result.constraint_names):
                ax.plot(*_smooth(values[:, i] / scale[i]), color=COLOURS[i % len(COLOURS)], label=name)
            ax.axhline(0, color="0.5", linewidth=0.8)
            ax.set_ylabel("(E[T] - target) / scale")
            ax.set_yscale("symlog", linthresh=0.1)
            ax.legend(fontsize=7, ncols=3, frameon=False, loc="upper right")
        elif panel == "ess":
            ax.plot(*_smooth(values), color=COLOURS[2])
            ax.set_ylabel("effective share of samples")
            ax.set_ylim(0, 1)
        elif panel == "epoch_multipliers":
            for i, name in enumerate(result.constraint_names):
                ax.plot(
                    np.arange(1, len(values) + 1),
                    values[:, i] * scale[i],
                    "o-",
                    color=COLOURS[i % len(COLOURS)],
                    label=name,
                )
            ax.set_ylabel("multiplier × scale")
        else:
            ax.semilogy(np.arange(1, len(values) + 1), values, "o-", color=ink())
            ax.set_ylabel("penalty")
        ax.set_xlabel("epoch" if panel.startswith("epoch_") else "iteration")
    return figure, axes


def _smooth(values):
    """Iteration numbers and block means, 150 to 300 of them at the most."""
    width = max(1, len(values) // _MAX_POINTS)
    n = len(values) // width
    return (np.arange(n) + 0.5) * width, values[: n * width].reshape(n, width).mean(axis=1)
