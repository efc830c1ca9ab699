"""What a circuit's kernels compile to, without a GPU: PTX, machine code, registers, spills.

The code is that which a device of that compute capability runs: the kernels are the same Python functions, and are
launched without link-time optimisation.  Import this module only where numba-cuda is installed, in a process without
its simulator.
"""

import re
from contextlib import contextmanager
from types import SimpleNamespace
from typing import NamedTuple

from numba import cuda, types
from numba.cuda import dispatcher

from numepi.kernels.cuda import driver_of

__all__ = ["CAPABILITIES", "KernelCode", "Resources", "job_kernels", "ptx", "resources"]

CAPABILITIES = ((7, 5), (8, 0), (9, 0))


class KernelCode(NamedTuple):
    """A kernel before compilation: name, Python function and types of the arguments."""

    name: str
    function: object
    arguments: tuple


class Resources(NamedTuple):
    """What one thread of a kernel takes, as the assembler reports it; all but registers in bytes."""

    registers: int
    spill_stores: int
    spill_loads: int
    local: int


def job_kernels(job, real, dim):
    """Every kernel that a job of ``dim`` parameters may launch in the precision ``real``: a list of `KernelCode`."""
    return [KernelCode(*kernel) for kernel in driver_of(job).kernels(job, real, dim)]


@contextmanager
def _device_of(capability):
    """Device functions are compiled for the current device: while there is none, stand in for it."""
    original = dispatcher.get_current_device
    dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=capability)
    try:
        yield
    finally:
        dispatcher.get_current_device = original


def ptx(kernel, capability):
    """PTX of a `KernelCode` for a compute capability, such as (8, 0)."""
    with _device_of(capability):
        return cuda.compile_ptx(kernel.function, types.void(*kernel.arguments), cc=capability)[0]


def resources(text, capability):
    """Assemble PTX to machine code; return what a thread takes and the machine code, as (`Resources`, bytes)."""
    from cuda.bindings import nvjitlink

    options = [f"-arch=sm_{capability[0]}{capability[1]}", "-verbose", "-Xptxas=-v"]
    linker = nvjitlink.create(len(options), options)
    try:
        data = text.encode()
        nvjitlink.add_data(linker, nvjitlink.InputType.PTX, data, len(data), "kernel.ptx")
        nvjitlink.complete(linker)
        cubin = bytearray(nvjitlink.get_linked_cubin_size(linker))
        nvjitlink.get_linked_cubin(linker, cubin)
        log = bytearray(nvjitlink.get_info_log_size(linker))
        nvjitlink.get_info_log(linker, log)
    finally:
        nvjitlink.destroy(linker)
    log = log.decode(errors="replace")
    numbers = [
        max(int(value) for value in re.findall(pattern, log))
        for pattern in (
            r"Used (\d+) registers",
            r"(\d+) bytes spill stores",
            r"(\d+) bytes spill loads",
            r"(\d+) bytes stack frame",
        )
    ]
    return Resources(*numbers), bytes(cubin)
