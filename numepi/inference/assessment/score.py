"""Scoring a fitted flow on fresh parameters and fresh noise: what every answer reports."""

from dataclasses import dataclass

import numpy as np

from numepi.inference.assessment.convergence import null_p_values
from numepi.inference.problem import Stream

__all__ = ["Score", "score"]

_BLOCK = 1000
_N_TESTS = 200  # means in the paper's test, each over n / 200 draws


@dataclass(frozen=True)
class Score:
    """Estimates from ``n`` draws (z, noise) that the fit has not seen.

    Attributes
    ----------
    entropy, entropy_stderr : float
        H(q) = E_q[-log q], nats (needs no simulation).
    relative_entropy : float
        KL(q || prior); -entropy for the uniform prior.
    mean, variance : ndarray (k,)
        Of the statistics; the variance is about the target mean where there is one, else about the mean.
    constraint, constraint_stderr : ndarray (m,)
        E[T] and its standard error.
    p_values : ndarray (m,)
        Of the paper's two-tailed test, on means of n / 200 draws.
    n, n_failed : int
        Draws, and how many of their simulations were not finite; with fewer than two left, what needs simulations is
        NaN.
    """

    entropy: float
    entropy_stderr: float
    relative_entropy: float
    mean: np.ndarray
    variance: np.ndarray
    constraint: np.ndarray
    constraint_stderr: np.ndarray
    p_values: np.ndarray
    n: int
    n_failed: int


def score(problem, flow, theta, n=20_000):
    """Score the flow at parameters ``theta`` on ``n`` fresh draws."""
    base = problem.normals(Stream.SCORE_BASE, 0, n)
    log_q, log_prior, f, T = [], [], [], []
    for start in range(0, n, _BLOCK):
        z, block_log_q = flow.sample(theta, base[start : start + _BLOCK])
        batch = problem.simulate(z, Stream.SCORE_NOISE, 0, first_index=start)
        log_q.append(block_log_q)
        log_prior.append(problem.log_prior(z))
        f.append(batch.f)
        T.append(batch.T)
    log_q, log_prior, f, T = (np.concatenate(parts) for parts in (log_q, log_prior, f, T))
    n_failed = n - len(f)
    if len(f) < 2:
        f, T = np.full((2, f.shape[1]), np.nan), np.full((2, T.shape[1]), np.nan)
    mean = f.mean(axis=0)
    targets = problem.constraints.prop.mean
    share = max(1, len(T) // _N_TESTS)
    groups = (T - problem.constraints.target)[: share * _N_TESTS].reshape(-1, share, T.shape[1])
    centre = np.array([m if target is None else target for m, target in zip(mean, targets)])
    return Score(
        entropy=float(-log_q.mean()),
        entropy_stderr=float(log_q.std(ddof=1) / np.sqrt(n)),
        relative_entropy=float((log_q - log_prior).mean()),
        mean=mean,
        variance=((f - centre) ** 2).mean(axis=0),
        constraint=T.mean(axis=0),
        constraint_stderr=T.std(axis=0, ddof=1) / np.sqrt(len(T)),
        p_values=null_p_values(groups.mean(axis=1)),
        n=n,
        n_failed=n_failed,
    )
