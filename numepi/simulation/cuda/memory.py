"""Device memory that is kept between calls: named buffers that grow, and one stream.

Import this module only where numba-cuda is installed.
"""

import math
import threading
from contextlib import contextmanager

import numba
import numpy as np
from numba import cuda

if not numba.config.ENABLE_CUDASIM:
    from numba.cuda.cudadrv.devicearray import DeviceNDArray
    from numba.cuda.cudadrv.driver import CudaAPIError
else:
    CudaAPIError = MemoryError

__all__ = ["Memory", "memory", "out_of_memory_is_said"]

# Of the free memory: the driver's own allocations and other programs need some, too.
_USABLE = 0.8
_OUT_OF_MEMORY = "CUDA_ERROR_OUT_OF_MEMORY"


class Memory:
    """Buffers and the stream of one device.

    Attributes
    ----------
    stream : numba.cuda stream
        All copies and kernels run on it, in order.
    limit : int, optional
        Bytes that the buffers may take (default: most of what is free).
    lock : threading.RLock
        Held during a simulation: the buffers serve one at a time.
    """

    def __init__(self):
        self.stream = cuda.stream()
        self.limit = None
        self.lock = threading.RLock()
        self._buffers, self._tables = {}, {}

    @property
    def available(self):
        """Bytes that the buffers may take in all."""
        if self.limit is not None:
            return self.limit
        held = sum(buffer.nbytes for buffer in self._buffers.values())
        return _USABLE * cuda.current_context().get_memory_info().free + held

    def rows_that_fit(self, name, bytes_per_row, threads_per_row=1):
        """How many rows of a batch of the circuit called ``name`` to simulate at once.

        Raises
        ------
        MemoryError
            If not even one fits.
        """
        available = self.available
        rows = int(min(available / bytes_per_row, 2**31 / threads_per_row))
        if rows < 1:
            raise MemoryError(
                f"one parameter of {name!r} takes {bytes_per_row / 2**20:.1f} MiB and {threads_per_row} threads, and "
                f"the GPU has {available / 2**20:.1f} MiB free: use fewer trials, precision='float32' or device='cpu'"
            )
        return rows

    def array(self, name, shape, dtype):
        """Return an uninitialised device array, C-contiguous, in the buffer of that name."""
        count = max(1, math.prod(shape))
        n_bytes = count * np.dtype(dtype).itemsize
        if name not in self._buffers or self._buffers[name].nbytes < n_bytes:
            self._buffers.pop(name, None)  # freed before its successor is allocated
            self._buffers[name] = self._allocate(n_bytes)
        flat = self._buffers[name][:n_bytes].view(dtype)
        return flat.reshape(shape) if math.prod(shape) else flat.reshape((1,) * len(shape))

    def _allocate(self, n_bytes):
        try:
            return cuda.device_array(n_bytes, np.uint8)
        except CudaAPIError as error:
            self.free()  # what is left to other programs, or to a smaller batch
            raise MemoryError(
                f"the GPU has no {n_bytes / 2**20:.1f} MiB in one piece ({error}): end what else uses it, or use "
                "fewer trials, smaller batches, precision='float32' or device='cpu'"
            ) from error

    def upload(self, name, values):
        """Copy a host array to the buffer of that name; one without elements becomes one element of no meaning."""
        values = np.ascontiguousarray(values)
        array = self.array(name, values.shape, values.dtype)
        if values.size:
            array.copy_to_device(values, stream=self.stream)
        return array

    def table(self, name, values):
        """Copy a host array that never changes, once, to the buffer of that name."""
        if numba.config.ENABLE_CUDASIM:  # compiled functions, which read tables there, know no simulated arrays
            return values
        if self._tables.get(name, (None,))[0] is not values:
            self._tables[name] = values, self.upload(name, values)
        return self._tables[name][1]

    def workspace(self, name, template, threads):
        """Return an array like ``template`` (..., 1, length), with its last axis but one for ``threads``.

        In memory that axis comes last, so that the accesses of neighbouring threads are coalesced.
        """
        *outer, _, length = template.shape
        array = self.array(name, (*outer, length, threads), template.dtype)
        axes = (*range(len(outer)), len(outer) + 1, len(outer))
        if numba.config.ENABLE_CUDASIM:
            return array.transpose(axes)
        shape, strides = ([values[axis] for axis in axes] for values in (array.shape, array.strides))
        return DeviceNDArray(shape, strides, array.dtype, gpu_data=array.gpu_data)

    def download(self, array):
        """Wait for the stream and return a host copy."""
        values = array.copy_to_host(stream=self.stream)
        self.stream.synchronize()
        return values

    def free(self):
        """Give all buffers back."""
        self._buffers.clear()
        self._tables.clear()


@contextmanager
def out_of_memory_is_said():
    """Within, memory that the driver itself has not (for its context, a kernel, a stack) is a MemoryError, too."""
    try:
        yield
    except Exception as error:  # numba-cuda and the library under it have a class each, and neither another's
        if _OUT_OF_MEMORY not in str(error):
            raise
        raise MemoryError(
            f"the GPU has no memory left for the driver itself ({error}): end what else uses it, or use device='cpu'"
        ) from error


_memories = {}


def memory():
    """Return the `Memory` of the current device."""
    device = getattr(cuda.get_current_device(), "id", 0)  # the simulator's has none
    if device not in _memories:
        _memories[device] = Memory()
    return _memories[device]
