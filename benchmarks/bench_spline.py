"""Spline flow: compiled passes against the autograd definition and against real NVP; how closely each fits the LDS."""

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad
from scipy.special import logsumexp

import numepi as ne
from benchmarks.side_by_side import ratio_of_times
from numepi.flow import FlowDistribution
from numepi.inference.optimiser import Adam

FLOWS = {
    "real-nvp-6x50": lambda support, precision: ne.RealNVP(support, stages=6, precision=precision),
    "spline-6x32": lambda support, precision: ne.SplineFlow(support, stages=6, hidden=(32, 32), precision=precision),
    "spline-one-8x32": lambda support, precision: ne.SplineFlow(
        support, stages=8, hidden=(32, 32), moved=1, precision=precision
    ),
}


class _Case:
    """A flow of four coordinates at random parameters, 500 samples."""

    def __init__(self, name, precision):
        self.flow = FLOWS[name](ne.Support([-10.0] * 4, [10.0] * 4), precision)
        rng = np.random.default_rng(0)
        self.theta = self.flow.initial_parameters(0) + 0.05 * rng.standard_normal(self.flow.n_parameters)
        self.base = rng.standard_normal((500, 4))
        self.z, _ = self.flow.sample(self.theta, self.base)
        self.weight = np.full(500, 1 / 500)

    def density(self):
        return self.flow.log_prob_with_pullback(self.theta, self.z)[1](self.weight)[0]

    def sampling(self):
        return self.flow.sample_with_pullback(self.theta, self.base)[2](self.z, self.weight)

    def defined_density(self):
        def loss(theta):
            return anp.sum(self.flow.log_prob_definition(theta, self.z) * self.weight)

        return value_and_grad(loss)(self.theta)[1]


class ValueAndGradient:
    """500 samples, D = 4, as the dual solver's fits take them."""

    params = (list(FLOWS), ["float64", "float32"])
    param_names = ("flow", "precision")

    def setup(self, name, precision):
        self.case = _Case(name, precision)
        self.other = _Case("real-nvp-6x50", precision)
        self.case.density(), self.case.sampling()

    def time_density(self, name, precision):
        self.case.density()

    def time_sampling(self, name, precision):
        self.case.sampling()

    def track_density_time_over_real_nvp(self, name, precision):
        return ratio_of_times(self.case.density, self.other.density)

    track_density_time_over_real_nvp.unit = "times"

    def track_speedup_over_definition(self, name, precision):
        return ratio_of_times(self.case.defined_density, self.case.density, repeats=5)

    track_speedup_over_definition.unit = "times"


class Hessian:
    """Second derivatives of log q at 500 points, D = 4."""

    params = (list(FLOWS),)
    param_names = ("flow",)

    def setup(self, name):
        case = _Case(name, "float64")
        self.distribution, self.z = FlowDistribution(case.flow, case.theta), case.z
        self.distribution.hessian(self.z)

    def time_hessian(self, name):
        self.distribution.hessian(self.z)


class FitToTheExactSolution:
    """Maximum likelihood on samples of the LDS's exact solution: what the family itself can represent."""

    params = (list(FLOWS),)
    param_names = ("flow",)
    timeout = 600
    eta = np.array([0.0, 0.26, -8.0, -1.19])  # science: section 4.1
    steps, batch, rate = 2500, 500, 2e-3

    def setup_cache(self):
        """Exact samples by rejection, and log Z, from uniform draws."""
        circuit, rng = ne.circuits.LDS(), np.random.default_rng(0)
        volume, kept, log_weights = float(np.prod(circuit.support.width)), [], []
        for _ in range(20):
            z = rng.uniform(circuit.support.lower, circuit.support.upper, (500_000, 4))
            log_weight = self._log_weight(circuit, z)
            # The exponent is at most eta_2^2 / (4 x 1.19) beyond eta_2 x 2 pi.
            kept.append(z[np.log(rng.random(len(z))) < log_weight - (0.26 * 2 * np.pi + 0.26**2 / 4.76)])
            log_weights.append(logsumexp(log_weight))
        log_z = logsumexp(log_weights) - np.log(20 * 500_000) + np.log(volume)
        samples = np.concatenate(kept)
        return {name: self._fit(circuit, flow, samples, log_z) for name, flow in FLOWS.items()}

    def _log_weight(self, circuit, z):
        f = circuit.statistics(z)
        return np.stack([f[:, 0], f[:, 1], f[:, 0] ** 2, (f[:, 1] - 2 * np.pi) ** 2], axis=1) @ self.eta

    def _fit(self, circuit, make_flow, samples, log_z):
        flow, rng = make_flow(circuit.support, "float32"), np.random.default_rng(1)
        theta = flow.initial_parameters(0)
        optimiser = Adam(flow.n_parameters, clip_norm=5.0)
        for step in range(self.steps):
            rate = self.rate * 0.03 ** max(0.0, 5 * step / self.steps - 4)
            rows = rng.integers(len(samples), size=self.batch)
            _, pullback = flow.log_prob_with_pullback(theta, samples[rows])
            theta = optimiser.step(theta, pullback(np.full(self.batch, -1 / self.batch))[0], rate)
        z, log_q = FlowDistribution(flow, theta).sample_with_log_prob(200_000, rng=2)
        return {"kl": float(np.mean(log_q - self._log_weight(circuit, z)) + log_z), "mode": float((z[:, 1] > 0).mean())}

    def track_kl_to_the_exact_solution(self, answers, name):
        return answers[name]["kl"]

    track_kl_to_the_exact_solution.unit = "nats"

    def track_share_of_one_mode(self, answers, name):
        return answers[name]["mode"]

    track_share_of_one_mode.unit = "share (exact: 0.5)"
