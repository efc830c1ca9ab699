"""Conditional means of samples: a path through a distribution that, unlike a mode path, is defined where it is flat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from numepi.analysis.directions import column
from numepi.analysis.subjects import samples_of
from numepi.arguments import check_array, check_names, check_number

__all__ = ["ConditionalMean", "conditional_mean"]


@dataclass(frozen=True)
class ConditionalMean:
    """Mean and spread of all parameters given one.

    Attributes
    ----------
    parameter : str
    values : ndarray (m,)
    mean : ndarray (m, D)
        E[z | z_parameter = value]; exact in ``parameter`` itself.
    spread : ndarray (m, D)
        Standard deviation about it.
    n_effective : ndarray (m,)
        Samples that count at each value.
    """

    parameter: str
    values: np.ndarray
    mean: np.ndarray
    spread: np.ndarray
    n_effective: np.ndarray


def conditional_mean(
    z: ArrayLike,
    parameter: str | int,
    values: ArrayLike,
    names: Sequence[str] | None = None,
    bandwidth: float | None = None,
) -> ConditionalMean:
    """Mean of samples at given values of one parameter, by local linear regression with a Gaussian kernel.

    Parameters
    ----------
    z : array (n, D)
        Samples; those of the exact solution (``result.sample(n, corrected=True)``) make it a property of the circuit.
    parameter : str or int
    values : array (m,)
    names : sequence of str (D,), optional
        Needed for a ``parameter`` given by name.
    bandwidth : float, optional
        Standard deviation of the kernel; by default that of z times n^(-1/5).

    Returns
    -------
    ConditionalMean

    Raises
    ------
    ValueError
        If fewer than ten samples lie near a value.
    """
    z, values = samples_of("z", z, "D"), check_array("values", np.atleast_1d(values), ("m",))
    if len(values) == 0:
        raise ValueError("values is empty: give one value or more")
    names = tuple(f"z{i + 1}" for i in range(z.shape[1])) if names is None else check_names("names", names, z.shape[1])
    i = column(names, parameter)
    if bandwidth is None:
        bandwidth = z[:, i].std() * len(z) ** -0.2
        if bandwidth == 0:
            raise ValueError(f"{names[i]} is the same in all rows of z: there is nothing to condition on")
    bandwidth = check_number("bandwidth", bandwidth, above=0)
    away = z[:, i] - values[:, None]
    weights = np.exp(-0.5 * (away / bandwidth) ** 2)
    n_effective = weights.sum(axis=1) ** 2 / np.maximum(np.sum(weights**2, axis=1), np.finfo(float).tiny)
    if n_effective.min() < 10:
        few = values[n_effective.argmin()]
        raise ValueError(f"{n_effective.min():.1f} samples lie near {names[i]} = {few}: draw more, or leave it out")
    weights /= weights.sum(axis=1, keepdims=True)
    centre = np.sum(weights * away, axis=1)
    variance = np.sum(weights * away**2, axis=1) - centre**2
    average = weights @ z
    slope = ((weights * away) @ z - centre[:, None] * average) / variance[:, None]
    mean = average - slope * centre[:, None]
    residual = z - (average[:, None] + slope[:, None] * (away - centre[:, None])[:, :, None])
    spread = np.sqrt(np.einsum("mn,mnd->md", weights, residual**2))
    return ConditionalMean(names[i], values, mean, spread, n_effective)
