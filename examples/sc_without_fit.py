"""
Figures 4 and 5 without a fit
=============================

Figures 4C-D and 5B, D of the paper and their supplements on the exact solution itself: no fit, so no ripple of one.

The exact maximum-entropy density is flat along the circuits whose accuracies have the target means: its ridge.  The
paper follows a mode of its flow from sW = 1 to -1 with the other weights free; here the same path is followed on the
ridge, by the least movement.  Silencing is asked of 188 circuits of the exact solution, in tests/analysis, and brute
force is 162 of 440,000 uniform draws there.
"""

# sphinx_gallery_thumbnail_path = "docs/findings/sc-without-fit.png"
import dataclasses
import itertools
from pathlib import Path

import matplotlib as mpl
import numpy as np
from paper import Findings, read_options, sc_panels
from paper.sc import VALUES, LongerDelay

mpl.use("Agg")
import matplotlib.pyplot as plt

import numepi as ne
from numepi import analysis
from numepi.analysis import sc

_STORED = Path(__file__).parents[1] / "tests" / "analysis"
_STEPS = 5  # of the path between two values of sW that the paper shows
_GAMMAS = np.linspace(0, 1, 21)
_STRONG = [-4, -2]  # 0.85 and 0.95 among them
_SHOWN_GAMMAS = (0.0, 0.675, 0.85, 0.95)  # none, the experiment's, the paper's saturation, ours
_NAMES = ("sW", "vW", "hW", "dW")


def main():
    """Follow the ridge, perturb its ends, silence, draw."""
    options = read_options(__doc__)
    table = Findings("Figures 4 and 5 without a fit: superior colliculus", options)
    z, brute_z = (np.load(_STORED / f"sc_{name}.npz")["z"].astype(float) for name in ("circuits", "brute_force"))
    circuit = ne.circuits.SC(trials=1000 if options.quick else 2000)
    path = _ridge(circuit, z, options.seed, table)
    found = analysis.simulator_metric(circuit, path.z, circuit.emergent_property(), rng=1, sign={"hW": -1})
    turn = np.degrees(np.arccos(np.clip(found.vectors[0, 0] @ found.vectors[-1, 0], -1, 1)))
    table.add(
        "4C: v1 turns between sW = 1 and sW = -1", "distinctly", f"by {turn:.0f} degrees", turn > 30, fitted=False
    )
    moved = _perturbations(circuit, path, found, options, table)
    gammas = _GAMMAS[12 if options.quick else 0 :]
    curves = [sc.silence(kind(), z, gammas, rng=2) for kind in (ne.circuits.SC, LongerDelay)]
    _silencing(curves, table)
    _loss_by_sw(brute_z, table)
    _figure(z, path, found, moved, curves, options)
    table.note()
    table.note(
        "![The ridge from sW = 1 to -1 with v1; accuracies along v1, task and diag from its ends; rise in error "
        "against the strength of silencing](sc-without-fit.png)"
    )
    _panels(z, brute_z, path, found, options, table)
    table.close()


def _panels(z, brute_z, path, found, options, table):
    """The panels that show circuits and activity, a file each."""
    prop = ne.circuits.SC().emergent_property()
    f, brute_f = (ne.circuits.SC().statistics(each, rng=9) for each in (z, brute_z))
    shortfall = [(prop.mean[0] - each.mean(axis=0)).mean() for each in (f, brute_f)]
    table.add(
        "4-S5B: brute force is biased toward lower accuracies: mean over both tasks, solution and brute force",
        "lower", ", ".join(f"{0.75 - s:.3f}" for s in shortfall), shortfall[1] > shortfall[0] + 0.005, fitted=False,
    )  # fmt: skip
    silenced, apart = sc_panels.silenced_responses(z, _SHOWN_GAMMAS, options.seed)
    table.add(
        "5D, 5-S2 left: mean distance of Pro from Anti activity in the choice period, silenced by "
        + ", ".join(f"{gamma:g}" for gamma in _SHOWN_GAMMAS), "similar at saturation, not at 0.675",
        ", ".join(f"{a:.2f}" for a in apart), apart[1] > 0.6 * apart[0] and apart[3] < 0.5 * apart[0], fitted=False,
    )  # fmt: skip
    flips, weak = _flips(z)
    v1 = 0.6 * found.vectors[:, 0]
    figures = {
        "figure4-c-exact": (
            sc_panels.path_in_pairs(z, path.z, v1, f"4C: {len(z)} circuits of the exact solution,\nand its ridge"),
            "4C: the exact solution in pairs of weights, with the path on its ridge and v1 at the ends",
        ),
        "figure4-s2": (
            sc_panels.regime_responses(ne.circuits.SC(trials=1000), path.z[[0, -1]], options.seed),
            "4-S2: activity in both tasks at the ends of the path, correct and wrong trials",
        ),
        "figure4-s3a": (sc_panels.eigenmodes(), "4-S3A: the four eigenmodes"),
        "figure4-s5": (
            sc_panels.beside_brute_force(z, brute_z, f, brute_f, prop),
            "4-S5: brute force beside the exact solution, and accuracies of both",
        ),
        "figure5-d-left": (silenced, "5D and 5-S2, left: activity in both tasks under silencing"),
        "figure5-d-right": (flips, "5D and 5-S2, right: Anti accuracy silenced against Pro accuracy"),
    }
    for name, (figure, alt) in figures.items():
        figure.savefig(options.out / f"{name}.png", dpi=80)
        table.note()
        table.note(f"![{alt}]({name}.png)")
    table.add(
        "5-S2 right: at 0.675 no anti-correlation of p_A,opto with p_P", "absent", f"r = {weak.correlation:+.2f}",
        weak.correlation > -0.25, fitted=False,
    )  # fmt: skip


