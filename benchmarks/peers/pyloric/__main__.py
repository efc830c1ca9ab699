"""Ask all methods, and write the table into docs/pyloric.md.

``python -m benchmarks.peers.pyloric`` does all (extra ``peers``); runs that are stored in ``results.json`` beside it
are not repeated, so that with all of them there it only writes the table.
"""

import argparse
import json
import time
from pathlib import Path

from benchmarks.peers.pyloric.methods import chains, infer
from benchmarks.peers.pyloric.npe import npe
from benchmarks.peers.pyloric.question import ROOT, box, judge, metered, pyloric, survey_cost
from benchmarks.peers.pyloric.report import write

METHODS = {"npe": npe, "chains": chains, "infer": infer}
STORED = Path(__file__).with_name("results.json")


def run(method, rows, seed):
    """A record of one run: what its answer is like, simulations, and processor seconds of these and of the rest."""
    known = box()
    pyloric.survey(1, 0)  # compiles
    with metered() as meter:
        begun = time.process_time()
        answer = METHODS[method](known, rows, seed)
        draw = answer.pop("draw")
        draw(1)
        learning = time.process_time() - begun - meter.seconds
    return {
        "method": method, "seed": seed, "asked": rows, "rows": meter.rows, "box": len(known.z),
        "simulation": meter.seconds, "learning": learning,
    } | answer | judge(draw, seed)  # fmt: skip


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.pyloric", description=__doc__)
    parser.add_argument("--methods", nargs="*", default=tuple(METHODS), choices=tuple(METHODS))
    parser.add_argument("--rows", type=int, default=3072, help="simulations beside the stored ones (default 3072)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    stored = json.loads(STORED.read_text()) if STORED.exists() else {"survey": survey_cost(options.seed), "runs": []}
    known = {(r["method"], r["asked"], r["seed"]) for r in stored["runs"]}
    for method in options.methods:
        if (method, options.rows, options.seed) not in known:
            stored["runs"].append(run(method, options.rows, options.seed))
            print(stored["runs"][-1], flush=True)
            STORED.write_text(json.dumps(stored, indent=1) + "\n")
    write(stored, ROOT / "docs/pyloric.md")


if __name__ == "__main__":
    main()
