"""Build the site: python -m docs.site --out site (needs the extra ``docs``).

The pages of the repository are copied, and what is made anew on each build goes with them: a notebook of each tutorial,
the tree of contents (from the lists of docs/index.md), a page for each public name and each example (by Sphinx), and
the history of the benchmarks (by asv, from benchmarks/results; not in a source archive, which has no git).  A warning
is an error, and so is a link within the site that leads nowhere.  Addresses elsewhere are asked by
``python -m docs.site --elsewhere``, which needs a network.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import zlib
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

from docs import notebooks, pages

ROOT = pages.ROOT
COPIED = (
    "docs",
    "examples",
    "numepi",
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE",
    "benchmarks",
)
_LEFT_OUT = ("__pycache__", "results", "runs", ".asv")  # what is made, beside the code
_HISTORY = "history"  # folder of the site with the pages of asv
_TOOLS = ("sphinx", "asv")  # of the extra ``docs``
_SECONDS = 3  # to wait for another project's names


def stage(to, with_history=False):
    """Copy the pages to the folder ``to`` and complete them, ``with_history`` of the benchmarks by a link to that."""
    for name in COPIED:
        source, target = ROOT / name, to / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        else:
            shutil.copy(source, target)
    if with_history:
        page = to / "benchmarks/README.md"
        link = f'<a href="../{_HISTORY}/index.html">Speed and quality over versions</a>'
        page.write_text(page.read_text().replace("## Over versions\n", f"## Over versions\n\n<p>{link}</p>\n"))
    for path in to.rglob("*.md"):
        path.write_text(_to_files(path, path.read_text()))
    for path in (to / "examples").rglob("*.py"):
        path.write_text(with_heading(path.read_text()))
    index = to / "docs/index.md"
    text = index.read_text()
    for page in notebooks.tutorials(text):
        tutorial = to / "docs" / page
        tutorial.with_suffix(".ipynb").write_text(pages.notebook(tutorial))
        head, _, rest = tutorial.read_text().partition("\n")
        offer = f"*[This page as a notebook]({page.removesuffix('.md')}.ipynb).*"
        tutorial.write_text(f"{head}\n\n{offer}\n{rest}")
    index.write_text(text + contents(text))
    findings = to / "docs/findings/README.md"
    findings.write_text(findings.read_text() + "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n")


def contents(text):
    """The tree of contents, from the lists under the headings of docs/index.md."""
    trees = []
    for heading, section in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL):
        listed = re.findall(r"^- \[(.*?)\]\((.*?)\)", section, flags=re.MULTILINE)
        if listed:
            entries = "\n".join(f"{title} <{link}>" for title, link in listed)
            trees.append(f"\n```{{toctree}}\n:hidden:\n:caption: {heading}\n\n{entries}\n```\n")
    return "".join(trees)


def _to_files(page, text):
    """The text with links to folders leading to what describes them: the gallery, a README, or the code."""

    def described(link):
        folder = page.parent / link[1]
        return f"]({link[1]}{'README.md' if (folder / 'README.md').exists() else '__init__.py'})"

    text = re.sub(r"\]\(((?:\.\./)*[\w/]+/)\)", described, text)
    return re.sub(r"\]\(((?:\.\./)*)examples/README\.md\)", r"](\1gallery/index.rst)", text)


def with_heading(script):
    """The text of a script, its docstring with the heading that the gallery wants: what is before its first colon."""
    if not script.startswith('"""') or re.match(r'"""\n.+\n={3,}\n', script):
        return script
    title = re.match(r'"""([^:\n]*)', script)[1].rstrip(".")
    return f'"""\n{title}\n{"=" * len(title)}\n\n{script[3:]}'


def with_picture(text, page, source):
    """The text of an example's page with the picture that its script names for the gallery, under the heading."""
    script = source / "examples" / f"{page.removeprefix('gallery/')}.py"
    if not page.startswith("gallery/") or not script.exists():
        return text
    named = re.search(r'sphinx_gallery_thumbnail_path = "(.*)"', script.read_text())
    if named is None:
        return text
    heading = re.search(r"^(.+)\n={3,}\n", text, flags=re.MULTILINE)
    return f"{text[: heading.end()]}\n.. image:: /{named[1]}\n   :alt: {heading[1]}\n{text[heading.end() :]}"


def inventories(to):
    """Names of other projects for intersphinx, read from their sites, or as stored where those cannot be reached.

    Returns
    -------
    dict
        What ``intersphinx_mapping`` takes: the site of each project, and a file in the folder ``to``.
    """
    found = {}
    for project, (site, stored) in json.loads((ROOT / "docs/names_elsewhere.json").read_text()).items():
        path = to / f"{project}.inv"
        try:
            with urlopen(site + "objects.inv", timeout=_SECONDS) as answer:
                path.write_bytes(answer.read())
        except OSError as error:
            print(f"{project}: its names as stored ({error})")
            path.write_bytes(inventory(project, stored))
        found[project] = (site, str(path))
    return found


