"""Analytic contours of the LDS: where its real and imaginary statistics are constant (Figure 1, supplement 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from numepi.arguments import check_instance
from numepi.plotting.checks import drawable, panels_of
from numepi.plotting.planes import plane
from numepi.plotting.style import COLOURS, tidy
from numepi.property.emergent_property import EmergentProperty

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from numepi.circuits.lds import LDS
    from numepi.property.emergent_property import EmergentProperty

__all__ = ["lds_contours"]


def lds_contours(
    z: ArrayLike | None = None,
    log_density: ArrayLike | None = None,
    circuit: LDS | None = None,
    prop: EmergentProperty | None = None,
    ax: Axes | ArrayLike | None = None,
) -> np.ndarray:
    """Contours of growth rate and frequency over (a11, a22) and over (a12, a21), with samples on top.

    While the eigenvalues are complex growth depends on a11 + a22 alone, and with a11 = a22 frequency on a12 a21 alone;
    the panels fix the other two parameters so (a12 = -a21 = 10, and a11 = a22 = 0).

    Parameters
    ----------
    z : array (n, 4), optional
        Samples to draw over the contours.
    log_density : array (n,), optional
    circuit : numepi.circuits.LDS, optional
    prop : EmergentProperty, optional
        Contours are drawn at its mean and one and two standard deviations from it, as far as it has them.
    ax : array of Axes, or Axes, optional
        The panels, or one whose place they take; new ones by default.

    Returns
    -------
    ndarray (2,) of Axes
    """
    from numepi.circuits import LDS

    circuit = LDS() if circuit is None else check_instance("circuit", circuit, LDS, "give a numepi.circuits.LDS")
    prop = circuit.emergent_property() if prop is None else prop
    check_instance("prop", prop, EmergentProperty, "give a numepi.EmergentProperty")
    prop.constraints(circuit.statistic_names)
    if z is not None:
        z, log_density = drawable("z", z, log_density, 4)
    axes = panels_of(ax, 1, 2, (8, 3.8), n=2)
    grid = np.linspace(-10, 10, 201)
    x, y = np.meshgrid(grid, grid)
    planes = (
        (axes[0], 0, 3, 0, np.stack([x, 0 * x + 10, 0 * x - 10, y], -1), "growth rate Re λ₁ (1/s)"),
        (axes[1], 1, 2, 1, np.stack([0 * x, x, y, 0 * x], -1), "frequency Im λ₁ (rad/s)"),
    )
    for panel, i, j, statistic, points, title in planes:
        tidy(panel)
        value = circuit.statistics(points.reshape(-1, 4))[:, statistic].reshape(x.shape)
        if z is not None:
            plane(z, log_density, (i, j), ax=panel)
        mean, variance = prop.mean[statistic], prop.variance[statistic]  # type: ignore[index] # a tuple by now
        if mean is not None:
            steps, widths = ([0], [2]) if variance is None else (np.arange(-2, 3), [0.7, 1, 2, 1, 0.7])
            levels = mean + np.sqrt(variance or 1.0) * np.array(steps)
            panel.contour(x, y, value, levels, colors=COLOURS[1], linewidths=widths, linestyles="solid")
            spread = "" if variance is None else f", then ± 1, 2 s.d. ({np.sqrt(variance):.3g})"
            panel.plot([], [], color=COLOURS[1], linewidth=2, label=f"{mean:.3g}{spread}")
            panel.legend(fontsize=7, frameon=False, loc="upper right" if statistic == 1 else "lower left")
        panel.set(xlabel=circuit.parameter_names[i], ylabel=circuit.parameter_names[j], title=title, aspect="equal")
    return axes
