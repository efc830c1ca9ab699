"""Predictive check: statistics of fresh simulations against what was asked for, and the measurements it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from numepi.arguments import check_instance, check_names, real_array
from numepi.plotting.checks import check_size, drawable
from numepi.plotting.marginals import grid
from numepi.plotting.scales import scales_of, within
from numepi.plotting.style import COLOURS, GREY
from numepi.property import EmergentProperty

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["predictive_check"]

_MAX_PANELS = 12


def predictive_check(
    f: ArrayLike,
    prop: EmergentProperty,
    names: Sequence[str],
    data: ArrayLike | None = None,
    units: Mapping[str, str] | None = None,
    limits: Mapping[str, Sequence[float]] | None = None,
    log: Sequence[str | int] = (),
    ax: Axes | ArrayLike | None = None,
) -> np.ndarray:
    """Draw the distribution of each statistic, with target means as lines and target standard deviations as bands.

    Parameters
    ----------
    f : array (n, k)
        Statistics at fresh parameters and noise.
    prop : EmergentProperty
        What was asked for; of a statistic that it leaves free only the distribution is drawn.
    names : sequence of str (k,)
        The statistics.
    data : array (n', k), optional
        Measurements, drawn behind; NaN is missing.  By default those that ``prop`` came from.
    units : dict of str to str, optional
        By name of a statistic: written beside it.
    limits : dict of str to (float, float), optional
        By name of a statistic.
    log : sequence of str or int
        Statistics on logarithmic axes.
    ax : array of Axes, or Axes, optional
        The panels, or one whose place they take; new ones by default.

    Returns
    -------
    ndarray of Axes
        Of the first twelve statistics.
    """
    f, _ = drawable("f", f, columns="k")
    k = f.shape[1]
    names = check_names("names", names, k)
    prop = check_instance("prop", prop, EmergentProperty, "give a numepi.EmergentProperty").aligned(names)
    measured = _measured(prop.measured(names) if data is None else data, k)
    scales = scales_of(names, units, limits, log)
    scales.check("f", f)
    if measured is not None:
        scales.check("data", measured)
    axes = grid(min(k, _MAX_PANELS), ax)
    for i, panel in enumerate(axes):
        known = np.empty(0) if measured is None else measured[np.isfinite(measured[:, i]), i]
        edges = scales.edges(i, f[:, i], *([known] if len(known) else []))
        mean, variance = prop.mean[i], prop.largest_variance[i]
        if mean is not None and variance is not None:
            width = np.sqrt(variance)
            panel.axvspan(mean - width, mean + width, color=COLOURS[5], alpha=0.25, linewidth=0, label="target s.d.")
        if len(known):
            panel.hist(known, bins=edges, density=within(known, edges), color=GREY, alpha=0.6, label="data")
        panel.hist(
            f[:, i], bins=edges, density=within(f[:, i], edges), histtype="step", color=COLOURS[0], linewidth=1.4,
            label="simulated",
        )  # fmt: skip
        if mean is not None:
            panel.axvline(mean, color=COLOURS[1], linewidth=1.4, label="target mean")
        scales.apply(panel, "x", i)
        panel.set_xlabel(scales.label(i))
        panel.set_yticks([])
    axes[0].legend(fontsize=7, frameon=False)
    return axes


def _measured(data, k):
    """Measurements (n, k), NaN where there are none; None where there are none at all."""
    if data is None:
        return None
    data = real_array("data", data)
    if data.ndim != 2 or data.shape[1] != k:
        raise ValueError(f"data has shape {data.shape}: expected (n, {k})")
    check_size("data", data)
    if not np.isfinite(data).any():
        raise ValueError(f"data has no finite number among its {len(data)} rows: there is nothing to draw")
    return data
