"""The smooth clamp of log-scales, which keeps what one coupling can stretch within bounds."""

import autograd.numpy as anp
import numpy as np

from numepi.kernels.compile import scalar

__all__ = ["LOG_SCALE_LIMIT", "clamp", "clamp_inverse", "soft", "soft_slope"]

# The scale of one coupling stays within exp(-5) ... exp(5): a fit that runs away cannot overflow.
LOG_SCALE_LIMIT = 5.0


def clamp(r):
    """Smooth clamp of the log-scale to +-LOG_SCALE_LIMIT, slope 1 at zero: r / sqrt(1 + (r / limit)^2)."""
    return r / anp.sqrt(1 + (r / LOG_SCALE_LIMIT) ** 2)


def clamp_inverse(s):
    """The r whose `clamp` is s."""
    return s / np.sqrt(1 - (s / LOG_SCALE_LIMIT) ** 2)


@scalar
def soft(y, limit):
    """The same clamp, compiled, to +-limit."""
    return y / np.sqrt(1 + (y / limit) * (y / limit))


@scalar
def soft_slope(y, limit):
    """Its derivative."""
    w2 = 1 / (1 + (y / limit) * (y / limit))
    return w2 * np.sqrt(w2)
