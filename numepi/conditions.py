"""Conditions between parameters, ``Support(where=...)``: checked, compared, and named where they cannot be."""

import pickle

import numpy as np

__all__ = ["Absent", "alike", "check_condition", "name_of", "portable"]


class Absent:
    """Stands for a condition of which only the name is known."""

    def __init__(self, name):
        self.name = name

    def __call__(self, z):
        """Raise ValueError."""
        raise ValueError(
            f"the support has the condition {self.name}, known by name only: give the circuit that has the function "
            "(circuit=...)"
        )


def check_condition(where, z):
    """Raise ValueError or TypeError unless ``where`` returns a boolean for each row of z (n, D)."""
    inside = np.asarray(where(z))
    if inside.shape != (len(z),):
        raise ValueError(f"where returned shape {inside.shape} for {len(z)} rows of z: it must return (n,)")
    if inside.dtype != bool:
        raise TypeError(f"where returned {inside.dtype}: it must return booleans, one for each row of z")


def name_of(where):
    """Module and name of a condition."""
    if isinstance(where, Absent):
        return where.name
    return f"{where.__module__}.{getattr(where, '__qualname__', type(where).__qualname__)}"


def portable(where):
    """The condition itself where it can be pickled, else its name."""
    try:
        pickle.dumps(where)
    except (pickle.PicklingError, AttributeError, TypeError):  # what pickle raises of lambdas and local functions
        return Absent(name_of(where))
    return where


def alike(one, other):
    """Whether two conditions, or None, are the same; by their names alone where one of them is not there."""
    if None in (one, other):
        return one is other
    return one == other or (Absent in (type(one), type(other)) and name_of(one) == name_of(other))
