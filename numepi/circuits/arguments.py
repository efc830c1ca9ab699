"""Checks of constructor arguments: each returns the value, or raises an error that names the remedy."""

import math

import numpy as np

__all__ = ["finite", "finite_tuple", "one_of", "positive", "positive_integer", "within"]


def finite(name, value):
    """Return ``value`` as a finite float."""
    if not math.isfinite(value):
        raise ValueError(f"{name} = {value}: give a finite number")
    return float(value)


def finite_tuple(name, value, shape):
    """Return an array of finite numbers of that shape, as nested tuples of floats."""
    array = np.asarray(value, np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"{name} = {value!r}: give finite numbers of shape {shape}")
    return tuple(map(tuple, array.tolist())) if len(shape) == 2 else tuple(array.tolist())


def positive(name, value):
    """Return ``value`` as a float above zero."""
    if not 0 < value < math.inf:
        raise ValueError(f"{name} = {value}: give a finite number above zero")
    return float(value)


def within(name, value, low, high):
    """Return ``value`` as a finite float in [low, high]."""
    if not (low <= value <= high and math.isfinite(value)):
        raise ValueError(f"{name} = {value}: give a finite number in [{low}, {high}]")
    return float(value)


def positive_integer(name, value):
    """Return ``value`` as an int of at least 1."""
    if isinstance(value, bool) or value != int(value) or value < 1:
        raise ValueError(f"{name} = {value}: give a whole number of at least 1")
    return int(value)


def one_of(name, value, choices):
    """Return ``value``, one of the ``choices``."""
    if value not in choices:
        raise ValueError(f"{name} = {value!r}: choose one of {', '.join(map(repr, choices))}")
    return value
