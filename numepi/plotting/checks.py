"""What figures are given: axes to draw on, and samples of which the finite rows are drawn."""

from collections.abc import Mapping

import numpy as np

from numepi.arguments import check_array, check_indices, check_points, check_text, real_array
from numepi.plotting.style import COLOURS, check_axes

__all__ = [
    "answers_of", "axes_of", "check_size", "colour_limits", "drawable", "marked_of", "pair_of", "panels_of", "range_of",
]  # fmt: skip

_LARGEST = 1e300  # that an axis holds: matplotlib multiplies its limits when it places ticks
_SMALLEST = 1e-290  # width of an axis that it can still divide by
_PARTS = 160  # distinct numbers that a range has at least: 40 bins with some between their edges


def axes_of(ax, name="ax"):
    """Return ``ax``, matplotlib Axes; for None those of a new figure."""
    import matplotlib.pyplot as plt

    if ax is None:
        return plt.figure(layout="constrained").add_subplot()
    return check_axes(name, ax, "give matplotlib Axes, or None for new ones")


def panels_of(ax, rows, columns, size, n=None, **shared):
    """Return ``n`` panels, an array (rows, columns) where ``n`` is None and (n,) elsewhere.

    ``ax`` has them, or is one Axes in whose place they are made; for None a new figure of ``size`` inches is.
    ``shared`` (``sharex``, ``sharey``) is for panels that are made.
    """
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes

    wanted = rows * columns if n is None else n
    if ax is None:
        panels = plt.figure(figsize=size, layout="constrained").subplots(rows, columns, squeeze=False, **shared)
    elif isinstance(ax, Axes):
        place = ax.get_subplotspec()
        if place is None:
            raise ValueError(f"ax has no place in a grid to divide into {wanted}: make it by subplots or add_subplot")
        if ax.figure is None or ax not in ax.figure.axes:
            raise ValueError("ax is no longer on its figure: panels have taken its place; give another Axes")
        ax.remove()
        panels = place.subgridspec(rows, columns).subplots(squeeze=False, **shared)
    else:
        given = np.asarray(ax, object)
        panels = given.ravel()
        for i, each in enumerate(panels):
            remedy = "give matplotlib Axes, an array of them, or None for new ones"
            check_axes(f"ax[{i}]" if given.ndim else "ax", each, remedy)
        if len(panels) != wanted:
            raise ValueError(f"ax has {len(panels)} Axes: there are {wanted} panels ({rows} x {columns})")
        if len(set(panels)) < wanted:
            raise ValueError(f"ax has the same Axes twice: give {wanted} different ones")
    panels = panels.ravel()
    for left in panels[wanted:]:
        left.remove()
    return panels[:wanted].reshape((rows, columns) if n is None else (n,))


def drawable(name, z, log_density=None, columns="D"):
    """The finite rows of ``z`` (n, ``columns``), and their log densities (None where there are none).

    Raises
    ------
    ValueError
        If a shape is wrong, or no row is finite: there is nothing to draw.
    """
    z = real_array(name, z)
    if z.ndim != 2 or z.shape[1] == 0 or (isinstance(columns, int) and z.shape[1] != columns):
        raise ValueError(f"{name} has shape {z.shape}: expected (n, {columns})")
    check_size(name, z)
    kept = np.isfinite(z).all(axis=1)
    if log_density is not None:
        log_density = check_array("log_density", log_density, (len(z),), finite=False)
        check_size("log_density", log_density)
        kept &= ~np.isnan(log_density)
    if not kept.any():
        raise ValueError(f"{name} has no finite row among its {len(z)}: there is nothing to draw")
    return z[kept], None if log_density is None else log_density[kept]


def answers_of(z, log_density=None, prior=None):
    """Samples of one answer or of several by name, as a list of (name or None, array), and the log density of one.

    One answer beside a prior is called "inferred".
    """
    if not isinstance(z, Mapping):
        values, log_density = drawable("z", z, log_density)
        return [(None if prior is None else "inferred", values)], log_density
    if log_density is not None:
        raise ValueError("log_density is given beside several answers: their colours tell them apart")
    if not 1 <= len(z) <= len(COLOURS):
        raise ValueError(f"z has {len(z)} answers: give 1 to {len(COLOURS)}")
    found = []
    for name, values in z.items():
        columns = found[0][1].shape[1] if found else "D"
        found.append((check_text("a name in z", name), drawable(f"z[{name!r}]", values, columns=columns)[0]))
    return found, None


def marked_of(points, dim):
    """Points of interest as a list of (name or None, array (j, dim))."""
    if points is None:
        return []
    named = points.items() if isinstance(points, Mapping) else [(None, points)]
    found = []
    for name, values in named:
        where = "points" if name is None else f"points[{check_text('a name in points', name)!r}]"
        found.append((name, check_points(where, values, dim)[0]))
        check_size(where, found[-1][1])
    return found


def check_size(name, values):
    """Refuse finite numbers that no axis holds; those that are not finite are left out of figures elsewhere."""
    largest = np.max(np.abs(values), where=np.isfinite(values), initial=0.0)
    if largest > _LARGEST:
        raise ValueError(
            f"{name} has numbers of {largest:.3g}: axes hold {_LARGEST:g}; draw logarithms, or another unit"
        )


def range_of(low, high):
    """From ``low`` to ``high``, or around them as far as floats need to tell places apart."""
    least = _PARTS * np.spacing(max(abs(low), abs(high)))
    if high - low >= max(least, _SMALLEST):
        return low, high
    centre, half = 0.5 * low + 0.5 * high, max(least, 1.0 if high - low < _SMALLEST else 0.0)
    return centre - half, centre + half


def colour_limits(values):
    """Where the colours of log densities start and end: a few stragglers must not take up their whole range."""
    finite = values[np.isfinite(values)]
    return (np.quantile(finite, 0.02), finite.max()) if len(finite) else (0.0, 1.0)


def pair_of(parameters, names):
    """The indices of two different parameters."""
    indices = check_indices("parameters", parameters, names)
    if isinstance(indices, int) or len(indices) != 2:
        raise ValueError(f"parameters = {parameters!r}: give two, which are the axes")
    return indices
