"""Panels of Figures 4 and 5 that show circuits and their activity, drawn from circuits that are given."""

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit

import numepi as ne
from numepi.circuits.sc.connectivity import EIGENMODE_NAMES, EIGENMODES
from numepi.plotting import COLOURS, tidy
from numepi.plotting.style import DENSITY_MAP

__all__ = ["beside_brute_force", "eigenmodes", "panel", "path_in_pairs", "regime_responses", "silenced_responses"]

_NAMES = ("sW", "vW", "hW", "dW")
_LIMITS = ((-3.0, 2.5), (-5.0, -0.5), (-4.0, 0.0), (-5.0, 1.5))  # where next to all circuits are
_POPULATIONS = ("LP", "LA", "RP", "RA")
_TASKS = ("Pro", "Anti")
_WINDOWS = {"delay": (0.8, 1.2), "choice": (1.2, 1.8)}  # s
_REGIMES = ("regime 1, sW = 1", "regime 2, sW = −1")


def path_in_pairs(z, path_z, v1, title, log_density=None):
    """4C: circuits in all pairs of weights, the path from sW = 1 (red) to -1 (purple) and v1 at its ends."""
    order, colour = slice(None), {"color": "0.65"}
    if log_density is not None:  # the densest on top
        order = np.argsort(log_density)
        low, high = np.quantile(log_density, [0.02, 1.0])
        colour = {"c": log_density[order], "cmap": DENSITY_MAP, "vmin": low, "vmax": high}
    figure, axes = plt.subplots(4, 4, figsize=(9.5, 9), layout="constrained")
    colours = plt.cm.plasma(np.linspace(0.55, 0.1, len(path_z)))
    for (i, j), ax in np.ndenumerate(axes):
        tidy(ax)
        if i < j:
            ax.remove()
            continue
        ax.set_xlim(_LIMITS[j])
        if i == j:
            ax.hist(z[:, i], bins=30, range=_LIMITS[i], color="0.6", density=True)
            ax.set_yticks([])
        else:
            points = ax.scatter(z[order, j], z[order, i], s=7, linewidths=0, rasterized=True, **colour)
            ax.plot(path_z[:, j], path_z[:, i], color="black", linewidth=0.8, zorder=2)
            ax.scatter(path_z[:, j], path_z[:, i], c=colours, s=22, edgecolor="white", linewidth=0.5, zorder=3)
            for k in (0, len(path_z) - 1):
                tip = path_z[k, [j, i]] + v1[k, [j, i]]
                style = {"arrowstyle": "-|>", "color": colours[k], "linewidth": 1.6, "shrinkA": 0, "shrinkB": 0}
                ax.annotate("", tip, path_z[k, [j, i]], arrowprops=style, zorder=4)
            ax.set_ylim(_LIMITS[i])
        if i == 3:
            ax.set_xlabel(_NAMES[j])
        if j == 0 and i > 0:
            ax.set_ylabel(_NAMES[i])
    figure.text(0.56, 0.93, title, fontsize=11, va="top")
    key = [plt.Line2D([], [], marker="o", color=colours[k]) for k in (0, len(path_z) - 1)]
    labels = ("sW = 1; arrow: v1 there (hW < 0)", "sW = −1, likewise")
    figure.legend(key, labels, fontsize=10, frameon=False, loc="upper left", bbox_to_anchor=(0.55, 0.87))
    if log_density is not None:
        place = figure.add_axes((0.6, 0.75, 0.3, 0.012))
        figure.colorbar(points, cax=place, label="log density (nats)", orientation="horizontal", extend="min")
    return figure


def regime_responses(circuit, ends, seed):
    """4-S2: activity of both tasks at the ends of the path, correct and wrong trials apart."""
    paths = circuit.simulate(ends, rng=seed)
    values = paths.values[..., :4]  # (2 ends, 2 tasks, trials, T, populations)
    lead = values[..., -1, 0] - values[..., -1, 2]  # of the left, at the end
    lead[:, 1] *= -1
    correct, accuracy = lead > 0, expit(100 * lead).mean(axis=2)
    figure, axes = plt.subplots(2, 2, figsize=(9, 5.4), layout="constrained", sharex=True, sharey=True)
    for (row, task), ax in np.ndenumerate(axes):
        for i in range(len(_POPULATIONS)):
            for right, style in ((True, "-"), (False, "--")):
                chosen = values[row, task, correct[row, task] == right]
                if len(chosen):
                    ax.plot(paths.time, chosen[:, :, i].mean(axis=0), style, color=COLOURS[i], linewidth=1.4)
        _windows(ax, f"4-S2: {_REGIMES[row]}: {_TASKS[task]}, accuracy {accuracy[row, task]:.2f}", row == 1, task == 0)
    _population_key(figure, (("correct trials, mean", "-"), ("wrong trials", "--")))
    return figure


