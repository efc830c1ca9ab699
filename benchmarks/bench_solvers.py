"""Quality of the answers against exact solutions, for both solvers.

The exact values come from quadrature (LDS) or from importance sampling with the noise in T averaged (docs/method.md).
"""

import time

import numpy as np

import numepi as ne

EXACT_ENTROPY = {"lds": 7.040, "stg": 1.41, "v1": -5.38, "sc": 1.03, "rnn2": -1.81, "rnn10": 25.88}
LDS_MULTIPLIERS = np.array([0.00, 0.26, -8.0, -1.19])  # of (Re, Im, Re^2, (Im - 2 pi)^2), by quadrature
CIRCUITS = {
    "lds": ne.circuits.LDS,
    "stg": ne.circuits.STG,
    "v1": ne.circuits.V1,
    "sc": ne.circuits.SC,
    "rnn2": lambda: ne.circuits.RankTwoRNN(2),
    "rnn10": lambda: ne.circuits.RankTwoRNN(10),
    "rnn50": lambda: ne.circuits.RankTwoRNN(50),
    "rnn100": lambda: ne.circuits.RankTwoRNN(100),
}


FLOWS = {
    "real NVP, 6 affine couplings": lambda circuit: ne.RealNVP(circuit.support, stages=6),
    "spline": lambda circuit: ne.SplineFlow(circuit.support),
    "directional": lambda circuit: ne.DirectionalFlow(circuit.support, circuit.parameter_vectors),
    "symmetric": lambda circuit: ne.SymmetricFlow(circuit.support, circuit.sign_symmetries),
}
SERVED = {  # which flows can serve a circuit
    "lds": ("real NVP, 6 affine couplings", "spline"),
    "stg": ("real NVP, 6 affine couplings", "spline"),
    "v1": ("real NVP, 6 affine couplings", "spline"),
    "sc": ("real NVP, 6 affine couplings", "spline"),
    "rnn2": tuple(FLOWS),
    "rnn10": ("real NVP, 6 affine couplings", "spline", "directional"),
}


def upward_crossings():
    """The STG with an integer statistic: how often the hub's potential crosses 0 V upwards."""
    stg = ne.circuits.STG()

    def statistic(z, rng):
        hub = stg.simulate(z, rng=rng).values[..., 2]
        return np.sum((hub[:, :-1] < 0) & (hub[:, 1:] >= 0), axis=1)[:, None].astype(float)

    return ne.circuits.FunctionCircuit(statistic, stg.support, statistic_names=("crossings",), differentiable=False)


def worst_violation(result):
    """|E[T] - mu_opt| of the worst constraint, in tolerances, on 20,000 fresh draws of parameters and noise."""
    return float(np.max(np.abs(result.constraint - result.constraint_target) / result.constraint_tolerance))


def answer(name, solver, seed, flow=None, **settings):
    circuit = CIRCUITS[name]()
    if flow is not None:
        settings["flow"] = FLOWS[flow](circuit) if isinstance(flow, str) else flow
    start = time.perf_counter()
    result = ne.infer(circuit, circuit.emergent_property(), rng=seed, solver=solver, progress=False, **settings)
    seconds = time.perf_counter() - start
    z = result.sample(20_000, rng=1)
    return {
        "seconds": seconds,
        "simulations": result.n_simulations,
        "violation": worst_violation(result),
        "entropy": result.entropy,
        "entropy gap": EXACT_ENTROPY.get(name, np.nan) - result.entropy,
        "kl": result.certificate.kl,
        "half": float(np.mean(z[:, 1] > 0)),
        "last sd": z[:, -2:].std(axis=0).tolist(),
        "message": result.message,
    }


class _Answers:
    """What every suite of answers tracks; ``answers`` is a dict by the suite's parameters."""

    timeout = 10_000

    def track_entropy(self, answers, *which):
        return _one(answers, which)["entropy"]

    track_entropy.unit = "nats"

    def track_entropy_gap(self, answers, *which):
        return _one(answers, which)["entropy gap"]

    track_entropy_gap.unit = "nats below the exact entropy, NaN where that is unknown"

    def track_kl(self, answers, *which):
        return _one(answers, which)["kl"]

    track_kl.unit = "nats, NaN where the certificate has next to no samples"

    def track_worst_violation(self, answers, *which):
        return _one(answers, which)["violation"]

    track_worst_violation.unit = "tolerances"

    def track_mode_share(self, answers, *which):
        return _one(answers, which)["half"]

    track_mode_share.unit = "share of positive second parameters (exact for the LDS: 0.5)"

    def track_simulations(self, answers, *which):
        return _one(answers, which)["simulations"]

    def track_seconds(self, answers, *which):
        return _one(answers, which)["seconds"]


