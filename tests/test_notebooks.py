"""The tutorials' notebooks: which they are, whether they are valid, and that Jupyter runs what is made of a page."""

import json

import pytest

from docs import notebooks, pages

DOCS = pages.ROOT / "docs"
PAGE = """# A page

```python
import matplotlib.pyplot as plt

import numepi as ne

figure, ax = plt.subplots()
print(ne.Support([0], [1]).dim, __name__)
```

<!-- not run: slow -->
```python
1 / 0
```

```python
figure.savefig("here.png")
ax.lines
```
"""


@pytest.fixture
def page(tmp_path, monkeypatch):
    pytest.importorskip("nbclient", reason="the extra docs is not installed")
    pytest.importorskip("ipykernel", reason="the extra docs is not installed")
    monkeypatch.delenv("MPLBACKEND", raising=False)  # a kernel draws in the notebook unless it is told otherwise
    path = tmp_path / "page.md"
    path.write_text(PAGE)
    return path


def test_the_tutorials_are_those_of_the_front_page():
    names = notebooks.tutorials((DOCS / "index.md").read_text())
    assert names == ["getting_started.md", "your_own_circuit.md", "reading_a_certificate.md"]


def test_the_tutorials_notebooks_are_valid():
    nbformat = pytest.importorskip("nbformat", reason="the extra docs is not installed")
    for name in notebooks.tutorials((DOCS / "index.md").read_text()):
        text = pages.notebook(DOCS / name)
        assert len(notebooks.validate(text).cells) > 10
        wrong = json.loads(text)
        del wrong["cells"][0]["cell_type"]
        with pytest.raises(nbformat.ValidationError):
            notebooks.validate(json.dumps(wrong))


def test_a_notebook_runs_in_jupyter(page, tmp_path):
    made = json.loads(notebooks.execute(page, tmp_path).read_text())
    first, second = (cell for cell in made["cells"] if cell["cell_type"] == "code")
    printed = [out["text"] for out in first["outputs"] if out["output_type"] == "stream"]
    assert "".join("".join(text) for text in printed) == "1 __main__\n"
    assert any("image/png" in out.get("data", ()) for out in first["outputs"]), "the figure is not shown"
    assert second["execution_count"] == 2 and (tmp_path / "here.png").exists()


def test_a_cell_that_fails_is_named(page, tmp_path):
    from nbclient.exceptions import CellExecutionError

    page.write_text("```python\nx = 1\n```\n\n```python\nx.nothing\n```\n")
    with pytest.raises(CellExecutionError, match=r"x\.nothing"):
        notebooks.execute(page, tmp_path)
