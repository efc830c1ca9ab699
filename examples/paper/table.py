"""A table of findings: what the paper said, what numepi finds, and whether the finding holds."""

import sys
from pathlib import Path

__all__ = ["Findings"]


class Findings:
    """Rows of a figure, printed as a Markdown table; `close` ends the script with an error if one fails unexplained.

    Parameters
    ----------
    figure : str
    options : argparse.Namespace
        Of `read_options`.  A quick run prints the same rows, but only those that no fit enters count.
    """

    def __init__(self, figure, options):
        self.figure, self.quick = figure, options.quick
        self.script = Path(sys.argv[0])
        self.path = options.out / f"{self.script.stem}.md"
        self.command = f"python examples/{self.script.name}{' --quick' if options.quick else ''} --seed {options.seed}"
        self.rows, self.failed, self.notes, self.extra = [], [], [], []

    def add(self, finding, paper, found, holds=None, fitted=True, because=None):
        """Add a row.

        Parameters
        ----------
        finding, paper, found : str
        holds : bool or str, optional
            The check; None for a number that is only reported; a word where neither verdict says it ("small": there is
            a difference that the paper does not see, and it is small).
        fitted : bool
            Whether the number depends on a fit.
        because : str, optional
            Why numepi's answer differs from the paper's, where it does: the row is then a stated difference.
        """
        counts = not (self.quick and fitted)
        verdict = holds if isinstance(holds, str) else _verdict(holds, because)
        self.rows.append((finding, paper, found, verdict if counts else "(quick)"))
        if verdict not in ("", "holds", "FAILS") and counts:
            self.notes.append(f"{finding}: {because}")
        if counts and verdict == "FAILS":
            self.failed.append(finding)

    def note(self, line=""):
        """Add a line below the table."""
        self.extra.append(line)

    def close(self):
        """Print the table and keep it in the output directory; raise SystemExit if a finding fails."""
        lines = [f"# {self.figure}", "", f"`{self.command}`", ""]
        lines += ["| finding | paper said | numepi finds | |", "|---|---|---|---|"]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        lines += ["", *(f"- {note}." for note in self.notes), *self.extra]
        self.path.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
        print("\n".join(lines))
        if self.failed:
            raise SystemExit(f"does not hold: {'; '.join(self.failed)}")


def _verdict(holds, because):
    if holds is None:
        return ""
    return "holds" if holds else "differs" if because else "FAILS"
