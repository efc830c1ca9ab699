"""What defines a function or an object of the user's, as plain values that a file can hold and compare.

A function is its qualified name, its code, its defaults, and the values that it closes over or reads as its module's
globals; a partial application is the function and its arguments; a callable object is its class, with what that
inherits, and its attributes.  Two that differ in any of these are
two, though their names are the same.  Where it cannot be told (a closure over a file handle, say), the answer says so.
"""

import dis
import functools
import hashlib
import logging
import os
import sys
import types

import numpy as np

from numepi.archive import plain

__all__ = ["CANNOT_TELL", "circuit_class", "described", "differences", "identity"]

CANNOT_TELL = "cannot be told"
_SHOWN = 200  # characters of a value in a sentence: two of them still make one message that a person reads
_CONTAINERS = (dict, list, tuple, set, frozenset)
_HEAP_TYPE = 1 << 9  # CPython's Py_TPFLAGS_HEAPTYPE: of classes that are made when a module runs
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
    cls = type(circuit)
    return {"name": _name(cls)} if cls.__module__.split(".")[0] == "numepi" else _of_class(cls, ())


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
    return [] if _same(key, a, b) else [f"{where} is {_shown(b)} here and {_shown(a)} {place}"]


def _shown(value):
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _of_numbers(value):
    """Whether a list holds nothing but numbers, at any depth."""
    return all(_of_numbers(v) if isinstance(v, list) else isinstance(v, (bool, int, float)) for v in value)


def _same(key, a, b):
    if key == "code" and isinstance(a, str) and isinstance(b, str):
        return a == b or a.split(":")[0] != b.split(":")[0]
    if key == "name" and isinstance(a, str) and isinstance(b, str) and "__main__" in (a.split(":")[0], b.split(":")[0]):
        return a.split(":")[-1] == b.split(":")[-1]
    return a == b or repr(a) == repr(b)  # NaN is the same NaN


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
    if isinstance(function, types.MethodType):
        return _of_function(function.__func__, seen) | {"attributes": _value(function.__self__, seen)}
    if isinstance(function, types.FunctionType):
        return _of_function(function, seen)
    if isinstance(function, type):
        return _of_class(function, seen)
    out = {"name": _name(function)}
    if isinstance(function, (types.BuiltinFunctionType, np.ufunc)):
        return out
    held = _of_object(function, seen)
    return out | (held if isinstance(held, dict) else {"attributes": held})


