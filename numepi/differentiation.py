"""Derivatives by autograd of functions that are not ours: its errors named, and branches not taken kept out."""

from contextlib import contextmanager

import numpy as np

__all__ = ["autograd_errors_named", "forward_where_not_finite"]


@contextmanager
def autograd_errors_named(what, remedy):
    """Turn what autograd raises at code it cannot trace into a TypeError that says ``what`` and ``remedy``."""
    try:
        yield
    except (TypeError, ValueError, AttributeError, NotImplementedError) as error:
        raise TypeError(f"autograd cannot differentiate {what} ({type(error).__name__}: {error}): {remedy}") from error


def forward_where_not_finite(function, x, derivative):
    """``derivative`` (n, ..., D) of ``function`` at ``x`` (n, D), with rows that are not finite taken in forward mode.

    Reverse mode multiplies what comes back from `where` by zero in the branch not taken, and 0 times infinity (a square
    root at zero, a logarithm of a negative number) is NaN.  Forward mode selects.  Rows stay as they are where the
    function has no derivative in that mode either.
    """
    from autograd.core import make_jvp

    bad = ~np.isfinite(derivative).reshape(len(x), -1).all(axis=1)
    if not bad.any():
        return derivative
    push = make_jvp(function, x)
    try:
        with np.errstate(all="ignore"):
            forward = np.stack([push(np.tile(unit, (len(x), 1)))[1] for unit in np.eye(x.shape[1])], axis=-1)
    except NotImplementedError:  # some of autograd's functions have reverse rules only
        return derivative
    derivative = derivative.copy()
    derivative[bad] = forward[bad]
    return derivative