def silenced_responses(z, gammas, seed, trials=20):
    """5D left, 5-S2 left: mean activity of circuits z in both tasks, the delay silenced by each strength.

    Returns the figure, and the mean distance (gammas,) between Pro and Anti activity in the choice period, in which
    both tasks have the same inputs.
    """
    figure, axes = plt.subplots(
        len(gammas), 2, figsize=(9, 2.4 * len(gammas)), layout="constrained", sharex=True, sharey=True
    )
    apart = []
    for row, gamma in enumerate(gammas):
        paths = ne.circuits.SC(trials=trials, silencing=gamma).simulate(z, rng=seed)
        means = paths.values[..., :4].mean(axis=2)  # (n, tasks, T, populations)
        choice = paths.time > _WINDOWS["choice"][0] + 0.1  # the first steps still differ by the rule's trace
        apart.append(np.abs(means[:, 0] - means[:, 1])[:, choice].mean())
        for task in range(2):
            ax = axes[row, task]
            for i in range(len(_POPULATIONS)):
                low, high = np.quantile(means[:, task, :, i], [0.25, 0.75], axis=0)
                ax.fill_between(paths.time, low, high, color=COLOURS[i], alpha=0.18, linewidth=0)
                ax.plot(paths.time, means[:, task, :, i].mean(axis=0), color=COLOURS[i], linewidth=1.5)
            how = f"delay silenced, γ = {gamma:g}" if gamma else "not silenced"
            title = f"{panel(gamma)} left: {_TASKS[task]}, {how}"
            _windows(ax, title, row == len(gammas) - 1, task == 0)
    _population_key(figure, (("mean over circuits; shaded: quartiles", "-"),))
    return figure, np.array(apart)


def eigenmodes():
    """4-S3A: the four eigenvectors of every connectivity, on the populations' places."""
    figure, axes = plt.subplots(1, 4, figsize=(9, 2.4), layout="constrained")
    for ax, name, mode in zip(axes, EIGENMODE_NAMES, EIGENMODES.T):
        ax.imshow(np.array([[mode[0], mode[2]], [mode[1], mode[3]]]), cmap="RdBu_r", vmin=-0.8, vmax=0.8)
        for k, population in enumerate(_POPULATIONS):
            ax.text(k // 2, k % 2, f"{population}\n{mode[k]:+.1f}", ha="center", va="center", fontsize=10)
        ax.set_xticks((0, 1), ("left", "right"))
        ax.set_yticks((0, 1), ("Pro", "Anti"))
        ax.set_title(f"4-S3A: {name}", fontsize=11)
    return figure


def beside_brute_force(z, brute_z, f, brute_f, prop):
    """4-S5: circuits of brute force over those of the solution in pairs of weights (A), and accuracies of both (B)."""
    figure, axes = plt.subplots(2, 4, figsize=(14, 6.6), layout="constrained")
    pairs = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))
    for ax, (j, i) in zip(axes.flat, pairs):
        tidy(ax).scatter(z[:, j], z[:, i], s=9, color=COLOURS[0], linewidths=0, label=f"solution ({len(z)})")
        ax.scatter(
            brute_z[:, j], brute_z[:, i], s=14, facecolor="none", edgecolor=COLOURS[1], linewidth=0.8,
            label=f"brute force ({len(brute_z)})",
        )  # fmt: skip
        ax.set(xlabel=_NAMES[j], ylabel=_NAMES[i], xlim=_LIMITS[j], ylim=_LIMITS[i])
    axes[0, 0].set_title("4-S5A", loc="left", fontsize=10)
    axes[0, 0].legend(fontsize=8, frameon=False, loc="upper left")
    bins = np.linspace(0.45, 1.0, 23)
    for task, ax in enumerate(axes.flat[6:]):
        for values, colour, label in ((f, COLOURS[0], "solution"), (brute_f, COLOURS[1], "brute force")):
            tidy(ax).hist(
                values[:, task], bins, density=True, histtype="step", color=colour, linewidth=1.6, label=label
            )
            ax.axvline(values[:, task].mean(), color=colour, linestyle=":", linewidth=1.2)
        ax.axvline(prop.mean[task], color="0.5", linewidth=0.8)
        ax.set(xlabel=f"accuracy in {_TASKS[task]}", ylabel="density", ylim=(0, 7.5))
    axes[1, 2].set_title("4-S5B; dotted: means, grey: target", loc="left", fontsize=10)
    axes[1, 2].legend(fontsize=8, frameon=False, loc="upper left")
    return figure


def panel(gamma):
    """The paper's panel of a strength: 5-S2 is at that of the experiment, where the Anti error has risen by 7 %."""
    return "5-S2" if gamma == 0.675 else "5D"


def _windows(ax, title, is_last, is_first):
    for name, (low, high) in _WINDOWS.items():
        ax.axvspan(low, high, color="0.93" if name == "delay" else "0.97", zorder=0, linewidth=0)
        ax.text(low + 0.02, 1.02, name, fontsize=7, color="0.4")
    tidy(ax).set_title(title, fontsize=9)
    ax.set(ylim=(0, 1.08), xlabel="time (s)" if is_last else "", ylabel="activity x" if is_first else "")


def _population_key(figure, styles):
    """Above the panels: the populations' colours, and what the styles of the lines mean."""
    lines = [plt.Line2D([], [], color=COLOURS[i]) for i in range(len(_POPULATIONS))]
    lines += [plt.Line2D([], [], color="black", linestyle=style) for _, style in styles]
    names = (*_POPULATIONS, *(label for label, _ in styles))
    figure.legend(lines, names, fontsize=8, frameon=False, ncols=len(names), loc="outside upper center")
