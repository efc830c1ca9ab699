"""Table and figure of KL against rows, written into the docs."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import NullFormatter

__all__ = ["table", "write"]

_LABELS = {"numepi": "numepi", "reweighting": "plain reweighting", "npe": "sbi, NPE"}
_COLOURS = {"numepi": "tab:blue", "reweighting": "k", "npe": "tab:orange"}
_TITLES = {"lds": "linear system", "lotka-volterra": "Lotka–Volterra", "stg": "stomatogastric subcircuit"}
_BEGIN, _END = "<!-- rows -->", "<!-- end of rows -->"


def write(stored, docs):
    """Replace the table in ``docs/peers.md``, and draw ``docs/figures/peers-rows.png``."""
    path = Path(docs) / "peers.md"
    text = path.read_text()
    head, tail = text[: text.index(_BEGIN) + len(_BEGIN)], text[text.index(_END) :]
    path.write_text(f"{head}\n{table(stored['runs'])}\n{tail}")
    _figure(stored, Path(docs) / "figures/peers-rows.png")


def table(runs):
    """A row for each problem and number of rows; KL of each seed, and CPU seconds of the median one."""
    lines = ["| problem | rows | " + " | ".join(_LABELS.values()) + " |", "|---|---|" + "---|" * len(_LABELS)]
    for name in dict.fromkeys(r["problem"] for r in runs):
        for rows in sorted({r["asked"] for r in runs if r["problem"] == name}):
            cells = [_cell([r for r in _chosen(runs, name, method) if r["asked"] == rows]) for method in _LABELS]
            lines.append(f"| {_TITLES.get(name, name)} | {rows:,} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _chosen(runs, name, method):
    return sorted((r for r in runs if (r["problem"], r["method"]) == (name, method)), key=lambda r: r["seed"])


def _cell(runs):
    if not runs:
        return "–"
    said = [f"{np.median([r['cpu'] for r in runs]):.0f} s"]
    if "effective" in runs[0]:
        said.append(f"{_span([r['effective'] for r in runs])} effective")
    if any(r["rows"] < 0.95 * r["asked"] for r in runs):
        said.append(f"from {_span([r['rows'] for r in runs])} rows")
    return ", ".join(_nats(r["kl"]) for r in runs) + f" ({'; '.join(said)})"


def _nats(kl):
    return f"{kl:.3f}" if kl < 0.1 else f"{kl:.2f}" if kl < 1 else f"{kl:.1f}" if kl < 10 else f"{kl:.0f}"


def _span(values):
    low, high = (f"{v:,.0f}" for v in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _figure(stored, path):
    """KL of each run, and a line through the medians."""
    names = list(dict.fromkeys(r["problem"] for r in stored["runs"]))
    size = (3.3 * len(names), 3.2)
    figure, axes = plt.subplots(1, len(names), figsize=size, sharey=True, squeeze=False, layout="constrained")
    for axis, name in zip(axes[0], names):
        for method, label in _LABELS.items():
            runs, colour = _chosen(stored["runs"], name, method), _COLOURS[method]
            axis.plot([r["asked"] for r in runs], [r["kl"] for r in runs], ".", color=colour, alpha=0.6)
            rows = sorted({r["asked"] for r in runs})
            medians = [np.median([r["kl"] for r in runs if r["asked"] == n]) for n in rows]
            axis.plot(rows, medians, "-", color=colour, label=label)
        if name in stored["gaps"]:
            axis.axhline(
                stored["gaps"][name], color=_COLOURS["npe"], ls=":", lw=1, label="sbi's posterior, were it exact"
            )
        axis.axhline(0.05, color="0.7", lw=0.8)
        axis.set(xscale="log", yscale="log", title=_TITLES.get(name, name), xlabel="simulations")
        asked = sorted({r["asked"] for r in stored["runs"] if r["problem"] == name})
        axis.set_xticks(asked, [f"{n:,}" for n in asked])
        axis.xaxis.set_minor_formatter(NullFormatter())
    axes[0, 0].set_ylabel("KL(q‖p*) (nats)")
    handles = {t: h for axis in axes.flat for h, t in zip(*axis.get_legend_handles_labels())}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=4, fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
