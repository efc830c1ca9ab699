"""Write docs/api.md from the docstrings of the public names: python docs/generate_api.py."""

import dataclasses
import inspect
import re
import textwrap
from importlib import import_module
from pathlib import Path

PAGE = Path(__file__).with_name("api.md")
HEAD = """# API reference

<!-- Written by docs/generate_api.py from the docstrings: change those, and run it again. -->

`import numepi as ne`. Arrays are NumPy arrays; `(n, D)` is their shape: n rows of D parameters, k statistics,
m constraints. Times are in seconds and entropies in nats unless a line says otherwise.
"""
_INTERNAL = {"of_run"}  # public to other modules of numepi only
_TOP = "EmergentProperty Moment Support infer load to_datatree check_jacobian"
# Heading, where the names are imported from, and the names (default: the module's __all__).
GROUPS = (
    ("Top level", "numepi", _TOP.split()),
    ("Priors", "numepi.priors", None),
    ("Checks of a Jacobian", "numepi.circuits.check", ["JacobianCheck"]),
    ("Results", "numepi.result", ["Result"]),
    ("Kept simulations", "numepi.simulations", None),
    ("Certificates", "numepi.inference.assessment.certificate", ["Certificate"]),
    ("Callbacks", "numepi.inference.running.run", ["RunState"]),
    ("Settings of solver='dual'", "numepi.inference.dual.settings", ["Settings"]),
    ("Settings of solver='augmented-lagrangian'", "numepi.inference.augmented_lagrangian.solver", ["Settings"]),
    ("Circuits", "numepi.circuits", None),
    ("Models from equations", "numepi", ["Dynamics", "Event", "Table"]),
    ("Initial values of models", "numepi.initial", None),
    ("Statistics of models", "numepi.observe", None),
    ("Flows", "numepi.flow", None),
    ("Analysis", "numepi.analysis", None),
    ("Analysis of the linear system", "numepi.analysis.lds", None),
    ("Analysis of the stomatogastric subcircuit", "numepi.analysis.stg", None),
    ("Analysis of rank-2 networks", "numepi.analysis.rnn", None),
    ("Analysis of V1", "numepi.analysis.v1", None),
    ("Linear theory of V1", "numepi.analysis.v1_linear", None),
    ("Analysis of the superior colliculus", "numepi.analysis.sc", None),
    ("Plotting", "numepi.plotting", None),
    ("Sweeps", "numepi.sweeps", None),
)


def page():
    """The whole page as Markdown."""
    contents, body, slugs = [], [], {}
    for title, module_name, names in GROUPS:
        module = import_module(module_name)
        contents.append(f"\n**[{title}](#{slug(title, slugs)})**\n")
        body.append(f"## {title}\n\n`{module_name}`: {_text(_first_paragraph(module))}")
        links = []
        for name in sorted(names or module.__all__, key=lambda n: (n[0].islower(), n.lower())):
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                links.append(f"[`{name}`](#{slug(name, slugs)})")
                body.append(f"### {name}\n\n{_entry(name, value)}")
        contents.append(", ".join(links))
    return "\n".join([HEAD, *contents]) + "\n\n" + "\n\n".join(body) + "\n"


def slug(heading, taken):
    """The anchor that forges give a heading; repeated ones are numbered."""
    slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
    count = taken.get(slug, 0)
    taken[slug] = count + 1
    return f"{slug}-{count}" if count else slug


def _entry(name, value):
    documentation = inspect.getdoc(value) or ""
    parts = [_signature(name, value, documentation), _markdown(documentation)]
    if inspect.isclass(value):
        members = [
            _member(value, member) for member in vars(value) if not (member.startswith("_") or member in _INTERNAL)
        ]
        parts += [member for member in members if member]
    return "\n\n".join(part for part in parts if part)


def _signature(name, value, documentation):
    """The call in a code block; a class that users do not make themselves has none to show."""
    if inspect.isclass(value) and "\nParameters\n-" not in documentation:
        return ""
    parameters = inspect.signature(value).parameters.values()
    shown = ", ".join(_shown(_plain_default(p)) for p in parameters)
    call = f"{name}({shown})"
    if len(call) > 100:
        margin = " " * 4
        lines = textwrap.fill(shown, 100, initial_indent=margin, subsequent_indent=margin, break_on_hyphens=False)
        call = f"{name}(\n{lines}\n)"
    return f"```text\n{call}\n```"


def _shown(parameter):
    """A parameter without its type, of which the docstring says more."""
    return str(parameter.replace(annotation=inspect.Parameter.empty))


def _plain_default(parameter):
    """Factories of dataclasses as what they make."""
    if repr(parameter.default) == "<factory>":
        return parameter.replace(default={})
    return parameter


def _member(owner, name):
    """A public method or property of a class, in one entry."""
    value = inspect.getattr_static(owner, name)
    function = getattr(value, "__func__", getattr(value, "fget", value))
    documentation = inspect.getdoc(function) if inspect.isfunction(function) else None
    if not documentation or (dataclasses.is_dataclass(owner) and name in owner.__dataclass_fields__):
        return None
    if isinstance(value, property):
        return f"**`.{name}`** (attribute)\n\n{_markdown(documentation)}"
    signature = inspect.signature(function)
    shown = [_shown(p) for p in signature.parameters.values() if p.name not in ("self", "cls")]
    return f"**`.{name}({', '.join(shown)})`**\n\n{_markdown(documentation)}"


def _markdown(documentation):
    """A numpydoc docstring as Markdown: sections in bold, their entries as lists, examples as code."""
    pieces = re.split(r"^(\w[\w ]*)\n-{3,}\n", documentation, flags=re.MULTILINE)
    out = [_text(pieces[0])]
    for title, content in zip(pieces[1::2], pieces[2::2]):
        if title == "Examples":
            out.append(f"*{title}*\n\n```pycon\n{content.strip()}\n```")
        elif title == "Notes":
            out.append(_text(content))
        else:
            out.append(f"*{title}*\n\n{_entries(content)}")
    return "\n\n".join(part for part in out if part)


def _entries(content):
    """Lines at the margin name something, indented ones say what it is."""
    items = []
    for block in re.split(r"\n(?=\S)", content.strip("\n")):
        head, _, rest = block.partition("\n")
        name, colon, kind = head.partition(" : ")
        head = f"`{name}`: {_text(kind)}" if colon else f"`{head}`"
        said = " ".join(_text(textwrap.dedent(rest)).split())
        items.append(f"- {head}{'.' if colon else ':'} {said}" if said else f"- {head}")
    return "\n".join(items)


def _text(text):
    """Prose with numpydoc's double backticks as Markdown's single ones; indented blocks as code."""
    text = text.strip().replace("``", "`")
    indented = r"(?:^|\n)\n((?: {4}.*(?:\n|$))+)"
    return re.sub(indented, lambda m: f"\n\n```text\n{textwrap.dedent(m[1]).rstrip()}\n```\n", text)


def _first_paragraph(module):
    return " ".join(inspect.getdoc(module).split("\n\n")[0].split()).removeprefix(f"{module.__name__}: ")


if __name__ == "__main__":
    PAGE.write_text(page())
