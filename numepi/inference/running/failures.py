"""Simulators that raise: the batch is halved until the rows that do are known; those count as failed."""

import traceback
from dataclasses import dataclass

import numpy as np

__all__ = ["MOST_REPORTS", "Reports", "evaluate"]

MOST_REPORTS = 5  # tracebacks kept of a batch, and of a run


@dataclass(frozen=True)
class Reports:
    """What raised in a batch.

    Attributes
    ----------
    n_raised : int
        Rows whose simulation raised an error.
    texts : tuple of str
        Parameters and traceback of the first `MOST_REPORTS` of them.
    """

    n_raised: int = 0
    texts: tuple = ()

    def __add__(self, other):
        return Reports(self.n_raised + other.n_raised, (self.texts + other.texts)[:MOST_REPORTS])


def evaluate(call, z, rng, first_index, n_statistics, how):
    """What ``call(z, rng=rng, first_index=first_index, **how)`` returns, with NaN in rows that raise, and `Reports`.

    Parameters
    ----------
    call : callable
        A circuit's ``statistics`` or ``statistics_and_jacobian``: f (n, k), or f and J (n, k, D).
    n_statistics : int
        k.

    Circuits whose noise is a function of (rng, index of the row), such as numepi's, give the other rows the bits that
    they have in an undivided batch.
    """
    try:
        return call(z, rng=rng, first_index=first_index, **how), Reports()
    except Exception as error:  # a user's simulator may raise anything
        if len(z) == 1:
            return _nothing(call, z, n_statistics), Reports(1, (_text(z[0], error),))
    middle = len(z) // 2
    first, reports = evaluate(call, z[:middle], rng, first_index, n_statistics, how)
    second, more = evaluate(call, z[middle:], rng, first_index + middle, n_statistics, how)
    if isinstance(first, tuple):
        return tuple(np.concatenate(parts) for parts in zip(first, second)), reports + more
    return np.concatenate([first, second]), reports + more


def _nothing(call, z, n_statistics):
    f = np.full((1, n_statistics), np.nan)
    if call.__name__ == "statistics":
        return f
    return f, np.full((1, n_statistics, z.shape[1]), np.nan)


def _text(z, error):
    trace = "".join(traceback.format_exception(error)).rstrip()
    return f"at z = {np.array2string(z, precision=17, threshold=50)}:\n{trace}"
