"""CUDA drivers of the circuits' scalar functions; nothing here imports CUDA before it is asked to simulate."""

from numepi.simulation.lanes import Job
from numepi.simulation.programs import ProgramJob
from numepi.simulation.rows import RowJob

__all__ = ["driver_of", "statistics"]


def statistics(job, z, key, first_index, with_jacobian):
    """Statistics of a circuit's job on the GPU, as its own ``statistics`` computes them on the CPU.

    Parameters
    ----------
    job : numepi.simulation.lanes.Job or numepi.simulation.rows.RowJob
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
    from numepi.simulation.cuda.device import require_device

    require_device()
    from numepi.simulation.cuda.memory import out_of_memory_is_said

    with out_of_memory_is_said():
        return driver_of(job).statistics(job, z, key, first_index, with_jacobian)


def driver_of(job):
    """Return the module that runs jobs of this kind; only where numba-cuda is installed."""
    from numepi.simulation.cuda import programs, rows, simulations

    return {Job: simulations, ProgramJob: programs, RowJob: rows}[type(job)]