def _one(answers, which):
    return answers[which if len(which) > 1 else which[0]]


class LDS(_Answers):
    """The linear system, seeds 0 to 9, default settings of the dual solver."""

    params = tuple(range(10))
    param_names = ("seed",)

    def setup_cache(self):
        return {seed: answer("lds", "dual", seed) for seed in self.params}


class Circuits(_Answers):
    """Every circuit once with default settings."""

    params = ("stg", "v1", "sc", "rnn2", "rnn10")
    param_names = ("circuit",)

    def setup_cache(self):
        return {name: answer(name, "dual", 0) for name in self.params}

    def track_free_noise(self, answers, name):
        return min(answers[name]["last sd"]) if name == "v1" else np.nan

    track_free_noise.unit = "lesser s.d. of sigma_S and sigma_V (uniform: 0.144)"


class Flows(_Answers):
    """What each flow that can serve a circuit reaches under the dual solver, and in what time."""

    params = tuple(f"{name}: {flow}" for name, flows in SERVED.items() for flow in flows)
    param_names = ("circuit: flow",)

    def setup_cache(self):
        return {f"{name}: {flow}": answer(name, "dual", 0, flow) for name, flows in SERVED.items() for flow in flows}


class AlgorithmOne(_Answers):
    """The paper's method on the LDS, default settings, for comparison."""

    params = (0, 1)
    param_names = ("seed",)

    def setup_cache(self):
        return {seed: answer("lds", "augmented-lagrangian", seed) for seed in self.params}


class Networks(_Answers):
    """Large networks: the dual solver, and Algorithm 1 with the paper's settings in twice the time, in the same run."""

    params = ((50, 100), ("dual", "augmented-lagrangian"))
    param_names = ("neurons", "solver")

    def setup_cache(self):
        answers = {}
        for n in self.params[0]:
            name, settings = f"rnn{n}", CIRCUITS[f"rnn{n}"]().paper_settings()
            answers[n, "dual"] = answer(name, "dual", 0)
            settings |= {"precision": "float32", "max_time": 2 * answers[n, "dual"]["seconds"]}
            answers[n, "augmented-lagrangian"] = answer(name, "augmented-lagrangian", 0, **settings)
        return answers


class Crossings:
    """A statistic without a gradient: four upward crossings on average, variance 1/4."""

    timeout = 3000

    def setup_cache(self):
        prop = ne.EmergentProperty(mean=[4.0], variance=[0.25])
        result = ne.infer(upward_crossings(), prop, rng=0, gradient="none", progress=False)
        return worst_violation(result), result.certificate.kl

    def track_worst_violation(self, answer):
        return answer[0]

    track_worst_violation.unit = "tolerances"

    def track_kl(self, answer):
        return answer[1]

    track_kl.unit = "nats"


class CertificateAccuracy:
    """Estimated against exact KL of twenty linear systems, fitted from 1,000 simulations."""

    timeout = 3000
    n_fits = 20

    def setup_cache(self):
        circuit = ne.circuits.LDS()
        prop = circuit.emergent_property()
        answers = []
        for seed in range(self.n_fits):
            result = ne.infer(circuit, prop, rng=seed, progress=False, max_simulations=1000)
            z = result.sample(200_000, rng=1)
            constraints = prop.constraints(circuit.statistic_names)
            violation = constraints.sufficient_statistics(circuit.statistics(z)) - constraints.target
            log_p = violation @ LDS_MULTIPLIERS - EXACT_ENTROPY["lds"]
            exact = np.mean(result.distribution.log_prob(z) - log_p)
            answers.append((result.certificate.kl, result.certificate.kl_stderr, float(exact)))
        return answers

    def track_within_two_stderr(self, answers):
        return sum(abs(kl - exact) <= 0.05 + 2 * stderr for kl, stderr, exact in answers)

    track_within_two_stderr.unit = "of 20 within 0.05 + 2 standard errors"

    def track_largest_error(self, answers):
        return max(abs(kl - exact) for kl, _, exact in answers)

    track_largest_error.unit = "nats"


COLUMNS = ("entropy", "entropy gap", "kl", "violation", "half", "simulations", "seconds")


def table(names=tuple(CIRCUITS), seeds=(0,), solver="dual", flow=None):
    """Print a row for each circuit and seed."""
    print("circuit", "seed", *COLUMNS, sep=" | ")
    for name in names:
        for seed in seeds:
            row = answer(name, solver, seed, flow)
            print(name, seed, *(f"{row[column]:.6g}" for column in COLUMNS), sep=" | ", flush=True)


if __name__ == "__main__":
    import sys

    table(sys.argv[1:] or tuple(CIRCUITS))
