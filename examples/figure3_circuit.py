"""
Figure 3A-C: the circuit of primary visual cortex
=================================================

Figure 3A-C and supplement 4 of the paper: the primary visual cortex circuit itself. No fit enters.

The connectivity, rates under noise of the mean amplitudes of X(5 Hz), the fluctuations of E whose standard deviation is
the emergent property's statistic, and the responses to a step of input to one population, of which P's alone is
paradoxical.
"""

# sphinx_gallery_thumbnail_path = "docs/findings/figure3-circuit.png"
import matplotlib as mpl
import numpy as np
from paper import Findings, read_options

mpl.use("Agg")
import matplotlib.pyplot as plt

import numepi as ne
from numepi.analysis import v1
from numepi.plotting import COLOURS, tidy

_NOISE = {"X(5 Hz)": np.array([0.063, 0.105, 0.25, 0.245])}  # exact mean of the solution
_NOISE["twice that"] = 2 * _NOISE["X(5 Hz)"]
_STEP = (0.02, 0.02, 0.2, 0.2)  # the paper's 0.002 and 0.02, in units ten times larger
_TRIALS, _SHOWN = 30, 12  # simulated, and drawn in 3C


def main():
    """Simulate, step the inputs, draw."""
    options = read_options(__doc__)
    table = Findings("Figure 3A-C and supplement 4: the circuit of primary visual cortex", options)
    circuit = ne.circuits.V1(trials=_TRIALS)
    figure = plt.figure(figsize=(12, 6.4), layout="constrained")
    top, bottom = figure.subfigures(2, 1)
    axes = top.subplots(1, 3, width_ratios=(1, 1.5, 1.5))
    _connectivity(axes[0], circuit)
    _fluctuations(axes[1:], circuit, options.seed, table)
    _steps(bottom, circuit, table)
    figure.savefig(options.out / "figure3-circuit.png", dpi=90)
    table.note()
    table.note(
        "![3A: connectivity; 3B: rates of one trial; 3C: E about its steady state; supplement 4: rates after a step of "
        "each population's own input](figure3-circuit.png)"
    )
    table.close()


def _connectivity(ax, circuit):
    """3A: the weights, red exciting and blue inhibiting."""
    weights = np.array(circuit.weights)
    ax.imshow(weights, cmap="RdBu_r", vmin=-0.35, vmax=0.35)
    for (i, j), value in np.ndenumerate(weights):
        text = f"{value:.2f}" if abs(value) >= 0.005 else "≈ 0"
        ax.text(j, i, text, ha="center", va="center", fontsize=8, color="white" if abs(value) > 0.2 else "black")
    ax.set_xticks(range(4), v1.POPULATIONS)
    ax.set_yticks(range(4), v1.POPULATIONS)
    ax.set(xlabel="from", ylabel="to", title="3A: weights W")


def _fluctuations(axes, circuit, seed, table):
    """3B, C: rates of one trial, and E of many about its steady state."""
    rest = circuit.steady_state()
    z = np.array(list(_NOISE.values()))
    paths = circuit.simulate(z, rng=seed)
    milliseconds = 1000 * paths.time
    for i, name in enumerate(v1.POPULATIONS):
        axes[0].plot(milliseconds, paths.values[0, 0, :, i], color=COLOURS[i], linewidth=1, label=name)
        axes[0].axhline(rest[i], color=COLOURS[i], linewidth=0.8, linestyle=":")
    tidy(axes[0]).set(xlabel="time (ms)", ylabel="rate (Hz)", title="3B: one trial; dotted: steady state")
    axes[0].legend(fontsize=8, frameon=False, ncols=4, loc="upper right")
    s_e = circuit.statistics(z, rng=seed)[:, 0]
    for row, (name, colour, layer) in enumerate(zip(_NOISE, COLOURS, (2, 1))):
        e = paths.values[row, :_SHOWN, :, 0] - rest[0]
        axes[1].plot(milliseconds, e.T, color=colour, linewidth=0.6, alpha=0.5, zorder=layer)
        axes[1].plot([], [], color=colour, label=f"σ of {name}: s_E = {s_e[row]:.1f} Hz")
    axes[1].axvspan(75, 100, color="0.92", zorder=0)
    axes[1].text(76, axes[1].get_ylim()[0], "measured", fontsize=8, color="0.4", va="bottom")
    tidy(axes[1]).set(xlabel="time (ms)", ylabel="E less its steady state (Hz)", title=f"3C: E in {_SHOWN} trials")
    axes[1].legend(fontsize=8, frameon=False, loc="upper left")
    table.add(
        "3C: s_E at the mean sigma of X(5 Hz), and at twice that", "5 Hz in the mean of X(5 Hz)",
        ", ".join(f"{s:.1f} Hz" for s in s_e), 3 < s_e[0] < 7 and s_e[1] > 1.5 * s_e[0], fitted=False,
    )  # fmt: skip


def _steps(figure, circuit, table):
    """Supplement 4: each population's own rate after its input steps up from rest."""
    axes = figure.subplots(1, 4, sharex=True)
    responses = circuit.input_responses(_STEP)
    for j, (ax, name) in enumerate(zip(axes, v1.POPULATIONS)):
        change = np.where(np.arange(4) == j, _STEP, 0.0)
        path = circuit.input_step(change, duration=0.05)
        moved = path.values[0] - path.values[0, 0]
        for i in range(4):
            own = i == j
            ax.plot(
                1000 * path.time, moved[:, i], color=COLOURS[i], linewidth=2.2 if own else 0.9, label=v1.POPULATIONS[i],
                zorder=3 if own else 2,
            )  # fmt: skip
        ax.axhline(0, color="0.7", linewidth=0.8, zorder=0)
        paradoxical = responses[j, j] < 0
        title = f"3-S4: input to {name} + {_STEP[j]}\n{name} {'falls: paradoxical' if paradoxical else 'rises'}"
        tidy(ax).set_title(title, fontsize=10)
        ax.set_xlabel("time (ms)")
    for pair in (axes[:2], axes[2:]):  # steps of the same size, the same scale
        limits = np.array([ax.get_ylim() for ax in pair])
        for ax in pair:
            ax.set_ylim(limits.min(), limits.max())
    for ax in (axes[0], axes[2]):  # each pair its own scale
        ax.set_ylabel("change of rate (Hz)")
    axes[0].legend(fontsize=8, frameon=False, ncols=2)
    falls = [name for name, change in zip(v1.POPULATIONS, np.diag(responses)) if change < 0]
    table.add(
        "3-S4: populations whose own rate falls when their input rises", "P only",
        ", ".join(falls) + "; " + ", ".join(f"{k} {x:+.2f} Hz" for k, x in zip(v1.POPULATIONS, np.diag(responses))),
        falls == ["P"], fitted=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
