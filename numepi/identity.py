"""What defines a function or an object of the user's, as plain values that a file can hold and compare.

A function is its qualified name, its code, the values that it closes over, and its defaults; a partial application is
the function and its arguments; a callable object is its class and its attributes.  Two that differ in any of these are
two, though their names are the same.  Where it cannot be told (a closure over a file handle, say), the answer says so.
"""

import functools
import hashlib
import sys
import types

import numpy as np

from numepi.archive import plain

__all__ = ["CANNOT_TELL", "circuit_class", "described", "differences", "identity"]

CANNOT_TELL = "cannot be told"
_PYTHON = f"{sys.implementation.name}-{sys.version_info.major}.{sys.version_info.minor}"


def identity(function, version=None):
    """What tells ``function`` from others: a dict in JSON's types.

    Parameters
    ----------
    function : callable
    version : str, optional
        The user's own word for what the function computes: it stands in for everything but the name.

    Returns
    -------
    dict
        ``name``, and ``version`` or what else applies of ``code``, ``closure``, ``defaults``, ``function`` with
        ``arguments``, ``attributes``.  A value that is not plain is the string `CANNOT_TELL` with its type.
    """
    if version is not None:
        return {"name": _name(function), "version": str(version)}
    return _of_callable(function, ())


def described(value):
    """``value`` in JSON's types, as `numepi.archive.plain` has it, but functions by their `identity`."""
    if isinstance(value, dict):
        return {str(k): described(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [described(v) for v in value]
    if hasattr(value, "description") or not callable(value):
        return plain(value)
    return identity(value)


def circuit_class(circuit):
    """What tells the class of a circuit from others: its name, and its code where it is not numepi's own."""
    own = [c for c in type(circuit).__mro__ if c.__module__.split(".")[0] not in ("numepi", "builtins")]
    out = {"name": _name(type(circuit))}
    return out | {"code": _hash([_class_code(c) for c in own])} if own else out


def differences(stored, wanted, place, prefix=""):
    """How the dict ``wanted`` differs from what was stored: a list of sentences.

    Parameters
    ----------
    place : str
        Where the stored one is, for the sentences: "in the checkpoint".

    Code of another version of Python, and the module of what one side has as a script's own, are not compared.
    """
    out = []
    for key in sorted(set(stored) | set(wanted)):
        out += _difference(key, stored.get(key, "absent"), wanted.get(key, "absent"), place, f"{prefix}{key}")
    return out


def _difference(key, a, b, place, where):
    if isinstance(a, dict) and isinstance(b, dict):
        return differences(a, b, place, f"{where}.")
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b) and not _of_numbers(a + b):
        return [each for i, pair in enumerate(zip(a, b)) for each in _difference(i, *pair, place, f"{where}[{i}]")]
    unknown = [v for v in (b, a) if isinstance(v, str) and v.startswith(CANNOT_TELL)]
    if unknown:
        what = unknown[0].removeprefix(f"{CANNOT_TELL}: ")
        return [
            f"{where} holds {what}, which {CANNOT_TELL} from another: give a FunctionCircuit version=, or plain values"
        ]
    return [] if _same(key, a, b) else [f"{where} is {b!r} here and {a!r} {place}"]


def _of_numbers(value):
    """Whether a list holds nothing but numbers, at any depth."""
    return all(_of_numbers(v) if isinstance(v, list) else isinstance(v, (bool, int, float)) for v in value)


def _same(key, a, b):
    if key == "code" and isinstance(a, str) and isinstance(b, str):
        return a == b or a.split(":")[0] != b.split(":")[0]
    if key == "name" and isinstance(a, str) and isinstance(b, str) and "__main__" in (a.split(":")[0], b.split(":")[0]):
        return a.split(":")[-1] == b.split(":")[-1]
    return a == b


def _of_callable(function, seen):
    if id(function) in seen:
        return "itself"  # a closure over its own name
    seen = (*seen, id(function))
    if isinstance(function, functools.partial):
        return {
            "function": _value(function.func, seen),
            "arguments": _value([*function.args, function.keywords], seen),
        }
    function = getattr(function, "py_func", function)  # compiled by numba
    out = {"name": _name(function)}
    if isinstance(function, types.MethodType):
        return out | {
            "code": _hash(_code(function.__func__.__code__, function.__doc__)),
            "attributes": _value(function.__self__, seen),
        }
    if isinstance(function, types.FunctionType):
        cells = zip(function.__code__.co_freevars, function.__closure__ or ())
        closure = {name: _value(_content(cell), seen) for name, cell in cells}
        defaults = _value([list(function.__defaults__ or ()), function.__kwdefaults__ or {}], seen)
        return out | {
            "code": _hash(_code(function.__code__, function.__doc__)),
            "closure": closure,
            "defaults": defaults,
        }
    if isinstance(function, (types.BuiltinFunctionType, np.ufunc, type)):
        return out
    held = _of_object(function, seen)
    return out | (held if isinstance(held, dict) else {"attributes": held})


def _of_object(value, seen):
    seen = (*seen, id(value))
    if not hasattr(value, "__dict__") or type(value).__module__.split(".")[0] in ("builtins", "_io", "socket"):
        return _unknown_value(value)
    attributes = {name: _value(v, seen) for name, v in sorted(vars(value).items())}
    return {"name": _name(type(value)), "code": _hash(_class_code(type(value))), "attributes": attributes}


def _value(value, seen):
    """A value that a function holds, in JSON's types; ``seen`` are the objects on the way to it."""
    if id(value) in seen:
        return "itself"
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufcSU":
        return (
            f"array {value.dtype}{value.shape}:{hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()[:16]}"
        )
    if isinstance(value, np.generic):
        return value.item() if value.dtype.kind in "biufSU" else repr(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (complex, bytes, range, slice, types.EllipsisType)):
        return repr(value)
    if isinstance(value, types.ModuleType):
        return value.__name__
    if isinstance(value, (dict, list, tuple, set, frozenset)):
        seen = (*seen, id(value))
    if isinstance(value, dict):
        return {str(k): _value(v, seen) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_value(v, seen) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted(repr(_value(v, seen)) for v in value)
    if hasattr(value, "description") and not isinstance(value, type):
        return plain(value)
    return _of_callable(value, seen) if callable(value) else _of_object(value, seen)


def _unknown_value(value):
    return f"{CANNOT_TELL}: a {type(value).__name__}"


def _content(cell):
    try:
        return cell.cell_contents
    except ValueError:  # of a name that has no value yet
        return None


def _code(code, documentation=None):
    """What a code object does, without where it was written or what is said of it: bytes, constants and names."""
    constants = [c for c in code.co_consts if documentation is None or c != documentation]
    constants = [_code(c) if isinstance(c, types.CodeType) else _constant(c) for c in constants]
    return [code.co_code.hex(), constants, list(code.co_names), list(code.co_varnames)]


def _constant(value):
    return sorted(map(repr, value)) if isinstance(value, frozenset) else repr(value)


def _class_code(cls):
    """The code of a class's methods and its plain attributes."""
    out = []
    for name, member in sorted(vars(cls).items()):
        function = getattr(member, "__func__", getattr(member, "fget", member))
        if isinstance(function, types.FunctionType):
            out.append([name, _code(function.__code__, function.__doc__)])
        elif isinstance(member, (bool, int, float, str, tuple)) and not name.startswith("__"):
            out.append([name, repr(member)])
    return out


def _hash(content):
    return f"{_PYTHON}:{hashlib.sha256(repr(content).encode()).hexdigest()[:16]}"


def _name(value):
    value = value if hasattr(value, "__qualname__") else type(value)
    if isinstance(value, np.ufunc):
        return f"numpy:{value.__name__}"
    return f"{getattr(value, '__module__', None) or 'builtins'}:{value.__qualname__}"
