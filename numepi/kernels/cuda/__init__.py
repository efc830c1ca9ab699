"""CUDA drivers of the circuits' scalar functions; nothing here imports CUDA before it is asked to simulate."""

__all__ = ["statistics"]


def statistics(job, z, key, first_index, with_jacobian):
    """Statistics of a circuit's job on the GPU, as its own ``statistics`` computes them on the CPU.

    Parameters
    ----------
    job : numepi.kernels.lanes.Job
        Equations, constants and given noise.
    z : ndarray (n, D)
        Its dtype is the working precision.
    key : (int, int)
        Of the generator.
    first_index : int
        Counter of the first row of ``z``.
    with_jacobian : bool

    Returns
    -------
    f : ndarray (n, k), float64
    jacobian : ndarray (n, k, D), float64, or None

    Raises
    ------
    ImportError, RuntimeError, MemoryError
        Where the package numba-cuda, a driver with a device, or memory on it is missing.
    """
    from numepi.kernels.cuda.device import require_device

    require_device()
    from numepi.kernels.cuda import simulations

    return simulations.statistics(job, z, key, first_index, with_jacobian)