def _flips(z):
    """Anti accuracy silenced against Pro accuracy, coloured by sW; the test at 0.675."""
    figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), layout="constrained", sharey=True)
    tests = []
    for ax, gamma in zip(axes, _SHOWN_GAMMAS[1:]):
        curve = sc.silence(ne.circuits.SC(), z, [gamma], rng=6)
        tests.append(sc.task_flip(curve.baseline[:, 0], curve.accuracy[0, :, 1]))
        colour = np.clip(z[:, 0], -1.5, 1.5)
        ne.plotting.task_flip_points(curve.baseline[:, 0], curve.accuracy[0, :, 1], colour, size=14, ax=ax)
        ax.set_title(f"{sc_panels.panel(gamma)} right: γ = {gamma:g}, r = {tests[-1].correlation:+.2f}", fontsize=10)
        ax.set(ylim=(0, 1.15), ylabel="" if ax is not axes[0] else ax.get_ylabel())
        if ax is not axes[0]:
            ax.get_legend().remove()
    figure.colorbar(axes[0].collections[0], ax=axes, label="sW of the circuit", extend="both")
    return figure, tests[0]


def _ridge(circuit, z, seed, table):
    """The path, at the paper's values of sW."""
    fine = np.linspace(VALUES[0], VALUES[-1], _STEPS * (len(VALUES) - 1) + 1)
    start = analysis.conditional_mean(z, "sW", fine[:1], _NAMES).mean[0]
    whole = analysis.ridge_path(circuit, "sW", fine, start, circuit.emergent_property(), rng=seed)
    shown = slice(None, None, _STEPS)
    path = dataclasses.replace(
        whole, values=whole.values[shown], z=whole.z[shown], statistics=whole.statistics[shown],
        on_target=whole.on_target[shown],
    )  # fmt: skip
    table.add(
        "4C: path from sW = 1 to -1 with all other weights free, on the ridge: its ends (sW, vW, hW, dW)", "drawn",
        f"{_row(path.z[0])} to {_row(path.z[-1])}",
    )  # fmt: skip
    table.add(
        "4C: accuracies on the path", "0.75 each",
        f"within {np.abs(path.statistics - 0.75).max():.3f}, at sW < 1 within "
        f"{np.abs(path.statistics[1:] - 0.75).max():.4f}", np.abs(path.statistics - 0.75).max() < 0.04, fitted=False,
    )  # fmt: skip
    high, low = path.values >= 0, path.values <= -0.25
    slopes = [np.polyfit(path.z[part, 0], path.z[part, 2], 1)[0] for part in (high, low)]
    table.add(
        "4C: hW falls as sW rises at high sW, and rises with it at low sW", "bent", f"slopes {slopes[0]:+.2f}, "
        f"{slopes[1]:+.2f}", slopes[0] < 0 and path.z[-1, 2] < path.z[low, 2].max() - 0.1, fitted=False,
    )  # fmt: skip
    table.note()
    table.note("| sW | circuit (sW, vW, hW, dW) | p_pro | p_anti |")
    table.note("|---|---|---|---|")
    for value, circuit_z, p in zip(path.values, path.z, path.statistics):
        table.note(f"| {value:.2f} | {_row(circuit_z)} | {p[0]:.3f} | {p[1]:.3f} |")
    table.note()
    table.note(
        "The end of the path at sW = -1 depends on the start and on the noise, for the density is flat there: of "
        "other starts and seeds vW is -3.06 to -4.12, dW -2.34 to -2.42 and hW -1.45 to -1.47, and 4D holds from "
        "two such ends as well (lambda_diag: -0.15, +0.14). r at 0.95 is that of one draw of noise; the figure 5D "
        "right has another of the same circuits, -0.64."
    )
    return path


