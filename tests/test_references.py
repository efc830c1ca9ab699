"""Pages that describe the code agree with it: docs/science.md by section and constant, docs/architecture.md by room."""

import importlib
import re
from math import pi

import numpy as np
import pytest

from benchmarks.bench_solvers import EXACT_ENTROPY
from docs import draw_architecture
from docs.pages import ROOT
from numepi import circuits
from numepi.circuits.stg.constants import INITIAL_STATE, STGPhysiology

SCIENCE = (ROOT / "docs" / "science.md").read_text()
# A number keeps its subject: text that cites it may be in anybody's copy.
SECTIONS = {
    "1": "The problem",
    "1.1": "Emergent properties",
    "1.2": "The distribution of greatest entropy",
    "1.3": "The dual",
    "1.4": "How far a distribution is from the solution",
    "1.5": "Noise in the exponent",
    "2": "Algorithm 1 of the paper",
    "3": "The flow",
    "3.1": "Couplings",
    "3.2": "Splines",
    "3.3": "The map to the support",
    "3.4": "Symmetric flows",
    "4": "The circuits",
    "4.1": "Two-dimensional linear system (LDS)",
    "4.2": "Stomatogastric subcircuit (STG)",
    "4.3": "Rank-2 recurrent network (RNN)",
    "4.4": "Primary visual cortex (V1)",
    "4.5": "Superior colliculus (SC)",
    "5": "Random numbers",
}
# Comments and docstrings wrap: a citation may go on in the next line, behind a comment's sign.
_GAP = r"(?:\s|#)+"
_CITATION = re.compile(rf"\bscience:{_GAP}(?:section{_GAP}(\d+(?:\.\d+)*)|(\S+))")
_UNITS = {
    "1": 1, "s": 1, "1/s": 1, "1/s²": 1, "ms": 1e-3, "Hz": 1, "Hz²": 1, "V": 1, "mV": 1e-3, "nF": 1e-9, "nS": 1e-9,
    "µS": 1e-6, "pA": 1e-12,
}  # fmt: skip
PHYSIOLOGY = STGPhysiology()
MODELS = {name: getattr(circuits, name)() for name in circuits.MODELS}


def sections(text):
    """Title by number of the numbered headings."""
    return dict(re.findall(r"^##+ (\d+(?:\.\d+)*)\.? (.+)$", text, flags=re.MULTILINE))


def citations(text):
    """Section numbers that a text cites; what else it calls science stands as it is written."""
    return [number or other for number, other in _CITATION.findall(text)]


