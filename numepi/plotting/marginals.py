"""Marginals of an answer beside those of its prior: what the property has narrowed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from numepi.arguments import check_names
from numepi.plotting.checks import drawable, figure_of
from numepi.plotting.style import COLOURS, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["grid", "marginals"]

_MAX_PANELS = 12
_COLUMNS = 3
_BINS = 40


def marginals(
    z: ArrayLike,
    prior: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    figure: Figure | None = None,
) -> Any:
    """Draw the distribution of each parameter, one panel each, at most twelve.

    Parameters
    ----------
    z : array (n, D)
        Samples of the answer.
    prior : array (n', D), optional
        Samples of the prior, drawn in grey behind.
    names : sequence of str (D,), optional
    figure : matplotlib.figure.Figure, optional

    Returns
    -------
    figure, axes : Figure, list of Axes
    """
    z, _ = drawable("z", z)
    dim = z.shape[1]
    names = tuple(f"z{i + 1}" for i in range(dim)) if names is None else check_names("names", names, dim)
    before = None if prior is None else drawable("prior", prior, columns=dim)[0]
    figure, axes = grid(min(dim, _MAX_PANELS), figure)
    for i, ax in enumerate(axes):
        values = [z[:, i]] if before is None else [before[:, i], z[:, i]]
        together = np.concatenate(values)
        edges = np.linspace(together.min(), together.max(), _BINS + 1) if np.ptp(together) > 0 else _BINS
        if before is not None:
            ax.hist(before[:, i], bins=edges, density=True, color="0.6", alpha=0.6, label="prior")
        ax.hist(z[:, i], bins=edges, density=True, histtype="step", color=COLOURS[0], linewidth=1.4, label="inferred")
        ax.set_xlabel(names[i])
        ax.set_yticks([])
    axes[0].legend(fontsize=7, frameon=False)
    return figure, axes


def grid(n, figure):
    """``n`` panels in rows of up to three, on ``figure`` or a new one."""
    columns = min(n, _COLUMNS)
    rows = -(-n // columns)
    figure = figure_of(figure, figsize=(2.6 * columns + 0.6, 1.9 * rows + 0.2), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in axes[n:]:
        ax.remove()
    return figure, [tidy(ax) for ax in axes[:n]]
