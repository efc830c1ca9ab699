"""What the scripts of the gallery share: options, a table, a figure of the activity, a fit."""

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import numepi as ne

__all__ = ["run"]


def run(name, model, z, mean, variance, description):
    """Simulate a model at ``z`` (n, D), draw it, and infer its parameters for a property (not with ``--quick``)."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="simulate and draw only")
    parser.add_argument("--seed", type=int, default=0, help="names every random number (default 0)")
    parser.add_argument("--out", type=Path, default=Path("out"), help="directory for figures (default out)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    print(model)
    for row, values in zip(z, model.statistics(z, rng=options.seed)):
        at = ", ".join(f"{n} = {v:g}" for n, v in zip(model.parameter_names, row))
        print(f"  {at}: " + ", ".join(f"{n} = {v:.4g}" for n, v in zip(model.statistic_names, values)))
    figure = ne.plotting.activity(model.simulate(z, rng=options.seed))[0, 0].figure
    figure.savefig(options.out / f"{name}.png", dpi=110)
    plt.close(figure)
    if options.quick:
        return
    prop = ne.EmergentProperty(mean=mean, variance=variance)
    result = ne.infer(model, prop, rng=options.seed)
    print(result)
    result.save(options.out / f"{name}.npz")
    samples = result.sample(2000, rng=1)
    log_density = result.distribution.log_prob(samples)
    figure = ne.plotting.pairs(samples, log_density, model.parameter_names, model.support)[0, 0].figure
    figure.savefig(options.out / f"{name}-pairs.png", dpi=110)
    plt.close(figure)
