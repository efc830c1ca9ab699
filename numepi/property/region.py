"""The region of a property: parameters whose expected statistics lie near their targets.

Entropy has no sense of distance.  Where the density of circuits falls steeply around the targets, and more variance is
asked for than it allows there, the solution on the whole support keeps its bulk and makes up the variance with a
vanishing mass far out, which no sampler finds and nobody meant (docs/variance_and_dimension.md).  A region says where
the solution is sought: it is part of the support of p*, hard, like a support's bounds.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ["Region"]


@dataclass(frozen=True)
class Region:
    """Statistics within ``within`` units of their targets.

    Attributes
    ----------
    within : float
        Half of the region's width, in units.
    centre : ndarray (k,)
        Target means; 0 where the mean is free.
    unit : ndarray (k,)
        Target standard deviations (of a variance, or of its bound); where there is none the size of the target mean, or
        1 where that is zero.  Infinite where the mean is free: that statistic is not bounded.
    """

    within: float
    centre: np.ndarray
    unit: np.ndarray

    def contains(self, f: np.ndarray) -> np.ndarray:
        """Which expected statistics (n, k) lie in it: (n,) bool; those that are not finite do not."""
        return np.all(np.abs(f - self.centre) <= self.within * self.unit, axis=1)

    def outward(self, f: np.ndarray) -> np.ndarray:
        """Derivative (n, k) in f of how far statistics (n, k) lie beyond it, in units, summed over them."""
        off = (f - self.centre) / self.unit
        return np.where(np.abs(off) > self.within, np.sign(off) / self.unit, 0.0)
