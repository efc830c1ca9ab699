"""What a flow learns from particles: how much each counts, and at what rate."""

import numpy as np

__all__ = ["LONGEST", "rate", "score_gradient", "weights"]

LONGEST = 3.0  # medians: how far out a draw's gradient, or a particle's distance from the flow, counts in full
_REACH = 5.0  # nats of log p_eta - log q about its median, at the least, within which all particles count the same
_WARM_UP = 50  # steps until the full rate: Adam's first ones go by signs alone
_LAST_RATE = 0.01  # of the learning rate at the end: the last steps let the multipliers catch up with the flow
_CLIP = 3.0  # nats of log q - log p_eta about its median: a draw far out says where to go, not how far


def weights(log_ratio):
    """Of particles in a step of maximum likelihood, by log p_eta - log q (n,): 1, and less where the flow has no mass.

    One particle that a flow does not reach at all, at the far edge of a region, say, outweighs all others otherwise: it
    says where to go, not how far.
    """
    excess = log_ratio - np.median(log_ratio)
    reach = max(_REACH, LONGEST * np.median(np.abs(excess)))
    return np.minimum(1.0, reach / np.maximum(excess, reach))


def rate(step, progress):
    """Share of the learning rate at a ``step``: it rises at first, and falls over the ``progress``, 0 to 1."""
    return min(1.0, (step + 1) / _WARM_UP) * _LAST_RATE**progress


def score_gradient(flow, theta, z, log_ratio):
    """Gradient of KL(q || p_eta) without that of T, by the score function, with a baseline.

    ``log_ratio`` (n,) is log q - log p_eta at draws ``z`` (n, D) of the flow.
    """
    clipped = np.clip(log_ratio - np.median(log_ratio), -_CLIP, _CLIP)
    _, pullback = flow.log_prob_with_pullback(theta, z)
    return pullback((clipped - clipped.mean()) / len(z))[0]
