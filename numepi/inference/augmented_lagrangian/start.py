"""Where Algorithm 1 starts: the flow fitted to a Gaussian, or its own start (science: section 2, step 1)."""

from typing import NamedTuple

import numpy as np

from numepi.arguments import check_array, check_choice
from numepi.flow.families.gaussian import fit_gaussian
from numepi.inference.optimiser import Adam
from numepi.inference.problem import Stream

__all__ = ["Gaussian", "check_initial", "start"]

_STEPS, _BATCH = 2000, 500  # the paper takes 10,000 steps; from the element-wise fit a fifth brings the same bound
_RATE, _LAST_RATE = 2e-3, 2e-5


class Gaussian(NamedTuple):
    """Mean (D,) and covariance (D, D) of a start, as nested tuples: plain values, which compare and can be stored."""

    mean: tuple
    covariance: tuple


def check_initial(initial):
    """The setting ``initial`` as "gaussian", "uniform" or a `Gaussian`.

    Parameters
    ----------
    initial : str, array (n, D) or (array (D,), array (D, D))

    Raises
    ------
    TypeError, ValueError
        If it is none of these, a covariance is not positive definite, or samples are too few for one.
    """
    if isinstance(initial, str) or not (isinstance(initial, (list, tuple)) or hasattr(initial, "__array__")):
        return check_choice("initial", initial, ("gaussian", "uniform"))
    if isinstance(initial, tuple):
        if len(initial) != 2:
            raise ValueError(f"initial is a tuple of {len(initial)}: give (mean, covariance), or an array of samples")
        mean = check_array("initial mean", initial[0], ("D",))
        covariance = check_array("initial covariance", initial[1], (len(mean), len(mean)))
        if not np.allclose(covariance, covariance.T):
            raise ValueError("initial covariance is not symmetric: give the covariance of samples, numpy.cov(z.T)")
        remedy = "give a positive definite one"
    else:
        samples = check_array("initial", initial, ("n", "D"))
        remedy = f"{len(samples)} samples of {samples.shape[1]} parameters do not span them: give more"
        if len(samples) <= samples.shape[1]:
            raise ValueError(f"initial: {remedy}")
        mean, covariance = samples.mean(axis=0), np.atleast_2d(np.cov(samples.T))
    # relative to the variances, so that units do not matter
    scale = np.sqrt(np.maximum(np.diag(covariance), np.finfo(float).tiny))
    if np.linalg.eigvalsh(covariance / np.outer(scale, scale)).min() < 1e-10:
        raise ValueError(f"initial covariance is singular: {remedy}")
    return Gaussian(tuple(mean.tolist()), tuple(map(tuple, covariance.tolist())))


def start(flow, initial, problem):
    """Parameters theta (n_parameters,) of ``flow`` at the start, from what `check_initial` returned.

    A Gaussian is met coordinate by coordinate at first (`fit_gaussian`); then, where it is correlated, by Adam on the
    evidence lower bound E_q[log N(z) - log q(z)], whose fresh batches leave nothing to overfit.
    """
    if initial == "uniform":
        return flow.initial_parameters(problem.seed(Stream.INITIAL))
    if initial == "gaussian":
        return fit_gaussian(flow, rng=problem.seed(Stream.INITIAL))
    mean, covariance = np.array(initial.mean), np.array(initial.covariance)
    if len(mean) != flow.dim:
        raise ValueError(f"initial is of {len(mean)} parameters: the circuit has {flow.dim}")
    theta = fit_gaussian(flow, mean, np.sqrt(np.diag(covariance)), rng=problem.seed(Stream.INITIAL))
    if np.count_nonzero(covariance - np.diag(np.diag(covariance))):
        theta = _correlated(flow, theta, mean, covariance, problem.seed(Stream.INITIAL, 1))
    return theta


def _correlated(flow, theta, mean, covariance, seed):
    """``theta`` after the steps that bring in the correlations."""
    generator = np.random.Generator(np.random.Philox(seed))
    precision, optimiser = np.linalg.inv(covariance), Adam(len(theta))
    flow = getattr(flow, "half", flow)  # mean and covariance are those of the half, as in `fit_gaussian`
    for step in range(_STEPS):
        rate = _RATE * (_LAST_RATE / _RATE) ** (step / _STEPS)
        z, _, pullback = flow.sample_with_pullback(theta, generator.standard_normal((_BATCH, flow.dim)))
        gradient = pullback((z - mean) @ precision / _BATCH, np.full(_BATCH, 1 / _BATCH))
        theta = optimiser.step(theta, gradient, rate)
    return theta
