"""Take to every file what only the publisher knows: python docs/publish.py.

It stands once, in pyproject.toml: the repository under ``[project.urls]``, contact and affiliation under
``[tool.publisher]``; placeholders there end in ``.invalid`` (a name that never resolves, RFC 2606)
or say that they are one.
From there, and with the version, it goes

- to lines of YAML that end in ``# from pyproject.toml: NAME``,
- to definitions of links in Markdown, ``[NAME]: ...``,
- to docs/publishing/README.md: the README for a package index, where links must lead to the repository.

``--ready`` changes nothing, and fails while a placeholder or a stale file is left.
"""

import argparse
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
INDEX_PAGE = "docs/publishing/README.md"
MARKED = (
    "CITATION.cff",
    ".github/SECURITY.md",
    ".github/CODE_OF_CONDUCT.md",
    ".github/ISSUE_TEMPLATE/config.yml",
    "docs/publishing/meta.yaml",
    "docs/publishing/paper.md",
)
PLACEHOLDER = re.compile(r"\.invalid\b|\(placeholder\)")
_HEAD = "<!-- Written by docs/publish.py from README.md, with links for an index: change that, and run it again. -->\n"


def facts(root=ROOT):
    """What is taken to the files, by name.

    Parameters
    ----------
    root : Path
        Of a copy of the repository.
    """
    settings = tomllib.loads((root / "pyproject.toml").read_text())
    repository = settings["project"]["urls"]["Repository"].rstrip("/")
    return {
        "version": settings["project"]["version"],
        "repository": repository,
        "issues": f"{repository}/issues",
        "advisory": f"{repository}/security/advisories/new",
        "source": f"{repository}/archive/refs/tags/v{settings['project']['version']}.tar.gz",
        "contact": f"mailto:{settings['tool']['publisher']['contact']}",
        "affiliation": settings["tool"]["publisher"]["affiliation"],
    }


def pages(root=ROOT):
    """What the files should hold, by path within the repository."""
    known = facts(root)
    written = {name: marked(root.joinpath(name).read_text(), known) for name in MARKED}
    return written | {INDEX_PAGE: _HEAD + for_an_index(root.joinpath("README.md").read_text(), known)}


def marked(text, known):
    """The text with its marked lines and its link definitions set to what is ``known``."""
    text = re.sub(
        r'^(.*?)"[^"\n]*"( # from pyproject\.toml: (\w+))$',
        lambda line: f'{line[1]}"{known[line[3]]}"{line[2]}',
        text,
        flags=re.MULTILINE,
    )
    return re.sub(
        r"^\[(\w+)\]: .*$",
        lambda line: f"[{line[1]}]: {known[line[1]]}" if line[1] in known else line[0],
        text,
        flags=re.MULTILINE,
    )


def for_an_index(text, known):
    """The README with its links to files of this version in the repository, and its pictures as stored there."""
    tag = f"v{known['version']}"

    def absolute(link):
        view = "raw" if link[1] else "blob"
        return f"{link[1]}[{link[2]}]({known['repository']}/{view}/{tag}/{link[3]})"

    return re.sub(r"(!?)\[([^\]]*)\]\((?!https?:|#|mailto:)([^)\s]+)\)", absolute, text)


def unready(root=ROOT):
    """What stands in the way of a release: stale files and placeholders, a line each."""
    fresh = pages(root)
    stale = [f"{name} is stale: python docs/publish.py" for name in fresh if fresh[name] != _old(root, name)]
    lines = enumerate((root / "pyproject.toml").read_text().splitlines(), 1)
    return stale + [f"pyproject.toml, line {n}: {line.strip()}" for n, line in lines if PLACEHOLDER.search(line)]


def _old(root, name):
    path = root / name
    return path.read_text() if path.exists() else None


def main():
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ready", action="store_true", help="only say what is missing before a release")
    if parser.parse_args().ready:
        sys.exit("\n".join(unready()) or None)
    for name, text in pages().items():
        (ROOT / name).write_text(text)


if __name__ == "__main__":
    main()
