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

    Its arrays, threads (rows) last: ``z`` (D, n); ``noise`` (numbers, n), read if ``given``; ``work``, a tuple of
    ``n_arrays`` arrays (..., n); ``f`` (k, n); ``jacobian`` (k, D, n), filled if ``with_jacobian``.
    """
    row, own = device_function(equations.row, takes_arrays=True), _own_columns(n_arrays)
    # what is not asked for is an array of one element, of which nothing is read or filled
    use_noise, use_jacobian, n_derivatives = int(given), int(with_jacobian), equations.n_statistics * with_jacobian

    def rows(z, constants, first_index, key0, key1, noise, work, f, jacobian):
        thread = cuda.grid(1)
        if thread >= z.shape[1]:
            return
        row(
            z[:, thread],
            constants,
            first_index + thread,
            (key0, key1),
            noise[: noise.shape[0] * use_noise, thread * use_noise],
            own(work, thread),
            f[:, thread],
            jacobian[:n_derivatives, :, thread * use_jacobian],
        )

    return rows
