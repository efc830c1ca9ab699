"""Make the fits by the paper's procedure that docs/findings/fits stores, one after the other::

    cd examples && python -m paper --out ../out

Nothing is read from the documentation.  What ``--out`` holds is kept, and a fit that was begun there goes on from its
checkpoint: a killed run is started again by the same command.
"""

import argparse
from pathlib import Path

from paper import procedures
from paper.fits import best


def main():
    """Fit each problem with seeds 0, 1, ..., and say which seed is the answer."""
    parser = argparse.ArgumentParser(
        prog="python -m paper", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=list(procedures.ALL), default=list(procedures.ALL))
    parser.add_argument("--seeds", type=int, help="of each, from --seed on (default: the paper's, or what is stored)")
    parser.add_argument("--seed", type=int, default=0, help="the first (default 0)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="directory of fits and checkpoints (default out)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    options.quick, options.refit = False, True
    for name in options.only:
        results = procedures.ALL[name](
            options, options.seeds or max(procedures.PAPER_SEEDS[name], procedures.SEEDS[name])
        )
        answer = best(results)
        for seed, result in enumerate(results, options.seed):
            met = "passes" if result.ended["met"] else "does not pass"
            chosen = ", the answer" if result is answer else ""
            print(f"{name}, seed {seed}: {met} the paper's test, {result.entropy:.2f} nats{chosen}")


main()
