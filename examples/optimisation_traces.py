"""Traces of the paper's optimisations: figure 1, supplements 1C and 4, figure 3, supplement 2, figure 4, supplement 4.

Each is the paper's own flow by its Algorithm 1 (paper/procedures.py); the fits are stored, ``--refit`` makes them anew.
"""

# sphinx_gallery_thumbnail_path = "docs/findings/trace-v1-5.png"

import matplotlib as mpl
import numpy as np
from paper import Findings, best, procedures, read_options
from scipy.stats import spearmanr

mpl.use("Agg")
import matplotlib.pyplot as plt

from numepi import analysis
from numepi.plotting import COLOURS, tidy

_LABELS = {
    "lds": "1-S1C: linear system",
    "stg": "1-S4: STG",
    "v1-5": "3-S2: V1, X(5 Hz)",
    "v1-10": "3-S2: V1, X(10 Hz)",
    "sc": "4-S4: SC",
}
_ORDERED = -0.7  # rank correlation of entropy with the epoch; of 5 epochs in random order 7 % have less
_WHY_NOT = {
    "stg": ". The frequency jumps where the rhythm changes; a step of Adam on a sample there throws the answer "
    "elsewhere, a nat and more away",
    "sc": ". The answer jumps from one part of the solution to another",
}
_PAPER_EPOCHS = {"stg": "5", "sc": "10"}


def main():
    """Load or fit, draw, count epochs."""
    options = read_options(__doc__)
    table = Findings("Optimisation traces: figure 1, supplements 1C and 4; 3, supplement 2; 4, supplement 4", options)
    fits = {
        "lds": procedures.lds(options),
        "stg": procedures.stg(options),
        **{f"v1-{level:g}": procedures.v1(level, options) for level in procedures.V1_LEVELS},
        "sc": procedures.sc(options),
    }
    for name, results in fits.items():
        _rows(name, results, table)
        figure = _traces(results, _LABELS[name])
        figure.savefig(options.out / f"trace-{name}.png", dpi=80)
        table.note()
        table.note(f"![{_LABELS[name]}: entropy and constraints over the iterations](trace-{name}.png)")
    _corner(best(fits["sc"]), table)
    _silenced(best(fits["sc"]), table)
    table.close()


def _corner(result, table):
    """How much of the solution Algorithm 1's answer for SC holds."""
    low, high = np.quantile(result.sample(3000, rng=1)[:, 0], [0.02, 0.98])
    table.add(
        "4C: Algorithm 1 covers sW from -1 to 1", "yes (best of five seeds)",
        f"96 % of sW in [{low:.2f}, {high:.2f}], entropy {result.entropy:.2f} of {procedures.EXACT_ENTROPY['sc']} nats",
        low < -0.9 and high > 0.9,
        because="its penalty pulls the mass into a part of the solution, and from epoch to epoch elsewhere: the "
        "entropy is nats below the greatest",
    )  # fmt: skip


def _silenced(result, table):
    """Figure 5's numbers, of samples of Algorithm 1's answer for SC."""
    z = result.sample(200, rng=1)
    curve = analysis.sc.silence(result.circuit, z, np.linspace(0.5, 1, 11), rng=2)
    flip = analysis.sc.task_flip(curve.baseline[:, 0], curve.accuracy[-2, :, 1])
    table.add(
        "5B, 5D: Algorithm 1: strength of a rise of 7 % in Anti error; of saturation; rise at 0.95; p_A,opto there",
        "0.675; 0.85; 50 %; 25 %",
        f"{curve.gamma_at():.3f}; {curve.saturation():.2f}; {curve.mean_rise[-2, 1]:+.0%}; {flip.mean_anti:.0%}",
    )  # fmt: skip


def _passed(result):
    """Epochs (counted from 1) after which the paper's test accepted every constraint."""
    p = result.history["epoch_p_values"]
    level = result.configuration["solver_settings"]["significance"] / p.shape[1]
    return np.flatnonzero((p > level).all(axis=1)) + 1


