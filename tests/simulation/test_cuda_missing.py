"""device="cuda" where something is missing: each error names the remedy, and nothing of CUDA is imported before."""

import subprocess
import sys

import numpy as np
import pytest

import numepi as ne
from numepi.simulation.cuda import device

CIRCUIT = ne.circuits.LDS()
Z = np.zeros((2, 4))


def test_without_numba_cuda(monkeypatch):
    monkeypatch.setattr(device, "find_spec", lambda name: None)
    for call in (CIRCUIT.statistics, CIRCUIT.statistics_and_jacobian):
        with pytest.raises(ImportError, match=r"pip install 'numepi\[cuda12\]' or 'numepi\[cuda13\]'"):
            call(Z, device="cuda")
    with pytest.raises(ImportError, match="numba-cuda"):
        ne.infer(CIRCUIT, CIRCUIT.emergent_property(), device="cuda", progress=False)


def test_without_the_cuda_libraries(monkeypatch):
    monkeypatch.setattr(device, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "numba.cuda", None)
    monkeypatch.delattr("numba.cuda", raising=False)
    with pytest.raises(ImportError, match=r"not the CUDA libraries it needs.*cuda13"):
        CIRCUIT.statistics(Z, device="cuda")


def test_without_a_driver(monkeypatch):
    class Cuda:
        is_available = staticmethod(lambda: False)
        cuda_error = staticmethod(lambda: "no driver\n  found")

    monkeypatch.setattr(device, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "numba.cuda", Cuda)
    monkeypatch.setattr("numba.cuda", Cuda, raising=False)
    with pytest.raises(RuntimeError, match=r"no usable NVIDIA driver or GPU \(no driver found\): check"):
        CIRCUIT.statistics(Z, device="cuda")


def test_with_a_numpy_that_numba_cuda_does_not_know(monkeypatch):
    def arrays(name):
        raise AttributeError("module 'numpy' has no attribute 'row_stack'")

    monkeypatch.setattr(device, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "numba.cuda", object())
    monkeypatch.setattr("numba.cuda", object(), raising=False)
    monkeypatch.setattr(device, "import_module", arrays)
    monkeypatch.setattr(device, "version", lambda name: "0.30.4")
    with pytest.raises(ImportError, match=r"numba-cuda 0.30.4 .* numpy .*row_stack.*: pip install 'numpy<2.5'"):
        CIRCUIT.statistics(Z, device="cuda")


def test_unknown_devices_and_functions_are_refused():
    for call in (CIRCUIT.statistics, CIRCUIT.statistics_and_jacobian):
        with pytest.raises(ValueError, match="device = 'gpu': choose from 'cpu', 'cuda'"):
            call(Z, device="gpu")
    function = ne.circuits.FunctionCircuit(lambda z: z[:, :1], ne.Support([-1, -1], [1, 1]))
    with pytest.raises(ValueError, match="FunctionCircuit has no simulation to run there: use 'cpu'"):
        function.statistics(Z[:, :2], device="cuda")


def test_the_cpu_imports_nothing_of_cuda():
    code = """
import sys, numpy as np, numepi as ne
ne.circuits.SC(trials=1, dt=0.4).statistics(np.zeros((1, 4)))
ne.circuits.LDS().statistics(np.zeros((1, 4)))
import numepi.simulation.cuda
cuda = ("numba.cuda", "numba_cuda", "cuda.", "numepi.simulation.cuda.")
print([name for name in sys.modules if name.startswith(cuda)])
"""
    out = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert out.strip() == "[]"
