"""The documentation: its Python blocks run, what they show is what they print, and the reference is up to date."""

import doctest
import re
from dataclasses import replace

import matplotlib.pyplot as plt
import pytest

import numepi as ne
import numepi.inference
from docs import generate_api, pages

DOCS = pages.ROOT / "docs"
PAGES = sorted([pages.ROOT / "README.md", *DOCS.glob("*.md")])
WITH_CODE = [page for page in PAGES if pages.blocks(page)]
NOT_RUN = {
    "cluster.md": ["needs dask and a Slurm cluster"],
    "recipes.md": ["needs brian2"],
    "variance_and_dimension.md": ["a minute of one core"],
}
STORED_FIT = ["cluster.md"]
QUICK = {"max_simulations": 400, "fit_steps": 5, "landing_steps": 5, "surrogate_first_steps": 50}


@pytest.fixture(scope="session")
def fits():
    """Results by call: pages share the fits of numepi's own circuits."""
    return {}


@pytest.fixture
def infer_once(fits, monkeypatch):
    infer = numepi.inference.infer

    def remembered(circuit, prop, **settings):
        own = type(circuit).__name__ in ne.circuits.MODELS and not {"checkpoint", "callback"} & set(settings)
        key = repr((circuit, prop, sorted((name, value) for name, value in settings.items() if name != "progress")))
        if not own or key not in fits:
            fits[key] = infer(circuit, prop, **settings)
        return fits[key]

    monkeypatch.setattr(numepi.inference, "infer", remembered)


@pytest.fixture
def stored_fit(monkeypatch):
    """Every inference returns the result of one small run, said to have met its constraints."""
    lds = ne.circuits.LDS()
    prop = ne.EmergentProperty(mean=[0.0, 6.0], variance=[4.0, 4.0])
    result = replace(ne.infer(lds, prop, progress=False, max_annealing_rounds=1, **QUICK), success=True)
    monkeypatch.setattr(numepi.inference, "infer", lambda *arguments, **settings: result)


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: page.name)
def test_blocks_run_and_print_what_the_page_shows(page, request, tmp_path, monkeypatch):
    request.getfixturevalue("stored_fit" if page.name in STORED_FIT else "infer_once")
    plt.switch_backend("Agg")
    monkeypatch.chdir(tmp_path)
    try:
        assert pages.run(page)
    finally:
        plt.close("all")


def test_blocks_that_are_not_run_as_they_stand_are_those_known():
    found = {page.name: [b.not_run for b in pages.blocks(page) if b.not_run] for page in WITH_CODE}
    assert {name: reasons for name, reasons in found.items() if reasons} == NOT_RUN
    stored = [page.name for page in WITH_CODE if any("stored fit" in b.remark for b in pages.blocks(page))]
    assert stored == STORED_FIT


def test_every_python_fence_is_found_and_short():
    for page in PAGES:
        blocks = pages.blocks(page)
        assert len(blocks) == len(re.findall(r"^ *```python", page.read_text(), flags=re.MULTILINE)), page.name
        for block in blocks:
            assert max(map(len, block.code.splitlines())) <= 120, f"{page.name}, line {block.line}"


def test_the_reference_is_what_the_docstrings_say():
    message = "docs/api.md is stale: python docs/generate_api.py"
    assert generate_api.PAGE.read_text() == generate_api.page(), message


def test_examples_in_docstrings():
    for text in re.findall(r"```pycon\n(.*?)```", generate_api.PAGE.read_text(), flags=re.DOTALL):
        test = doctest.DocTestParser().get_doctest(text, {}, "docs/api.md", "docs/api.md", 0)
        assert doctest.DocTestRunner().run(test).failed == 0


def headings(page):
    """The anchors of a page's headings."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    taken = {}
    return {generate_api.slug(heading, taken) for heading in re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)}


def test_links_lead_somewhere():
    for page in PAGES:
        targets = [t for t in re.findall(r"\]\(([^)\s]+)\)", page.read_text()) if not t.startswith("http")]
        for target in targets:
            path, _, anchor = target.partition("#")
            to = page.parent / path if path else page
            assert to.exists(), f"{page.name}: {target}"
            assert not anchor or anchor in headings(to), f"{page.name}: {target} has no such heading"


@pytest.mark.parametrize(
    ("shown", "varies", "same"),
    [
        ("a 1.5\n", False, True),
        ("a 1.6\n", False, False),
        ("a -2e-3\n", True, True),
        ("b 1.5\n", True, False),
        ("", True, False),
    ],
)
def test_output_that_differs_is_noticed(shown, varies, same):
    if same:
        pages.compare("a 1.5", shown, varies, "here")
    else:
        with pytest.raises(AssertionError, match="here prints"):
            pages.compare("a 1.5", shown, varies, "here")


def test_a_block_that_fails_is_reported_with_its_line(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n```python\nx = 1\n```\n\n```python\nx.nothing\n```\n")
    with pytest.raises(AttributeError, match="nothing") as error:
        pages.run(page)
    assert error.traceback[-1].lineno == 7  # counted from 0


def test_updated_pages_show_what_is_printed(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\nprint(2)\n```\n\n<!-- output -->\n```text\n1\n```\nend\n")
    with pytest.raises(AssertionError, match="line 2"):
        pages.run(page)
    page.write_text(pages.with_output(page, pages.run(page, check=False)))
    assert pages.run(page)[0][1] == "2\n" and page.read_text().endswith("2\n```\nend\n")
