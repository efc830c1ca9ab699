"""The public names: those that docs/reference.rst lists, from where and in which group."""

import re
from functools import reduce
from importlib import import_module
from pathlib import Path

PAGE = Path(__file__).with_name("reference.rst")


def public():
    """Every public name with what it names, as (module, name, value)."""
    module, found = None, []
    for line in PAGE.read_text().splitlines():
        if line.startswith(".. currentmodule:: "):
            module = line.split()[-1]
        elif re.fullmatch(r"   \w+", line):
            found.append((module, line.strip(), getattr(import_module(module), line.strip())))
    return found


def value_of(name, *contexts):
    """What a name in a docstring stands for: in one of the ``contexts`` (a module, a class), in numepi, or in full.

    Raises
    ------
    LookupError
        If there is no such name.
    """
    for full in (*(f"{context}.{name}" for context in contexts if context), f"numepi.{name}", name):
        parts = full.split(".")
        for n in range(len(parts), 0, -1):
            try:
                return reduce(getattr, parts[n:], import_module(".".join(parts[:n])))
            except (ModuleNotFoundError, AttributeError):
                continue
    raise LookupError(f"{name} is no name in {', '.join(filter(None, contexts)) or 'numepi'}")


def page_of(value):
    """The full name under which a value has a page, or None."""
    return next((f"{module}.{name}" for module, name, public_value in public() if public_value is value), None)


def filenames():
    """Files of names that differ from another in their capitals only, which some file systems take for one."""
    full = [f"{module}.{name}" for module, name, _ in public()]
    lower = [name.lower() for name in full]
    return {
        name: f"{name}-class" for name in full if lower.count(name.lower()) > 1 and name.rpartition(".")[2][0].isupper()
    }
