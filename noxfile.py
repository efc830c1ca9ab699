#!/usr/bin/env -S uv run --script
# /// script
# dependencies = ["nox"]
# ///
"""Checks of one's own change, and of all versions: see CONTRIBUTING.md.

``nox`` runs `check` in the environment that it is started from: lint, types, and the tests of what changed.
``nox -s site`` builds the site in ``site/``; ``nox -s notebooks`` runs the tutorials' notebooks in Jupyter.
``nox -s suite`` runs the whole suite on each Python, ``nox -s oldest`` with the oldest packages that are allowed.
"""

import subprocess
import tomllib
from pathlib import Path

import nox

nox.needs_version = ">=2025.10.14"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.error_on_missing_interpreters = False
ROOT = Path(__file__).parent
PYTHONS = ["3.11", "3.12", "3.13"]


@nox.session(venv_backend="none", default=True)
def check(session):
    """Lint, types, and the quick tests of what changed since the branch left ``main`` (or since a given commit)."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    tests = sorted(set().union(*map(tests_of, changed(session.posargs[0] if session.posargs else "main"))))
    if tests:
        session.run("python", "-m", "pytest", "-q", "-m", "not slow", *tests, success_codes=[0, 5])


@nox.session(default=False)
def site(session):
    """The site, in site/: warnings and links that lead nowhere are errors."""
    session.install("-e", ".[docs]")
    session.run("python", "-m", "docs.site", *session.posargs)


@nox.session(default=False)
def notebooks(session):
    """The tutorials' notebooks, run in Jupyter's kernel in notebooks/."""
    session.install("-e", ".[docs]")
    session.run("python", "-m", "docs.notebooks", *session.posargs)


@nox.session(python=PYTHONS, default=False)
def suite(session):
    """The whole suite with the newest packages, from an empty environment."""
    session.install(".[test]")
    session.run("python", "-m", "pytest", "-q", *session.posargs)


@nox.session(python=PYTHONS[0], default=False)
def oldest(session):
    """The whole suite with the oldest packages that pyproject.toml allows."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    allowed = [p for p in project["dependencies"] + extras["test"] + extras["threads"] if ">=" in p]
    session.install(*(package.replace(">=", "==") for package in allowed))
    session.install("--no-deps", ".")
    session.run("python", "-m", "pytest", "-q", *session.posargs)


def changed(since):
    """Files that differ from the commit where this branch left ``since``, those that git does not know yet too."""

    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()

    (base,) = git("merge-base", "HEAD", since)
    return [Path(name) for name in git("diff", "--name-only", base) + git("ls-files", "--others", "--exclude-standard")]


def tests_of(path):
    """The tests of a file: its mirror in tests/, else those of its room; those of the documentation for a page."""
    if path.suffix == ".md" or path.parts[0] == "docs":
        pages = {"tests/test_docs.py", "tests/test_references.py", "tests/test_site.py"}
        return pages & {str(p) for p in Path("tests").glob("test_*.py")}
    if path.parts[0] == "tests":
        return {str(path)} if path.name.startswith("test_") and path.exists() else set()
    if path.parts[0] != "numepi" or path.suffix != ".py":
        return set()
    general = {"tests/test_architecture.py", "tests/test_types.py"}
    room = Path("tests", *path.parts[1:-1])
    mirror = room / f"test_{path.name}"
    if mirror.exists():
        return general | {str(mirror)}
    while not room.exists():
        room = room.parent
    return general | ({str(room)} if room != Path("tests") else set())


if __name__ == "__main__":
    nox.main()
