"""
Figure 4: task switching in the superior colliculus
===================================================

Figure 4 of the paper and its supplements: two regimes of rapid task switching in the superior colliculus.

The fit is the dual solver's; what the paper's Algorithm 1 ends with is in optimisation_traces.py.  Modes are followed
as in the paper, by continuation from sW = 1 with all other weights free.  Beside them the two regimes are sought,
without modes, in circuits of the exact solution along the simulator's own most sensitive direction.
"""

# sphinx_gallery_thumbnail_path = "docs/findings/figure4-sc.png"
import matplotlib as mpl
import numpy as np
from paper import Findings, read_options, sc_panels
from paper.sc import circuits, fit, mode_path, responses

mpl.use("Agg")
import matplotlib.pyplot as plt

import numepi as ne
from numepi import analysis
from numepi.analysis import sc
from numepi.circuits.sc.connectivity import eigenvalues

_NAMES = ("sW", "vW", "hW", "dW")
_SPREAD = np.array([0.88, 0.91, 0.50, 0.88])
_MEAN = np.array([-0.54, -3.73, -1.53, -1.79])


def main():
    """Fit, follow the modes, perturb, compare with brute force, draw."""
    options = read_options(__doc__)
    table = Findings("Figure 4: superior colliculus", options)
    circuit = ne.circuits.SC(trials=40 if options.quick else 200)
    result = fit(circuit, options)
    q = result.distribution
    z, log_q = q.sample_with_log_prob(500 if options.quick else 3000, rng=1)
    f = circuit.statistics(z, rng=1)

    _distribution(result, z, f, table)
    path, found, densest = mode_path(q)
    _path(path, found, densest, circuit, table)
    _metric(circuit, path, found, table)
    moved = _perturbations(circuit, path, found, table, options)
    _regimes(circuit, circuits(result, options.quick), table)
    _figures(z, log_q, f, path, found, moved, circuit, options)
    table.note()
    table.note("![4C: samples in all pairs of weights with modes by continuation and v1](figure4-c.png)")
    table.note()
    table.note(
        "![4C: modes and v1, accuracies; 4-S1: linear correlations; 4D: accuracies along v1, task, diag; 4-S3B: along "
        "all, side](figure4-sc.png)"
    )
    table.close()


def _distribution(result, z, f, table):
    """Statistics, moments, the bend, and linear trends (supplement 1)."""
    table.add(
        "accuracy in Pro and Anti", "0.75 +- 0.075 each",
        f"{f[:, 0].mean():.3f} +- {f[:, 0].std():.3f}, {f[:, 1].mean():.3f} +- {f[:, 1].std():.3f}",
        np.all(np.abs(f.mean(axis=0) - 0.75) < 0.015) and np.all(np.abs(f.std(axis=0) - 0.075) < 0.01),
    )  # fmt: skip
    mean, spread = z.mean(axis=0), z.std(axis=0)
    table.add(
        "mean of (sW, vW, hW, dW)", "(-0.54, -3.73, -1.53, -1.79) (exact)", _row(mean),
        np.all(np.abs(mean - _MEAN) < 0.5 * _SPREAD),
    )  # fmt: skip
    table.add("standard deviations", "(0.88, 0.91, 0.50, 0.88) (exact)", _row(spread), np.all(spread > 0.5 * _SPREAD))
    table.add("entropy (nats)", "1.03 (exact)", f"{result.entropy:.2f}")
    high = z[:, 0] > np.quantile(z[:, 0], 0.6)
    low = z[:, 0] < np.quantile(z[:, 0], 0.4)
    bends = [np.corrcoef(z[part, 0], z[part, 2])[0, 1] for part in (high, low)]
    table.add(
        "bend: sW and hW anti-correlated at high sW, correlated at low", "r < 0, r > 0",
        f"r = {bends[0]:.2f}, {bends[1]:.2f}", bends[0] < 0 < bends[1],
    )  # fmt: skip
    trends = analysis.linear_trends(z, f, _NAMES, ("p_pro", "p_anti"))
    table.add(
        "linear trends miss the structure: greatest r^2 of an accuracy against a weight", "weak",
        f"{np.max(trends.r**2):.2f}", np.max(trends.r**2) < 0.5,
    )  # fmt: skip


