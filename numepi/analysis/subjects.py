"""What analyses are of: a distribution (or the result that holds it), a circuit, samples."""

import numpy as np

from numepi.arguments import check_instance, real_array
from numepi.circuits.base import Circuit

__all__ = ["circuit_of", "distribution_of", "samples_of"]

_METHODS = ("sample", "log_prob", "gradient")


def distribution_of(q, name="q"):
    """Return ``q``, a distribution; of a result its own."""
    found = getattr(q, "distribution", q)
    if isinstance(found, type) or not all(callable(getattr(found, method, None)) for method in _METHODS):
        raise TypeError(f"{name} is a {type(q).__name__}: give a result, or its distribution")
    return found


def circuit_of(circuit, kind=Circuit, name="circuit"):
    """Return ``circuit``, one of that kind."""
    if isinstance(circuit, type) and issubclass(circuit, Circuit):
        raise TypeError(f"{name} is the class {circuit.__name__}: make one, {circuit.__name__}()")
    what = "one of numepi.circuits" if kind is Circuit else f"a numepi.circuits.{kind.__name__}"
    return check_instance(name, circuit, kind, f"give {what}")


def samples_of(name, values, columns="k", least=1):
    """Return finite samples (n, ``columns``) as an array, n at least ``least``."""
    array = real_array(name, values)
    if array.ndim != 2 or (isinstance(columns, int) and array.shape[1] != columns) or array.shape[1] == 0:
        raise ValueError(f"{name} has shape {array.shape}: expected (n, {columns})")
    if not np.isfinite(array).all():
        row, column = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(f"{name}[{row}, {column}] = {array[row, column]}: leave out rows that are not finite")
    if len(array) < least:
        raise ValueError(f"{name} has {len(array)} rows: give {least} or more")
    return array
