"""Linear system: analytic contours of growth and frequency, and the two modes (paper: Figure 1, supplements 1-3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from numepi.property.emergent_property import EmergentProperty

from numepi.analysis.subjects import samples_of
from numepi.arguments import check_array, check_instance, check_number
from numepi.property.emergent_property import EmergentProperty

__all__ = ["frequency_contour", "growth_contour", "rotation_share", "share_within"]


def growth_contour(growth: float, a11: ArrayLike, tau: float = 1.0) -> np.ndarray:
    """a22 at which an oscillating system grows at ``growth`` (1/s): Re lambda = (a11 + a22) / (2 tau)."""
    growth, tau = check_number("growth", growth), check_number("tau", tau, above=0)
    return 2 * tau * growth - check_array("a11", a11, None)


def frequency_contour(frequency: float, a12: ArrayLike, difference: float = 0.0, tau: float = 1.0) -> np.ndarray:
    """a21 at which a system rotates at ``frequency`` (rad/s): Im lambda = sqrt(-4 a12 a21 - (a11 - a22)^2) / (2 tau).

    Parameters
    ----------
    frequency : float
    a12 : array
        Not zero; the contour has a branch on either side.
    difference : float
        a11 - a22.
    """
    frequency, difference = check_number("frequency", frequency), check_number("difference", difference)
    a12 = check_array("a12", a12, None)
    if (a12 == 0).any():
        raise ValueError("a12 is zero somewhere: the contour has no point there")
    return -((check_number("tau", tau, above=0) * frequency) ** 2 + difference**2 / 4) / a12


def rotation_share(z: ArrayLike) -> float:
    """Share of the samples ``z`` (n, 4) with a12 > 0: one of the two senses of rotation, half in the exact solution."""
    return float(np.mean(samples_of("z", z, 4)[:, 1] > 0))


def share_within(f: ArrayLike, prop: EmergentProperty, deviations: float = 2.0) -> float:
    """Share of samples whose every statistic ``f`` (n, k) is within so many standard deviations of its target mean."""
    check_instance("prop", prop, EmergentProperty, "give a numepi.EmergentProperty")
    if any(target is None for target in (*prop.mean, *(prop.variance or ()))):
        raise ValueError("prop leaves a mean or a variance free: give one with all of them")
    f, deviations = samples_of("f", f, len(prop.mean)), check_number("deviations", deviations, above=0)
    distance = np.abs(f - np.array(prop.mean, float)) / np.sqrt(np.array(prop.variance, float))
    return float(np.mean((distance <= deviations).all(axis=1)))