def table(name):
    """Rows of every table below the comment ``<!-- name -->``: dicts by the header's cells."""
    rows = []
    for block in re.findall(rf"^<!-- {name} -->\n((?:\|.*\n)+)", SCIENCE, flags=re.MULTILINE):
        header, _, *lines = ([cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines())
        rows += [dict(zip(header, line, strict=True)) for line in lines]
    return rows


def number(text):
    """The value of a cell: numbers, with π, powers of ² and minus signs, or tuples of them."""
    plain = text.translate(str.maketrans({"−": "-", "π": "*pi", "²": "**2"}))
    plain = re.sub(r"(?<![\d)])\*pi", "pi", plain)
    assert re.fullmatch(r"[\d.,()*/e+\- pi]+", plain), f"{text!r} is not a number"
    return np.array(eval(plain, {"pi": pi}), float)


def in_the_code(expression):
    """What a name of the column *in the code* stands for: of a circuit with default arguments, or with its module."""
    assert re.fullmatch(r"[\w.]+(?:\(\))?[\w.]*(?:\[\d\])?", expression), expression
    if expression.startswith("numepi."):
        module, _, name = expression.rpartition(".")
        return getattr(importlib.import_module(module), name)
    return eval(expression, MODELS | {"STGPhysiology": PHYSIOLOGY, "INITIAL_STATE": INITIAL_STATE})


def test_headings_keep_their_numbers():
    assert sections(SCIENCE) == SECTIONS


def test_every_citation_leads_to_a_section():
    found = 0
    folders = ("numepi", "benchmarks", "docs", "examples", "tests")
    for path in (path for folder in folders for path in sorted((ROOT / folder).rglob("*"))):
        if path.suffix in (".py", ".md") and path.name not in ("science.md", "test_references.py"):
            for cited in citations(path.read_text()):
                assert cited in SECTIONS, f"{path.relative_to(ROOT)} cites science: section {cited}, which is not there"
                found += 1
    assert found >= 20  # the pattern finds what it looks for


@pytest.mark.parametrize(
    ("text", "cited"),
    [
        ("eta (science: section 4.2).", ["4.2"]),
        ("eta (science:\n    section 12; `x`)", ["12"]),
        ("# of all (science:\n# section 1.3)", ["1.3"]),
        ("(science: Methods, x)", ["Methods,"]),
        ("conscience: section 3", []),
    ],
)
def test_citations_are_found_where_lines_wrap(text, cited):
    assert citations(text) == cited


def test_the_authors_constants_are_those_of_the_code():
    rows = table("constants")
    for row in rows:
        name = row["in the code"].strip("`")
        said, real = number(row["value"]) * _UNITS[row["unit"]], np.array(in_the_code(name), float)
        np.testing.assert_allclose(said, real, rtol=1e-12, atol=0, err_msg=name)
    listed = {row["in the code"].strip("`") for row in rows}
    for owner, settings in [("STGPhysiology", PHYSIOLOGY._asdict()), *((n, MODELS[n].settings) for n in MODELS)]:
        numbers = {f"{owner}.{name}" for name, value in settings.items() if isinstance(value, int | float)}
        assert numbers <= listed, f"docs/science.md does not list {sorted(numbers - listed)}"


def test_the_papers_settings_are_those_of_the_code():
    columns = {
        "n": "batch_size", "i_max": "iterations_per_epoch", "c_0": "penalty", "β": "penalty_growth",
        "N_test": "test_batch_size",
    }  # fmt: skip
    rows = table("settings")
    assert {row["circuit"] for row in rows} == set(MODELS)
    for row in rows:
        circuit = MODELS[row["circuit"]]
        settings = circuit.paper_settings()
        flow = settings["flow"].settings
        assert (flow["stages"], flow["box_map"]) == (int(row["stages"]), "sigmoid")
        assert flow["hidden"] == [int(units) for units in row["hidden units"].split(",")]
        dim = 4 * circuit.n_neurons if row["D"] == "4N" else int(row["D"])
        assert dim == circuit.support.dim
        for column, name in columns.items():
            assert float(row[column]) == settings[name], f"{row['circuit']}, {column}"
        assert int(row["trials at each z"].split()[0]) == getattr(circuit, "trials", 1)
        assert (settings["learning_rate"], settings["learning_rate_decay"]) == (1e-3, 1.0)
        assert settings["scaled"] is False and settings["both_pairings"] is False


def test_exact_entropies_are_those_that_benchmarks_compare_with():
    rows = table("exact")
    said = {row[list(row)[-1]].strip("`"): number(row["exact entropy (nats)"].split("±")[0]) for row in rows}
    assert said == EXACT_ENTROPY


def test_inline_mathematics_survives_markdown():
    """Markdown takes a backslash before punctuation for its own, and a table a bar for its border."""
    text = re.sub(r"^ *```.*?^ *```$", "", SCIENCE, flags=re.MULTILINE | re.DOTALL)
    for paragraph in text.split("\n\n"):
        assert paragraph.count("$") % 2 == 0, paragraph
        for formula in re.findall(r"\$([^$]+)\$", paragraph):
            assert not re.search(r"\\[^A-Za-z\s]", formula), formula
            assert not (paragraph.startswith("|") and "|" in formula), formula
            assert formula == formula.strip() and formula.count("{") == formula.count("}"), formula


def test_every_room_is_on_the_map_and_every_path_on_it_exists():
    text = (ROOT / "docs" / "architecture.md").read_text()
    rooms = {
        path.name for path in (ROOT / "numepi").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    described = re.findall(r"^\| \[`([\w./]+?)/?`\]", text, flags=re.MULTILINE)
    assert sorted(described) == sorted(rooms - {"__init__.py"})
    inside = re.findall(r"`((?:\w+/)+(?:\w+\.py)?|\w+\.py)`", text)
    for path in inside:
        found = (ROOT / path).exists() or any((ROOT / "numepi").rglob(path.rstrip("/")))
        assert found, f"docs/architecture.md names {path}, which is not there"


@pytest.mark.parametrize("file", draw_architecture.PICTURES)
def test_the_pictures_are_those_of_the_import_test_and_of_the_boxes(file):
    message = "the picture is stale: python -m docs.draw_architecture"
    assert (draw_architecture.FIGURES / file).read_text() == draw_architecture.PICTURES[file](), message
    assert f"(figures/{file})" in (ROOT / "docs/architecture.md").read_text()


def test_the_way_of_the_data_joins_every_box():
    text = draw_architecture.way_of_the_data()
    joined = {name for way in draw_architecture.WAYS for name in way[:2]}
    assert joined == {name for name in draw_architecture.NODES if f">{name}</text>" in text}
