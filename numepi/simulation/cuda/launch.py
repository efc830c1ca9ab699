"""How numepi compiles and launches its CUDA kernels: the one place.

Import this module only where numba-cuda is installed.
"""

import warnings

import numba
from numba import cuda
from numba.cuda.core.errors import NumbaPerformanceWarning

__all__ = ["THREADS", "compiled", "launch"]

THREADS = 128  # of a block: four warps


def compiled(kernel):
    """Compile a kernel at its first call, without link-time optimisation: its code is what `inspection` shows."""
    return cuda.jit(kernel) if numba.config.ENABLE_CUDASIM else cuda.jit(kernel, lto=False)


def launch(kernel, threads, stream, *arguments):
    """Run ``kernel`` on at least ``threads`` threads, one row of blocks."""
    with warnings.catch_warnings():
        # numba warns of every grid that leaves a big device idle: batches are as large as they are
        warnings.simplefilter("ignore", NumbaPerformanceWarning)
        configured = kernel[-(-threads // THREADS), THREADS, stream]
    configured(*arguments)
