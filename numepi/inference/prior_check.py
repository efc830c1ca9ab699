"""A prior is tried on a few points before any work, and one of numepi's is restricted to the support."""

import numpy as np

from numepi.arguments import real_array
from numepi.priors import Prior

__all__ = ["checked_prior"]

_ALONE = 3  # of those, evaluated one by one as well
_ROUNDING = 1e-6  # relative: what a density in float32 differs by
_POINTS = 256  # of the support's bounds; evaluating a density costs nothing beside a simulation


def checked_prior(prior, support):
    """Return the prior on ``support`` (None stays None), or raise ValueError that says what is wrong with it."""
    if prior is None:
        return None
    if isinstance(prior, Prior):
        prior = prior.restricted_to(support)
    z = support.from_line(np.random.default_rng(0).standard_normal((_POINTS, support.dim)))[0]
    z = support.rounded(z[support.contains(z)])
    log_p = real_array("prior.log_prob(z)", prior.log_prob(z.copy()))
    if log_p.shape != (len(z),):
        raise ValueError(f"prior.log_prob returned shape {log_p.shape} for z of shape {z.shape}: expected ({len(z)},)")
    bad = np.isnan(log_p) | np.isposinf(log_p)
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(
            f"prior.log_prob is {log_p[row]} at z = {np.array2string(z[row], precision=4)}: a density is finite, or "
            "zero (-inf)"
        )
    _check_alone(prior, z[:_ALONE], log_p[:_ALONE])
    good = log_p > -np.inf
    if not good.any():
        if isinstance(prior, Prior):  # narrow, but its mass on the support is known to be more than nothing
            return prior
        raise ValueError(f"prior.log_prob is -inf at all of {len(z)} points of the support: the prior excludes it")
    gradient = real_array("prior.gradient(z)", prior.gradient(z[good]))
    if gradient.shape != z[good].shape:
        raise ValueError(
            f"prior.gradient returned shape {gradient.shape} for z of shape {z[good].shape}: expected the same"
        )
    if not np.isfinite(gradient).all():
        row = int(np.argmax(~np.isfinite(gradient).all(axis=1)))
        raise ValueError(
            f"prior.gradient is {gradient[row]} at z = {np.array2string(z[good][row], precision=4)}, where the density "
            "is not zero: it must be finite"
        )
    return prior


def _check_alone(prior, z, log_p):
    """Refuse a density that depends on the other rows: one that is divided by a batch's greatest, say."""
    for row, among in zip(z, log_p):
        alone = np.asarray(prior.log_prob(row[None].copy()), float)
        if alone.shape != (1,) or not np.isclose(alone[0], among, rtol=_ROUNDING, atol=_ROUNDING):
            raise ValueError(
                f"prior.log_prob is {among:.6g} at z = {np.array2string(row, precision=4)} among {_POINTS} rows and "
                f"{np.array2string(alone)} alone: row i must depend on row i of z only"
            )
