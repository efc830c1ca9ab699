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
    work = _workspace(job, dim, z.dtype)
    n_noise = 0 if job.noise is None else job.noise.shape[1]
    numbers = dim + n_noise + k * (1 + dim * with_jacobian)
    device = memory()
    with device.lock:
        per_row = numbers * z.dtype.itemsize + sum(array.nbytes for array in work)
        rows = device.rows_that_fit(job.equations.name, per_row)
        blocks = [
            _block(device, job, z[low : low + rows], work, low, key, first_index, with_jacobian)
            for low in range(0, n, rows)
        ]
    f = _joined([f for f, _ in blocks], (k,))
    return f, _joined([jacobian for _, jacobian in blocks], (k, dim)) if with_jacobian else None


def _joined(parts, shape):
    """Blocks of rows in one array, float64; one that is the whole batch is not copied."""
    whole = parts[0] if len(parts) == 1 else np.concatenate([np.empty((0, *shape)), *parts])
    return whole.astype(np.float64, copy=False)


def _block(device, job, z, templates, low, key, first_index, with_jacobian):
    """Statistics (n, k) and Jacobian (n, k, D) of rows ``low`` ... of the batch."""
    (n, dim), k, real = z.shape, job.equations.n_statistics, z.dtype.type
    given = np.empty((1, 1), real) if job.noise is None else job.noise[low : low + n].astype(real)
    work = tuple(
        device.array(f"work {i}", (*template.shape, n), template.dtype) for i, template in enumerate(templates)
    )
    f = device.array("f", (n, k), real)
    jacobian = device.array("jacobian", (n, k, dim) if with_jacobian else (1, 1, 1), real)
    launch(
        _rows(job.equations, len(work), with_jacobian, job.noise is not None), n, device.stream,
        device.upload("z", z), job.constants_in(real), first_index + low, *key, device.upload("noise", given), work,
        f, jacobian,
    )  # fmt: skip
    return device.download(f), device.download(jacobian) if with_jacobian else None
