"""Fitting the flow to a target that costs no simulation: the surrogate's exp(eta . T) p_0, on draws renewed as it goes.

A pool holds draws of the flow and, for a share, of the start, with the log density of that mixture and of the target.
Every step makes one pass over rows drawn from (p + q) / 2 within the pool, and from where q exceeds p, and serves two
gradients at once: that of KL(p || q), by weighted likelihood, which covers p; and that of KL(q || p), by the score
function E_q[(r - b) grad log q], r = log q - log p, which evens out what q leaks beyond it.

In a *polish*, next to the target, E_q[grad log q] = 0 is taken off the first, -E_p[grad log q], on the same rows: what
is left, the difference of p and q, has no variance where they agree.  On the LDS that halves the KL after the same
steps (0.064, 0.038, 0.054 to 0.025, 0.029, 0.036 for seeds 0 to 2); far from the target it can run away.
"""

from dataclasses import dataclass

import numpy as np

from numepi.flow import flow_from_description
from numepi.flow.families.composition import ComposedFlow
from numepi.inference.dual_problem import effective_sample_size, normalised_weights

__all__ = ["Pool", "divergence", "draw_pool", "fit_steps", "in_single_precision", "without_identities"]

_CLIP_RATIO = 3.0  # nats of r about its median: a draw far out in a leak says where to go, not how far
_CLIP_POLISH = 10.0  # the same next to the target, where leaks are all that is left
_NOWHERE = 700.0  # nats below the greatest density of a target that count as none
_LEAK_SHARE = 0.2  # of a step's rows, drawn in proportion to how far q exceeds p there: leaks are rare and cost most
_GROWTH = 0.7  # nats that log q of a row may gain between renewals of the pool, where it counts: bounds the weights


@dataclass(frozen=True)
class Pool:
    """Draws ``z`` (n, D) with log densities (n,): of what they were drawn from, of the target, and of the flow."""

    z: np.ndarray
    log_proposal: np.ndarray
    log_target: np.ndarray
    log_q: np.ndarray


def in_single_precision(flow):
    """The same flow computing in float32, for fits: half the time, and errors of 1e-6 nats; others as they are."""
    description = getattr(flow, "description", None)
    if flow.precision == "float32" or description is None:
        return flow
    try:
        return flow_from_description(description | {"precision": "float32"})
    except ValueError:  # a family of the user's own
        return flow


def without_identities(flow, theta):
    """`ComposedFlow.without_identities`; a user's own flow as it is.

    Particles go further, to the support's map by itself; here every bit stays.
    """
    return flow.without_identities(theta) if isinstance(flow, ComposedFlow) else (flow, theta)


def draw_pool(flow, theta, start, log_target, size, start_share, generator):
    """A `Pool` of ``size`` draws, a share of them from the ``start``, a pair of a flow and its parameters.

    ``log_target(z)`` (n,) is needed up to a constant.
    """
    n_start = int(start_share * size)
    z, log_q = flow.sample(theta, generator.standard_normal((size - n_start, flow.dim)))
    if n_start:
        first, theta_first = start
        z_start, log_start = first.sample(theta_first, generator.standard_normal((n_start, flow.dim)))
        log_start = np.concatenate([first.log_prob(theta_first, z), log_start])
        z, log_q = np.concatenate([z, z_start]), np.concatenate([log_q, flow.log_prob(theta, z_start)])
        log_proposal = np.logaddexp(log_q + np.log1p(-start_share), log_start + np.log(start_share))
    else:
        log_proposal = log_q
    return Pool(z, log_proposal, log_target(z), log_q)


def divergence(pool):
    """KL(q || p) on a pool, with its standard error; and the effective share of the pool under p."""
    own = normalised_weights(pool.log_q - pool.log_proposal)
    log_weights = pool.log_target - pool.log_proposal
    target = normalised_weights(log_weights)
    log_z = np.log(np.mean(np.exp(log_weights - log_weights.max()))) + log_weights.max()
    inside = np.isfinite(pool.log_target)  # q given that, where the target has no density elsewhere
    p_inside = own[inside].sum()
    ratio = np.where(inside, pool.log_q - np.where(inside, pool.log_target, 0.0), 0.0)
    kl = own @ ratio / p_inside
    n = len(own)
    influence = n * own * inside * (ratio - kl - 1) / p_inside + n * target
    return (
        float(kl + log_z - np.log(p_inside)),
        float(influence.std() / np.sqrt(n)),
        float(effective_sample_size(target) / n),
    )


def fit_steps(flow, theta, average, adam, pool, rates, batch_size, reverse_weight, averaging, generator, polish=False):
    """Take a step of Adam for each of ``rates``; return the parameters and their running average.

    ``adam`` (`numepi.inference.optimiser.Adam`) is advanced.  ``reverse_weight`` is that of KL(q || p) beside
    KL(p || q).  A gradient that is not finite ends the steps, with the last average for both.
    """
    target = normalised_weights(pool.log_target - pool.log_proposal)
    own = normalised_weights(pool.log_q - pool.log_proposal)
    clip = _CLIP_POLISH if polish else _CLIP_RATIO
    # Where the target has no density r is as large as a number may be: differences of infinities are none.
    log_target = np.maximum(pool.log_target, pool.log_target.max() - _NOWHERE)
    excess = pool.log_q - log_target
    excess = own * np.clip(np.abs(excess - _weighted_median(excess, own)) - 1.0, 0.0, clip)
    leak_share = _LEAK_SHARE if polish and excess.any() else 0.0
    mixture = 0.5 * (1 - leak_share) * (target + own) + leak_share * excess / max(excess.sum(), np.finfo(float).tiny)
    cumulative = np.cumsum(mixture)
    strata = np.arange(batch_size) / batch_size * cumulative[-1]
    width = cumulative[-1] / batch_size
    cumulative[-1] = np.inf
    for rate in rates:
        rows = cumulative.searchsorted(strata + generator.random(batch_size) * width)
        log_q, pullback = flow.log_prob_with_pullback(theta, pool.z[rows])
        change = np.minimum(log_q - pool.log_q[rows], _GROWTH)
        share = own[rows] / mixture[rows]
        present = share * np.exp(change)  # a row that the flow has left counts for as little as it leaks there
        weights = present / present.mean()
        ratio = log_q - log_target[rows]
        ratio = np.clip(ratio - _weighted_median(ratio, weights), -clip, clip)
        ratio -= np.mean(weights * ratio)
        forward = polish * present - target[rows] / mixture[rows]
        gradient = pullback((forward + reverse_weight * weights * ratio) / batch_size)[0]
        if not np.isfinite(gradient @ gradient):
            return average, average
        theta = adam.step(theta, gradient, rate)
        average = averaging * average + (1 - averaging) * theta
    return theta, average


def _weighted_median(values, weights):
    order = np.argsort(values)
    cumulative = np.cumsum(weights[order])
    return values[order[np.searchsorted(cumulative, 0.5 * cumulative[-1])]]
