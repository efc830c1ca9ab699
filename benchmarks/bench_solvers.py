"""Quality of the answers against exact solutions, for both solvers.

The exact values come from quadrature (LDS) or from importance sampling with the noise in T averaged (docs/method.md).
"""

import time

import numpy as np

import numepi as ne

EXACT_ENTROPY = {"lds": 7.040, "stg": 1.41, "v1": -5.36, "sc": 1.03, "rnn2": -1.81, "rnn10": 25.88}
CIRCUITS = {
    "lds": ne.circuits.LDS,
    "stg": ne.circuits.STG,
    "v1": ne.circuits.V1,
    "sc": ne.circuits.SC,
    "rnn2": lambda: ne.circuits.RankTwoRNN(2),
    "rnn10": lambda: ne.circuits.RankTwoRNN(10),
}


def answer(name, solver, seed, **settings):
    circuit = CIRCUITS[name]()
    start = time.perf_counter()
    result = ne.infer(circuit, circuit.emergent_property(), rng=seed, solver=solver, progress=False, **settings)
    worst = np.max(np.abs(result.constraint - result.constraint_target) / result.constraint_tolerance)
    return {
        "seconds": time.perf_counter() - start,
        "simulations": result.n_simulations,
        "violation": float(worst),
        "entropy": result.entropy,
        "entropy gap": EXACT_ENTROPY[name] - result.entropy,
        "kl": result.certificate.kl,
        "half": float(np.mean(result.sample(20_000, rng=1)[:, 1] > 0)),
        "message": result.message,
    }


class LDS:
    """The linear system, seeds 0 to 9, default settings of the dual solver."""

    timeout = 3000
    params = tuple(range(10))
    param_names = ("seed",)

    def setup_cache(self):
        return {seed: answer("lds", "dual", seed) for seed in self.params}

    def track_kl(self, answers, seed):
        return answers[seed]["kl"]

    track_kl.unit = "nats"

    def track_mode_share(self, answers, seed):
        return answers[seed]["half"]

    track_mode_share.unit = "share of a12 > 0 (exact: 0.5)"

    def track_worst_violation(self, answers, seed):
        return answers[seed]["violation"]

    track_worst_violation.unit = "tolerances"

    def track_simulations(self, answers, seed):
        return answers[seed]["simulations"]


class Circuits:
    """Every circuit once with default settings."""

    timeout = 3000
    params = ("stg", "v1", "sc", "rnn2", "rnn10")
    param_names = ("circuit",)

    def setup_cache(self):
        return {name: answer(name, "dual", 0) for name in self.params}

    def track_entropy_gap(self, answers, name):
        return answers[name]["entropy gap"]

    track_entropy_gap.unit = "nats below the exact entropy"

    def track_worst_violation(self, answers, name):
        return answers[name]["violation"]

    def track_kl(self, answers, name):
        return answers[name]["kl"]

    def track_seconds(self, answers, name):
        return answers[name]["seconds"]


class AlgorithmOne:
    """The paper's method on the LDS, default settings, for comparison."""

    timeout = 3000
    params = (0, 1)
    param_names = ("seed",)

    def setup_cache(self):
        return {seed: answer("lds", "augmented-lagrangian", seed) for seed in self.params}

    def track_entropy_gap(self, answers, seed):
        return answers[seed]["entropy gap"]

    def track_mode_share(self, answers, seed):
        return answers[seed]["half"]

    def track_simulations(self, answers, seed):
        return answers[seed]["simulations"]


COLUMNS = ("entropy", "entropy gap", "kl", "violation", "half", "simulations", "seconds")


def table(names=tuple(CIRCUITS), seeds=(0,), solver="dual"):
    """Print a row for each circuit and seed."""
    print("circuit", "seed", *COLUMNS, sep=" | ")
    for name in names:
        for seed in seeds:
            row = answer(name, solver, seed)
            print(name, seed, *(f"{row[column]:.6g}" for column in COLUMNS), sep=" | ", flush=True)


if __name__ == "__main__":
    import sys

    table(sys.argv[1:] or tuple(CIRCUITS))
