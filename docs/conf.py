"""Sphinx's settings for the site; docs/site.py builds it, from a copy of the pages that it has completed."""

import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numepi
from docs import names, site

_copy = Path(sys.argv[-2])  # `python -m sphinx ... SOURCE OUT`

project, author, copyright = "numepi", "The numepi developers", "the numepi developers"
release = version = numepi.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.intersphinx",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
root_doc = "docs/index"
# examples/paper/ is no part of the gallery, and may name its files as the gallery does
suppress_warnings = ["sphinx_gallery.duplicate_filename"]
include_patterns = [
    "docs/**", "reference/**", "gallery/**", "README.md", "CONTRIBUTING.md", "CHANGELOG.md",
    "benchmarks/README.md",
]  # fmt: skip
exclude_patterns = ["docs/publishing/**", "docs/_templates/**", "reference/backreferences/**", "**.ipynb"]
templates_path = [str(Path(__file__).with_name("_templates"))]  # of autosummary, which looks beside the copy
default_role = "autolink"  # `name` in a docstring leads to its page, where it has one
myst_heading_anchors = 4
myst_fence_as_directive = ["math"]
myst_enable_extensions = ["dollarmath"]

nitpicky = True
linkcheck_timeout, linkcheck_retries = 20, 2  # seconds, tries
linkcheck_ignore = [r"https://repository\.invalid/"]  # the publisher's, still to be filled in

html_theme = "furo"
html_title = f"numepi {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]

autosummary_generate = True
autosummary_filename_map = names.filenames()
autodoc_typehints = "none"  # the docstrings say more, with shapes and units
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = True
numpydoc_xref_ignore = "all"  # but what is listed here
_types = {name: f"{module}.{name}" for module, name, value in names.public() if isinstance(value, type)} | {
    "ndarray": "numpy.ndarray",
    "SeedSequence": "numpy.random.SeedSequence",
    "Generator": "numpy.random.Generator",
    "Axes": "matplotlib.axes.Axes",
    "Figure": "matplotlib.figure.Figure",
}
numpydoc_xref_aliases = _types | {name: name for name in _types.values()}
intersphinx_mapping = json.loads((_copy / "inventories.json").read_text())

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "plot_gallery": "False",  # CI runs every script with --quick; the pictures are those that are stored
    "ignore_pattern": r"(__init__|gallery)\.py$",
    "nested_sections": False,
    "within_subsection_order": "ExampleTitleSortKey",
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_signature": False,
    "backreferences_dir": "reference/backreferences",
    "doc_module": ("numepi",),
}


def setup(app):
    """What Sphinx does not do by itself."""
    app.connect("source-read", _show_the_picture)
    app.connect("autodoc-process-docstring", _bars_are_bars)
    app.connect("missing-reference", _to_its_page, priority=900)  # after those who know other projects' pages


def _show_the_picture(app, page, text):
    text[0] = site.with_picture(text[0], page, _copy)


def _to_its_page(app, env, node, text):
    """A name that is not that of a page leads to the page of what it names, or is text; unknown ones are warned of."""
    module, owner = node.get("py:module"), node.get("py:class")
    try:
        value = names.value_of(node["reftarget"], owner and f"{module}.{owner}", module)
    except LookupError:
        return None
    page = names.page_of(value)
    if page is None:
        return text
    return env.domains["py"].resolve_xref(env, node["refdoc"], app.builder, "obj", page, node, text)


def _bars_are_bars(app, what, name, value, options, lines):
    """|x| is a size: Sphinx would look for a substitution of that name."""
    lines[:] = [re.sub(r"(``.*?``)|\|", lambda found: found[1] or r"\|", line) for line in lines]
