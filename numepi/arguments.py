"""The checks of arguments that every public entry shares: the value in its right type, or one line with the remedy.

Each takes the argument's name and its value, and returns the value: converted where that loses nothing.  What is of the
wrong kind raises TypeError, what is of the right kind and outside its range ValueError; the message names argument,
value and remedy.
"""

import os
import reprlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from numbers import Integral, Real

import numpy as np

__all__ = [
    "check_array", "check_bounds", "check_callable", "check_choice", "check_count", "check_counts", "check_flag",
    "check_indices", "check_instance", "check_mapping", "check_names", "check_number", "check_path", "check_points",
    "check_text", "filled", "real_array", "shown",
]  # fmt: skip

_LONGEST = 60  # characters of a value that a message shows
_MOST = 2**63 - 1  # what an index of an array, and an integer of compiled code, can hold


def shown(value):
    """A short representation of ``value`` for a message of one line."""
    if isinstance(value, np.ndarray):
        return f"array of shape {value.shape}" if value.size > 8 else " ".join(repr(value).split())
    text = " ".join(reprlib.repr(value).split())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def check_number(name, value, *, above=None, least=None, below=None, most=None, open_ended=False):
    """Return ``value`` as a float within bounds: excluded (``above``, ``below``) or included (``least``, ``most``).

    It is finite unless ``open_ended``, which allows infinity and leaves NaN out.
    """
    wanted = _number_wanted(above, least, below, most, open_ended)
    value = _scalar(value)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} = {shown(value)}: give {wanted}, not a {type(value).__name__}")
    try:
        number = float(value)
    except OverflowError:
        number = np.inf
    inside = (
        (above is None or number > above)
        and (least is None or number >= least)
        and (below is None or number < below)
        and (most is None or number <= most)
    )
    if np.isnan(number) or (np.isinf(number) and not open_ended) or not inside:
        raise ValueError(f"{name} = {shown(value)}: give {wanted}")
    return number


def check_count(name, value, *, least=1, most=None):
    """Return ``value`` as an int of at least ``least``: neither a float, even a whole one, nor a boolean."""
    wanted = f"a whole number of at least {least}" if most is None else f"a whole number from {least} to {most}"
    value = _scalar(value)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} = {shown(value)}: give {wanted}, not a {type(value).__name__}")
    if not isinstance(value, Integral):
        whole = np.isfinite(value) and value == int(value)
        raise ValueError(f"{name} = {shown(value)}: give {wanted}" + (f": int({shown(value)})" if whole else ""))
    if value < least or (most is not None and value > most):
        raise ValueError(f"{name} = {shown(value)}: give {wanted}")
    if most is None and value > _MOST:
        raise ValueError(f"{name} = {shown(value)}: give {wanted} that fits in 64 bits")
    return int(value)


def check_counts(name, value, *, least=1, most=None):
    """Return one whole number, or a sequence of one or more, as a tuple of ints."""
    if not _is_sequence(value) or np.ndim(value) == 0:
        return (check_count(name, value, least=least, most=most),)
    counts = tuple(check_count(f"{name}[{i}]", each, least=least, most=most) for i, each in enumerate(value))
    if not counts:
        raise ValueError(f"{name} = {shown(value)}: give one or more whole numbers")
    return counts


def check_flag(name, value):
    """Return ``value``, True or False, as a bool; what is only true or false in Python's sense is refused."""
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} = {shown(value)}: give True or False, not a {type(value).__name__}")
    return bool(value)


def check_choice(name, value, choices):
    """Return ``value``, one of the strings ``choices``."""
    if not isinstance(value, str) or value not in choices:
        error = ValueError if isinstance(value, str) else TypeError
        raise error(f"{name} = {shown(value)}: choose from {', '.join(map(repr, choices))}")
    return str(value)


def check_text(name, value):
    """Return ``value``, a string."""
    if not isinstance(value, str):
        raise TypeError(f"{name} = {shown(value)}: give a string, not a {type(value).__name__}")
    return str(value)


def check_names(name, value, count=None):
    """Return a sequence of different, non-empty strings as a tuple; of ``count`` where that is given, else of one."""
    if not _is_sequence(value):
        raise TypeError(f"{name} = {shown(value)}: give a sequence of names, not a {type(value).__name__}")
    names = tuple(value)
    for i, each in enumerate(names):
        if not isinstance(each, str):
            raise TypeError(f"{name}[{i}] = {shown(each)}: a name is a string, not a {type(each).__name__}")
        if not each:
            raise ValueError(f"{name}[{i}] = '': a name has at least one letter")
        if each in names[:i]:
            raise ValueError(f"{name} has {each!r} twice: give different names")
    if not names or (count is not None and len(names) != count):
        raise ValueError(f"{name} has {len(names)} entries: give {count or 'one or more'} different names")
    return tuple(map(str, names))


def check_indices(name, value, names):
    """Return the place of one of ``names`` or of several: each a name, or an index that is kept as it is.

    A single name or index gives an int, a sequence of different ones a tuple of ints.
    """
    if _is_sequence(value) and np.ndim(value) == 1:
        indices = tuple(check_indices(f"{name}[{i}]", each, names) for i, each in enumerate(value))
        for i, index in enumerate(indices):
            if index in indices[:i]:
                raise ValueError(f"{name} = {shown(value)} has {names[index]!r} twice: give each once")
        if not indices:
            raise ValueError(f"{name} is empty: give one or more of {_listed(names)}")
        return indices
    value = _scalar(value)
    if isinstance(value, str):
        if value not in names:
            raise ValueError(f"{name} = {value!r} is unknown: choose from {_listed(names)}")
        return list(names).index(value)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Integral):
        raise TypeError(f"{name} = {shown(value)}: give a name or an index, not a {type(value).__name__}")
    if not 0 <= value < len(names):
        raise ValueError(f"{name} = {value} is out of range: choose from 0 to {len(names) - 1}")
    return int(value)


