"""Statistics that one function computes row by row, without trials: the driver of the circuits that take no steps.

As in `numepi.simulation.lanes` the function is written once, for a thread of a CPU or of a GPU.  Rows are independent:
no number depends on threads, blocks or the rest of the batch.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from numepi.kernels.compile import kernel
from numepi.kernels.threads import share
from numepi.simulation.checks import check_constants

__all__ = ["RowJob", "RowStatistics"]


@dataclass(frozen=True)
class RowStatistics:
    """The equations of a circuit whose statistics have a closed form.

    Attributes
    ----------
    name : str
        Names the compiled kernel.
    n_statistics : int
        k.
    row : scalar or block_function
        ``row(z, constants, index, key, noise, work, f, jacobian)`` fills f (k,) and, unless it is empty, jacobian
        (k, D) of the parameters z (D,).  Random numbers: ``noise`` where it is not empty, else the generator's with
        ``index`` as the counter's first word and ``key`` = (k0, k1).  It makes no arrays.
    workspace : block_function
        ``workspace(z)`` makes the arrays that a row works in, a tuple ``work``, for rows like those of ``z`` (n, D).
    rows_per_share : int
        Fewer rows take less time than handing them to another thread.
    """

    name: str
    n_statistics: int
    row: Callable
    workspace: Callable
    rows_per_share: int = 1

    @cached_property
    def kernel(self):
        """The compiled loop over rows of one thread."""
        row, workspace = self.row, self.workspace

        def rows(first, last, z, constants, first_index, key, noise, f, jacobian):
            work = workspace(z)
            for i in range(first, last):
                row(z[i], constants, first_index + i, key, noise[i], work, f[i], jacobian[i])

        return kernel(rows, name=f"{self.name}_rows")


@dataclass(frozen=True)
class RowJob:
    """All that the statistics of a batch take but its parameters.

    Attributes
    ----------
    equations : RowStatistics
    constants : NamedTuple of floats
        Converted to the working precision.
    noise : ndarray (n, numbers), optional
        Given random numbers.
    """

    equations: RowStatistics
    constants: tuple
    noise: np.ndarray | None = None
    n_parameters = None  # as many as the row function reads
    differentiable = True

    def __post_init__(self):
        check_constants(f"job of {self.equations.name!r}", self.constants)

    @property
    def n_statistics(self):
        """k."""
        return self.equations.n_statistics

    def constants_in(self, real):
        """Constants as numbers of type ``real``."""
        return type(self.constants)(*map(real, self.constants))

    def statistics(self, z, key, first_index, with_jacobian):
        """Statistics (n, k) and Jacobian (n, k, D), or None, on the CPU."""
        (n, dim), k, per_share = z.shape, self.equations.n_statistics, self.equations.rows_per_share
        noise = np.empty((n, 0), z.dtype) if self.noise is None else self.noise.astype(z.dtype, copy=False)
        f, jacobian = np.empty((n, k), z.dtype), np.empty((n, k * with_jacobian, dim), z.dtype)
        arguments = z, self.constants_in(z.dtype.type), first_index, key, noise, f, jacobian
        share(
            lambda first, last: self.equations.kernel(first * per_share, min(last * per_share, n), *arguments),
            -(-n // per_share),
        )
        return f, jacobian if with_jacobian else None
