"""Traces of an optimisation: entropy, constraints with their targets, multipliers and penalty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from numepi.arguments import check_instance
from numepi.plotting.checks import panels_of
from numepi.plotting.style import BAND, COLOURS, ink, tidy
from numepi.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from numepi.result import Result

__all__ = ["traces"]

_MAX_POINTS = 150


def traces(result: Result, ax: Axes | ArrayLike | None = None) -> np.ndarray:
    """Draw how a result was reached.

    Parameters
    ----------
    result : numepi.result.Result
    ax : array of Axes, or Axes, optional
        The panels, or one whose place they take; new ones by default.

    Returns
    -------
    ndarray of Axes
        Entropy; E[T] - target of each constraint in its natural scale, smoothed, with a band of +-0.1; and what the
        solver records: the effective share of samples under its target, or multipliers and penalty of each epoch.
    """
    check_instance("result", result, Result, "give what infer() or load() returns")
    if not len(result.history.get("entropy", ())):
        raise ValueError("result has no history: the run ended before its first step")
    history = result.history
    shown = ["entropy", "violation"] + [k for k in ("ess", "epoch_multipliers", "epoch_penalty") if k in history]
    axes = panels_of(ax, len(shown), 1, (8, 1.9 * len(shown)), n=len(shown))
    scale = result.property.constraints(result.statistic_names).scale
    for panel, what in zip(axes, shown):
        tidy(panel)
        values = history[what]
        if what == "entropy":
            panel.plot(*_smooth(values), color=COLOURS[0])
            panel.set_ylabel("entropy (nats)")
        elif what == "violation":
            panel.axhspan(-0.1, 0.1, color=BAND, zorder=0, label="±0.1 of the natural scale")
            for i, name in enumerate(result.constraint_names):
                panel.plot(*_smooth(values[:, i] / scale[i]), color=COLOURS[i % len(COLOURS)], label=name)
            panel.axhline(0, color="0.5", linewidth=0.8)
            panel.set_ylabel("(E[T] - target) / scale")
            panel.set_yscale("symlog", linthresh=0.1)
            panel.legend(fontsize=7, ncols=3, frameon=False, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0)
        elif what == "ess":
            panel.plot(*_smooth(values), color=COLOURS[2])
            panel.set_ylabel("effective share of samples")
            panel.set_ylim(0, 1)
        elif what == "epoch_multipliers":
            for i, name in enumerate(result.constraint_names):
                panel.plot(
                    np.arange(1, len(values) + 1),
                    values[:, i] * scale[i],
                    "o-",
                    color=COLOURS[i % len(COLOURS)],
                    label=name,
                )
            panel.set_ylabel("multiplier × scale")
        else:
            panel.semilogy(np.arange(1, len(values) + 1), values, "o-", color=ink())
            panel.set_ylabel("penalty")
        panel.set_xlabel("epoch" if what.startswith("epoch_") else "iteration")
    return axes


def _smooth(values):
    """Iteration numbers and block means, 150 to 300 of them at the most."""
    width = max(1, len(values) // _MAX_POINTS)
    n = len(values) // width
    return (np.arange(n) + 0.5) * width, values[: n * width].reshape(n, width).mean(axis=1)
