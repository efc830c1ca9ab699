"""Figure 2A, 2B (race) and 2C with supplement 3 (predictions) of the paper, re-made."""

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import NullFormatter

__all__ = ["predictions", "race"]

_COLOURS = {
    "rejection": "0.6", "reweighting": "k", "dual": "tab:blue", "augmented_lagrangian": "tab:cyan",
    "particles": "tab:purple", "npe": "tab:orange", "npe_with_noise": "tab:red", "smc_abc": "tab:green", "prior": "0.8",
}  # fmt: skip


def race(times, labels, path):
    """CPU seconds and simulations to the two criteria against N; ``times`` as of the page's tables, for each N."""
    figure, axes = plt.subplots(2, 2, figsize=(9, 6.5), sharex=True, sharey="row", layout="constrained")
    for column, criterion in enumerate(("paper", "fair")):
        for row in range(2):
            axis = axes[row, column]
            for method, colour in _COLOURS.items():
                points = [(n, run[row]) for n in times for run in times[n][method][criterion] if method != "prior"]
                if points:
                    axis.plot(*zip(*points), "o-", color=colour, label=labels[method])
            axis.set(xscale="log", yscale="log")
            axis.set_xticks(list(times), map(str, times), minor=False)
            axis.xaxis.set_minor_formatter(NullFormatter())
        axes[0, column].set_title({"paper": "|E f − μ| < 0.5", "fair": "means to 0.1 σ, variances to 20 %"}[criterion])
        axes[1, column].set_xlabel("neurons N")
    axes[0, 0].set_ylabel("CPU seconds")
    axes[1, 0].set_ylabel("simulations")
    handles = {t: h for axis in axes.flat for h, t in zip(*axis.get_legend_handles_labels())}
    if handles:
        figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=3, fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def predictions(records, labels, path):
    """What the networks of each answer do: their two statistics, and those of the property."""
    rows = sorted({int(r["problem"][3:]) for r in records if r["problem"].startswith("rnn")})
    shown = [m for m in labels if any(r["method"] == m and "f" in r for r in records)]
    size = (1.6 * len(shown), 1.7 * max(len(rows), 1) + 0.5)
    figure, axes = plt.subplots(max(len(rows), 1), len(shown), figsize=size, squeeze=False, layout="constrained")
    for i, n in enumerate(rows):
        for axis, method in zip(axes[i], shown):
            run = next((r for r in records if r["problem"] == f"rnn{n}" and r["method"] == method), None)
            axis.set(xlim=(-1, 2), ylim=(-0.2, 3.2))
            axis.add_patch(plt.Polygon([(-1, 1), (1, 1), (1, 3.2), (-1, 3.2)], color="0.92", lw=0))
            if run is not None and "f" in run:
                axis.plot(*np.array(run["f"]).T, ".", ms=2, color=_COLOURS[method])
            angle = np.linspace(0, 2 * np.pi, 60)
            axis.plot(0.5 + 0.5 * np.cos(angle), 1.5 + 0.5 * np.sin(angle), "k", lw=0.8)  # two standard deviations
            axis.tick_params(labelsize=6)
            if i == 0:
                axis.set_title(labels[method].replace(": ", ":\n").replace(", ", ",\n"), fontsize=7)
        axes[i, 0].set_ylabel(f"N = {n}\nλ₁ˢ", fontsize=7)
    for axis in axes[-1]:
        axis.set_xlabel("Re λ₁", fontsize=7)
    figure.savefig(path, dpi=110)
    plt.close(figure)
