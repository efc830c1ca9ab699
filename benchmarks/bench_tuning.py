"""What each setting of the dual solver is worth: halved and doubled, on three problems, nats from the solution.

``python -m benchmarks.bench_tuning lds:default --settings learning_rate growth`` prints a line a fit: the defaults,
then each setting halved and doubled (of a number just below one its distance from one, of a growth what exceeds one).
Without ``--settings`` all are tried.  A setting that changes nothing anywhere should not be one.
"""

import argparse
import time
from dataclasses import fields

import numepi as ne
from benchmarks.bench_budget import distance, problem
from benchmarks.bench_solvers import worst_violation
from numepi.inference.dual.settings import Settings

CASES = ("lds:default", "stg:default", "rnn10:50000")
FACTORS = (0.5, 2.0)
_NEAR_ONE = 0.9
_GROWTHS = ("growth", "slow_growth")
NOT_TUNED = ("kl", "max_failed_fraction")  # what the user asks for


def names():
    """Settings that steer an answer."""
    return [field.name for field in fields(Settings) if field.name not in NOT_TUNED]


def changed(name, factor):
    """The default of a setting times ``factor``: an integer where it is one, and within its bounds."""
    value = getattr(Settings(), name)
    if name in _GROWTHS:
        return 1 + factor * (value - 1)
    if isinstance(value, int):
        return max(1, round(factor * value))
    return 1 - factor * (1 - value) if _NEAR_ONE < value < 1 else factor * value


def tuned_fit(case, settings, seed=0):
    """Nats from the solution, worst violation in tolerances, rows, CPU seconds."""
    name, rows = case.split(":")
    circuit, prop = problem(name)
    begun = time.process_time()
    limit = None if rows == "default" else int(rows)
    result = ne.infer(circuit, prop, rng=seed, progress=False, max_simulations=limit, **settings)
    seconds = time.process_time() - begun
    return distance(name, result), worst_violation(result), result.n_simulations, seconds


class Tuning:
    """Every setting, halved and doubled, on every case: one seed."""

    timeout = 6000
    params = (CASES, tuple(names()), FACTORS)
    param_names = ("circuit:rows", "setting", "factor")

    def track_distance(self, case, name, factor):
        return tuned_fit(case, {name: changed(name, factor)})[0]

    track_distance.unit = "nats"


def main():
    """Print a line a fit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=CASES, help="circuit:rows, rows a number or 'default'")
    parser.add_argument("--settings", nargs="*", default=names(), choices=names())
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for case in options.cases:
        tries = [{}, *({name: changed(name, factor)} for name in options.settings for factor in FACTORS)]
        for settings in tries:
            nats, violation, rows, seconds = tuned_fit(case, settings, options.seed)
            what = ", ".join(f"{name} = {value:g}" for name, value in settings.items()) or "defaults"
            print(
                f"{case} {what}: distance {nats:.3f}, worst violation {violation:.2f}, {rows:,} rows, "
                f"CPU {seconds:.1f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
