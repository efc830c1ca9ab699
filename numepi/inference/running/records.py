"""Frozen records as flat dicts of arrays and back: what a checkpoint holds is derived from the fields of the state."""

from dataclasses import fields, is_dataclass
from types import NoneType
from typing import get_args, get_origin, get_type_hints

import numpy as np

__all__ = ["from_arrays", "to_arrays"]


def to_arrays(record, prefix=""):
    """Arrays by dotted field name; a field that is None is left out."""
    arrays = {}
    for field in fields(record):
        value, name = getattr(record, field.name), prefix + field.name
        if is_dataclass(value):
            arrays |= to_arrays(value, f"{name}.")
        elif isinstance(value, tuple) and value and is_dataclass(value[0]):
            for i, each in enumerate(value):
                arrays |= to_arrays(each, f"{name}.{i}.")
        elif value is not None:
            arrays[name] = np.asarray(value)
    return arrays


def from_arrays(kind, arrays, prefix=""):
    """The record of type ``kind`` that `to_arrays` took apart.

    Fields are arrays, numbers, strings, such records or tuples of them.

    Raises
    ------
    ValueError
        If a record within has arrays that belong to no field of it: those of another version.
    """
    values = {}
    hints = get_type_hints(kind)
    for field in fields(kind):
        name = prefix + field.name
        options = [t for t in get_args(hints[field.name]) if t is not NoneType] or [hints[field.name]]
        hint = options[0]
        if get_origin(hints[field.name]) is tuple and is_dataclass(hint):
            values[field.name] = _several(hint, arrays, name)
        elif is_dataclass(hint):
            present = any(key.startswith(f"{name}.") for key in arrays)
            values[field.name] = from_arrays(hint, arrays, f"{name}.") if present else None
        elif name not in arrays:
            values[field.name] = None
        else:
            values[field.name] = arrays[name] if hint is np.ndarray else hint(arrays[name])
    record = kind(**values)
    # the outermost record shares its file with others
    unknown = {key for key in arrays if prefix and key.startswith(prefix)} - set(to_arrays(record, prefix))
    if unknown:
        raise ValueError(f"another version of numepi wrote {sorted(unknown)[0]!r}: begin anew, or use that version")
    return record


def _several(kind, arrays, name):
    found = []
    while any(key.startswith(f"{name}.{len(found)}.") for key in arrays):
        found.append(from_arrays(kind, arrays, f"{name}.{len(found)}."))
    return tuple(found)
