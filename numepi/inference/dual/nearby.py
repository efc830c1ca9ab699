"""What the rows next to a place say, in few parameters: local means, which no network has rounded off."""

import numpy as np
from scipy.spatial import cKDTree

__all__ = ["among_themselves", "many_places", "sharpens", "surely"]

# Rows whose values are averaged: as in `numepi.inference.assessment.single_draws`, where 3 show as much with more
# error, and 32 miss half of what is sharp.
_NEAR = 8
_MANY = 20  # places on an axis, rows^(1/D); what sharper layers gain and lose was tried with 13 and 21 of them


def many_places(z):
    """Whether rows ``z`` (n, D) tell many places on each axis apart: then they show what is sharp."""
    return len(z) ** (1 / z.shape[1]) >= _MANY


def sharpens(state):
    """Whether more rows show more of what the surrogate rounds off: the circuit is noisy, and rows lie close."""
    return bool(state.noisy) and many_places(state.replay.z[state.replay.valid])


def surely(rows, values, z):
    """Mean (n,) of the ``values`` of the nearest ``rows`` to each of ``z`` (n, D), less its standard error."""
    near = values[_nearest(rows, z, _NEAR)]
    return near.mean(axis=1) - near.std(axis=1, ddof=1) / np.sqrt(_NEAR)


def among_themselves(rows, values):
    """Mean (n,) of the ``values`` of the others nearest to each of ``rows`` (n, D): its own noise has no part in it."""
    return values[_nearest(rows, rows, _NEAR + 1)[:, 1:]].mean(axis=1)


def _nearest(rows, z, k):
    spread = rows.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    return cKDTree(rows / spread).query(z / spread, k=k)[1]