def _of_function(function, seen):
    """A Python function: its code, and the values that it takes from elsewhere."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or ())
    return {
        "name": _name(function),
        "code": _hash(_code(function.__code__, function.__doc__)),
        "closure": {name: _value(_content(cell), seen) for name, cell in cells},
        "defaults": _value([list(function.__defaults__ or ()), function.__kwdefaults__ or {}], seen),
    } | _globals(function, seen)


def _globals(function, seen):
    """The module's own names that a function of the user's reads: ``{"globals": {name: value}}``, if there are any.

    What it assigns itself is its state; other modules and what is installed are known by their names.
    """
    if _is_installed(function.__module__):
        return {}
    read, assigned = _global_names(function.__code__)
    found = {name: function.__globals__[name] for name in sorted(read - assigned) if name in function.__globals__}
    values = {name: _global_value(value, seen) for name, value in found.items()}
    return {"globals": values} if values else {}


def _global_value(value, seen):
    known = isinstance(value, (type, types.FunctionType)) and _is_installed(value.__module__)
    return _name(value) if known and not getattr(value, "__closure__", None) else _value(value, seen)


@functools.cache
def _is_installed(module):
    """Whether a module comes with Python or from a package that was installed, rather than from the user."""
    root = (module or "builtins").split(".")[0]
    if root in sys.stdlib_module_names and root != "__main__":
        return True
    directories = os.path.normpath(getattr(sys.modules.get(root), "__file__", None) or "").split(os.sep)
    return root == "numepi" or not {"site-packages", "dist-packages"}.isdisjoint(directories)


def _global_names(code):
    """The global names that a code object and those in it read, and those that they assign."""
    read, assigned = set(), set()
    for step in dis.get_instructions(code):
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            read.add(step.argval)
        elif step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            assigned.add(step.argval)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            inner_read, inner_assigned = _global_names(constant)
            read, assigned = read | inner_read, assigned | inner_assigned
    return read, assigned


def _of_object(value, seen):
    if _holds_what_cannot_be_seen(type(value)):
        return _unknown_value(value)
    seen = (*seen, id(value))
    slots = [name for c in type(value).__mro__ for name in _slots(c) if hasattr(value, name)]
    attributes = getattr(value, "__dict__", {}) | {name: getattr(value, name) for name in slots}
    # what is computed once and kept follows from the rest, and is there only after it was asked for
    kept = {n for c in type(value).__mro__ for n, m in vars(c).items() if isinstance(m, functools.cached_property)}
    out = {"attributes": {name: _value(v, seen) for name, v in sorted(attributes.items()) if name not in kept}}
    if isinstance(value, _CONTAINERS):
        out["content"] = _value(dict(value) if isinstance(value, dict) else list(value), seen)
    return _of_class(type(value), seen) | out


def _slots(cls):
    """The attributes that a class keeps outside of ``__dict__``, by the names that find them."""
    names = vars(cls).get("__slots__", ())
    names = [names] if isinstance(names, str) else names
    private = cls.__name__.lstrip("_")
    return [
        f"_{private}{name}" if name.startswith("__") and not name.endswith("__") else name
        for name in names
        if name not in ("__dict__", "__weakref__")
    ]


def _holds_what_cannot_be_seen(cls):
    """Whether a class is written in C, or a subclass of such a one: what it keeps is no attribute."""
    written_in_c = [c for c in cls.__mro__ if not c.__flags__ & _HEAP_TYPE and c is not object]
    return (
        not set(written_in_c) <= {*_CONTAINERS, types.SimpleNamespace}
        or cls is object
        or cls.__module__ in ("_io", "socket")
    )


def _of_class(cls, seen):
    """A class: the code of its methods and those it inherits, what these take from elsewhere, and its attributes."""
    if _is_installed(cls.__module__):
        return {"name": _name(cls), "code": _hash(_class_code(cls))}
    seen = (*seen, id(cls))
    classes = [c for c in cls.__mro__ if not _is_installed(c.__module__)]
    members = {name: member for c in reversed(classes) for name, member in vars(c).items()}
    held = {name: _member(name, member, seen) for name, member in sorted(members.items())}
    out = {"name": _name(cls), "code": _hash([_class_code(c) for c in classes])}
    return out | {"members": {name: value for name, value in held.items() if value}}


def _member(name, member, seen):
    """What of a class's member `_class_code` does not say: what a method takes from elsewhere, an array, an object."""
    function = _function_of(member)
    if isinstance(function, types.FunctionType):
        return {k: v for k, v in _of_function(function, seen).items() if k in ("closure", "defaults", "globals")}
    held = callable(member) or hasattr(member, "description") or isinstance(member, (np.ndarray, *_CONTAINERS))
    return {"value": _value(member, seen)} if held and not name.startswith("__") else {}


def _value(value, seen):
    """A value that a function holds, in JSON's types; ``seen`` are the objects on the way to it."""
    if id(value) in seen:
        return "itself"
    if isinstance(value, np.ma.MaskedArray):
        return [_value(np.asarray(value.filled()), seen), _value(np.ma.getmaskarray(value), seen)]
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
    if isinstance(value, _CONTAINERS):
        seen = (*seen, id(value))
    if isinstance(value, dict):
        return {str(k): _value(v, seen) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_value(v, seen) for v in value]
    if isinstance(value, (set, frozenset)):
        return sorted(repr(_value(v, seen)) for v in value)
    if isinstance(value, logging.Logger):
        return f"logger {value.name}"  # what it holds is where messages go
    if _describes_itself(value):
        return plain(value)
    return _of_callable(value, seen) if callable(value) else _of_object(value, seen)


def _describes_itself(value):
    """Whether numepi's ``description`` of an object says all: not where it has functions by their names."""
    own = type(value).__module__.split(".")[0] == "numepi"
    return own and isinstance(getattr(value, "description", None), dict)


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
        function = _function_of(member)
        if isinstance(function, types.FunctionType):
            out.append([name, _code(function.__code__, function.__doc__)])
        elif isinstance(member, (bool, int, float, str, tuple)) and not name.startswith("__"):
            out.append([name, repr(member)])
    return out


def _function_of(member):
    """The function behind a class's member: a method's, a property's, or that of a value which is computed once."""
    for name in ("__func__", "fget", "func", "py_func"):
        if name == "func" and not isinstance(member, functools.cached_property):
            continue
        member = getattr(member, name, member)
    return member


def _hash(content):
    return f"{_PYTHON}:{hashlib.sha256(repr(content).encode()).hexdigest()[:16]}"


def _name(value):
    if isinstance(value, np.ufunc):  # which have no qualified name before numpy 2.2
        return f"numpy:{value.__name__}"
    value = value if hasattr(value, "__qualname__") else type(value)
    return f"{getattr(value, '__module__', None) or 'builtins'}:{value.__qualname__}"
