"""SC and V1, value and Jacobian: against scalar Numba and the bare random numbers; scaling, memory, compilation."""

import os
import subprocess
import sys
import tempfile
from typing import NamedTuple

import numpy as np

import numepi as ne
from benchmarks.scalar_reference import sc_scalar, v1_scalar
from benchmarks.side_by_side import ratio_of_times
from numepi.kernels.compile import scalar
from numepi.kernels.fastmath import sigmoid
from numepi.simulation.lanes import Simulator

PRECISIONS = ("float64", "float32")
CIRCUITS = ("SC", "V1")
SIZES = {"SC": (100, 200), "V1": (100, 100)}  # parameters, trials
STEPS = {"SC": 74, "V1": 200}
SCALAR = {"SC": sc_scalar, "V1": v1_scalar}


class NoConstants(NamedTuple):
    unused: float = 0.0


@scalar
def floor_start(initial, constants):
    return initial


@scalar
def sc_floor_step(state, parameters, noise, drive, task, constants):
    """Four normals and four sigmoids."""
    u0, u1, u2, u3 = state
    n0, n1, n2, n3 = noise
    return (sigmoid(u0) + n0, sigmoid(u1) + n1, sigmoid(u2) + n2, sigmoid(u3) + n3), ()


@scalar
def v1_floor_step(state, parameters, noise, drive, task, constants):
    """Four normals."""
    u0, u1, u2, u3 = state
    n0, n1, n2, n3 = noise
    return (u0 + n0, u1 + n1, u2 + n2, u3 + n3), ()


@scalar
def floor_statistic(state, observed, task, constants):
    u0, u1, u2, u3 = state
    return (u0 + u1 + u2 + u3,), ()


@scalar
def floor_readout(state, drive, constants):
    return state


def floor(name, step, n_tasks):
    """The random numbers and transcendental functions of a circuit, in the same driver."""
    return Simulator(
        name=name, n_parameters=4, n_states=4, n_noise=4, n_drive=0, n_readout=4, n_tasks=n_tasks, start=floor_start,
        step=step, tangent=None, readout=floor_readout, statistic=floor_statistic,
    )  # fmt: skip


FLOORS = {"SC": floor("sc_floor", sc_floor_step, 2), "V1": floor("v1_floor", v1_floor_step, 1)}


def draw(circuit, n, precision="float64"):
    support = circuit.support
    # a fifth of the V1 box: rates that escape would be NaN, whose arithmetic is not typical
    width = support.width * (0.2 if circuit.name == "v1" else 1.0)
    return (support.lower + width * np.random.default_rng(0).random((n, 4))).astype(precision)


class ValueAndJacobian:
    """n = 100, 200 trials (SC) or 100 (V1)."""

    params = (CIRCUITS, PRECISIONS)
    param_names = ("circuit", "precision")
    timeout = 300

    def setup(self, name, precision):
        n, trials = SIZES[name]
        self.circuit = getattr(ne.circuits, name)(trials=trials)
        self.z = draw(self.circuit, n, precision)
        self.precision = precision
        self.numepi()
        self.circuit.statistics(self.z, precision=precision)

    def numepi(self):
        return self.circuit.statistics_and_jacobian(self.z, precision=self.precision)

    def time_value_and_jacobian(self, name, precision):
        self.numepi()

    def time_value(self, name, precision):
        self.circuit.statistics(self.z, precision=self.precision)

    def peakmem_value_and_jacobian(self, name, precision):
        self.numepi()

    def track_speedup_over_scalar_numba(self, name, precision):
        return ratio_of_times(lambda: SCALAR[name](self.z, self.circuit.trials), self.numepi, repeats=9)

    track_speedup_over_scalar_numba.unit = "times (aim: 3 in float64, 5 in float32)"

    def track_ratio_to_random_numbers_and_transcendentals(self, name, precision):
        drive = np.empty((STEPS[name] + 1, 0), self.z.dtype)

        def bare():
            FLOORS[name].statistics(self.z, (1, 2), 0, self.circuit.trials, drive, NoConstants(), False)

        return ratio_of_times(self.numepi, bare)

    track_ratio_to_random_numbers_and_transcendentals.unit = "times (aim: at most 2.5)"

    def track_extra_memory(self, name, precision):
        """Peak memory of one evaluation above that of the imported package, in a fresh process (kernels cached)."""
        n, trials = SIZES[name]
        code = (
            "import re, numpy as np, numepi as ne\n"
            "peak = lambda: int(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1]) / 1024\n"
            f"circuit = ne.circuits.{name}(trials={trials}); z = np.full(({n}, 4), 0.1); before = peak()\n"
            f"circuit.statistics_and_jacobian(z, precision={precision!r}); print(peak() - before)"
        )
        return float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout)

    track_extra_memory.unit = "MB (aim: below 100)"


class Scaling:
    """Seconds against parameters, trials and steps: lines through the origin."""

    params = (CIRCUITS, ("n", "trials", "steps"), (1, 2, 4, 8))
    param_names = ("circuit", "quantity", "factor")

    def setup(self, name, quantity, factor):
        size = {"n": 25, "trials": 100} | ({quantity: 25 * factor} if quantity == "n" else {})
        if quantity == "trials":
            size["trials"] = 50 * factor
        options = {}
        if quantity == "steps":
            options = {"dt": 0.024 / factor} if name == "SC" else {"steps": 200 * factor}
        self.circuit = getattr(ne.circuits, name)(trials=size["trials"], **options)
        self.z = draw(self.circuit, size["n"])
        self.circuit.statistics_and_jacobian(self.z)

    def time_value_and_jacobian(self, name, quantity, factor):
        self.circuit.statistics_and_jacobian(self.z)


class Compilation:
    """Seconds from an empty cache to the first statistics and Jacobian, above the import."""

    params = (CIRCUITS, PRECISIONS)
    param_names = ("circuit", "precision")
    timeout = 300

    def track_cold_compilation(self, name, precision):
        code = (
            "import time, numpy as np, numepi as ne\n"
            f"circuit = ne.circuits.{name}(trials=2); start = time.perf_counter()\n"
            f"circuit.statistics_and_jacobian(np.full((1, 4), 0.1), precision={precision!r})\n"
            "print(time.perf_counter() - start)"
        )
        with tempfile.TemporaryDirectory() as cache:
            environment = os.environ | {"NUMBA_CACHE_DIR": cache}
            answer = subprocess.run(
                [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
            )
        return float(answer.stdout)

    track_cold_compilation.unit = "s"
