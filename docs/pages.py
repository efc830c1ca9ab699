"""Run the Python blocks of pages of documentation, in order and in one namespace: python docs/pages.py PAGE --out DIR.

A block is a fence marked ``python``.  A comment directly above it may say ``<!-- not run: why -->``, or
``<!-- run with a stored fit: why -->`` for the tests, where inferences then return a result made beforehand.  What the
block prints is shown in a fence marked ``text`` directly below a comment ``<!-- output -->`` (the same to the letter)
or ``<!-- output, numbers vary -->`` (all but the numbers, which in a fit depend on the processor's last bits).
"""

import argparse
import contextlib
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
_COMMENT = r"(?:<!-- ([^\n]*) -->\n)?"
_FENCES = re.compile(rf"^{_COMMENT}```(\w+)\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
# What hangs on numbers near a threshold: whether weights are reliable, and what the message says of it.
_VERDICTS = (
    (re.compile(r"; NOT RELIABLE: .*"), ""),
    (re.compile(r"(the constraints are met).*(?= \[)"), r"\1"),
    (re.compile(r"near the optimum"), "constraints met"),
)
_NUMBER = re.compile(r"[-+]?(?:\d[\d,]*\.?\d*(?:e[-+]?\d+)?|\bnan\b|\binf\b)")


@dataclass
class Block:
    """A Python block of a page, with the output shown below it.

    Attributes
    ----------
    code : str
    line : int
        Of the page, where the code begins.
    remark : str
        What the comment above the block says.
    shown : str or None
        The output on the page.
    varies : bool
        Whether the numbers in it may differ.
    span : (int, int)
        Where ``shown`` is in the page's text.
    """

    code: str
    line: int
    remark: str
    shown: str = None
    varies: bool = False
    span: tuple = None

    @property
    def not_run(self):
        """Why the block is not run, or None."""
        return self.remark.removeprefix("not run: ") if self.remark.startswith("not run: ") else None


def blocks(page):
    """The Python blocks of a page (a path)."""
    text, found = page.read_text(), []
    for fence in _FENCES.finditer(text):
        remark, language, content = fence[1] or "", fence[2], fence[3]
        if language == "python":
            found.append(Block(content, text.count("\n", 0, fence.start(3)) + 1, remark))
        elif remark.startswith("output"):
            found[-1].shown, found[-1].varies, found[-1].span = content, "vary" in remark, fence.span(3)
    return found


def run(page, check=True):
    """Run a page's blocks in the working directory; return the blocks that ran and what each printed.

    Raises
    ------
    AssertionError
        If ``check`` and a block prints other than the page shows.
    """
    namespace, ran = {"__name__": "__main__"}, []
    for block in blocks(page):
        if block.not_run:
            continue
        # Real line numbers in tracebacks: the code comes after as many empty lines.
        code = compile("\n" * (block.line - 1) + block.code, str(page), "exec")
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, namespace)
        printed = printed.getvalue()
        if check and block.shown is not None:
            compare(printed, block.shown, block.varies, f"{page.name}, line {block.line}")
        ran.append((block, printed))
    return ran


def compare(printed, shown, varies, where):
    """Raise an AssertionError if what was printed is not what is shown."""
    lines = [_masked(text, varies) for text in (printed, shown)]
    assert lines[0] == lines[1], f"{where} prints\n{printed}\nbut shows\n{shown}"


def _masked(text, varies):
    if varies:
        for pattern, replacement in _VERDICTS:
            text = pattern.sub(replacement, text)
        text = re.sub(r"(?<=\[) +| +(?=\])", "", _NUMBER.sub("#", text))
        return [" ".join(line.split()) for line in text.strip().splitlines()]
    return [line.rstrip() for line in text.strip().splitlines()]


def with_output(page, ran):
    """The page's text with what its blocks printed in place of what it shows."""
    text = page.read_text()
    for block, printed in reversed(ran):
        if block.span is not None:
            text = text[: block.span[0]] + printed.strip("\n") + "\n" + text[block.span[1] :]
    return text


def notebook(page):
    """A page as a notebook (Jupyter's format 4.5, as text): its text and its Python blocks, in order.

    Blocks that the tests do not run become text, and so does what the page shows of their output.
    """
    text, cells, done = page.read_text(), [], 0
    for fence in _FENCES.finditer(text):
        if fence[2] == "python" and not (fence[1] or "").startswith("not run"):
            cells += [("markdown", text[done : fence.start()]), ("code", fence[3])]
            done = fence.end()
    cells.append(("markdown", text[done:]))
    made = []
    for kind, content in cells:
        if content := content.strip("\n"):
            cell = {"cell_type": kind, "id": f"cell-{len(made)}", "metadata": {}, "source": content}
            made.append(cell | ({"execution_count": None, "outputs": []} if kind == "code" else {}))
    python = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return json.dumps({"cells": made, "metadata": python, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


def main():
    """Run pages from the command line, in a directory that keeps their figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, default=Path("out"), help="where to run (default out)")
    parser.add_argument("--update", action="store_true", help="write what the blocks print into the pages")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    pages = [page.resolve() for page in options.pages]
    for page in pages:
        with contextlib.chdir(options.out):
            ran = run(page, check=False)
        if options.update:
            page.write_text(with_output(page, ran))
        else:
            for block, printed in ran:
                print(f"--- {page.name}, line {block.line}\n{printed}", end="")


if __name__ == "__main__":
    main()
