"""What is published: facts that only the publisher knows stand once, links work on an index page, versions agree."""

import re
import shutil
import tomllib

import pytest

import numepi as ne
from docs import publish

FILES = [*publish.MARKED, publish.INDEX_PAGE]
PLACEHOLDERS = ("repository.invalid", "contact@contact.invalid", "(placeholder)")
OWN = {"pyproject.toml", "docs/publish.py", "tests/test_publishing.py"}


@pytest.fixture
def elsewhere(tmp_path):
    """A copy of the files that are published, with another repository, contact, affiliation and version."""
    for name in [*publish.MARKED, "README.md"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(publish.ROOT / name, tmp_path / name)
    text = (publish.ROOT / "pyproject.toml").read_text()
    for old, new in [
        ("https://repository.invalid/numepi", "https://forge.example/neuro/numepi/"),
        ("contact@contact.invalid", "people@forge.example"),
        ("Affiliation of the authors (placeholder)", "An institute, a town"),
        ('version = "0.1.0"', 'version = "7.8.9"'),
        (" # placeholder", " #"),
    ]:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "pyproject.toml").write_text(text)
    return tmp_path


def test_every_file_holds_what_pyproject_says():
    for name, text in publish.pages().items():
        assert (publish.ROOT / name).read_text() == text, f"{name} is stale: python docs/publish.py"


def test_another_publisher_reaches_every_file(elsewhere):
    pages = publish.pages(elsewhere)
    for name, text in pages.items():
        assert not publish.PLACEHOLDER.search(text), f"{name} keeps a placeholder"
        assert "forge.example" in text or "An institute, a town" in text, f"{name} takes nothing from pyproject.toml"
        assert "numepi//" not in text
    assert 'version: "7.8.9" #' in pages["CITATION.cff"] and 'version: "7.8.9" #' in pages["docs/publishing/meta.yaml"]
    assert "[advisory]: https://forge.example/neuro/numepi/security/advisories/new" in pages[".github/SECURITY.md"]
    assert "[contact]: mailto:people@forge.example" in pages[".github/CODE_OF_CONDUCT.md"]


def test_what_is_missing_before_a_release_is_said(elsewhere):
    assert [line for line in publish.unready() if "repository.invalid" in line]
    assert len(publish.unready()) == 3  # the three facts; no file is stale
    assert all("is stale" in line for line in publish.unready(elsewhere))
    assert len(publish.unready(elsewhere)) == len(FILES)
    for name, text in publish.pages(elsewhere).items():
        (elsewhere / name).write_text(text)
    assert publish.unready(elsewhere) == []


def test_placeholders_stand_nowhere_else():
    for path in publish.ROOT.rglob("*"):
        name = path.relative_to(publish.ROOT).as_posix()
        ours = not re.search(r"(^|/)(\.git|\.venv|build|dist|out|__pycache__|[\w.]+\.egg-info|\.\w+_cache)(/|$)", name)
        if ours and name not in OWN | set(FILES) and path.suffix in {".md", ".py", ".toml", ".yml", ".yaml", ".cff"}:
            text = path.read_text()
            assert not [word for word in PLACEHOLDERS if word in text], f"{name}: enter it in publish.MARKED"


def test_links_of_the_index_page_leave_nothing_relative():
    readme, page = ((publish.ROOT / name).read_text() for name in ("README.md", publish.INDEX_PAGE))
    targets = {text: re.findall(r"\]\(([^)\s]+)\)", text) for text in (readme, page)}
    assert len(targets[readme]) == len(targets[page]) > 10
    prefix = re.escape(publish.facts()["repository"]) + r"/(?:blob|raw)/v[\d.]+/"
    for before, after in zip(targets[readme], targets[page]):
        assert after.startswith(("https://", "#"))
        assert re.sub(prefix, "", after) == before
        assert ("/raw/" in after) == (before.endswith(".png"))


def test_versions_agree():
    version = publish.facts()["version"]
    assert version == ne.__version__
    latest = re.search(r"^## \[(.+?)\]", (publish.ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert latest[1] in ("Unreleased", version)


def test_the_recipe_asks_for_what_pyproject_asks_for():
    project = tomllib.loads((publish.ROOT / "pyproject.toml").read_text())["project"]
    run = (publish.ROOT / "docs/publishing/meta.yaml").read_text().split("  run:\n")[1].split("\n\n")[0]
    asked = {line.strip("- ").replace(" ", "").replace("matplotlib-base", "matplotlib") for line in run.splitlines()}
    assert asked == {f"python{project['requires-python']}", *project["dependencies"]}


def test_the_recipe_has_what_a_channels_linter_asks_for():
    """The rules of conda-smithy, which no package index carries; maintainers are the publisher's to enter."""
    text = (publish.ROOT / "docs/publishing/meta.yaml").read_text()
    parts = dict(re.findall(r"^(\w+):\n(.*?)(?=^\w|\Z)", text, flags=re.MULTILINE | re.DOTALL))
    assert list(parts) == ["package", "source", "build", "requirements", "test", "about", "extra"]
    for part, wanted in {
        "package": ("name: numepi", "version:"),
        "build": ("noarch: python", "number: 0", "--no-deps --no-build-isolation", "- numepi = numepi.__main__:main"),
        "test": ("imports:", "pip check", "requires:"),
        "about": ("home:", "summary:", "license: BSD-3-Clause", "license_file: LICENSE"),
        "extra": ("recipe-maintainers:",),
    }.items():
        assert all(each in parts[part] for each in wanted), part
    assert re.findall(r"^  (\w+):$", parts["requirements"], flags=re.MULTILINE) == ["host", "run"]
    asked = re.findall(r"^    - (.*)$", parts["requirements"], flags=re.MULTILINE)
    assert len(asked) > 8 and all(re.fullmatch(r"[a-z-]+( [<>=]*[\d.*]+)?", each) for each in asked)  # one space
    assert all(re.fullmatch(r"{{ \w+ }}", each) for each in re.findall(r"{{.*?}}", text))
    assert (publish.ROOT / "LICENSE").exists() and text.endswith("\n") and not text.endswith("\n\n")
    settings = tomllib.loads((publish.ROOT / "pyproject.toml").read_text())
    assert settings["build-system"]["requires"] == ["setuptools>=77"] and "setuptools >=77" in asked
    assert settings["project"]["scripts"] == {"numepi": "numepi.__main__:main"}
    assert settings["project"]["license"] == "BSD-3-Clause"


def test_the_paper_cites_what_its_bibliography_has():
    folder = publish.ROOT / "docs/publishing"
    cited = set(re.findall(r"@([a-z]+\d{4})", (folder / "paper.md").read_text()))
    assert cited == set(re.findall(r"^@\w+\{(\w+),", (folder / "paper.bib").read_text(), flags=re.MULTILINE))
