"""The axes of parameters and statistics: names with units, limits, logarithms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from numepi.arguments import check_array, check_indices, check_mapping, check_text
from numepi.plotting.checks import check_size, range_of

__all__ = ["Scales", "scales_of", "within"]

_BINS = 40


@dataclass(frozen=True)
class Scales:
    """How each of some names is drawn.

    Attributes
    ----------
    names : tuple of str
    units : dict of int to str
    limits : dict of int to (float, float)
    logarithmic : tuple of int
    """

    names: tuple[str, ...]
    units: Mapping[int, str]
    limits: Mapping[int, tuple[float, float]]
    logarithmic: tuple[int, ...]

    def label(self, index: int) -> str:
        """The name with its unit."""
        unit = self.units.get(index)
        return self.names[index] if unit is None else f"{self.names[index]} ({unit})"

    def check(self, name: str, values: np.ndarray) -> None:
        """Refuse columns that a logarithmic axis cannot show."""
        for index in self.logarithmic:
            column = values[:, index]
            least = np.min(column, where=np.isfinite(column), initial=np.inf)
            if least <= 0:
                raise ValueError(
                    f"log has {self.names[index]!r}, of which {name} has {least:.3g}: "
                    "a logarithmic axis shows positive numbers only"
                )

    def edges(self, index: int, *columns: np.ndarray) -> np.ndarray:
        """Edges of the bins of a histogram of all ``columns``, equally wide on the axis."""
        low, high = self.limits.get(index, (min(c.min() for c in columns), max(c.max() for c in columns)))
        if index in self.logarithmic:
            low, high = range_of(np.log(low), np.log(high))
            return np.exp(np.linspace(low, high, _BINS + 1))
        low, high = range_of(low, high)
        return np.linspace(low, high, _BINS + 1)

    def apply(self, ax: Any, axis: str, index: int, limits: tuple[float, float] | None = None) -> None:
        """Set the scale of an axis, ``"x"`` or ``"y"``, and its limits: those given, or else ``limits``."""
        if index in self.logarithmic:
            ax.set(**{f"{axis}scale": "log"})
        limits = self.limits.get(index, limits)
        if limits is not None:
            ax.set(**{f"{axis}lim": limits})


def within(values: np.ndarray, edges: np.ndarray) -> bool:
    """Whether a histogram of ``values`` can be a density: of none between its ``edges`` it is flat at zero."""
    return bool(((edges[0] <= values) & (values <= edges[-1])).any())


def scales_of(
    names: Sequence[str],
    units: Mapping[str, str] | None,
    limits: Mapping[str, Sequence[float]] | None,
    log: Sequence[str | int],
) -> Scales:
    """Check how ``names`` are to be drawn.

    Raises
    ------
    ValueError, TypeError
        For a name that is unknown, and limits that are no range.
    """
    names = tuple(names)
    logarithmic = check_indices("log", log, names) if np.size(log) else ()
    logarithmic = (logarithmic,) if isinstance(logarithmic, int) else logarithmic
    shown, ranges = {}, {}
    for name, unit in check_mapping("units", {} if units is None else units, "give a dict of names and units").items():
        shown[check_indices("units", name, names)] = check_text(f"units[{name!r}]", unit)
    given = check_mapping("limits", {} if limits is None else limits, "give a dict of names and pairs of numbers")
    for name, pair in given.items():
        index = check_indices("limits", name, names)
        low, high = check_array(f"limits[{name!r}]", pair, (2,))
        check_size(f"limits[{name!r}]", np.array([low, high]))
        if not low < high or (index in logarithmic and low <= 0):
            least = ", above zero for a logarithmic axis" if index in logarithmic else ""
            raise ValueError(f"limits[{name!r}] = ({low:g}, {high:g}): give the lower one first{least}")
        ranges[index] = (float(low), float(high))
    return Scales(names, shown, ranges, logarithmic)
