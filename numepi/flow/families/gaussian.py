"""Parameters that make a flow start as a Gaussian on its support (Algorithm 1, step 1)."""

from __future__ import annotations

from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd import value_and_grad
from numpy.typing import ArrayLike
from scipy.optimize import minimize

from numepi.annotations import Seed
from numepi.arguments import check_array

__all__ = ["fit_gaussian"]

_NODES = 64


def fit_gaussian(
    flow: Any, mean: ArrayLike | None = None, standard_deviation: ArrayLike | None = None, rng: Seed = 0
) -> np.ndarray:
    """Parameters theta (n_parameters,) for which q is close to N(mean, diag(standard_deviation^2)) on the support.

    Before the support map the flow is an element-wise x exp(a) + b, with the a and b that maximise the evidence lower
    bound E_q[log N(z) - log q(z)].  That expectation is one-dimensional in each coordinate, so it is computed by
    Gauss-Hermite quadrature and maximised by L-BFGS to the optimum, where the paper takes 10,000 stochastic steps
    (science: section 2, step 1).  On an unbounded line the result is exact.

    Parameters
    ----------
    flow : Flow
        Of a `numepi.flow.SymmetricFlow` the half is started so, and mean and bounds are those of the half.
    mean : array (D,), optional
        Default: the centre of each bounded dimension.
    standard_deviation : array (D,), optional
        Default: a quarter of the width of each bounded dimension.  With the defaults, a dimension that is open on a
        side keeps the standard normal that the support map sends there.
    rng : int, SeedSequence or Generator
        Of the hidden weights.

    Raises
    ------
    ValueError
        If the mean is outside of the support, a standard deviation is not positive, or the flow cannot scale and
        shift every coordinate by itself (a single coupling moves only half of them).
    """
    flow = getattr(flow, "half", flow)
    if isinstance(flow, type) or not hasattr(flow, "absorb_affine"):
        raise TypeError(f"flow is a {type(flow).__name__}: give one of numepi's flows")
    support = flow.support
    bounded = np.isfinite(support.width)
    if (mean is None) != (standard_deviation is None):
        raise ValueError("give both mean and standard_deviation, or neither")
    if mean is None:
        fitted = bounded
        mean = _centre(flow)
        standard_deviation = np.where(bounded, 0.25 * support.width, 1.0)
    else:
        fitted = np.ones(flow.dim, bool)
        mean, standard_deviation = _check(support, mean, standard_deviation)
    log_scale, shift = _best_affine(flow, mean, standard_deviation)
    theta = flow.initial_parameters(rng)
    flow.absorb_affine(theta, np.where(fitted, log_scale, 0.0), np.where(fitted, shift, 0.0))
    return theta


def _centre(flow):
    """Where u = 0 goes: the centre of bounded dimensions."""
    return flow.transforms[-1].forward(np.zeros(0), np.zeros((1, flow.dim)))[0][0]


def _check(support, mean, standard_deviation):
    mean = check_array("mean", mean, (support.dim,))
    standard_deviation = check_array("standard_deviation", standard_deviation, (support.dim,))
    for i in np.flatnonzero(~((mean > support.lower) & (mean < support.upper))):
        raise ValueError(f"mean[{i}] = {mean[i]} is outside of the support [{support.lower[i]}, {support.upper[i]}]")
    for i in np.flatnonzero(standard_deviation <= 0):
        raise ValueError(f"standard_deviation[{i}] = {standard_deviation[i]}: it must be positive")
    return mean, standard_deviation


def _best_affine(flow, mean, standard_deviation):
    """The log-scale and shift (D,) of each coordinate that maximise the evidence lower bound."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    weights = weights / weights.sum()
    support_map = flow.transforms[-1]
    dim = flow.dim

    def negative_bound(parameters):
        u = nodes[:, None] * anp.exp(parameters[:dim]) + parameters[dim:]
        z, log_det = support_map.forward(np.zeros(0), u)
        misfit = anp.sum(0.5 * ((z - mean) / standard_deviation) ** 2, axis=1)
        return anp.dot(weights, misfit - log_det) - anp.sum(parameters[:dim])

    shift, _ = support_map.inverse(np.zeros(0), mean[None])
    above, _ = support_map.inverse(np.zeros(0), _step_inside(flow.support, mean, standard_deviation)[None])
    start = np.concatenate([np.log(np.abs(above[0] - shift[0])), shift[0]])
    fit = minimize(
        value_and_grad(negative_bound), start, jac=True, method="L-BFGS-B", options={"gtol": 1e-8, "ftol": 0}
    )
    return fit.x[:dim], fit.x[dim:]


def _step_inside(support, mean, standard_deviation):
    """A point about one standard deviation from the mean, towards the farther bound and at most half-way to it."""
    with np.errstate(invalid="ignore"):
        up = support.upper - mean >= mean - support.lower
    room = np.where(up, support.upper - mean, mean - support.lower)
    return mean + np.where(up, 1.0, -1.0) * np.minimum(standard_deviation, 0.5 * room)
