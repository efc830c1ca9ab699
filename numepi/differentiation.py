"""What autograd says of functions that it cannot differentiate, with the function's name and the remedy."""

from contextlib import contextmanager

__all__ = ["autograd_errors_named"]


@contextmanager
def autograd_errors_named(what, remedy):
    """Turn what autograd raises at code it cannot trace into a TypeError that says ``what`` and ``remedy``."""
    try:
        yield
    except (TypeError, ValueError, AttributeError, NotImplementedError) as error:
        raise TypeError(f"autograd cannot differentiate {what} ({type(error).__name__}: {error}): {remedy}") from error