def _rows(name, results, table):
    """Epochs that passed, and the entropy of the best."""
    settings = results[0].configuration["solver_settings"]
    passed = "; ".join(", ".join(map(str, _passed(r))) or "none" for r in results)
    seeds = f"{len(results)} seeds" if len(results) > 1 else "one seed"
    table.add(
        f"{_LABELS[name]}: epochs that pass the paper's test, of {settings['epochs']} with "
        f"{settings['iterations_per_epoch']:,} iterations each, {seeds}",
        f"converged after {_PAPER_EPOCHS[name]}" if name in _PAPER_EPOCHS else "-", passed,
    )  # fmt: skip
    chosen = best(results)
    exact = procedures.EXACT_ENTROPY.get(name)
    table.add(
        f"{_LABELS[name]}: entropy of each seed's answer (nats)",
        "-" if exact is None else f"{exact} (exact)",
        ", ".join(f"{r.entropy:.2f}{'*' if r is chosen and len(results) > 1 else ''}" for r in results),
    )
    ends = chosen.history["epoch_entropy"]
    order = spearmanr(np.arange(len(ends)), ends).statistic
    falls = "by and large" if order < _ORDERED else False
    table.add(
        f"{_LABELS[name]}: entropy at the ends of the epochs falls as the constraints come to weigh more", "falls",
        ", ".join(f"{h:.2f}" for h in ends), bool(np.all(np.diff(ends) < 0)) or falls,
        because=f"rank correlation with the epoch {order:+.2f}, and it rises by up to {np.diff(ends).max():.2f} nats "
        "from one to the next" + _WHY_NOT.get(name, ""),
    )  # fmt: skip


def _traces(results, title):
    """Entropy and each constraint over the iterations, a colour for each seed."""
    names, target = results[0].constraint_names, results[0].constraint_target
    figure, axes = plt.subplots(1, 1 + len(names), figsize=(2.6 * (1 + len(names)) + 2, 2.9), layout="constrained")
    for seed, result in enumerate(results):
        settings = result.configuration["solver_settings"]
        per_epoch, epochs = settings["iterations_per_epoch"], len(result.history["epoch_entropy"])
        entropy, violation = result.history["entropy"], result.history["violation"]
        at = (np.arange(len(entropy)) + 0.5) * per_epoch * epochs / len(entropy)
        axes[0].plot(at, entropy, color=COLOURS[seed], linewidth=0.9, label=f"seed {seed}")
        passed = _passed(result)
        axes[0].plot(per_epoch * passed, result.history["epoch_entropy"][passed - 1], "o", color=COLOURS[seed], ms=5)
        for i, ax in enumerate(axes[1:]):
            ax.plot(at, target[i] + violation[:, i], color=COLOURS[seed], linewidth=0.9)
        for ax in axes if seed == 0 else ():
            for epoch in range(1, epochs + 1):
                ax.axvline(per_epoch * epoch, color="0.8", linewidth=0.7, linestyle=":", zorder=0)
    axes[0].plot([], [], "o", color="0.4", ms=5, label="epoch passes")
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize=7, frameon=False, loc="outside right upper")
    for i, (ax, name) in enumerate(zip(axes, ("entropy (nats)", *names))):
        tidy(ax).set_title(name, fontsize=9)
        ax.set_xlabel("iteration", fontsize=9)
        ax.locator_params(axis="x", nbins=4)
        if i:
            ax.axhline(target[i - 1], color="black", linewidth=0.9, linestyle="--", label="target")
            late = np.concatenate([r.history["violation"][len(r.history["violation"]) // 20 :, i - 1] for r in results])
            width = 1.15 * np.abs(late).max()
            low = 0 if name.startswith("variance") else target[i - 1] - width
            ax.set_ylim(low, target[i - 1] + width)
    axes[1].legend(fontsize=7, frameon=False)
    figure.suptitle(f"{title}; dotted: ends of epochs", fontsize=10)
    return figure


if __name__ == "__main__":
    main()
