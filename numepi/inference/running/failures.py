"""Simulators that raise: the batch is divided until the rows that do are known; those count as failed."""

import traceback
from dataclasses import dataclass

import numpy as np

__all__ = ["MOST_REPORTS", "Reports", "evaluate", "joined"]

MOST_REPORTS = 5  # tracebacks kept of a batch, and of a run
_IN_SUCCESSION = 8  # rows that raise one after the other, from where halving the rest would cost two calls a row


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

    Halving finds a few rows that raise among n in some log2(n) calls each.  After several rows in succession the next
    one is tried alone, until one works: where all raise, that is one call a row.

    Circuits whose noise is a function of (rng, index of the row), such as numepi's, give the other rows the bits that
    they have in an undivided batch.
    """
    answers, reports, in_succession = [], Reports(), 0
    untried = [(0, len(z))]  # the last comes next
    while untried:
        start, stop = untried.pop()
        if in_succession >= _IN_SUCCESSION and stop - start > 1:
            untried.append((start + 1, stop))
            stop = start + 1
        part = z[start:stop]
        try:
            answers.append(call(part, rng=rng, first_index=first_index + start, **how))
            in_succession = 0
        except Exception as error:  # a user's simulator may raise anything
            if len(part) > 1:
                middle = (start + stop) // 2
                untried += [(middle, stop), (start, middle)]
            else:
                in_succession += 1
                answers.append(_nothing(call, part, n_statistics))
                reports += Reports(1, (_text(part[0], error),))
    return joined(answers), reports


def joined(answers):
    """The answers of the parts of a batch, f or (f, J), as one."""
    if len(answers) == 1:
        return answers[0]
    if isinstance(answers[0], tuple):
        return tuple(np.concatenate(parts) for parts in zip(*answers))
    return np.concatenate(answers)


def _nothing(call, z, n_statistics):
    f = np.full((1, n_statistics), np.nan)
    if call.__name__ == "statistics":
        return f
    return f, np.full((1, n_statistics, z.shape[1]), np.nan)


def _text(z, error):
    trace = "".join(traceback.format_exception(error)).rstrip()
    return f"at z = {np.array2string(z, floatmode='unique', threshold=50)}:\n{trace}"