def _path(path, found, densest, circuit, table):
    """Modes by continuation over sW, the sensitivity dimension along them, and the densest points of the slices."""
    accuracy = ne.circuits.SC(**{**circuit.settings, "trials": 2000}).statistics(path.z, rng=4)
    table.note()
    table.note("| sW | mode z* (sW, vW, hW, dW) | v1 (hW < 0) | eigenvalue | p_pro | p_anti | nats below the densest |")
    table.note("|---|---|---|---|---|---|---|")
    for i, value in enumerate(path.values):
        row = (f"{value:.2f}", _row(path.z[i]), _row(found.v1[i]), f"{found.eigenvalues[i, 0]:.0f}")
        cells = (*row, *(f"{p:.2f}" for p in accuracy[i]), f"{path.below_best[i]:.2f}")
        table.note("| " + " | ".join(cells) + " |")
    table.add(
        "4C: modes z*(sW) by continuation from sW = 1 to -1, all other weights free: ends (sW, vW, hW, dW)", "drawn",
        f"{_row(path.z[0])} to {_row(path.z[-1])}",
    )  # fmt: skip
    middle = np.argmin(np.abs(path.values))
    table.add(
        "4C: accuracies at the modes (sW = 1, 0, -1)", "near 0.75",
        "; ".join(_row(accuracy[i]) for i in (0, middle, -1)),
        np.all(np.abs(accuracy - 0.75) < 0.12),
    )  # fmt: skip
    turn = np.degrees(np.arccos(np.clip(np.sum(found.v1[0] * found.v1[-1]), -1, 1)))
    table.add("4C: v1 turns between sW = 1 and sW = -1", "distinctly", f"by {turn:.0f} degrees", turn > 30)
    table.add(
        "the densest point of each slice by itself: dW for sW = 1 to -1; of them within 0.05 of the bound vW = -5", "-",
        f"{_row(densest[:, 3])}; {np.sum(densest[:, 1] < -4.95)} of {len(densest)}; the path above is up to "
        f"{path.below_best.max():.1f} nats less dense",
    )  # fmt: skip
    table.note()
    table.note(
        "The densest point of a slice by itself hops between ridges that differ by tenths of a nat, as much as the fit "
        "ripples: which one it takes is a matter of the fit. Continuation stays on one."
    )


def _metric(circuit, path, found, table):
    """How far the Hessian of the flow and the simulator's metric agree on the sensitive plane."""
    metric = analysis.simulator_metric(circuit, path.z, circuit.emergent_property(), draws=5)
    inside = np.sum(np.einsum("nj,nij->ni", found.v1, metric.vectors[:, :2]) ** 2, axis=1)
    table.add(
        "share of v1 within the plane in which the simulator's accuracies change", "-",
        f"median {np.median(inside):.2f}, least {inside.min():.2f}", np.median(inside) > 0.8,
    )  # fmt: skip


def _perturbations(circuit, path, found, table, options):
    """Accuracy along v1 and the eigenmodes, from the ends of the path: regime 1 (sW = 1) and regime 2 (sW = -1)."""
    ends, directions = path.z[[0, -1]], analysis.sc.eigenmode_directions()
    deltas = np.linspace(-0.25, 0.25, 5 if options.quick else 11)
    moved = analysis.perturb(
        circuit, ends, {"v1": found.v1[[0, -1]], **directions}, deltas, trials=None if options.quick else 1000, rng=5
    )
    middle = len(deltas) // 2

    def change(direction, regime, task):
        p = moved.along(direction)[regime, :, task]
        return p[-1] - p[middle], p[0] - p[middle]

    pro = [change("v1", regime, 0) for regime in range(2)]
    table.add(
        "Pro accuracy rises monotonically along v1 in both regimes", "yes",
        "; ".join(f"{up:+.2f} at +0.25, {down:+.2f} at -0.25" for up, down in pro),
        all(up > 0 > down for up, down in pro),
    )  # fmt: skip
    (up1, down1), (up2, down2) = (change("v1", regime, 1) for regime in range(2))
    table.add(
        "Anti accuracy falls both ways along v1 in regime 1", "yes", f"{up1:+.2f}, {down1:+.2f}",
        max(up1, down1) < -0.05,
    )  # fmt: skip
    table.add(
        "Anti accuracy rises along v1 with Pro accuracy in regime 2", "yes", f"{up2:+.2f}, {down2:+.2f}",
        up2 > 0.05 and down2 < -0.05,
    )  # fmt: skip
    task = [change("task", regime, 1)[1] for regime in range(2)]
    table.add(
        "less lambda_task lowers Anti accuracy in regime 1", "yes", f"{task[0]:+.2f} at -0.25", task[0] < 0,
    )  # fmt: skip
    diag = [change("diag", regime, 1) for regime in range(2)]
    table.add(
        "more lambda_diag changes Anti accuracy in opposite ways in the two regimes", "opposite",
        f"{diag[0][0]:+.2f}, {diag[1][0]:+.2f}", diag[0][0] < -0.03 and diag[1][0] > 0.03,
    )  # fmt: skip
    spread = eigenvalues(ends[0] + deltas[-1] * directions["task"]) - eigenvalues(ends[0])
    table.add(
        "v_task changes lambda_task alone", "exactly", _row(spread), np.allclose(spread, [0, 0, 2 * deltas[-1], 0]),
        fitted=False,
    )  # fmt: skip
    return moved


