"""Spend equally many rows by each method, and write table and figure into the docs.

``python -m benchmarks.peers.rows`` does all (extra ``peers``); runs that are stored in ``results.json`` beside it are
not repeated, so that with all of them there it only draws.
"""

import argparse
import json
import time
from itertools import product
from pathlib import Path

from benchmarks.bench_budget import exact
from benchmarks.budget_models import PROBLEMS
from benchmarks.peers.rows.methods import METHODS, posterior_gap
from benchmarks.peers.rows.report import write

ROOT = Path(__file__).parents[3]
STORED = Path(__file__).with_name("results.json")
NOISY = ("stg",)
_DRAWS = 50_000  # that a KL is taken over


def run(name, method, rows, seed):
    """A record of one run."""
    solution = exact(name)
    begun = time.process_time()
    answer = METHODS[method](solution, rows, seed)
    seconds = time.process_time() - begun
    kl = solution.kl_of_draws(*answer.pop("draw")(_DRAWS))
    return {"problem": name, "method": method, "seed": seed, "asked": rows, "kl": kl, "cpu": seconds} | answer


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.rows", description=__doc__)
    parser.add_argument("--problems", nargs="*", default=["lds", "lotka-volterra", "stg"], choices=tuple(PROBLEMS))
    parser.add_argument("--methods", nargs="*", default=tuple(METHODS), choices=tuple(METHODS))
    parser.add_argument("--rows", type=int, nargs="*", default=[1000, 3000])
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    options = parser.parse_args()
    stored = json.loads(STORED.read_text()) if STORED.exists() else {"runs": [], "gaps": {}}
    known = {(r["problem"], r["method"], r["asked"], r["seed"]) for r in stored["runs"]}
    for seed, name, rows, method in product(options.seeds, options.problems, options.rows, options.methods):
        if (name, method, rows, seed) not in known:
            stored["runs"].append(run(name, method, rows, seed))
            print(stored["runs"][-1], flush=True)
            STORED.write_text(json.dumps(stored, indent=1) + "\n")
    for name in options.problems:
        if name in NOISY and name not in stored["gaps"]:
            stored["gaps"][name] = posterior_gap(exact(name))
            STORED.write_text(json.dumps(stored, indent=1) + "\n")
    write(stored, ROOT / "docs")


if __name__ == "__main__":
    main()
