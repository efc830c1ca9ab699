"""Draws docs/figures/scaling.png: processor time of value and Jacobian against n, trials, steps and D.

Run as ``NUMBA_NUM_THREADS=1 python -m benchmarks.plot_scaling docs/figures/scaling.png`` from the repository's root.
"""

import sys
import time

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

import numepi as ne
from numepi.plotting.style import COLOURS, tidy

FACTORS = (1, 2, 4, 8)


def processor_time(circuit, n, repeats=5):
    """Least processor time of a call, in milliseconds: other work on the machine hardly changes it."""
    z, _ = circuit.support.from_line(0.3 * np.random.default_rng(0).normal(size=(n, circuit.support.dim)))
    circuit.statistics_and_jacobian(z)
    times = []
    for _ in range(repeats):
        start = time.process_time()
        circuit.statistics_and_jacobian(z)
        times.append(time.process_time() - start)
    return 1e3 * min(times)


def curves():
    """For each panel, for each circuit: the abscissae and the times."""
    c = ne.circuits
    yield (
        "parameters n",
        {
            "SC": [(25 * k, processor_time(c.SC(), 25 * k)) for k in FACTORS],
            "V1": [(25 * k, processor_time(c.V1(), 25 * k)) for k in FACTORS],
            "STG": [(100 * k, processor_time(c.STG(), 100 * k)) for k in FACTORS],
        },
    )
    yield (
        "trials",
        {
            "SC": [(100 * k, processor_time(c.SC(trials=100 * k), 25)) for k in FACTORS],
            "V1": [(100 * k, processor_time(c.V1(trials=100 * k), 25)) for k in FACTORS],
        },
    )
    yield (
        "steps",
        {
            "V1": [(200 * k, processor_time(c.V1(steps=200 * k), 25)) for k in FACTORS],
            "STG": [(300 * k, processor_time(c.STG(steps=300 * k), 100)) for k in FACTORS],
        },
    )
    yield "dimensions D", {"RNN": [(4 * k, processor_time(c.RankTwoRNN(k), 200)) for k in (100, 200, 400, 1000)]}


def main(path):
    """Measure, draw, and print the exponents of the fitted power laws."""
    figure, axes = plt.subplots(1, 4, figsize=(12, 3.2), layout="constrained", sharey=True)
    colours = dict(zip(("SC", "V1", "STG", "RNN"), COLOURS))
    for ax, (label, circuits) in zip(axes, curves()):
        tidy(ax).loglog([1, 10], [1, 10], "--", color="0.5", linewidth=0.9, label="linear")
        for name, points in circuits.items():
            x, y = np.array(points).T
            slope = np.polyfit(np.log(x), np.log(y), 1)[0]
            print(f"{label}, {name}: {dict(zip(x.astype(int).tolist(), y.round(2).tolist()))} ms, exponent {slope:.2f}")
            ax.loglog(x / x[0], y / y[0], "o-", color=colours[name], label=f"{name}, {x[0]:.0f}: {y[0]:.1f} ms")
        ax.set_xlabel(f"{label}, times the first")
        ax.set_xticks([1, 2, 4, 8], ["1", "2", "4", "8"])
        ax.set_yticks([1, 2, 4, 8], ["1", "2", "4", "8"])
        ax.minorticks_off()
        ax.legend(fontsize=8, frameon=False, loc="upper left")
    axes[0].set_ylabel("processor time, times the first")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main(sys.argv[1])