def _perturbations(circuit, path, found, options, table):
    """Accuracies along v1 and the eigenmodes from both ends: regime 1 (sW = 1) and regime 2 (sW = -1)."""
    ends = path.z[[0, -1]]
    directions = {"v1": found.vectors[[0, -1], 0], **sc.eigenmode_directions()}
    deltas = np.linspace(-0.25, 0.25, 5 if options.quick else 11)
    moved = analysis.perturb(circuit, ends, directions, deltas, rng=5)
    # change (2 ends, 2 sides, 2 tasks) at -0.25 and +0.25
    change = {name: moved.along(name)[:, [0, -1]] - moved.along(name)[:, [len(deltas) // 2]] for name in directions}
    v1, diag, task = change["v1"], change["diag"], change["task"]
    table.add(
        "4D: Pro accuracy rises along v1 in both regimes: change at -0.25, +0.25", "yes",
        f"{_pair(v1[0, :, 0])}; {_pair(v1[1, :, 0])}", np.all(v1[:, 0, 0] < 0) and np.all(v1[:, 1, 0] > 0),
        fitted=False,
    )  # fmt: skip
    table.add(
        "4D: Anti accuracy falls both ways along v1 in regime 1", "yes", _pair(v1[0, :, 1]),
        v1[0, :, 1].max() < -0.05, fitted=False,
    )  # fmt: skip
    table.add(
        "4D: Anti accuracy rises along v1 with Pro accuracy in regime 2", "yes", _pair(v1[1, :, 1]),
        v1[1, 0, 1] < -0.05 and v1[1, 1, 1] > 0.05, fitted=False,
    )  # fmt: skip
    table.add(
        "4D: less lambda_task lowers Anti accuracy in regime 1", "yes", f"{task[0, 0, 1]:+.2f} at -0.25",
        task[0, 0, 1] < -0.05, fitted=False,
    )  # fmt: skip
    table.add(
        "4D: more lambda_diag changes Anti accuracy in opposite ways in the two regimes", "opposite",
        f"{diag[0, 1, 1]:+.2f}, {diag[1, 1, 1]:+.2f} at +0.25", diag[0, 1, 1] < -0.05 and diag[1, 1, 1] > 0.05,
        fitted=False,
    )  # fmt: skip
    return moved


def _silencing(curves, table):
    """The rise in error against the strength, and where it saturates."""
    delay, longer = curves
    rises = [curve.mean_rise[_STRONG] for curve in curves]
    table.add(
        "5B: strength of a mean rise of 7 % in Anti error", "0.675",
        f"{delay.gamma_at():.3f}; {longer.gamma_at():.3f} silenced one step longer",
        abs(delay.gamma_at() - 0.675) < 0.05, fitted=False,
    )  # fmt: skip
    table.add(
        "5B: rise in Anti error where it has saturated, at 0.95 (75 % - 25 %)", "50 %", f"{rises[0][1, 1]:+.1%}",
        abs(rises[0][1, 1] - 0.5) < 0.05, fitted=False,
    )  # fmt: skip
    table.add(
        "5B: the same at 0.85", "50 %", f"{rises[0][0, 1]:+.1%}; {rises[1][0, 1]:+.1%} silenced one step longer",
        abs(rises[0][0, 1] - 0.5) < 0.05, fitted=False,
        because="the delay is 0.8 s < t < 1.2 s, samples 34 to 49 of 24 ms; with sample 50, the last before the "
        "choice, silenced too, the error has saturated at 0.85",
    )  # fmt: skip
    table.add(
        "5B: saturates (95 % of the greatest rise) at", "0.85",
        f"{delay.saturation():.2f}; {longer.saturation():.2f} silenced one step longer",
        abs(delay.saturation() - 0.85) < 0.05, fitted=False,
    )  # fmt: skip
    table.add(
        "5B: rise in Pro error there, at 0.85 and 0.95", "0", f"{rises[0][0, 0]:+.1%}, {rises[0][1, 0]:+.1%}",
        np.abs(rises[0][:, 0]).max() < 0.03, fitted=False,
    )  # fmt: skip
    flip = sc.task_flip(delay.baseline[:, 0], delay.accuracy[_STRONG[1], :, 1])
    table.add(
        "5D: p_A,opto = 1 - p_P at 0.95: means; correlation with p_P", "25 %; closely",
        f"{flip.mean_anti:.0%}, {flip.mean_flipped:.0%}; r = {flip.correlation:.2f}",
        flip.correlation < -0.5 and abs(flip.mean_anti - flip.mean_flipped) < 0.05, fitted=False,
    )  # fmt: skip


def _loss_by_sw(brute_z, table):
    """Which circuits lose Anti accuracy at 0.675, of those that brute force finds: no solution, fit or mode enters."""
    rise, sw = 100 * sc.silence(ne.circuits.SC(), brute_z, [0.675], rng=14).rise[0, :, 1], brute_z[:, 0]
    edges = (np.inf, 0.75, 0.25, -0.25, -0.75, -1.25, -np.inf)
    groups = [rise[(sw <= high) & (sw > low)] for high, low in itertools.pairwise(edges)]
    names = ["> 0.75", *(f"{low} to {high}" for high, low in itertools.pairwise(edges[1:-1])), "< -1.25"]
    means = [f"{g.mean():+.1f} ± {g.std(ddof=1) / np.sqrt(len(g)):.1f} % ({len(g)})" for g in groups]
    table.add(
        f"5C: rise in Anti error at 0.675 of the {len(sw)} circuits of brute force by sW (mean ± s.e.; circuits)",
        "in regime 1 alone, high sW by 4D", "; ".join(f"{n}: {m}" for n, m in zip(names, means)),
        groups[0].mean() > 5, fitted=False,
        because="the other way round: above sW = 0.75 next to none lose any (README.md, Which regime)",
    )  # fmt: skip


def _figure(z, path, found, moved, curves, options):
    figure, axes = plt.subplots(2, 3, figsize=(12, 7), layout="constrained")
    first, last = ne.plotting.COLOURS[:2]
    for ax, pair in zip(axes[0], ((0, 2), (0, 3))):
        ne.plotting.plane(z, None, pair, _NAMES, ax=ax)
        ax.plot(path.z[:, pair[0]], path.z[:, pair[1]], "k.-", zorder=3)
        for end, colour in ((0, first), (-1, last)):
            at, v1 = path.z[end, list(pair)], 0.25 * found.vectors[end, 0, list(pair)]
            ax.plot(*at, "o", color=colour, zorder=4)
            ax.annotate("", at + v1, at, arrowprops={"arrowstyle": "->", "color": colour, "linewidth": 1.5}, zorder=5)
        ax.set(xlim=(-2.5, 1.6))
    axes[0, 0].set_title("4C: exact circuits, path on the ridge, v1 at its ends", fontsize=9)
    ne.plotting.silencing_curves(curves[0], ax=axes[0, 2])
    axes[0, 2].plot(curves[1].gammas, 100 * curves[1].mean_rise[:, 1], ":", color=ne.plotting.COLOURS[1])
    axes[0, 2].set_title("5B: delay silenced; dotted: Anti, one step longer", fontsize=9)
    for ax, direction in zip(axes[1], ("v1", "task", "diag")):
        for statistic, name, style in ((0, "Pro", "-"), (1, "Anti", "--")):
            labels = [f"{name}, sW = {value}" for value in ("1", "−1")]
            before = len(ax.lines)
            ne.plotting.perturbation_curves(moved, direction, statistic, labels, ax=ax)
            for line in ax.lines[before:]:
                line.set_linestyle(style)
        ax.set(ylabel="accuracy (s.e. below 0.012)", ylim=(0, 1))
        ax.set_title(f"4D: along {direction}, from the ends of the path", fontsize=9)
    axes[1, 0].legend(fontsize=8, frameon=False, loc="lower right")
    figure.savefig(options.out / "sc-without-fit.png", dpi=100)


def _row(values):
    return "(" + ", ".join(f"{v:.2f}" for v in values) + ")"


def _pair(values):
    return ", ".join(f"{v:+.2f}" for v in values)


if __name__ == "__main__":
    main()
