"""Fits of a single parameter against exact densities by quadrature: KL by problem, and what the flow's settings do."""

import autograd.numpy as anp
import numpy as np

import numepi as ne
from numepi.flow.couplings.spline import elementwise as spline

CELLS = 1_000_000
# Statistic, mean, variance (None: free) and bounds; open sides are integrated as far as the densities reach.
PROBLEMS = {
    "bell": (lambda z: z, 0.5, 0.04, -2.0, 2.0),
    "bell at the bound": (lambda z: z, 1.8, 0.04, -2.0, 2.0),
    "two modes": (lambda z: z**2, 1.0, 0.02, -2.0, 2.0),
    "a hundredth of the support": (lambda z: z, 0.313, 1e-4, -2.0, 2.0),
    "six modes": (lambda z: anp.sin(5 * z), 0.3, 0.1, -2.0, 2.0),
    "mean alone": (lambda z: z, 1.5, None, -2.0, 2.0),
    "line": (lambda z: z, 3.0, 4.0, -np.inf, np.inf),
    "half-line": (anp.log, 1.0, 0.25, 0.0, np.inf),
}
FAR = (-40.0, 60.0)


def exact_log_density(statistic, mean, variance, low, high):
    """Log p*(z) as a function of z (n, 1): the dual, minimised by Newton on a grid."""
    low, high = max(low, FAR[0]), min(high, FAR[1])
    z = low + (np.arange(CELLS) + 0.5) / CELLS * (high - low)
    scales = [np.sqrt(variance or 1.0)] + ([variance] if variance else [])

    def T(z):
        f = statistic(z) - mean
        return np.stack([f] + ([f**2 - variance] if variance else []), axis=1) / scales

    values, eta = T(z), np.zeros(len(scales))
    if variance:
        eta[1] = -0.5
    width = (high - low) / CELLS

    def dual(eta):
        logs = values @ eta
        weights = np.exp(logs - logs.max())
        return logs.max() + np.log(weights.sum() * width), weights / weights.sum()

    value, weights = dual(eta)
    for _ in range(200):
        gradient = weights @ values
        if np.abs(gradient).max() < 1e-10:
            break
        covariance = (values * weights[:, None]).T @ values - np.outer(gradient, gradient)
        step, size = -np.linalg.solve(covariance, gradient), 1.0
        while size > 1e-9 and dual(eta + size * step)[0] > value:
            size /= 2
        eta = eta + size * step
        value, weights = dual(eta)
    return lambda z: T(z[:, 0]) @ eta - value


def exact_kl(problem, rng, flow_settings=None, n=100_000):
    """KL(q || p*) in nats of a default fit, and whether it says that it succeeded."""
    statistic, mean, variance, low, high = PROBLEMS[problem]
    circuit = ne.circuits.FunctionCircuit(statistic, ne.Support([low], [high]), statistic_names=["f"])
    prop = ne.EmergentProperty([mean], [variance])
    flow = ne.ElementwiseFlow(circuit.support, **(flow_settings or {}))
    result = ne.infer(circuit, prop, rng=rng, flow=flow, progress=False)
    z, log_q = result.distribution.sample_with_log_prob(n, rng=1)
    return float(np.mean(log_q - exact_log_density(*PROBLEMS[problem])(z))), result.success


class OneParameter:
    """Default fits."""

    params = sorted(PROBLEMS)
    param_names = ("problem",)
    timeout = 300

    def track_kl(self, problem):
        """Worst of seeds 0 to 2."""
        return max(exact_kl(problem, rng)[0] for rng in range(3))


if __name__ == "__main__":  # the choice of stages, bins and gain: python -m benchmarks.bench_one_parameter
    for gain in (3.0, 10.0, 30.0):
        for stages, bins in ((1, 16), (1, 32), (2, 16), (3, 8)):
            spline.GAIN = gain
            ends = [exact_kl(problem, 0, {"stages": stages, "bins": bins}) for problem in PROBLEMS]
            print(gain, stages, bins, " ".join(f"{kl:.4f}{'' if success else '!'}" for kl, success in ends), flush=True)
