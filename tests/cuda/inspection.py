"""What a circuit's kernels compile to, without a GPU: PTX, machine code, registers, spills.

The code is that which a device of that compute capability runs: the kernels are the same Python functions, and are
launched without link-time optimisation.  ``python -m tests.cuda.inspection`` prints the table of
docs/cuda.md. Import this module only where numba-cuda is installed, in a process without its simulator.
"""

import re
from contextlib import contextmanager
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from numba import cuda, types
from numba.cuda import dispatcher

from numepi import circuits
from numepi.simulation.cuda import driver_of
from numepi.simulation.cuda.launch import THREADS

__all__ = ["CAPABILITIES", "KernelCode", "Resources", "circuit_kernels", "ptx", "resources", "warps"]

# Turing, Ampere, Hopper, and the warps that a multiprocessor of each can hold
CAPABILITIES = {(7, 5): 32, (8, 0): 64, (9, 0): 64}


class KernelCode(NamedTuple):
    """A kernel before compilation: name, precision, Python function and types of the arguments."""

    name: str
    precision: str
    function: object
    arguments: tuple


class Resources(NamedTuple):
    """What one thread of a kernel takes, as the assembler reports it; all but registers in bytes."""

    registers: int
    spill_stores: int
    spill_loads: int
    local: int


def circuit_kernels(circuit, precision):
    """Every kernel that a circuit may launch in the precision "float64" or "float32": a list of `KernelCode`."""
    job, real = circuit._job(None), np.dtype(precision).type
    kernels = driver_of(job).kernels(job, real, len(circuit.parameter_names))
    return [KernelCode(name, precision, *rest) for name, *rest in kernels]


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


def warps(registers, capability):
    """Warps that a multiprocessor holds of blocks with that many registers a thread: its 65,536 are given by 256."""
    per_warp = -(-registers * 32 // 256) * 256
    per_block = THREADS // 32
    return min(65536 // (per_warp * per_block) * per_block, CAPABILITIES[capability])


def _table():
    """Print the table of docs/cuda.md, a row as soon as it is known."""
    print("| kernel | precision | registers 7.5, 8.0, 9.0 | spilled bytes | local bytes | warps | .f64 |")
    print("|---|---|---|---|---|---|---|")
    seen = set()
    for name in circuits.MODELS:
        for precision in ("float32", "float64"):
            for kernel in circuit_kernels(getattr(circuits, name)(), precision):
                if (kernel.name, precision) not in seen:
                    seen.add((kernel.name, precision))
                    print(_row(kernel), flush=True)


def _row(kernel):
    texts = {capability: ptx(kernel, capability) for capability in CAPABILITIES}
    used = {capability: resources(text, capability)[0] for capability, text in texts.items()}
    registers = ", ".join(str(r.registers) for r in used.values())
    spills = max(r.spill_stores + r.spill_loads for r in used.values())
    local = max(r.local for r in used.values())
    held = ", ".join(str(warps(r.registers, capability)) for capability, r in used.items())
    double = "yes" if re.search(r"\.f64\b", texts[8, 0]) else "no"
    return f"| {kernel.name} | {kernel.precision} | {registers} | {spills} | {local} | {held} | {double} |"


if __name__ == "__main__":
    _table()
