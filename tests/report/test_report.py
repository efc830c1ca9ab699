"""The report of a run: whole, self-contained, readable without pictures, and true to the result."""

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

import numepi as ne
import numepi.inference
import numepi.report
from numepi.report.code import code

_VOID = {"meta", "img", "source", "line", "rect", "br"}
_BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")


class Page(HTMLParser):
    """What a page holds: its tags with their attributes, its text, and whether every tag is closed in its turn."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.open, self.wrong = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def result():
    lds = ne.circuits.LDS()
    prop = ne.EmergentProperty(mean=[0.0, 2 * np.pi], variance=[0.0625, None], variance_at_most=[None, 0.5])
    return ne.infer(
        lds, prop, rng=4, progress=False, max_annealing_rounds=1, final_rounds=1, round_size=500, fit_steps=5,
        refine_steps=5, refine_size=20,
    )  # fmt: skip


@pytest.fixture(scope="module")
def path(result, tmp_path_factory):
    """The page with measurements beside the predictive check."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    result.report(path, data=np.random.default_rng(0).normal([0.0, 6.28], 0.3, (40, 2)), n=60)
    return path


@pytest.fixture(scope="module")
def page(path):
    return Page(path.read_text(encoding="utf-8"))


def test_the_page_is_whole_and_says_its_language_and_width(page):
    assert page.wrong == [] and page.open == []
    assert page.all("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")
    assert len(page.all("h1")) == 1 and len(page.all("h2")) == len(page.all("section")) == 11


def test_nothing_is_loaded_from_elsewhere(page, path):
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object")
        for name in ("src", "href", "srcset", "data", "action"):
            assert attributes.get(name, "data:").startswith("data:")
    assert not re.search(r"url\(|@import|https?://", path.read_text(encoding="utf-8"))


def test_pictures_are_light_and_dark_and_say_in_words_what_they_show(page):
    images, dark = page.all("img"), page.all("source")
    assert len(images) == len(dark) == 5
    for light, other in zip(images, dark):
        assert len(light["alt"].split()) >= 8
        assert other["media"] == "(prefers-color-scheme: dark)"
        assert light["src"].startswith("data:image/png;base64,") and light["src"] != other["srcset"]
    assert all(each["aria-label"] for each in page.all("svg"))


def test_numbers_are_those_of_the_result(page, result):
    text = "".join(page.text)
    assert result.message in text and result.status in text
    assert f"{result.entropy:.3f} ± {result.entropy_stderr:.3f}" in text
    assert str(result.certificate) in text and f"{result.n_simulations:,}" in text
    for i, name in enumerate(result.constraint_names):
        bound = "<= " if name == "variance im_lambda1" else ""
        shown = f"{name}{bound}{result.constraint_target[i]:.4g}{result.constraint[i]:.4g}"
        assert shown in text
    off = (result.constraint - result.constraint_target) / result.constraint_tolerance
    bars = [float(label.split()[0]) for label in (each["aria-label"] for each in page.all("svg"))]
    bounded = [name == "variance im_lambda1" for name in result.constraint_names]
    np.testing.assert_allclose(bars, np.abs(np.where(bounded, np.maximum(off, 0), off)), atol=0.006)
    assert "40 measurements" in text and "60 fresh simulations" in text
    for name, low in zip(result.parameter_names, result.circuit.support.lower):
        assert f"{name}{low:.6g}" in text


def test_the_code_makes_the_same_run(result, page, monkeypatch):
    asked = {}

    def infer(circuit, prop, **settings):
        asked.update(settings, circuit=circuit, prop=prop)
        return result

    monkeypatch.setattr(numepi.inference, "infer", infer)
    shown = re.search(r"import numepi as ne\n.*print\(result\)", "".join(page.text), flags=re.DOTALL)[0]
    exec(shown, {})
    assert asked.pop("circuit").settings == result.circuit.settings
    assert asked.pop("prop") == result.property
    assert asked == {
        "rng": 4, "max_annealing_rounds": 1, "final_rounds": 1, "round_size": 500, "fit_steps": 5, "refine_steps": 5,
        "refine_size": 20,
    }  # fmt: skip


def test_what_a_file_does_not_know_is_said_in_the_code(result):
    configuration = result.configuration | {
        "circuit_class": {"name": "mine:Neuron"},
        "prior": {"family": "normal"},
        "gradient": False,
        "precision": "float32",
        "seed": [7, [1, 2]],
        "solver": "augmented-lagrangian",
        "solver_settings": {},
    }
    text = code(replace(result, configuration=configuration, circuit=None, ended={"status": "budget"}))
    for piece in (
        "# circuit = ...: your own, a Neuron", "# prior = ...", "# flow = ...", "# the run ended early (budget)",
        'gradient="none"', 'precision="float32"', 'solver="augmented-lagrangian"', "prior=prior", "flow=flow",
        "rng=np.random.SeedSequence(7, spawn_key=(1, 2))", "import numpy as np",
    ):  # fmt: skip
        assert piece in text


