"""What a flow learns from particles: how much each counts, and at what rate."""

from typing import NamedTuple

import numpy as np

__all__ = ["SURE_DIM", "Pace", "path_gradient", "rate", "score_gradient", "weights"]

_LONGEST = 3.0  # medians: how far out a draw's gradient, or a particle's distance from the flow, counts in full
_REACH = 5.0  # nats of log p_eta - log q about its median, at the least, within which all particles count the same
_WARM_UP = 50  # steps until the full rate: Adam's first ones go by signs alone
_LAST_RATE = 0.01  # of the learning rate at the least: the last steps let the multipliers catch up with the flow
_CLIP = 3.0  # nats of log q - log p_eta about its median: a draw far out says where to go, not how far
# Parameters up to which a flow learns fast.  With 400 (rank-2 network of 100 neurons, H* = -2.5) seeds 0 to 2 ended at
# -4.22, -3.46 and -4.17 so, leading from a half on, and at -3.53, -3.90 and -3.66 with care; from a quarter on one of
# three ran off (at step 1,018 of 3,000 no gradient was finite).  With 1,000 half of the flow left the region.
SURE_DIM = 200


class Pace(NamedTuple):
    """How fast a flow learns; runs with other values are in docs/variance_and_dimension.md.

    Attributes
    ----------
    move_every : int
        Learning steps a move of the particles.
    lead : float
        Share of the learning in which the flow learns the particles alone, at the dual's optimum.
    forward_weight : float
        Then, of the gradient of KL(p_eta || q), whose noise stays, beside that of KL(q || p_eta).
    straight : bool
        Whether the rate falls in a straight line, which leaves it high for longer, or exponentially.
    """

    move_every: int
    lead: float
    forward_weight: float
    straight: bool

    @classmethod
    def of(cls, dim):
        """In ``dim`` dimensions."""
        return cls(5, 0.25, 0.3, True) if dim <= SURE_DIM else cls(2, 0.5, 1.0, False)


def weights(log_ratio):
    """Of particles in a step of maximum likelihood, by log p_eta - log q (n,): 1, and less where the flow has no mass.

    One particle that a flow does not reach at all, at the far edge of a region, say, outweighs all others otherwise: it
    says where to go, not how far.
    """
    excess = log_ratio - np.median(log_ratio)
    reach = max(_REACH, _LONGEST * np.median(np.abs(excess)))
    return np.minimum(1.0, reach / np.maximum(excess, reach))


def rate(step, progress, straight):
    """Share of the learning rate at a ``step``: it rises at first, and falls over the ``progress``, 0 to 1."""
    falling = max(1.0 - progress, _LAST_RATE) if straight else _LAST_RATE**progress
    return min(1.0, (step + 1) / _WARM_UP) * falling


def path_gradient(flow, theta, z, rows, tilt, beyond, outward, pull):
    """Gradient of KL(q || p_eta) along the paths of draws, without the score (Roeder et al. 2017).

    Draws beyond the property's region, where p_eta has no density and no gradient, are led back to it, by as much as
    counts in full of a draw inside, or a nat over the draws' own spread: left alone, half were gone after 900 steps of
    1,000 parameters.

    Parameters
    ----------
    flow, theta : numepi.flow.Flow, ndarray (n_parameters,)
    z : ndarray (n, D)
        Draws of the flow.
    rows : ndarray (k,), int
        Those that count.
    tilt : ndarray (k, D)
        Gradient of log p_eta there.
    beyond, outward : ndarray (l,), int; ndarray (l, D)
        Those beyond the region, and the gradient of how far, in units.
    pull : callable
        The draws' pullback.
    """
    grad_z = flow.log_prob_gradient(theta, z[rows]) - tilt
    length = np.maximum(_lengths(grad_z), np.finfo(float).tiny)
    longest, cotangent = _LONGEST * np.median(length), np.zeros_like(z)
    cotangent[rows] = grad_z * np.minimum(1.0, longest / length)[:, None]
    way = _lengths(outward)
    known = way > 0  # a silent unit's statistic knows no way
    unit = _unit(z)
    back = np.maximum(longest, 1 / (unit * np.sqrt(np.mean((z / unit).var(axis=0)))))
    cotangent[beyond[known]] = outward[known] * (back / way[known])[:, None]
    return pull(cotangent / (len(rows) + known.sum()), np.zeros(len(z)))


def _unit(rows):
    """A power of two, which leaves all digits alone, next to the largest of ``rows``: squares in it do not overflow.

    In a side of 1e-300 draws are of that order, and gradients of the order of 1e300.
    """
    return np.ldexp(1.0, np.frexp(np.abs(rows).max(initial=0.0))[1] - 1)


def _lengths(rows):
    unit = _unit(rows)
    return unit * np.linalg.norm(rows / unit, axis=1)


def score_gradient(flow, theta, z, log_ratio):
    """Gradient of KL(q || p_eta) without that of T, by the score function, with a baseline.

    ``log_ratio`` (n,) is log q - log p_eta at draws ``z`` (n, D) of the flow, infinite beyond the property's region.
    """
    clipped = np.clip(log_ratio - np.median(log_ratio[np.isfinite(log_ratio)]), -_CLIP, _CLIP)
    _, pullback = flow.log_prob_with_pullback(theta, z)
    return pullback((clipped - clipped.mean()) / len(z))[0]
