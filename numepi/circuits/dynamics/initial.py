"""Initial values: numbers, functions of the parameters, random, or functions of a random number."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

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
    return Random("uniform", low, np.subtract(high, low), of)


def normal(mean: ArrayLike, sd: ArrayLike, of: Callable[..., Any] | None = None) -> Random:
    """Normal with that mean and standard deviation; ``of`` as for `uniform`.

    Examples
    --------
    >>> import numpy as np
    >>> import numepi as ne
    >>> start = ne.initial.normal(0.1, 0.005, of=lambda xi, z: z.b * np.arctanh(2 * xi - 1))
    """
    return Random("normal", mean, sd, of)
