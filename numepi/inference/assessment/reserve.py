"""Rows that score and certificate take of a run's budget, where the run's own rows do not give them."""

from dataclasses import dataclass

__all__ = ["Sizes", "reserve", "sizes"]

_SHARE = 0.1  # of a run's budget that is kept back
_PROBES = 100  # parameters simulated twice to tell noise, without a limit
_CERTIFICATE = 160_000  # rows of the certificate, without a limit
_MOST = 40_200  # rows kept back
_LEAST = 32
_FAILED = 4000  # rows to score and certify what a failed run left


@dataclass(frozen=True)
class Sizes:
    """Rows of the score, rows of the certificate, and parameters simulated twice to tell noise."""

    score: int
    certificate: int
    probes: int


def reserve(limit):
    """Rows that a run of ``limit`` rows keeps back."""
    return 0 if limit is None else min(_MOST, max(_LEAST, int(_SHARE * limit)))


def sizes(left, failed, n):
    """How to share out the ``left`` rows (None: no limit), for a score on ``n`` draws at the most."""
    if failed:
        left = _FAILED if left is None else min(left, _FAILED)
    if left is None:
        return Sizes(n, _CERTIFICATE, _PROBES)
    probes = min(_PROBES, left // 20)
    score = min(n, (left - 2 * probes) // 2)
    return Sizes(max(score, 1), max(left - 2 * probes - score, 1), max(probes, 1))
