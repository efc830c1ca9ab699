"""Simulations that are kept: parameters, their statistics, and the density that they were drawn from."""

import hashlib
from dataclasses import dataclass

import numpy as np

from numepi.arguments import check_array

__all__ = ["Simulations"]


@dataclass(frozen=True)
class Simulations:
    """Rows that a circuit has been asked for, by a run or elsewhere; ``numepi.infer(simulations=)`` learns from them.

    Parameters
    ----------
    z : array (n, D)
        Parameters.
    statistics : array (n, k)
        Of one simulation of each, NaN where there is none: a row without all of them has failed.
    log_density : array (n,)
        Log of the density, over z, that the rows were drawn from: all of them count, those that failed too.  A grid or
        a design has the density of its points.  Infinite for rows of which it is not known, those of an optimiser say:
        they are learned from where a surrogate leads, and have no weight.

    Raises
    ------
    ValueError
        For shapes that do not belong together, parameters that are not finite, densities that are NaN or zero, or no
        rows.
    """

    z: np.ndarray
    statistics: np.ndarray
    log_density: np.ndarray

    def __post_init__(self):
        z = check_array("z", self.z, ("n", "D"))
        if not len(z):
            raise ValueError("z has no rows: give some, or no simulations")
        object.__setattr__(self, "z", z)
        statistics = check_array("statistics", self.statistics, (len(z), "k"), finite=False)
        object.__setattr__(self, "statistics", statistics)
        log_density = check_array("log_density", self.log_density, (len(z),), finite=False)
        check_array("log_density", np.where(log_density == np.inf, 0.0, log_density), ("n",))
        object.__setattr__(self, "log_density", log_density)

    def digest(self) -> str:
        """SHA-256 of the rows: a checkpoint tells others by it."""
        parts = (self.z, self.statistics, self.log_density)
        return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()

    def __len__(self):
        return len(self.z)
