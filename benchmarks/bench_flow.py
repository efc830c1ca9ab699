"""Flow: compiled passes against the autograd definition, side by side, and derivatives in z."""

import os
import subprocess
import sys
from pathlib import Path

import autograd.numpy as anp
import numpy as np
from autograd import hessian, value_and_grad

from benchmarks.side_by_side import ratio_of_times
from numepi.flow import FlowDistribution, LensFlow, RealNVP
from numepi.support import Support


class _Case:
    """A flow at random parameters: loss = mean log q + mean z . a, its value and gradient each way."""

    def __init__(self, flow, n):
        self.flow, dim = flow, flow.dim
        rng = np.random.default_rng(0)
        self.theta = self.flow.initial_parameters(0) + 0.05 * rng.standard_normal(self.flow.n_parameters)
        self.base = rng.standard_normal((n, dim))
        self.grad_z = rng.standard_normal((n, dim)) / n
        self.grad_log_q = np.full(n, 1 / n)
        self.z, _ = self.flow.sample(self.theta, self.base)
        self.distribution = FlowDistribution(self.flow, self.theta)

    def fused_sampling(self):
        _, _, pullback = self.flow.sample_with_pullback(self.theta, self.base)
        return pullback(self.grad_z, self.grad_log_q)

    def fused_density(self):
        _, pullback = self.flow.log_prob_with_pullback(self.theta, self.z)
        return pullback(self.grad_log_q)[0]

    def defined_sampling(self):
        def loss(theta):
            z, log_q = self.flow.sample_definition(theta, self.base)
            return anp.sum(z * self.grad_z) + anp.sum(log_q * self.grad_log_q)

        return value_and_grad(loss)(self.theta)[1]

    def defined_density(self):
        def loss(theta):
            return anp.sum(self.flow.log_prob_definition(theta, self.z) * self.grad_log_q)

        return value_and_grad(loss)(self.theta)[1]


def _couplings(dim, hidden, n, precision="float64"):
    """The case of the paper's flow in ``dim`` dimensions."""
    return _Case(RealNVP(Support([-10.0] * dim, [10.0] * dim), stages=3, hidden=hidden, precision=precision), n)


class ValueAndGradient:
    """D = 4 with the LDS flow, D = 400 with that of the RNN of 100 neurons."""

    params = ([4, 400], ["float64", "float32"], ["sampling", "density"])
    param_names = ("dim", "precision", "direction")

    def setup(self, dim, precision, direction):
        case = _couplings(dim, *(((50, 50), 500) if dim == 4 else ((100, 100), 200)), precision)
        self.fused, self.defined = getattr(case, f"fused_{direction}"), getattr(case, f"defined_{direction}")
        difference = np.abs(self.fused() - self.defined()).max() / np.abs(self.defined()).max()
        assert difference < (1e-10 if precision == "float64" else 1e-3)

    def time_fused(self, dim, precision, direction):
        self.fused()

    def time_autograd_definition(self, dim, precision, direction):
        self.defined()

    def track_speedup_over_definition(self, dim, precision, direction):
        # In a process of its own, where OpenBLAS has one thread: its threads spin while they wait, and on busy cores
        # the definition would lose 20 times by that.  asv has loaded NumPy before this module could say so.
        repeats = 150 if dim == 4 else 15  # a step of a millisecond needs many tries to meet two free cores
        code = (
            "from benchmarks.bench_flow import ValueAndGradient, ratio_of_times; suite = ValueAndGradient();"
            f"suite.setup({dim}, {precision!r}, {direction!r});"
            f"print(ratio_of_times(suite.defined, suite.fused, repeats={repeats}))"
        )
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
        root = Path(__file__).parents[1]
        run = subprocess.run(
            [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, text=True, check=True
        )
        return float(run.stdout)

    track_speedup_over_definition.unit = "times (bar: 4 for D = 4 in float64)"


class DerivativesInZ:
    """Gradient, Hessian and Hessian-vector product of log q for 500 points, D = 4."""

    def setup(self):
        self.case = _couplings(4, (50, 50), 500)
        self.distribution = self.case.distribution
        self.z = self.case.z
        self.v = np.ones_like(self.z)
        self.distribution.hessian(self.z)

    def time_gradient(self):
        self.distribution.gradient(self.z)

    def time_hessian(self):
        self.distribution.hessian(self.z)

    def time_hessian_vector_product(self):
        self.distribution.hessian_vector_product(self.z, self.v)

    def track_hessian_speedup_over_pointwise_autograd(self):
        def log_prob(x):
            return self.case.flow.log_prob_definition(self.case.theta, x[None])[0]

        some = self.z[:5]
        per_call = ratio_of_times(
            lambda: [hessian(log_prob)(x) for x in some], lambda: self.distribution.hessian(self.z), repeats=3
        )
        return per_call * len(self.z) / len(some)

    track_hessian_speedup_over_pointwise_autograd.unit = "times (bar: 20)"


class HighDimension:
    """D = 400, 200 points."""

    def setup(self):
        self.case = _couplings(400, (100, 100), 200)
        self.v = np.ones_like(self.case.z)
        self.case.distribution.hessian_vector_product(self.case.z, self.v)

    def time_hessian_vector_product(self):
        self.case.distribution.hessian_vector_product(self.case.z, self.v)

    def peakmem_value_and_gradient(self):
        self.case.fused_sampling()


class Lenses:
    """64 points of four vectors of 50 numbers through sixteen lens couplings: a learning step's passes."""

    params = (["sampling", "density"],)
    param_names = ("direction",)

    def setup(self, direction):
        case = _Case(LensFlow(Support([-1.0] * 200, [1.0] * 200), 4), 64)
        self.fused, self.defined = getattr(case, f"fused_{direction}"), getattr(case, f"defined_{direction}")
        assert np.abs(self.fused() - self.defined()).max() < 1e-6 * np.abs(self.defined()).max()

    def time_fused(self, direction):
        self.fused()

    def track_speedup_over_definition(self, direction):
        return ratio_of_times(self.defined, self.fused, repeats=5)

    track_speedup_over_definition.unit = "times"
