"""CUDA kernel of `numepi.simulation.rows.RowStatistics`: one thread for each row.

Import this module only where numba-cuda is installed.
"""

from numba import cuda

from numepi.simulation.cuda.device_functions import device_function, inlined

__all__ = ["row_kernel"]


def _own_columns(count):
    """Device function ``own(work, thread)``: each array's part of one thread, which the last axis counts."""
    if count == 0:

        def own(work, thread):
            return ()

    else:
        rest, last = _own_columns(count - 1), count - 1

        def own(work, thread):
            return rest(work, thread) + (work[last][..., thread],)

    return inlined(own)


def row_kernel(equations, n_arrays, with_jacobian, given):
    """Kernel ``(z, constants, first_index, key0, key1, noise, work, f, jacobian)``.

    ``z`` (n, D), ``noise`` (n, numbers), read if ``given``, ``f`` (n, k) and ``jacobian`` (n, k, D), filled if
    ``with_jacobian``, lie as the host has them, for the host transposes slower than threads take rows from afar;
    ``work``, a tuple of ``n_arrays`` arrays (..., n), has threads last, for coalesced accesses.
    """
    row, own = device_function(equations.row, takes_arrays=True), _own_columns(n_arrays)
    # what is not asked for is an array of one element, of which nothing is read or filled
    use_noise, use_jacobian, n_derivatives = int(given), int(with_jacobian), equations.n_statistics * with_jacobian

    def rows(z, constants, first_index, key0, key1, noise, work, f, jacobian):
        thread = cuda.grid(1)
        if thread >= z.shape[0]:
            return
        row(
            z[thread],
            constants,
            first_index + thread,
            (key0, key1),
            noise[thread * use_noise, : noise.shape[1] * use_noise],
            own(work, thread),
            f[thread],
            jacobian[thread * use_jacobian, :n_derivatives],
        )

    return rows
