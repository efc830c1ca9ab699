"""The table of answers, written into docs/pyloric.md."""

__all__ = ["table", "write"]

_LABELS = {
    "npe": "sbi: truncated sequential NPE, with a classifier",
    "chains": "numepi: kernels, and chains on a surrogate",
    "infer": "`numepi.infer`",
}
_BEGIN, _END = "<!-- one animal -->", "<!-- end of one animal -->"


def write(stored, path):
    """Replace the table in the page ``path``."""
    text = path.read_text()
    head, tail = text[: text.index(_BEGIN) + len(_BEGIN)], text[text.index(_END) :]
    path.write_text(f"{head}\n{table(stored)}\n{tail}")


def table(stored):
    """A row for each run."""
    lines = [
        "| method | with all features (95 % interval) | median distance of a feature, animals' s.d. (rms) | all six "
        "within 1 s.d. | two draws apart | simulations | CPU s: simulation, learning |",
        "|---|---|---|---|---|---|---|",
    ]
    for method in _LABELS:
        lines += [_row(r, stored["survey"]) for r in stored["runs"] if r["method"] == method]
    return "\n".join(lines)


def _row(run, survey):
    share, low, high = run["valid"]
    off = "–" if run["rms"] is None else f"{_pooled(run['median'])} ({_pooled(run['rms'])})"
    apart = "–" if run["apart"] is None else f"{run['apart']:.2f}"
    return (
        f"| {_LABELS[run['method']]} | {share:.0%} ({low:.0%} to {high:.0%}) | {off} | {run['near']:.0%} | {apart} | "
        f"{run['box']:,} + {run['rows']:,} | {survey:.0f} + {run['simulation']:.0f}, {run['learning']:.0f} |"
    )


def _pooled(values):
    """Root mean square over the features."""
    return f"{(sum(v**2 for v in values) / len(values)) ** 0.5:.2f}"
