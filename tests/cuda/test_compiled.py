"""Every kernel compiled to PTX and machine code: registers, spills and precision within what docs/cuda.md states."""

import re
from pathlib import Path

import numpy as np
import pytest

import numepi as ne

# Other versions of the compiler may need a few registers more; a spill more is never allowed.
SLACK = 1.1


def documented():
    """The rows of the table in docs/cuda.md: (kernel, precision) to (registers, spilled, local, .f64)."""
    text = (Path(__file__).parents[2] / "docs" / "cuda.md").read_text()
    pattern = r"^\| ([\w ,]+) \| (float\d\d) \| ([\d, ]+) \| (\d+) \| (\d+) \| [\d, ]+ \| (yes|no) \|$"
    rows = re.findall(pattern, text, re.MULTILINE)
    return {
        (name, precision): ([int(r) for r in registers.split(",")], int(spilled), int(local), double == "yes")
        for name, precision, registers, spilled, local, double in rows
    }


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("name", ne.circuits.MODELS)
def test_kernels_keep_to_their_budgets(name, precision):
    from tests.cuda import inspection

    budgets = documented()
    for kernel in inspection.circuit_kernels(getattr(ne.circuits, name)(), precision):
        registers, spilled, local, double = budgets[kernel.name, precision]
        for capability, most in zip(inspection.CAPABILITIES, registers, strict=True):
            text = inspection.ptx(kernel, capability)
            used, cubin = inspection.resources(text, capability)
            where = f"{kernel.name}, {precision}, {capability}: {used}"
            assert used.registers <= SLACK * most, where
            assert used.spill_stores + used.spill_loads <= spilled and used.local <= local, where
            assert cubin[:4] == b"\x7fELF", where
            # IEEE arithmetic: nothing approximated or flushed to zero; everything inlined
            assert not re.search(r"\.approx|\.ftz|\.full|\bcall\b", text), where
            assert double or not re.search(r"\.f64\b", text), f"{where}: float64 arithmetic"


def test_single_precision_with_tangents_does_not_spill():
    spilled = {name: row[1] for (name, precision), row in documented().items() if precision == "float32"}
    assert any("Jacobian" in name for name in spilled)
    assert not any(spilled.values())


def test_without_a_device_the_real_package_says_so():
    from numba import cuda

    if cuda.is_available():
        pytest.skip("there is a device: see test_device")
    with pytest.raises(RuntimeError, match=r"no usable NVIDIA driver or GPU .* use device='cpu'"):
        ne.circuits.SC(trials=2).statistics(np.zeros((1, 4)), device="cuda")


def test_warps_follow_from_registers():
    from tests.cuda.inspection import warps

    # 65,536 registers; blocks of 4 warps of 32 threads, registers by 256 a warp
    assert warps(128, (8, 0)) == 16 and warps(129, (8, 0)) == 12
    assert warps(32, (8, 0)) == 64 and warps(32, (7, 5)) == 32


def test_memory_that_the_driver_lacks_is_a_memory_error():
    from cuda.bindings.driver import CUresult
    from cuda.core._utils.cuda_utils import CUDAError

    from numepi.simulation.cuda.memory import CudaAPIError, out_of_memory_is_said

    # the first where a kernel has no memory, the second, seen on a device, where a context has none
    for error in (
        CudaAPIError(CUresult.CUDA_ERROR_OUT_OF_MEMORY, "call to cuMemAlloc"),
        CUDAError("CUDA_ERROR_OUT_OF_MEMORY: The API call failed because it was unable to allocate enough memory"),
    ):
        with pytest.raises(MemoryError, match=r"no memory left .* use device='cpu'"), out_of_memory_is_said():
            raise error
    with pytest.raises(CudaAPIError), out_of_memory_is_said():
        raise CudaAPIError(CUresult.CUDA_ERROR_ILLEGAL_ADDRESS, "launch")
