"""The public names: those that docs/reference.rst lists, from where and in which group."""

import re
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


def filenames():
    """Files of names that differ from another in their capitals only, which some file systems take for one."""
    full = [f"{module}.{name}" for module, name, _ in public()]
    lower = [name.lower() for name in full]
    return {
        name: f"{name}-class" for name in full if lower.count(name.lower()) > 1 and name.rpartition(".")[2][0].isupper()
    }
