"""Run the tutorials' notebooks in Jupyter: python -m docs.notebooks --out notebooks (needs the extra ``docs``).

A notebook is made of its page (`docs.pages.notebook`), so that what the tests run and what Jupyter runs are the same
lines; this says whether they also run there: in a kernel's process, with its event loop and its drawing of figures.
"""

import argparse
import re
from pathlib import Path

from docs import pages

_TUTORIALS = re.compile(r"## Tutorials\n(.*?)\n## ", flags=re.DOTALL)
_SECONDS = 1800  # that a cell may take: the longest is a fit of some tens of seconds, with compilation


def tutorials(index):
    """Names of the pages under the heading "Tutorials" of the text of docs/index.md."""
    return re.findall(r"\]\((\w+\.md)\)", _TUTORIALS.search(index)[1])


def validate(text):
    """Raise nbformat's ValidationError unless the text is a notebook of its format; return it, read."""
    import nbformat

    notebook = nbformat.reads(text, as_version=nbformat.NO_CONVERT)
    nbformat.validate(notebook)
    return notebook


def execute(page, out):
    """Run a page's notebook in the folder ``out`` and write it there with its outputs; return its path.

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        If a cell fails.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = validate(pages.notebook(page))
    NotebookClient(notebook, timeout=_SECONDS, resources={"metadata": {"path": str(out)}}).execute()
    path = out / f"{page.stem}.ipynb"
    nbformat.write(notebook, path)
    return path


def main():
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("notebooks"), help="where to run (default notebooks)")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    folder = pages.ROOT / "docs"
    for name in tutorials((folder / "index.md").read_text()):
        print(execute(folder / name, out))


if __name__ == "__main__":
    main()
