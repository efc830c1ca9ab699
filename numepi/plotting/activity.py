"""Simulated activity of a circuit at a few parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from numepi.arguments import check_instance, check_text, real_array
from numepi.circuits.base import Trajectories
from numepi.plotting.checks import check_size, panels_of
from numepi.plotting.style import COLOURS, ink, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from numepi.circuits.base import Trajectories

__all__ = ["activity"]

_MAX_LINES = 8


def activity(
    trajectories: Trajectories, titles: Sequence[str] | None = None, ax: Axes | ArrayLike | None = None
) -> np.ndarray:
    """Draw trajectories: a row of panels per parameter, on a scale of its own, a column per task, variables in colours.

    Parameters
    ----------
    trajectories : numepi.circuits.Trajectories
        ``values`` (n, T, v), (n, trials, T, v) or (n, tasks, trials, T, v); of several trials, up to eight are drawn.
    titles : sequence of str, optional
        One per parameter.
    ax : array of Axes, or Axes, optional
        The panels, or one whose place they take; new ones by default.

    Returns
    -------
    ndarray (n, tasks) of Axes
    """
    check_instance("trajectories", trajectories, Trajectories, "give what the circuit's simulate() returns")
    values = real_array("trajectories.values", trajectories.values)
    if values.ndim not in (3, 4, 5):
        raise ValueError(f"trajectories.values has shape {values.shape}: expected 3, 4 or 5 axes")
    if values.size == 0 or len(trajectories.time) != values.shape[-2] or len(trajectories.names) != values.shape[-1]:
        raise ValueError(
            f"trajectories.values has shape {values.shape} beside {len(trajectories.time)} times and "
            f"{len(trajectories.names)} names: expected (n, ..., T, v), n >= 1"
        )
    check_size("trajectories.values", values)
    check_size("trajectories.time", np.asarray(trajectories.time))
    if titles is not None:
        titles = [check_text(f"titles[{i}]", each) for i, each in enumerate(titles)]
        if len(titles) != len(values):
            raise ValueError(f"titles has {len(titles)} entries: there are {len(values)} parameters")
    shape = (1,) * (5 - values.ndim)
    values = values.reshape(values.shape[0], *shape, *values.shape[1:])
    n, tasks = values.shape[:2]
    shown = min(values.shape[-1], len(COLOURS))
    axes = panels_of(ax, n, tasks, (3.6 * tasks + 1, 1.8 * n), sharex=True, sharey="row")
    for row in range(n):
        for task in range(tasks):
            panel = tidy(axes[row, task])
            for v in range(shown):
                lines = values[row, task, :_MAX_LINES, :, v].T
                handles = panel.plot(
                    trajectories.time, lines, color=COLOURS[v], linewidth=0.9, alpha=1 / np.sqrt(lines.shape[1])
                )
                handles[0].set_label(trajectories.names[v])
            for event, times in _events(trajectories, row, task, tasks).items():
                low, high = panel.get_ylim()
                panel.plot(times, np.full(len(times), high), "|", color=ink(), markersize=6, label=event, clip_on=False)
                panel.set_ylim(low, high)
            if titles is not None and task == 0:
                panel.set_title(titles[row], fontsize=8)
    for panel in axes[:, 0]:
        panel.set_ylabel("activity", fontsize=8)
    for panel in axes[-1]:
        panel.set_xlabel("time (s)")
    legend = axes[0, 0].legend(fontsize=7, frameon=False, ncols=min(shown, 4 * tasks), loc="upper left")
    for handle in legend.legend_handles:
        handle.set_alpha(1)  # trials are drawn faint
    return axes


def _events(trajectories, row, task, tasks):
    """Times of a model's events in the first trial of a panel, by name."""
    found = {}
    for name, events in getattr(trajectories, "events", {}).items():
        here = events.where[:, 0] == row
        if tasks > 1:
            here &= events.where[:, 1] == task
        found[name] = events.time[here & (events.where[:, 1 + (tasks > 1)] == 0)]
    return found
