"""Parameters to simulate, of which a given number has prior density: the others are never simulated."""

import numpy as np

from numepi.inference.problem import Stream

__all__ = ["with_density"]

_LOOK = 2000  # draws that say which share has prior density, to 1 % at a half
_MOST = 100  # draws for one with prior density: a flow makes so many in less time than most circuits simulate one


def with_density(problem, flow, parts, number):
    """Draws (n_i, D) for each of ``parts``, pairs of flow parameters and how many of its draws need prior density.

    The base normals are those of the run's round ``number``.
    """
    if problem.has_density_everywhere:
        base = problem.normals(Stream.BASE, number, sum(n for _, n in parts))
        cuts = np.cumsum([n for _, n in parts])[:-1]
        return [flow.sample(theta, each)[0] for (theta, _), each in zip(parts, np.split(base, cuts))]
    look = problem.normals(Stream.INITIAL, 1 + number, _LOOK)
    shares = [problem.inside(flow.sample(theta, look)[0]).mean() for theta, _ in parts]
    sizes = [int(1.2 * n / max(share, 1 / _MOST)) + 20 for (_, n), share in zip(parts, shares)]
    base = np.split(problem.normals(Stream.BASE, number, sum(sizes)), np.cumsum(sizes)[:-1])
    return [_first(problem, flow.sample(theta, each)[0], n) for (theta, n), each in zip(parts, base)]


def _first(problem, z, n):
    """The first rows of ``z`` up to the ``n``-th with prior density."""
    return z[: np.searchsorted(np.cumsum(problem.inside(z)), n) + 1] if n else z[:0]