def inventory(project, stored):
    """An inventory of Sphinx (version 2) of names, each with its role and place."""
    head = (
        f"# Sphinx inventory version 2\n# Project: {project}\n# Version: \n# The remainder is compressed using zlib.\n"
    )
    lines = "".join(f"{name} {role} 1 {place} -\n" for name, (role, place) in stored.items())
    return head.encode() + zlib.compress(lines.encode())


def history(to):
    """Write asv's pages, speed and quality over versions, to the folder ``to``; say whether there are any."""
    whole = _git("rev-parse", "--is-shallow-repository") == "false" and _git("rev-parse", "--verify", "main")
    if not whole or Path(_git("rev-parse", "--show-toplevel")) != ROOT:
        print("no branch main with its history here: the pages of the benchmarks are left out")
        return False
    command = [sys.executable, "-m", "asv", "publish", "--html-dir", str(to)]
    subprocess.run(command, cwd=ROOT / "benchmarks", check=True, stdout=subprocess.DEVNULL)
    return True


def _git(*arguments):
    """What git says of this copy of the repository; nothing where it is none."""
    try:
        run = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:  # no git
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""


class _Page(HTMLParser):
    """The links of a page, and the places in it that links may lead to."""

    def __init__(self, text):
        super().__init__()
        self.links, self.places = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.places |= {attributes.get("id"), attributes.get("name")}
        self.links |= {attributes[name] for name in ("href", "src") if attributes.get(name)}


def broken(site):
    """Links within a site (a folder of HTML) that lead nowhere: a line each."""
    ours = [path for path in site.rglob("*.html") if _HISTORY not in path.relative_to(site).parts]
    parsed = {path: _Page(path.read_text()) for path in ours}
    wrong = []
    for path, page in parsed.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                wrong.append(f"{path.relative_to(site)}: {link}")
            elif parts.fragment and target in parsed and unquote(parts.fragment) not in parsed[target].places:
                wrong.append(f"{path.relative_to(site)}: {link} (no such place)")
    return sorted(wrong)


def build(out):
    """Build the site in the folder ``out``.

    Raises
    ------
    SystemExit
        If Sphinx warns, or a link leads nowhere.
    """
    with tempfile.TemporaryDirectory() as scratch:
        source, html, published = (Path(scratch) / name for name in ("source", "html", _HISTORY))
        with_history = history(published)
        stage(source, with_history)
        for notebook in source.rglob("*.ipynb"):
            notebooks.validate(notebook.read_text())
        if not _sphinx("html", source, html):
            sys.exit("the site was not built: see the warnings above")
        (html / "index.html").write_text('<meta http-equiv="refresh" content="0; url=docs/index.html">\n')
        (html / ".nojekyll").touch()
        if with_history:
            shutil.copytree(published, html / _HISTORY)
        if wrong := broken(html):
            sys.exit("links that lead nowhere:\n" + "\n".join(wrong))
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(html, out)
    print(f"{len(list(out.rglob('*.html')))} pages: {out / 'index.html'}")


def ask_elsewhere():
    """Ask every address outside of the site whether it answers (by Sphinx's linkcheck); needs a network.

    Raises
    ------
    SystemExit
        If an address does not answer, or an anchor is not on its page: Sphinx prints a line for each.
    """
    with tempfile.TemporaryDirectory() as scratch:
        source, answers = Path(scratch) / "source", Path(scratch) / "answers"
        stage(source)
        if not _sphinx("linkcheck", source, answers):
            sys.exit("addresses that do not answer:\n" + (answers / "output.txt").read_text())
        asked = (answers / "output.json").read_text().splitlines()
    print(f"{len({json.loads(line)['uri'] for line in asked})} addresses answer")


def _sphinx(builder, source, to):
    """Run one of Sphinx's builders on a staged copy; say whether it went without a warning."""
    (source / "inventories.json").write_text(json.dumps(inventories(source)))
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", builder, "-c", str(ROOT / "docs")]
    return subprocess.run([*command, str(source), str(to)], check=False).returncode == 0


def main():
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("site"), help="folder for the site (default site)")
    parser.add_argument("--elsewhere", action="store_true", help="build nothing, but ask all addresses elsewhere")
    options = parser.parse_args()
    if missing := [tool for tool in _TOOLS if find_spec(tool) is None]:
        sys.exit(
            f"{' and '.join(missing)} not found: python -m pip install '.[docs]' installs what the site is built with"
        )
    if options.elsewhere:
        ask_elsewhere()
    else:
        build(options.out)


if __name__ == "__main__":
    main()
