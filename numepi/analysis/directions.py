"""Directions in parameter space: parameters by name, and signs of eigenvectors by a named parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from numepi.arguments import check_indices, real_array, shown

__all__ = ["column", "orient", "unit"]


def column(names: Sequence[str], parameter: str | int, argument: str = "parameter") -> int:
    """Index of ``parameter`` (a name, or already an index) among ``names``; messages call it ``argument``."""
    if isinstance(parameter, (list, tuple, np.ndarray)) and np.ndim(parameter):
        raise TypeError(f"{argument} = {shown(parameter)}: give one name or index")
    return check_indices(argument, parameter, names)


def orient(vectors: np.ndarray, names: Sequence[str], sign: Mapping[str, int] | None = None) -> np.ndarray:
    """Flip unit vectors so that a named parameter has the wanted sign.

    Parameters
    ----------
    vectors : ndarray (..., D)
    names : sequence of str (D,)
    sign : dict of one name to +1 or -1, optional
        ``{"hW": -1}`` makes the component of hW negative.  By default the largest component is made positive.

    Returns
    -------
    ndarray (..., D)
    """
    if sign is None:
        largest = np.argmax(np.abs(vectors), axis=-1, keepdims=True)
        return vectors * _sign(np.take_along_axis(vectors, largest, axis=-1))
    if not isinstance(sign, dict) or len(sign) != 1:
        raise ValueError(f"sign = {sign!r}: give one parameter and its sign, such as {{{names[0]!r}: 1}}")
    ((parameter, wanted),) = sign.items()
    if isinstance(wanted, (bool, str)) or np.ndim(wanted) or wanted not in (1, -1):
        raise ValueError(f"sign = {sign!r}: the sign is 1 or -1")
    i = column(names, parameter, "sign")
    return vectors * (wanted * _sign(vectors[..., i : i + 1]))


def unit(vectors: ArrayLike) -> np.ndarray:
    """Vectors (..., D) of length 1.

    Raises
    ------
    ValueError
        If one has length zero or is not finite.
    """
    vectors = real_array("a direction", vectors)
    if vectors.ndim == 0:
        raise ValueError(f"a direction = {vectors}: give vectors (..., D)")
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if not (np.isfinite(norms).all() and (norms > 0).all()):
        raise ValueError("a direction has length zero or is not finite: give vectors that point somewhere")
    return vectors / norms


def _sign(values):
    return np.where(values < 0, -1.0, 1.0)