def _regimes(circuit, z, table):
    """The two regimes in circuits of the exact solution, along the simulator's own sensitive direction."""
    kind, diag = responses(circuit, z)
    high, low = z[:, 0] > 0.25, z[:, 0] < -0.5
    table.add(
        f"without modes: {len(z)} circuits of the exact solution, sW > 0.25: Anti accuracy falls both ways",
        "regime 1", _kinds(kind[high]), np.mean(kind[high] == 0) > 0.7,
    )  # fmt: skip
    table.add(
        "without modes: sW < -0.5: Anti accuracy rises with Pro accuracy", "regime 2", _kinds(kind[low]),
        np.mean(kind[low] == 1) > 0.5,
    )  # fmt: skip
    first, second = diag[high & (kind == 0)].mean(), diag[low & (kind == 1)].mean()
    table.add(
        "without modes: more lambda_diag (+0.25) changes Anti accuracy in these two kinds", "opposite",
        f"{first:+.2f}, {second:+.2f}", first < 0 < second,
    )  # fmt: skip


def _kinds(kind):
    counts = np.bincount(kind, minlength=len(sc.RESPONSES)) / max(len(kind), 1)
    return ", ".join(f"{name} {share:.0%}" for name, share in zip(sc.RESPONSES, counts))


def _figures(z, log_q, f, path, found, moved, circuit, options):
    """4C: all pairs of weights, and accuracies; 4-S1; 4D."""
    title = "4C: samples of the fit, and its modes\nby continuation from sW = 1"
    pairs = sc_panels.path_in_pairs(z, path.z, 0.6 * found.v1, title, log_q)
    pairs.savefig(options.out / "figure4-c.png", dpi=80)
    figure, axes = plt.subplots(2, 5, figsize=(18.5, 7.2), layout="constrained")
    points = ne.plotting.plane(z, log_q, (0, 2), _NAMES, ax=axes[0, 0]).collections[-1]
    ne.plotting.mode_points(path, (0, 2), ax=axes[0, 0])
    ne.plotting.arrows(found, (0, 2), scale=0, ax=axes[0, 0])
    figure.colorbar(points, ax=axes[0, 0], label="log density (nats)", extend="min")
    axes[0, 0].set_title("4C: modes (yellow: sW = 1) and v1 there", fontsize=9)
    _accuracies_of_modes(axes[0, 1], path, circuit)
    ne.plotting.statistic_clouds(f, circuit.emergent_property(), ("Pro accuracy", "Anti accuracy"), ax=axes[0, 2])
    axes[0, 0].set(xlim=(-3, 2), ylim=(-3.5, -0.2))  # a few of the samples lie far out
    axes[0, 2].set(xlim=(0.4, 1), ylim=(0.4, 1.1), title="4C: accuracies")
    trends = analysis.linear_trends(z, f, _NAMES, ("p_pro", "p_anti"))
    ne.plotting.trend_matrix(trends, ax=axes[0, 3])
    axes[0, 3].set_title("4-S1: linear correlation\n(in brackets: p > 0.05)", fontsize=9)
    axes[0, 4].remove()
    for ax, direction in zip(axes[1], ("v1", "task", "diag", "all", "side")):
        for statistic, task, style in ((0, "Pro", "-"), (1, "Anti", "--")):
            labels = [f"{task}, sW = {value}" for value in ("1", "−1")]
            before = len(ax.lines)
            ne.plotting.perturbation_curves(moved, direction, statistic, labels, ax=ax)
            for line in ax.lines[before:]:
                line.set_linestyle(style)
        ax.set(ylabel="accuracy (s.e. below 0.016)", ylim=(0, 1))
        panel = "4-S3B" if direction in ("all", "side") else "4D"
        ax.set_title(f"{panel}: along {direction}, from modes at sW = ±1", fontsize=9)
    axes[1, 0].legend(fontsize=8, frameon=False, loc="lower right")
    figure.savefig(options.out / "figure4-sc.png", dpi=80)


def _accuracies_of_modes(ax, path, circuit):
    """Accuracies at the modes, with their standard errors."""
    trials = circuit.settings["trials"]
    accuracy = circuit.statistics(path.z, rng=4)
    error = np.sqrt(accuracy * (1 - accuracy) / trials)  # at the most
    for task, name in enumerate(("Pro", "Anti")):
        style = {"fmt": "o-", "capsize": 3, "color": ne.plotting.COLOURS[task], "label": name}
        ne.plotting.tidy(ax).errorbar(path.values, accuracy[:, task], error[:, task], **style)
    ax.axhline(0.75, color="0.7", linewidth=0.8)
    ax.set(xlabel="sW of the mode", ylabel="accuracy (s.e.)", ylim=(0.4, 1), title="4C: accuracies at the modes")
    ax.legend(fontsize=8, frameon=False)


def _row(values):
    return "(" + ", ".join(f"{v:.2f}" for v in values) + ")"


if __name__ == "__main__":
    main()
