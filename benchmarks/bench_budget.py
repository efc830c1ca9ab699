"""What a budget of simulations buys: distance from the maximum-entropy solution against rows, all of them counted.

``python -m benchmarks.bench_budget lds:1000 lds:default stg:5000`` prints a line a fit for seeds 0 to 2;
``python -m benchmarks.bench_budget --properties lds`` one for each of twenty random properties of the linear system,
``--properties stg`` for each of ten of the stomatogastric circuit.

KL(q || p*) of the linear system, STG, V1 and the models of equations is exact but for the draws it is taken over
(`benchmarks.exact`); of other circuits the entropy's distance from that of docs/method.md is given, and the
certificate's KL.  The worst violation and the entropy are those of 20,000 fresh draws of parameters and noise, whatever
the run saw; a distance by entropy is by the run's own draws.
"""

import argparse
import time
from functools import cache

import numpy as np

import numepi as ne
from benchmarks.bench_solvers import CIRCUITS, EXACT_ENTROPY, worst_violation
from benchmarks.budget_models import PROBLEMS
from benchmarks.exact import Exact

SEEDS = (0, 1, 2)
BARS = {  # issue of budgets: nats (KL, or entropy below the exact one) at rows
    "lds": {"1000": 0.20, "5000": 0.08, "default": 0.05},
    "stg": {"5000": 0.10, "default": 0.05},
    "v1": {"5000": 0.10, "default": 0.06},
    "sc": {"default": 0.15},
    "rnn10": {"50000": 0.48},
    "lotka-volterra": {"1000": 0.10},
    "lif": {"1000": np.nan},  # what is asked: mean within 5 %, variance within 15 % (1.5 tolerances)
    "morris-lecar": {"5000": 0.1},
}
_FRESH = 20_000  # draws that constraints are measured on


def fit(circuit, prop, rows, seed):
    """A result from so many rows ("default": no limit), and the CPU seconds that it took."""
    begun = time.process_time()
    limit = None if rows == "default" else int(rows)
    result = ne.infer(circuit, prop, rng=seed, progress=False, max_simulations=limit)
    return result, time.process_time() - begun


def problem(name):
    """Circuit and property of a name of `PROBLEMS` or of `bench_solvers.CIRCUITS`."""
    if name in PROBLEMS:
        return PROBLEMS[name].build()
    circuit = CIRCUITS[name]()
    return circuit, circuit.emergent_property()


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


def line(result, rows, seconds, nats):
    """What is printed of a fit."""
    certificate = result.certificate
    return (
        f"{result.status:16}  rows {rows:6,}  distance {nats:6.3f}  certificate "
        f"{certificate.kl:.3f} +- {certificate.kl_stderr:.3f}{'' if certificate.reliable else ' not reliable'}  worst "
        f"violation {worst_violation(result):.2f}  surrogate {result.surrogate:.2f}  entropy {result.entropy:.3f}  "
        f"means {result.statistic_mean.round(3)}  variances {result.statistic_variance.round(4)}  CPU {seconds:.1f} s"
    )


def budget_fit(name, rows, seed):
    """Result with its constraints on fresh draws, rows that it took, CPU seconds, and nats from the solution."""
    circuit, prop = problem(name)
    result, seconds = fit(circuit, prop, rows, seed)
    return result.score(_FRESH, rng=1), result.n_simulations, seconds, distance(name, result)


@cache
def exact(name):
    """The solution of a name of `PROBLEMS`."""
    model = PROBLEMS[name]
    return Exact(*model.build(), model.points, model.replicates)


def distance(name, result):
    """KL(q || p*) where a quadrature knows p*, else how far the entropy is below the exact one."""
    if name in PROBLEMS:
        return exact(name).kl(result.distribution, PROBLEMS[name].draws)
    return EXACT_ENTROPY[name] - result.entropy


class Budget:
    """The worst of three seeds at each budget; `BARS` says what it should be."""

    timeout = 6000
    params = tuple(f"{name}:{rows}" for name, bars in BARS.items() for rows in bars)
    param_names = ("circuit:rows",)

    def setup_cache(self):
        return {case: [self._fit(case, seed) for seed in SEEDS] for case in self.params}

    @staticmethod
    def _fit(case, seed):
        name, rows = case.split(":")
        result, n_simulations, seconds, nats = budget_fit(name, rows, seed)
        return nats, worst_violation(result), n_simulations, seconds

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
            found.append((result.success, Exact(circuit, prop).kl(result.distribution)))
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
    parser.add_argument("--seeds", type=int, nargs="*", default=SEEDS)
    parser.add_argument("--properties", choices=("lds", "stg"), help="random properties of this circuit")
    options = parser.parse_args()
    for case in options.cases:
        name, rows = case.split(":")
        for seed in options.seeds:
            print(f"{case:12} seed {seed}: {line(*budget_fit(name, rows, seed))}", flush=True)
    if options.properties:
        circuit = CIRCUITS[options.properties]()
        for number, prop in enumerate(random_properties(options.properties)):
            result, seconds = fit(circuit, prop, "default", 0)
            model = PROBLEMS[options.properties]
            kl = Exact(circuit, prop, model.points, model.replicates).kl(result.distribution, model.draws)
            said = line(result, result.n_simulations, seconds, kl)
            print(f"{options.properties} property {number}: {said}", flush=True)


if __name__ == "__main__":
    main()
