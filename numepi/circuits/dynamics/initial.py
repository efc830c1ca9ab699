"""Initial values: numbers, functions of the parameters, random, or functions of a random number."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from numepi.arguments import check_array, check_callable

__all__ = ["Random", "normal", "uniform"]


@dataclass(frozen=True)
class Random:
    """A random initial value: what `uniform` and `normal` return."""

    kind: str  # of the number drawn: "uniform" in (0, 1), or "normal"
    shift: object
    scale: object
    of: object = None

    @property
    def shape(self):
        """Of the state, as far as the numbers tell."""
        return np.broadcast_shapes(np.shape(self.shift), np.shape(self.scale))


def uniform(low: ArrayLike, high: ArrayLike, of: Callable[..., Any] | None = None) -> Random:
    """Uniform between two numbers (or arrays, element by element).

    Parameters
    ----------
    low, high : float or array
        The state is a vector where one of them is.
    of : callable, optional
        ``of(xi, z)`` turns the random number into the initial value.
    """
    low, high = _numbers(low=low, high=high)
    if not np.all(np.less(low, high)):
        raise ValueError(f"low = {low} and high = {high}: low must be below high")
    return Random("uniform", low, np.subtract(high, low), _function(of))


def normal(mean: ArrayLike, sd: ArrayLike, of: Callable[..., Any] | None = None) -> Random:
    """Normal with that mean and standard deviation; ``of`` as for `uniform`.

    Examples
    --------
    >>> import numpy as np
    >>> import numepi as ne
    >>> start = ne.initial.normal(0.1, 0.005, of=lambda xi, z: z.b * np.arctanh(2 * xi - 1))
    """
    mean, sd = _numbers(mean=mean, sd=sd)
    if not np.all(np.greater_equal(sd, 0)):
        raise ValueError(f"sd = {sd}: give standard deviations of zero or more")
    return Random("normal", mean, sd, _function(of))


def _numbers(**arguments):
    """Two numbers or arrays whose shapes go together, as floats and float64 arrays."""
    arrays = {name: check_array(name, value, None) for name, value in arguments.items()}
    try:
        np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        shapes = " and ".join(f"{name} of shape {array.shape}" for name, array in arrays.items())
        raise ValueError(f"{shapes} do not go together: give one shape, or a number") from None
    return [array if array.ndim else float(array) for array in arrays.values()]


def _function(of):
    return of if of is None else check_callable("of", of, "a function of the random number and z, (xi, z)")
