"""What a budget of simulations buys: distance from the maximum-entropy solution against rows, all of them counted.

``python -m benchmarks.bench_budget lds:1000 lds:default stg:5000`` prints a line a fit for seeds 0 to 2;
``python -m benchmarks.bench_budget --properties lds`` one for each of twenty random properties of the linear system,
``--properties stg`` for each of ten of the stomatogastric circuit.

KL(q || p*) of the linear system is exact but for the draws it is taken over; of other circuits the entropy's distance
from that of docs/method.md is given, and the certificate's KL.
"""

import argparse
import time

import numpy as np
from scipy.stats import qmc

import numepi as ne
from benchmarks.bench_solvers import CIRCUITS, EXACT_ENTROPY, worst_violation
from numepi.inference.dual_problem import minimise_dual

SEEDS = (0, 1, 2)
BARS = {  # issue of budgets: nats (KL, or entropy below the exact one) at rows
    "lds": {"1000": 0.20, "5000": 0.08, "default": 0.05},
    "stg": {"5000": 0.10, "default": 0.05},
    "v1": {"5000": 0.10, "default": 0.06},
    "sc": {"default": 0.15},
    "rnn10": {"50000": 0.48},
}
_KL_DRAWS = 300_000
_QUADRATURE = 21  # log2 of the points of a Sobol sequence on the support, whose weights make an exact solution


class Exact:
    """The maximum-entropy solution of a noiseless circuit on a box, from a Sobol sequence on it."""

    def __init__(self, circuit, prop):
        support, self.circuit = circuit.support, circuit
        low, high = np.array(support.lower), np.array(support.upper)
        z = low + (high - low) * qmc.Sobol(support.dim, seed=0).random_base2(_QUADRATURE)
        self.constraints = prop.constraints(circuit.statistic_names)
        violation = self.violation(z)
        step = minimise_dual(violation, np.zeros(len(z)), np.zeros(violation.shape[1]), 50.0)
        assert step.optimal, "the quadrature is too coarse for this property"
        self.eta = step.eta
        exponent = violation @ step.eta
        self.entropy = float(np.log(np.mean(np.exp(exponent - exponent.max()))) + exponent.max())
        self.entropy += float(np.log(high - low).sum())

    def violation(self, z):
        """(T - mu_opt) / scale (n, m)."""
        T = self.constraints.sufficient_statistics(self.circuit.statistics(z))
        return (T - self.constraints.target) / self.constraints.scale

    def kl(self, result):
        """KL(q || p*) in nats."""
        z, log_q = result.distribution.sample_with_log_prob(_KL_DRAWS, rng=1)
        return float(np.mean(log_q - self.violation(z) @ self.eta) + self.entropy)


def fit(circuit, prop, rows, seed):
    """A result from so many rows ("default": no limit), and the CPU seconds that it took."""
    begun = time.process_time()
    limit = None if rows == "default" else int(rows)
    result = ne.infer(circuit, prop, rng=seed, progress=False, max_simulations=limit)
    return result, time.process_time() - begun


def paper_property(name):
    """Circuit and property of a name of `bench_solvers.CIRCUITS`; V1's at 5 Hz."""
    circuit = CIRCUITS[name]()
    return circuit, circuit.emergent_property(mean=5.0) if name == "v1" else circuit.emergent_property()


def random_properties(name):
    """Properties that the defaults were not made for."""
    generator = np.random.default_rng(0)
    if name == "lds":
        for _ in range(20):
            mean = generator.uniform([-2.0, 0.5 * np.pi], [1.0, 2.5 * np.pi])
            deviation = generator.uniform([0.15, 0.3], [0.6, 1.2])
            yield ne.EmergentProperty(mean=list(mean), variance=list(deviation**2))
    else:
        for _ in range(10):
            mean, deviation = generator.uniform([0.4, 0.02], [0.7, 0.06])
            yield ne.EmergentProperty(mean=[mean], variance=[deviation**2])


def line(result, seconds, distance):
    """What is printed of a fit."""
    certificate = result.certificate
    return (
        f"{result.status:16}  rows {result.n_simulations:6,}  distance {distance:6.3f}  certificate "
        f"{certificate.kl:.3f} +- {certificate.kl_stderr:.3f}{'' if certificate.reliable else ' not reliable'}  worst "
        f"violation {worst_violation(result):.2f}  surrogate {result.surrogate:.2f}  CPU {seconds:.1f} s"
    )


def budget_fit(name, rows, seed):
    """Result, CPU seconds, and nats from the solution."""
    circuit, prop = paper_property(name)
    result, seconds = fit(circuit, prop, rows, seed)
    distance = Exact(circuit, prop).kl(result) if name == "lds" else EXACT_ENTROPY[name] - result.entropy
    return result, seconds, distance


class Budget:
    """The worst of three seeds at each budget; benchmarks.BARS says what it should be."""

    timeout = 6000
    params = tuple(f"{name}:{rows}" for name, bars in BARS.items() for rows in bars)
    param_names = ("circuit:rows",)

    def setup_cache(self):
        return {case: [self._fit(case, seed) for seed in SEEDS] for case in self.params}

    @staticmethod
    def _fit(case, seed):
        name, rows = case.split(":")
        result, seconds, distance = budget_fit(name, rows, seed)
        return distance, worst_violation(result), result.n_simulations, seconds

    def track_distance(self, fits, case):
        return max(each[0] for each in fits[case])

    track_distance.unit = "nats"

    def track_worst_violation(self, fits, case):
        return max(each[1] for each in fits[case])

    track_worst_violation.unit = "tolerances"

    def track_rows(self, fits, case):
        return max(each[2] for each in fits[case])

    track_rows.unit = "rows"

    def track_cpu_time(self, fits, case):
        return max(each[3] for each in fits[case])

    track_cpu_time.unit = "s"


class RandomProperties:
    """Twenty properties of the linear system with default settings."""

    timeout = 6000

    def setup_cache(self):
        circuit = ne.circuits.LDS()
        found = []
        for prop in random_properties("lds"):
            result, _ = fit(circuit, prop, "default", 0)
            found.append((result.success, Exact(circuit, prop).kl(result)))
        return found

    def track_successes(self, found):
        return sum(success for success, _ in found)

    track_successes.unit = "of 20"

    def track_median_kl(self, found):
        return float(np.median([kl for _, kl in found]))

    track_median_kl.unit = "nats"

    def track_worst_kl(self, found):
        return max(kl for _, kl in found)

    track_worst_kl.unit = "nats"


def main():
    """Print a line a fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", help="circuit:rows, rows a number or 'default'")
    parser.add_argument("--properties", choices=("lds", "stg"), help="random properties of this circuit")
    options = parser.parse_args()
    for case in options.cases:
        name, rows = case.split(":")
        for seed in SEEDS:
            result, seconds, distance = budget_fit(name, rows, seed)
            print(f"{case:12} seed {seed}: {line(result, seconds, distance)}", flush=True)
    if options.properties:
        circuit = CIRCUITS[options.properties]()
        for number, prop in enumerate(random_properties(options.properties)):
            result, seconds = fit(circuit, prop, "default", 0)
            kl = Exact(circuit, prop).kl(result) if options.properties == "lds" else result.certificate.kl
            print(f"{options.properties} property {number}: {line(result, seconds, kl)}", flush=True)


if __name__ == "__main__":
    main()