def check_array(name, value, shape, *, finite=True):
    """Return real numbers of that ``shape`` as a float64 array, a copy that the caller may keep.

    Parameters
    ----------
    shape : tuple of int or str, or None
        An int fixes an axis; a letter stands for any length, the same wherever it stands; None allows any shape.
    finite : bool
        Whether NaN and infinity are refused; masked entries of a masked array count as NaN.
    """
    array = real_array(name, value)
    if not _has_shape(array.shape, shape):
        raise ValueError(f"{name} has shape {array.shape}: expected {_spelled(shape)}")
    if finite and not np.isfinite(array).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        where = f"[{', '.join(map(str, place))}]" if place else ""
        raise ValueError(f"{name}{where} = {array[place]}: give finite numbers")
    return array


def check_points(name, value, dim, *, finite=True):
    """Return one point (D,) or several (n, D) as an array (n, D), n >= 1, and whether it was one."""
    array = real_array(name, value)
    if array.ndim not in (1, 2) or array.shape[-1] != dim or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}: expected ({dim},) or (n, {dim})")
    return check_array(name, np.atleast_2d(array), ("n", dim), finite=finite), array.ndim == 1


def check_bounds(lower, upper):
    """Return the bounds of each dimension as two float64 arrays; pairs are refused, with what to write instead."""
    if upper is None:
        remedy = "Support(lower, upper), with one bound a side for each dimension"
        with suppress(TypeError, ValueError):
            pairs = np.array(lower, float)
            if pairs.ndim == 2 and pairs.shape[1] == 2:
                remedy = f"Support({pairs[:, 0].tolist()}, {pairs[:, 1].tolist()})"
        raise TypeError(f"upper is missing beside lower = {shown(lower)}: write {remedy}")
    return real_array("lower", lower), real_array("upper", upper)


def real_array(name, value):
    """Return real numbers, whatever their shape, as a new float64 array; masked entries are NaN."""
    try:
        array = np.ma.asanyarray(value) if np.ma.isMaskedArray(value) else np.asarray(value)
    except ValueError as error:
        raise ValueError(f"{name} is a ragged {type(value).__name__}: give one array of numbers") from error
    if array.dtype.kind in "iuf" or (array.size == 0 and array.dtype.kind != "c"):
        return filled(array)
    what = {"c": "complex numbers", "b": "booleans", "U": "strings", "S": "bytes"}.get(array.dtype.kind, "objects")
    raise TypeError(f"{name} holds {what} (dtype {array.dtype}): give real numbers")


def filled(array):
    """A float64 copy of a real array, with NaN where a masked array is masked: masked means failed."""
    if np.ma.isMaskedArray(array):
        return np.array(array.astype(np.float64).filled(np.nan))
    return np.array(array, np.float64)


def check_callable(name, value, wanted):
    """Return ``value``, something to call; ``wanted`` says as what, such as "a function of z (n, D)"."""
    if not callable(value):
        raise TypeError(f"{name} = {shown(value)}: give {wanted}, not a {type(value).__name__}")
    return value


def check_instance(name, value, kind, remedy):
    """Return ``value``, an instance of ``kind``; ``remedy`` completes the message."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} is a {type(value).__name__}: {remedy}")
    return value


def check_mapping(name, value, remedy):
    """Return ``value``, a mapping, as a dict; ``remedy`` completes the message."""
    if not isinstance(value, Mapping):
        raise TypeError(f"{name} = {shown(value)}: {remedy}")
    return dict(value)


def check_path(name, value):
    """Return ``value``, the name of a file or directory, as a string or path that the system can take."""
    if not isinstance(value, (str, os.PathLike)) or not isinstance(os.fspath(value), str):
        raise TypeError(f"{name} = {shown(value)}: give a path, not a {type(value).__name__}")
    path = os.fspath(value)
    if not path.strip() or "\0" in path:
        raise ValueError(f"{name} = {shown(path)}: give the name of a file or directory")
    return path


def _number_wanted(above, least, below, most, open_ended):
    kind = "a number" if open_ended else "a finite number"
    if above is None and least is None and below is None and most is None:
        return kind
    low, low_included = (above, False) if above is not None else (least, True)
    high, high_included = (below, False) if below is not None else (most, True)
    if high is None:
        return f"{kind} {'of at least' if low_included else 'above'} {low:g}"
    if low is None:
        return f"{kind} {'of at most' if high_included else 'below'} {high:g}"
    return f"{kind} in {'[' if low_included else '('}{low:g}, {high:g}{']' if high_included else ')'}"


def _scalar(value):
    """The element of an array without axes: that is how NumPy hands out single numbers, too."""
    return value[()] if isinstance(value, np.ndarray) and value.ndim == 0 else value


def _is_sequence(value):
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


def _listed(names):
    return ", ".join(map(str, names[:6])) + (", ..." if len(names) > 6 else "")


def _has_shape(found, wanted):
    if wanted is None:
        return True
    if len(found) != len(wanted):
        return False
    lengths = {}
    return all(n == w if isinstance(w, int) else lengths.setdefault(w, n) == n for n, w in zip(found, wanted))


def _spelled(shape):
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
