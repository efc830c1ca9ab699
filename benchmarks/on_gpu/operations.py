"""How many operations one simulation is, counted by executing its kernels' PTX on the CPU, an instruction at a time.

    python -m benchmarks.on_gpu.operations

writes ``operations.json``, for what `cases` has: floating-point operations in single and in double precision, and
instructions, of a simulation on average over a batch.  An addition, a multiplication, a comparison, a division and a
square root are one operation each, a multiply-add is two, a move none; integer arithmetic, that of the random numbers,
counts as instructions only.  Needs numba-cuda and gcc, no GPU.
"""

import ctypes
import json
import tempfile
from itertools import product
from pathlib import Path

from benchmarks.on_gpu import cases

__all__ = ["counted"]

_PARAMETERS = {"RankTwoRNN": 64, "LDS": 64, "STG": 4}  # how long a simulation takes depends on its parameters


def counted(name, precision, jacobian):
    """Operations in single and in double precision, and instructions, of one simulation."""
    from tests.cuda import ptx_on_cpu

    model = cases.circuit(name, rehearse=False)
    z = cases.draw(model, _PARAMETERS.get(name, 1))
    with (
        tempfile.TemporaryDirectory() as directory,
        ptx_on_cpu.drivers_on_cpu(Path(directory), counted=True) as kernels,
    ):
        function = model.statistics_and_jacobian if jacobian else model.statistics
        function(z, precision=precision, device="cuda")
        libraries = [library for kernel in kernels for library in kernel.compiled.values()]
        sums = [sum((ctypes.c_uint64 * 3).in_dll(library, "executed")[i] for library in libraries) for i in range(3)]
    simulations = len(z) * cases.per_parameter(model._job(None))
    return [round(total / simulations) for total in sums]


def main():
    path, found = Path(__file__).with_name("operations.json"), {}
    for name, precision, jacobian in product(cases.NAMES, ("float32", "float64"), (False, True)):
        what = "value and Jacobian" if jacobian else "value"
        numbers = counted(name, precision, jacobian)
        print(f"{name}, {precision} {what}: {numbers}", flush=True)
        found.setdefault(name, {})[f"{precision} {what}"] = numbers
        path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
