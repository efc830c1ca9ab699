"""The documentation: its Python blocks run, what they show is what they print, and the reference has every name."""

import doctest
import inspect
import json
import re
from dataclasses import replace
from importlib import import_module

import matplotlib.pyplot as plt
import pytest

import numepi as ne
import numepi.inference
from docs import names, pages
from numepi.inference.solvers import SOLVERS

DOCS = pages.ROOT / "docs"
PAGES = sorted([pages.ROOT / "README.md", *DOCS.glob("*.md")])
WITH_CODE = [page for page in PAGES if pages.blocks(page)]
NOT_RUN = {
    "cluster.md": ["needs dask and a Slurm cluster"],
    "recipes.md": ["needs brian2"],
    "variance_and_dimension.md": ["a minute of one core"],
}
STORED_FIT = ["cluster.md", "index.md"]
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


@pytest.fixture(autouse=True)
def solvers():
    """What a page enters among the solvers goes again."""
    before = dict(SOLVERS)
    yield
    SOLVERS.clear()
    SOLVERS.update(before)


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


ROOMS = ["", ".analysis", ".circuits", ".flow", ".initial", ".observe", ".plotting", ".priors", ".settings", ".sweeps"]
ROOMS += [f".analysis.{name}" for name in ("lds", "rnn", "sc", "stg", "v1", "v1_linear")]
PUBLIC = names.public()


@pytest.mark.parametrize("room", ROOMS)
def test_the_reference_lists_every_public_name(room):
    module = import_module(f"numepi{room}")
    values = [getattr(module, name) for name in module.__all__]
    listed = {id(value) for _, _, value in PUBLIC}
    named = [value for value in values if inspect.isclass(value) or inspect.isfunction(value)]
    missing = [value.__qualname__ for value in named if id(value) not in listed]
    assert named and not missing, f"docs/reference.rst lacks {missing}"


def test_the_reference_lists_a_name_once():
    assert len({id(value) for _, _, value in PUBLIC}) == len(PUBLIC) > 100


@pytest.mark.parametrize("module, name, value", PUBLIC, ids=lambda each: each if isinstance(each, str) else "")
def test_every_public_name_says_what_its_arguments_are(module, name, value):
    documentation = inspect.getdoc(value)
    assert documentation, f"{module}.{name} has no docstring"
    if "\nParameters\n---" in documentation:
        for argument in inspect.signature(value).parameters:
            assert re.search(rf"\b{argument}\b", documentation), f"{module}.{name} does not say what {argument} is"


def test_names_in_docstrings_lead_to_what_they_name():
    assert names.page_of(names.value_of("Support", "numepi.flow")) == "numepi.Support"
    assert names.page_of(names.value_of("numepi.LensFlow")) == "numepi.flow.LensFlow"
    assert names.value_of("CLASSES", None, "numepi.analysis.rnn") is ne.analysis.rnn.CLASSES
    assert names.page_of(names.value_of("numepi.priors")) is None  # a module: there, without a page of its own
    for wrong in ("numepi.Suport", "numepi.circuits.LDS.taus", "nowhere.at_all"):
        with pytest.raises(LookupError, match=f"{wrong} is no name"):
            names.value_of(wrong, "numepi.flow")


def test_pages_of_names_that_differ_in_capitals_have_files_of_their_own():
    renamed = names.filenames()
    files = [renamed.get(f"{module}.{name}", f"{module}.{name}").lower() for module, name, _ in PUBLIC]
    assert renamed["numepi.analysis.Mode"] == "numepi.analysis.Mode-class" and len(set(files)) == len(files)


def test_examples_in_docstrings():
    finder, runner, found = doctest.DocTestFinder(), doctest.DocTestRunner(), 0
    for module, name, value in PUBLIC:
        for test in finder.find(value, f"{module}.{name}", globs={}):
            found += bool(test.examples)
            assert runner.run(test).failed == 0
    assert found > 0


def slug(heading, taken):
    """The anchor that forges give a heading; repeated ones are numbered."""
    slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
    count = taken.get(slug, 0)
    taken[slug] = count + 1
    return f"{slug}-{count}" if count else slug


def headings(page):
    """The anchors of a page's headings."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    taken = {}
    return {slug(heading, taken) for heading in re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)}


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


def test_a_notebook_has_the_blocks_of_its_page_in_order(tmp_path):
    page = DOCS / "getting_started.md"
    notebook = json.loads(pages.notebook(page))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    cells = notebook["cells"]
    code = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    assert code == [block.code.strip("\n") for block in pages.blocks(page) if not block.not_run]
    assert len({cell["id"] for cell in cells}) == len(cells) and cells[0]["source"].startswith("# Getting started")
    assert not [cell for cell in cells if cell["cell_type"] == "markdown" and "```python" in cell["source"]]


def test_what_is_not_run_stays_text_in_a_notebook(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n```python\nx = 1\n```\n\n<!-- not run: slow -->\n```python\ny\n```\n")
    text, code, rest = json.loads(pages.notebook(page))["cells"]
    assert text["source"] == "# Page" and code["source"] == "x = 1" and "```python\ny\n```" in rest["source"]
