"""What halving the step does to statistics."""

from dataclasses import dataclass

import numpy as np

__all__ = ["StepCheck"]


@dataclass(frozen=True)
class StepCheck:
    """What `Dynamics.check_step` measured.

    Attributes
    ----------
    dt : float
    names : tuple of str
    statistics, halved : ndarray (n, k)
        With the step and with half of it.
    """

    dt: float
    names: tuple
    statistics: np.ndarray
    halved: np.ndarray

    @property
    def change(self):
        """Greatest change of each statistic over the rows, relative to its size: (k,); NaN where none is finite."""
        size = np.abs(self.halved)
        relative = np.abs(self.statistics - self.halved) / np.where(size > 0, size, 1.0)
        return np.array([np.nanmax(column) if np.isfinite(column).any() else np.nan for column in relative.T])

    def __str__(self):
        lines = [f"dt = {self.dt:g} against dt / 2, greatest relative change:"]
        lines += [f"  {name:<20} {change:.1e}" for name, change in zip(self.names, self.change)]
        lost = np.isnan(self.statistics) != np.isnan(self.halved)
        if lost.any():
            lines.append(
                f"  {int(lost.sum())} statistics are not finite with one of the two: the step is too long there"
            )
        return "\n".join(lines)
