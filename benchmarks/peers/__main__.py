"""Run the race, one process after the other, and write tables and figures into the docs.

``python -m benchmarks.peers`` does N = 2, 5, 10 and the linear system; ``--problems rnn25 rnn50 sc --limit 3600`` more.
Runs that are stored in ``--runs`` are not repeated, and sections of the page without a run stay as they are.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
METHODS = (
    "prior", "rejection", "reweighting", "dual", "augmented_lagrangian", "particles", "npe", "npe_with_noise",
    "smc_abc",
)  # fmt: skip
WITHOUT = {"lds": ("smc_abc", "npe_with_noise"), "sc": ("smc_abc", "npe_with_noise", "rejection", "reweighting")}


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--problems", nargs="*", default=["rnn2", "rnn5", "rnn10", "lds"])
    parser.add_argument("--methods", nargs="*", default=METHODS, choices=METHODS)
    parser.add_argument("--limit", type=float, default=50, help="CPU seconds of each run (default 50)")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0])
    parser.add_argument("--runs", type=Path, default=ROOT / "benchmarks/peers/runs", help="where runs are stored")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where peers.md and figures/ are")
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    for name in options.problems:
        for seed in options.seeds:
            for method in options.methods:
                path = options.runs / f"{name}-{method}-{seed}.json"
                if method not in WITHOUT.get(name, ()) and not path.exists():
                    print(f"{path.stem}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
                    call = ["-m", "benchmarks.peers.run", name, method, str(seed), str(options.limit), str(path)]
                    subprocess.run([sys.executable, *call], check=True, cwd=ROOT)
    from benchmarks.peers.report import write

    write([json.loads(path.read_text()) for path in sorted(options.runs.glob("*.json"))], options.docs)


if __name__ == "__main__":
    main()
