"""Log Z of the maximum-entropy solution from both ends of a path: forward, backward, and the two combined.

A forward population tends to say too little (it misses what it has not found), a backward one too much.  Bennett's
acceptance ratio (1976) combines them stage by stage with the least variance; where the two ends disagree, that
difference is the better measure of the error.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logsumexp

from numepi.inference.particles.annealing import forget, resample

__all__ = ["Evidence", "evidence"]

_WIDEST = 50.0  # nats about the two one-sided estimates, in which Bennett's lies


@dataclass(frozen=True)
class Evidence:
    """Estimates of log Z.

    Attributes
    ----------
    log_z, stderr : float
        Bennett's, and its error: of the stages' variances, and of half of the difference of the two ends.  NaN where
        on the way back no particle has a density.
    forward, backward : float
        From the path's own weights, and from those of the way back.
    """

    log_z: float
    stderr: float
    forward: float
    backward: float


def evidence(density, path, settings, generator):
    """Walk back along ``path`` from its end, and combine both ways: an `Evidence`."""
    particles, mover = forget(density, path.particles, path.point, path.mover, settings, generator)
    stages, backward, variance = [], [], []
    for before, after, forward_ratio in zip(
        path.points[-2::-1], path.points[:0:-1], path.log_ratios[::-1], strict=True
    ):
        here = density.log_density(particles, after)
        # A copy that met other noise and was not moved has no density here: it stands for nothing.
        alive = np.isfinite(here)
        if not alive.any():
            return Evidence(np.nan, np.inf, path.log_z, -np.inf)
        ratio = np.full(len(here), np.inf)
        ratio[alive] = here[alive] - density.log_density(particles, before)[alive]
        backward.append(np.log(alive.sum()) - logsumexp(-ratio))
        stage, stage_variance = _bennett(forward_ratio, ratio[alive])
        stages.append(stage)
        variance.append(stage_variance)
        rows = resample(-ratio, generator)
        start = density.evaluate(particles.u[rows], before)
        particles, mover = forget(density, start, before, mover, settings, generator)
    forward, backward = path.log_z, float(sum(backward))
    stderr = np.hypot(np.sqrt(sum(variance)), 0.5 * (forward - backward))
    return Evidence(float(sum(stages)), float(stderr), forward, backward)


def _bennett(forward, backward):
    """Log Z_1 / Z_0 and its variance, from log pi_1 - log pi_0 at draws of pi_0 (``forward``) and of pi_1."""
    offset = np.log(len(forward) / len(backward))

    def excess(r):
        return expit(forward - r - offset).sum() - expit(r + offset - backward).sum()

    ends = (logsumexp(forward) - np.log(len(forward)), np.log(len(backward)) - logsumexp(-backward))
    low, high = min(ends) - _WIDEST, max(ends) + _WIDEST
    root = brentq(excess, low, high)
    shares = (expit(forward - root - offset), expit(root + offset - backward))
    variance = sum((np.mean(s**2) / np.mean(s) ** 2 - 1) / len(s) for s in shares)
    return root, float(variance)
