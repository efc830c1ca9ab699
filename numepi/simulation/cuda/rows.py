"""Run a `numepi.simulation.rows.RowJob` on the GPU, in blocks of rows that fit into its memory.

Import this module only where numba-cuda is installed.
"""

from functools import cache

import numba
import numpy as np

from numepi.simulation.cuda.launch import compiled, launch
from numepi.simulation.cuda.memory import memory
from numepi.simulation.cuda.row_kernel import row_kernel

__all__ = ["kernels", "statistics"]


@cache
def _rows(equations, n_arrays, with_jacobian, given):
    return compiled(row_kernel(equations, n_arrays, with_jacobian, given))


def kernels(job, real, dim):
    """Every kernel that a job may launch in the precision ``real``: a list of (name, function, argument types)."""
    scalar, equations = numba.from_dtype(np.dtype(real)), job.equations
    work = tuple(
        numba.types.Array(numba.from_dtype(array.dtype), array.ndim + 1, "C") for array in _workspace(job, dim, real)
    )
    arguments = (
        scalar[:, ::1], numba.typeof(job.constants_in(real)), numba.int64, numba.int64, numba.int64, scalar[:, ::1],
        numba.types.Tuple(work), scalar[:, ::1], scalar[:, :, ::1],
    )  # fmt: skip
    return [
        (
            f"{equations.name} {'value and Jacobian' if with_jacobian else 'value'}{', given noise' * given}",
            row_kernel(equations, len(work), with_jacobian, given),
            arguments,
        )
        for with_jacobian in (False, True)
        for given in (False, True)
    ]


def _workspace(job, dim, real):
    """Arrays that one row works in."""
    return job.equations.workspace(np.empty((1, dim), real))


def statistics(job, z, key, first_index, with_jacobian):
    """See `numepi.simulation.cuda.statistics`."""
    (n, dim), k = z.shape, job.equations.n_statistics
    f, jacobian = np.empty((n, k)), np.empty((n, k, dim)) if with_jacobian else None
    work = _workspace(job, dim, z.dtype)
    n_noise = 0 if job.noise is None else job.noise.shape[1]
    numbers = dim + n_noise + k * (1 + dim * with_jacobian)
    device = memory()
    with device.lock:
        per_row = numbers * z.dtype.itemsize + sum(array.nbytes for array in work)
        rows = device.rows_that_fit(job.equations.name, per_row)
        for low in range(0, n, rows):
            part = slice(low, low + rows)
            f[part], derivatives = _block(device, job, z[part], work, low, key, first_index, with_jacobian)
            if with_jacobian:
                jacobian[part] = derivatives
    return f, jacobian


def _block(device, job, z, templates, low, key, first_index, with_jacobian):
    """Statistics (n, k) and Jacobian (n, k, D) of rows ``low`` ... of the batch."""
    (n, dim), k, real = z.shape, job.equations.n_statistics, z.dtype.type
    given = np.empty((1, 1), real) if job.noise is None else job.noise[low : low + n].T.astype(real)
    work = tuple(
        device.array(f"work {i}", (*template.shape, n), template.dtype) for i, template in enumerate(templates)
    )
    f = device.array("f", (k, n), real)
    jacobian = device.array("jacobian", (k, dim, n) if with_jacobian else (1, 1, 1), real)
    launch(
        _rows(job.equations, len(work), with_jacobian, job.noise is not None), n, device.stream,
        device.upload("z", z.T), job.constants_in(real), first_index + low, *key, device.upload("noise", given), work,
        f, jacobian,
    )  # fmt: skip
    derivatives = device.download(jacobian).transpose(2, 0, 1) if with_jacobian else None
    return device.download(f).T, derivatives
