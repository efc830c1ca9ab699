"""STG and rank-2 network, value and Jacobian: against the bare random numbers and exponentials; scaling; compilation.

The TensorFlow original took 268-288 ms for one training step of the STG (n = 400) on two cores, and 510-1320 ms for
that of the network with N = 100 (n = 200); a step is this value and Jacobian and a pass through the flow.
"""

import os
import subprocess
import sys
import tempfile
from typing import NamedTuple

import numpy as np

import numepi as ne
from benchmarks.side_by_side import ratio_of_times
from numepi.kernels.compile import scalar
from numepi.kernels.fastmath import exp, sigmoid
from numepi.simulation.lanes import Simulator

PRECISIONS = ("float64", "float32")
N_STG, N_RNN = 400, 200


class NoConstants(NamedTuple):
    unused: float = 0.0


@scalar
def floor_start(initial, constants):
    x0, x1, x2, x3 = initial
    return x0, x1, x2, x3, x0


@scalar
def neuron_floor(v):
    """The five exponentials of a neuron with a synapse."""
    return sigmoid(v) + exp(-v * v) + sigmoid(v + v) + sigmoid(-v) + sigmoid(v * v)


@scalar
def floor_step(state, parameters, noise, drive, task, constants):
    v0, v1, v2, v3, v4 = state
    x0, x1, x2, x3, x4 = noise
    return (
        neuron_floor(v0) + x0, neuron_floor(v1) + x1, neuron_floor(v2) + x2, neuron_floor(v3) + x3,
        neuron_floor(v4) + x4,
    ), ()  # fmt: skip


@scalar
def floor_statistic(state, observed, task, constants):
    v0, v1, v2, v3, v4 = state
    return (v0 + v1 + v2 + v3 + v4,), ()


@scalar
def floor_readout(state, drive, constants):
    return state


STG_FLOOR = Simulator(
    name="stg_floor", n_parameters=2, n_states=5, n_tangents=0, n_noise=5, n_drive=0, n_readout=5, lanes=16,
    start=floor_start, step=floor_step, tangent=None, readout=floor_readout, statistic=floor_statistic,
)  # fmt: skip


def draw(circuit, n, precision="float64"):
    return circuit.support.from_line(np.random.default_rng(0).standard_normal((n, circuit.support.dim)))[0].astype(
        precision
    )


class STG:
    """n = 400."""

    params = PRECISIONS
    param_names = ("precision",)
    timeout = 300

    def setup(self, precision):
        self.circuit, self.precision = ne.circuits.STG(), precision
        self.z = draw(self.circuit, N_STG, precision)
        self.value_and_jacobian()
        self.circuit.statistics(self.z, precision=precision)

    def value_and_jacobian(self):
        return self.circuit.statistics_and_jacobian(self.z, precision=self.precision)

    def time_value_and_jacobian(self, precision):
        self.value_and_jacobian()

    def time_value(self, precision):
        self.circuit.statistics(self.z, precision=precision)

    def peakmem_value_and_jacobian(self, precision):
        self.value_and_jacobian()

    def track_ratio_to_random_numbers_and_exponentials(self, precision):
        drive = np.empty((self.circuit.steps + 1, 0), self.z.dtype)
        return ratio_of_times(
            self.value_and_jacobian,
            lambda: STG_FLOOR.statistics(self.z, (1, 2), 0, 1, drive, NoConstants(), False),
        )

    track_ratio_to_random_numbers_and_exponentials.unit = "times (aim: at most 2.5)"

    def track_cold_compilation(self, precision):
        """Seconds from an empty cache to the first statistics and Jacobian, above the import."""
        code = (
            "import time, numepi as ne\n"
            "circuit = ne.circuits.STG(); start = time.perf_counter()\n"
            f"circuit.statistics_and_jacobian([[6.0, 1.0]], precision={precision!r})\n"
            "print(time.perf_counter() - start)"
        )
        with tempfile.TemporaryDirectory() as cache:
            environment = os.environ | {"NUMBA_CACHE_DIR": cache}
            answer = subprocess.run(
                [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
            )
        return float(answer.stdout)

    track_cold_compilation.unit = "s"


class STGScaling:
    """Seconds against parameters and steps: lines."""

    params = (("n", "steps"), (1, 2, 4, 8))
    param_names = ("quantity", "factor")

    def setup(self, quantity, factor):
        self.circuit = ne.circuits.STG(steps=150 * (factor if quantity == "steps" else 1))
        self.z = draw(self.circuit, 64 * (factor if quantity == "n" else 1))
        self.circuit.statistics_and_jacobian(self.z)

    def time_value_and_jacobian(self, quantity, factor):
        self.circuit.statistics_and_jacobian(self.z)


class RankTwoRNN:
    """n = 200 networks."""

    params = (2, 10, 50, 100, 250, 1000)
    param_names = ("n_neurons",)

    def setup(self, n_neurons):
        self.circuit = ne.circuits.RankTwoRNN(n_neurons)
        self.z = draw(self.circuit, N_RNN)
        self.circuit.statistics_and_jacobian(self.z)

    def time_value_and_jacobian(self, n_neurons):
        self.circuit.statistics_and_jacobian(self.z)

    def peakmem_value_and_jacobian(self, n_neurons):
        self.circuit.statistics_and_jacobian(self.z)


class RankTwoRNNPerNeuron:
    """Cost per neuron of N = 1000 (D = 4000) over that of N = 100, side by side."""

    def setup(self):
        self.small, self.large = ne.circuits.RankTwoRNN(100), ne.circuits.RankTwoRNN(1000)
        self.z_small, self.z_large = draw(self.small, N_RNN), draw(self.large, N_RNN)

    def track_ratio(self):
        return 0.1 * ratio_of_times(
            lambda: self.large.statistics_and_jacobian(self.z_large),
            lambda: self.small.statistics_and_jacobian(self.z_small),
        )

    track_ratio.unit = "times (aim: at most 2)"
