"""What was seen, as JSON and as Markdown, written anew after every step."""

import json
import os

__all__ = ["SECTIONS", "Report", "share_of_peak"]

SECTIONS = ("device tests", "rows", "memory", "two processes", "fits")

_TITLES = {"fits": "Whole fits", "memory": "Little memory", "two processes": "Two processes"}


class Report:
    """Results by section, each a list of dicts; ``facts`` beside them.

    Parameters
    ----------
    directory : pathlib.Path
    operations : dict
        Of one simulation: name of a circuit, then "PRECISION WHAT", to operations in single and in double precision and
        instructions (see `operations`).
    """

    def __init__(self, directory, operations):
        self._directory, self._operations = directory, operations
        self.facts, self.sections, self.skipped, self.failed = {}, {}, [], []

    def add(self, section, entry):
        """Keep an entry and write everything."""
        self.sections.setdefault(section, []).append(entry)
        self.write()

    def skip(self, step, reason):
        """Say why a step was not done."""
        self.skipped.append({"step": step, "reason": reason})
        self.write()

    def fail(self, step, reason):
        """Say what went wrong in a step."""
        self.failed.append({"step": step, "reason": reason})
        self.write()

    def write(self):
        """Replace both files."""
        everything = {
            "facts": self.facts, **self.sections, "skipped": self.skipped, "failed": self.failed,
            "operations": self._operations,
        }  # fmt: skip
        self._replace("on_gpu.json", json.dumps(everything, indent=1))
        self._replace("on_gpu.md", self.markdown())

    def _replace(self, name, text):
        partial = self._directory / f".{name}"
        partial.write_text(text)
        os.replace(partial, self._directory / name)

    def markdown(self):
        """Every section as a table."""
        parts = ["# On a GPU", _table(("what", "is"), self.facts.items())]
        ceilings = self.facts.get("ceilings")
        rows = sorted(
            self.sections.get("rows", ()),
            key=lambda r: (r["circuit"], r["precision"], r["jacobian"], r["simulations"]),
        )
        if rows:
            head = (
                "circuit", "precision", "what", "simulations", "kernels ms", "copies ms", "call ms", "CPU ms",
                "times faster", "share of peak", "registers", "warps", "error f, J",
            )  # fmt: skip
            parts += ["## Times", _table(head, [self._row(row, ceilings) for row in rows])]
        for section in [name for name in self.sections if name != "rows"]:
            entries = self.sections[section]
            head = list(dict.fromkeys(key for entry in entries for key in entry))
            parts.append(f"## {_TITLES.get(section, section.capitalize())}")
            parts.append(_table(head, [[entry.get(key, "") for key in head] for entry in entries]))
        for title, entries in (("Failed", self.failed), ("Skipped", self.skipped)):
            if entries:
                parts += [f"## {title}", _table(("step", "why"), [entry.values() for entry in entries])]
        return "\n\n".join(parts) + "\n"

    def _row(self, row, ceilings):
        used = max(row["resources"].values(), key=lambda kernel: kernel["registers"])
        share = share_of_peak(row, self._operations, ceilings)
        what = "value and Jacobian" if row["jacobian"] else "value"
        errors = ", ".join(f"{row['errors'][name]:.0e}" for name in ("f", "J") if name in row["errors"])
        return (
            row["circuit"], row["precision"], what, f"{row['simulations']:,}", row["kernel_ms"],
            row["upload_ms"] + row["download_ms"], row["call_ms"], row["cpu_ms"], row["cpu_ms"] / row["call_ms"],
            "" if share is None else f"{100 * share:.2g} %", used["registers"], used["warps"], errors,
        )  # fmt: skip


def share_of_peak(row, operations, ceilings):
    """Time that a row's arithmetic takes at the rates that multiply-adds alone reach, over that of its kernels."""
    what = "value and Jacobian" if row["jacobian"] else "value"
    counted = operations.get(row["circuit"], {}).get(f"{row['precision']} {what}")
    if counted is None or not ceilings:
        return None
    single, double, _ = counted
    seconds = single / ceilings["float32_per_second"] + double / ceilings["float64_per_second"]
    return 1e3 * row["simulations"] * seconds / row["kernel_ms"]


def _table(head, rows):
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(_cell(value) for value in row)} |" for row in rows]
    return "\n".join(lines)


def _cell(value):
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {_cell(item)}" for key, item in value.items())
    return str(value).replace("|", "/").replace("\n", " ")
