"""How the site is put together, without Sphinx; `python -m docs.site` builds it."""

import json
import re
import zlib

import pytest

from docs import site


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    to = tmp_path_factory.mktemp("site")
    site.stage(to)
    return to


def test_every_page_is_in_the_tree_of_contents(staged):
    trees = re.findall(r"```{toctree}\n(.*?)```", (staged / "docs/index.md").read_text(), flags=re.DOTALL)
    assert [re.search(r":caption: (.*)", tree)[1] for tree in trees] == [
        "Tutorials", "How to", "Gallery", "Explanation", "Reference",
    ]  # fmt: skip
    listed = {link for tree in trees for link in re.findall(r"<(.*)>", tree)}
    own = {path.name for path in (site.ROOT / "docs").glob("*.md")} - {"index.md"}
    assert own <= listed and {"../gallery/index.rst", "reference.rst", "../benchmarks/README.md"} <= listed
    findings = (staged / "docs/findings/README.md").read_text()
    assert re.search(r"```{toctree}\n:hidden:\n:glob:\n\n\*\n```", findings)


def test_no_picture_is_left_to_a_script_from_elsewhere(staged):
    for page in staged.rglob("*.md"):
        assert not re.search(r"^```\{?(mermaid|graphviz|dot|plantuml)|<script", page.read_text(), flags=re.MULTILINE), (
            page.name
        )


def test_tutorials_are_offered_as_notebooks(staged):
    for name in ("getting_started", "your_own_circuit", "reading_a_certificate"):
        page = (staged / f"docs/{name}.md").read_text()
        assert f"({name}.ipynb)" in page.split("\n\n")[1]
        assert json.loads((staged / f"docs/{name}.ipynb").read_text())["cells"]


def test_links_to_folders_lead_to_what_describes_them(staged):
    architecture = (staged / "docs/architecture.md").read_text()
    assert "](../numepi/flow/__init__.py)" in architecture and "](../numepi/flow/)" not in architecture
    assert "](gallery/index.rst)" in (staged / "README.md").read_text()
    assert not list(staged.rglob("__pycache__"))


def test_links_of_pages_lead_to_what_the_site_has(staged):
    made_by_sphinx = {staged / "gallery/index.rst", staged / "docs/index.html"}
    pages = [*staged.glob("*.md"), *(staged / "docs").glob("*.md"), *(staged / "docs/findings").glob("*.md")]
    for page in [*pages, staged / "benchmarks/README.md"]:
        text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for link in re.findall(r"\]\((?!https?:|mailto:|#)([^)\s#]+)", text):
            target = (page.parent / link).resolve()
            assert target.exists() or target in made_by_sphinx, f"{page.relative_to(staged)}: {link}"


def test_the_history_of_the_benchmarks_is_linked_where_there_is_one(staged, tmp_path):
    site.stage(tmp_path, with_history=True)
    link = '<a href="../history/index.html">'
    assert link in (tmp_path / "benchmarks/README.md").read_text()
    assert link not in (staged / "benchmarks/README.md").read_text()


@pytest.mark.parametrize(
    ("what", "instead"),
    [("--is-shallow-repository", "true"), ("--verify", ""), ("--show-toplevel", "/elsewhere"), ("rev-parse", "")],
)
def test_there_is_no_history_without_the_branch_and_its_commits(what, instead, tmp_path, monkeypatch):
    def git(*arguments):
        answers = {"--is-shallow-repository": "false", "--verify": "abc", "--show-toplevel": str(site.ROOT)}
        return instead if what in arguments else answers[arguments[1]]

    monkeypatch.setattr(site, "_git", git)
    monkeypatch.setattr(site.subprocess, "run", lambda *arguments, **settings: pytest.fail("asv was called"))
    assert site.history(tmp_path) is False


def test_own_model_is_a_click_away_from_the_front_page(staged):
    text = (staged / "docs/index.md").read_text()
    screen = text[: text.index("## Tutorials")]
    assert "](your_own_circuit.md)" in screen and screen.count("![") == 1
    (code,) = re.findall(r"```python\n(.*?)```", screen, flags=re.DOTALL)
    lines = [line for line in code.splitlines()[1:] if line]  # below the import
    assert "ne.Dynamics(" in code and len(lines) <= 10 and max(map(len, lines)) <= 90


def test_examples_show_the_pictures_that_they_name(staged):
    scripts = [*site.ROOT.glob("examples/*.py"), *site.ROOT.glob("examples/models/*.py")]
    shown = [path for path in scripts if path.name not in ("gallery.py", "__init__.py")]
    assert len(shown) > 15
    for script in shown:
        quotes, title, line = (staged / script.relative_to(site.ROOT)).read_text().splitlines()[:3]
        assert quotes == '"""' and len(title) > 2 and line == "=" * len(title)
        page = "gallery/" + script.relative_to(site.ROOT / "examples").with_suffix("").as_posix()
        text = site.with_picture(f"before\n\n{title}\n{line}\n\nafter\n", page, staged)
        if "sphinx_gallery_thumbnail_path" in script.read_text():
            picture, alt = re.search(r"\n\n\.\. image:: /(.*)\n   :alt: (.*)\n\nafter", text).groups()
            assert (staged / picture).exists() and alt == title
    assert site.with_picture("x", "docs/method", staged) == site.with_picture("x", "gallery/index", staged) == "x"


def test_a_script_without_a_heading_gets_one():
    assert (
        site.with_heading('"""Traces: of all.\n\nMore.\n"""\n')
        == '"""\nTraces\n======\n\nTraces: of all.\n\nMore.\n"""\n'
    )
    for text in ('"""\nSIR\n===\n\nMore.\n"""\n', "import numpy\n"):
        assert site.with_heading(text) == text


def test_names_elsewhere_are_stored_for_builds_without_a_network(tmp_path, monkeypatch):
    def unreachable(*arguments, **settings):
        raise OSError("no network")

    monkeypatch.setattr(site, "urlopen", unreachable)
    found = site.inventories(tmp_path)
    assert set(found) == {"python", "numpy", "scipy", "matplotlib"}
    address, path = found["numpy"]
    head, _, packed = (tmp_path / path).read_bytes().partition(b"using zlib.\n")
    assert address == "https://numpy.org/doc/stable/" and head.startswith(b"# Sphinx inventory version 2\n")
    entries = zlib.decompress(packed).decode().splitlines()
    assert [e for e in entries if re.fullmatch(r"numpy\.ndarray py:class 1 reference/\S+ -", e)]


def test_links_that_lead_nowhere_are_found(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "index.html").write_text('<a href="a/b.html#x">b</a><a href="https://elsewhere.example">c</a>')
    (tmp_path / "a/b.html").write_text('<p id="x"></p><a href="../index.html">i</a><a href="#x"></a>')
    assert site.broken(tmp_path) == []
    (tmp_path / "a/b.html").write_text('<p id="y"></p><img src="none.png"><a href="#z"></a>')
    assert site.broken(tmp_path) == [
        "a/b.html: #z (no such place)",
        "a/b.html: none.png",
        "index.html: a/b.html#x (no such place)",
    ]


def test_without_the_extra_the_command_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(site, "find_spec", lambda name: None)
    monkeypatch.setattr("sys.argv", ["site", "--out", str(tmp_path / "site")])
    with pytest.raises(SystemExit, match=r"^sphinx and asv not found: python -m pip install '\.\[docs\]'"):
        site.main()
