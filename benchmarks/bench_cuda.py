"""CUDA kernels: value and Jacobian against the CPU; skipped where there is no device."""

import time

import numpy as np
from asv_runner.benchmarks.mark import SkipNotImplemented

import numepi as ne
from numepi.simulation.cuda.device import require_device

CIRCUITS = {
    "sc": ne.circuits.SC, "v1": ne.circuits.V1, "stg": ne.circuits.STG, "rnn": ne.circuits.RankTwoRNN,
}  # fmt: skip


class ValueAndJacobian:
    """Calls end with the result on the host, so they wait for the device: times are synchronised."""

    params = (list(CIRCUITS), [100, 1000, 10_000], ["float32", "float64"])
    param_names = ("circuit", "n", "precision")
    timeout = 600

    def setup(self, name, n, precision):
        try:
            require_device()
        except (ImportError, RuntimeError) as error:
            raise SkipNotImplemented(str(error)) from error
        self.circuit = CIRCUITS[name]()
        normals = np.random.default_rng(0).standard_normal((n, len(self.circuit.parameter_names)))
        self.z, self.precision = self.circuit.support.from_line(normals)[0], precision
        self.time_cuda()  # compiles, and makes the buffers

    def _run(self, device):
        self.circuit.statistics_and_jacobian(self.z, precision=self.precision, device=device)

    def time_cuda(self, *_):
        self._run("cuda")

    def track_speedup(self, *_):
        """Time on the CPU over time on the device, interleaved, best of five."""
        self._run("cpu")
        best = {"cpu": np.inf, "cuda": np.inf}
        for device in ("cpu", "cuda") * 5:
            start = time.perf_counter()
            self._run(device)
            best[device] = min(best[device], time.perf_counter() - start)
        return best["cpu"] / best["cuda"]
