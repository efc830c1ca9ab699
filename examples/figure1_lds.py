"""Figure 1 of the paper: two-dimensional linear systems that oscillate near 1 Hz, and their analytic contours.

Prints what the paper said beside what numepi finds, and saves the pair plot and the contours.
"""

import argparse
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import numepi as ne

EXACT_ENTROPY = 7.040  # nats, by quadrature
QUICK = {"final_rounds": 2, "round_size": 2000, "fit_steps": 50, "refine_steps": 50, "refine_size": 100}


def main():
    """Infer, print the table, save the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run that shows the machinery")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("out"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    circuit = ne.circuits.LDS()
    prop = circuit.emergent_property()
    result = ne.infer(circuit, prop, rng=options.seed, **(QUICK if options.quick else {}))
    print(result)

    z = result.sample(4000, rng=1)
    f = circuit.statistics(z)
    trace, product = z[:, 0] + z[:, 3], z[:, 1] * z[:, 2]
    rows = [
        ("mean growth rate (1/s)", "0", f"{f[:, 0].mean():.3f}"),
        ("standard deviation of it", "0.25", f"{f[:, 0].std():.3f}"),
        ("mean frequency (rad/s)", "6.28", f"{f[:, 1].mean():.3f}"),
        ("standard deviation of it", "0.63", f"{f[:, 1].std():.3f}"),
        ("growth is half the trace: correlation", "1", f"{np.corrcoef(f[:, 0], trace / 2)[0, 1]:.3f}"),
        ("oscillation: share with a12 a21 < 0", "1", f"{np.mean(product < 0):.3f}"),
        ("share of the mode a12 > 0", "0.5 (exact)", f"{np.mean(z[:, 1] > 0):.3f}"),
        ("entropy (nats)", f"{EXACT_ENTROPY} (exact)", f"{result.entropy:.3f}"),
    ]
    print(f"\n{'':38}  {'paper, exact':>14}  {'numepi finds':>14}")
    for name, paper, found in rows:
        print(f"{name:38}  {paper:>14}  {found:>14}")

    log_density = result.distribution.log_prob(z)
    pairs, _ = ne.plotting.pairs(z, log_density, circuit.parameter_names, circuit.support)
    contours, _ = ne.plotting.lds_contours(z, log_density, circuit, prop)
    for name, figure in (("pairs", pairs), ("contours", contours)):
        figure.savefig(options.out / f"figure1-{name}.png", dpi=110)


if __name__ == "__main__":
    main()
