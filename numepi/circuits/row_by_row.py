"""A simulator of one parameter set at a time as a function of many: row by row, each with a generator of its own."""

import inspect

import numpy as np

from numepi.arguments import filled

__all__ = ["row_by_row"]


def row_by_row(function, z, key, first_index, what, shape):
    """Call ``function(z)`` or ``function(z, rng)``, z (D,), for each row of ``z`` (n, D), and stack what it returns.

    Parameters
    ----------
    key, first_index : tuple of int, int
        Row i has a generator made from the key and ``first_index + i``: the same noise in any batch, on any worker.
    what : str
        What messages call the function.
    shape : tuple
        Of each row's answer, with None for the number of statistics while it is not known.  Where there is one
        statistic, its axis may be missing.

    Raises
    ------
    ValueError, TypeError
        If an answer has another shape, or does not hold real numbers.
    """
    takes_rng = "rng" in inspect.signature(function).parameters
    rows = []
    for i, row in enumerate(z):
        arguments = {"rng": np.random.default_rng([*key, first_index + i])} if takes_rng else {}
        value = _real(what, function(row.copy(), **arguments))
        if shape[0] is None:
            shape = (value.shape[0] if value.ndim == len(shape) else 1, *shape[1:])
        if value.shape != shape and (shape[0] != 1 or value.shape != shape[1:]):
            raise ValueError(
                f"the {what} returned shape {value.shape} for one parameter set: expected {shape}; if it takes many "
                "sets at a time, z (n, D), leave vectorised=False out"
            )
        rows.append(value.reshape(shape))
    return np.array(rows, np.float64).reshape(len(z), *(0 if n is None else n for n in shape))


def _real(what, value):
    try:
        value = value if np.ma.isMaskedArray(value) else np.asarray(value)
    except ValueError as error:
        raise ValueError(f"the {what} returned a ragged {type(value).__name__}: expected one array") from error
    if value.dtype.kind not in "biuf":
        raise TypeError(f"the {what} returned dtype {value.dtype}: expected real numbers")
    if value.size == 0:
        raise ValueError(f"the {what} returned shape {value.shape} for one parameter set: expected (k,)")
    return filled(value)
