"""numepi's CUDA drivers with the PTX of their kernels run on the CPU: all but the device itself."""

import ctypes
import hashlib
import subprocess
from contextlib import contextmanager
from threading import RLock

import numba
import numpy as np
import pytest

from numepi.simulation.cuda import device, memory, programs, rows, simulations
from numepi.simulation.cuda.launch import THREADS
from tests.cuda import inspection
from tests.cuda.ptx_to_c import to_c

__all__ = ["drivers_on_cpu"]

# exactly the multiply-adds of the PTX are fused
_COMPILER = ("gcc", "-march=native", "-ffp-contract=off", "-fno-strict-aliasing", "-shared", "-fPIC")


class HostMemory(memory.Memory):
    """Buffers that are NumPy arrays, full of NaN at first."""

    def __init__(self):
        self.stream, self.limit, self.lock = None, None, RLock()
        self._buffers, self._tables = {}, {}

    @property
    def available(self):
        return self.limit or 2**30

    def _allocate(self, n_bytes):
        return np.full(n_bytes, 0xFF, np.uint8)

    def upload(self, name, values):
        array = self.array(name, values.shape, values.dtype)
        if values.size:
            array[...] = values
        return array

    def table(self, name, values):
        return self._tables.setdefault(name, values.copy())  # device arrays can be written

    def workspace(self, name, template, threads):
        *outer, _, length = template.shape
        return np.swapaxes(self.array(name, (*outer, length, threads), template.dtype), -1, -2)

    def download(self, array):
        return array.copy()


class Kernel:
    """A kernel that is compiled to PTX, then C, then for this machine, for the types of each launch."""

    def __init__(self, function, directory, capability, change, optimise, counted):
        self.function, self.directory, self.capability = function, directory, capability
        self.change, self.optimise, self.counted = change, optimise, counted
        self.compiled = {}

    def launch(self, threads, stream, *arguments):
        types = tuple(numba.typeof(argument) for argument in arguments)
        if types not in self.compiled:
            code = inspection.KernelCode("kernel", "", self.function, types)
            text = inspection.ptx(code, self.capability)
            self.compiled[types] = build(to_c(self.change(text), self.counted), self.directory, self.optimise)
        parameters = np.array([slot for argument in arguments for slot in slots(argument)], np.uint64)
        blocks = -(-threads // THREADS)
        run_c(self.compiled[types], blocks, THREADS, parameters)


def slots(argument):
    """The eight-byte parameters that a kernel sees of one argument."""
    if isinstance(argument, np.ndarray):
        return [0, 0, argument.size, argument.itemsize, argument.ctypes.data, *argument.shape, *argument.strides]
    if isinstance(argument, tuple):
        return [slot for item in argument for slot in slots(item)]
    if isinstance(argument, np.float32):
        return [int(argument.view(np.uint32))]
    if isinstance(argument, float):
        return [int(np.float64(argument).view(np.uint64))]
    return [int(argument)]


def build(source, directory, optimise="-O1"):
    """Compile C, and load it."""
    name = directory / hashlib.sha256(source.encode()).hexdigest()[:16]
    name.with_suffix(".c").write_text(source)
    subprocess.run(
        [*_COMPILER, optimise, "-o", name.with_suffix(".so"), name.with_suffix(".c"), "-lm"],
        check=True, capture_output=True,
    )  # fmt: skip
    return ctypes.CDLL(str(name.with_suffix(".so")))


def run_c(library, blocks, threads, parameters):
    library.launch(
        ctypes.c_uint32(blocks), ctypes.c_uint32(threads), parameters.ctypes.data_as(ctypes.POINTER(ctypes.c_uint64))
    )


@contextmanager
def drivers_on_cpu(directory, capability=(8, 0), change=lambda text: text, optimise="-O1", counted=False):
    """Within, ``device="cuda"`` runs numepi's drivers with translated kernels; ``change`` edits their PTX before.

    With ``counted``, their libraries count what they execute: see `ptx_to_c.to_c`.

    Yields the list of kernels compiled so far.
    """
    kernels, host = [], HostMemory()

    def compiled(function):
        kernels.append(Kernel(function, directory, capability, change, optimise, counted))
        return kernels[-1]

    def launch(kernel, *arguments):
        kernel.launch(*arguments)

    def forget():
        for compiled_once in (
            simulations._simulation, simulations._summary, simulations._average, programs._average, rows._rows,
        ):  # fmt: skip
            compiled_once.cache_clear()
        programs._kernels.clear()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(device, "require_device", lambda: None)
        for driver in (simulations, programs, rows):
            patch.setattr(driver, "memory", lambda: host)
            patch.setattr(driver, "compiled", compiled)
            patch.setattr(driver, "launch", launch)
        forget()
        try:
            yield kernels
        finally:
            forget()