def test_a_result_without_its_circuit_or_score_has_a_report(result, tmp_path):
    nothing = np.full(len(result.constraint_names), np.nan)
    bare = replace(
        result, circuit=None, certificate=None, entropy=np.nan, entropy_stderr=np.nan, constraint=nothing, history={},
        constraint_stderr=nothing, status="not scored",
    )  # fmt: skip
    bare.report(tmp_path / "bare.html")
    page = Page((tmp_path / "bare.html").read_text(encoding="utf-8"))
    text = "".join(page.text)
    assert page.wrong == [] and len(page.all("img")) == 2  # pairs and marginals need the flow only
    for said in ("loaded without its circuit", "there are no traces", "result.certify()", "entropy is unknown"):
        assert said in text
    assert "not known" in text  # how far each constraint is off


def test_names_cannot_break_the_page(result, tmp_path):
    odd = replace(result, parameter_names=("<b>", 'a"b', "a&b", "</td>"), message="x < y & <script>alert(1)</script>")
    odd.report(tmp_path / "odd.html", n=20)
    page = Page((tmp_path / "odd.html").read_text(encoding="utf-8"))
    assert page.wrong == [] and not page.all("script") and not page.all("b")
    assert "<script>alert(1)</script>" in "".join(page.text)


def test_measurements_that_the_property_came_from_stand_beside_the_answer(result, tmp_path, monkeypatch):
    measured, given = np.random.default_rng(0).normal(6.28, 0.1, (30, 1)), np.zeros((4, 2))
    of_data = replace(result, property=ne.EmergentProperty.from_data(measured, ["im_lambda1"]))
    shown = []
    monkeypatch.setattr(numepi.report, "write_report", lambda result, path, fresh, data: shown.append(data))
    for how in ({}, {"data": given}):
        of_data.report(tmp_path / "report.html", n=2, **how)
    np.testing.assert_array_equal(shown[0], np.hstack([np.full((30, 1), np.nan), measured]))
    np.testing.assert_array_equal(shown[1], given)


def test_bad_input_is_refused_before_any_simulation(result, tmp_path, monkeypatch):
    monkeypatch.setattr(type(result.circuit), "statistics", None)  # would fail
    with pytest.raises(ValueError, match="does not exist"):
        result.report(tmp_path / "nowhere" / "report.html")
    with pytest.raises(ValueError, match=r"data has shape \(3, 5\)"):
        result.report(tmp_path / "report.html", data=np.zeros((3, 5)))
    with pytest.raises(ValueError, match="n = 0"):
        result.report(tmp_path / "report.html", n=0)
    assert not list(tmp_path.iterdir())


def test_notebooks_show_results_as_a_table(result):
    page = Page(result._repr_html_())
    text = "".join(page.text)
    assert page.wrong == [] and page.open == []
    assert result.message in text and str(result.certificate) in text
    for line in str(result).splitlines()[1 : 1 + len(result.constraint_names)]:
        name = next(name for name in result.constraint_names if line.startswith(name))
        assert name + "".join(line.removeprefix(name).split()).replace("<=", "<= ") in text


@pytest.fixture(scope="module")
def cards(result):
    """A page of what notebooks show of a result, its property, a support and a sweep."""
    row = {
        "run": 0, "circuit": "lds", "labels": {"contrast": 0.5}, "status": "lost", "entropy": 1.25, "kl": 0.5,
        "reliable": True, "n_simulations": 4000, "elapsed": 2.0, "path": None, "message": "its worker died",
    }  # fmt: skip
    shown = (result, result.property, ne.Support([0.0, -np.inf], [1.0, np.inf]), ne.SweepIndex("runs", [row]))
    body = "".join(each._repr_html_() for each in shown)
    return (
        f'<!DOCTYPE html><html lang="en"><meta name="viewport" content="width=device-width"><body>{body}</body></html>'
    )


@pytest.mark.slow
@pytest.mark.parametrize("what", ["report", "cards"])
def test_a_browser_shows_it_without_complaint_and_no_wider_than_a_phone(what, path, request, tmp_path):
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        pytest.skip(f"no browser here: none of {', '.join(_BROWSERS)} is on the PATH")
    # A copy that writes down what it measures: the page itself has no script.
    text = path.read_text(encoding="utf-8") if what == "report" else request.getfixturevalue("cards")
    script = (
        "<script>onload = () => { const broken = [...document.images].filter(i => !i.naturalWidth).length;"
        "document.title = `wide ${document.documentElement.scrollWidth} of ${innerWidth}, broken ${broken}`; }</script>"
    )
    (tmp_path / "copy.html").write_text(text.replace("</body>", f"{script}</body>"), encoding="utf-8")
    run = subprocess.run(
        [browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=390,800", "--enable-logging=stderr",
         f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=10000", "--dump-dom",
         (tmp_path / "copy.html").as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    wide, of, broken = map(int, re.search(r"<title>wide (\d+) of (\d+), broken (\d+)</title>", run.stdout).groups())
    assert broken == 0
    assert wide <= of, "the page scrolls sideways"
    assert "CONSOLE" not in run.stderr
