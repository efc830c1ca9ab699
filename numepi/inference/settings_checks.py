"""Checks that the solvers' settings share: each names the setting, its value and what it must be."""

from numbers import Integral

__all__ = ["require_between", "require_integers"]


def require_integers(settings, names, least=1):
    """Raise ValueError unless each named attribute is an integer of at least ``least``."""
    for name in names:
        value = getattr(settings, name)
        if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
            kind = "a positive integer" if least == 1 else f"an integer of at least {least}"
            raise ValueError(f"{name} = {value!r}: it must be {kind}")


def require_between(settings, names, low, high):
    """Raise ValueError unless each named attribute lies between ``low`` and ``high``, both excluded."""
    for name in names:
        value = getattr(settings, name)
        if not low < value < high:
            span = f"lie between {low} and {high}" if high < float("inf") else f"be finite and greater than {low}"
            raise ValueError(f"{name} = {value!r}: it must {span}")
