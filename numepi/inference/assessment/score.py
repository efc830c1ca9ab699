"""Scoring a fitted flow on fresh parameters and fresh noise: what every answer reports."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from numepi.inference.assessment.convergence import null_p_values
from numepi.inference.problem import Stream

__all__ = ["N_TESTS", "Score", "passes_apart", "score", "working_entropy"]

_BLOCK = 1000
N_TESTS = 200  # means in the paper's test, each over n / 200 draws


@dataclass(frozen=True)
class Score:
    """Estimates from ``n`` draws (z, noise) that the fit has not seen.

    Attributes
    ----------
    entropy, entropy_stderr : float
        Of q restricted to the parameters that work, nats: E[-log q | works] + log P(works), which is H(q) where no
        simulation fails, and a lower bound where failing is a matter of chance.
    relative_entropy : float
        KL(q || prior), likewise; -entropy for the uniform prior.
    mean, variance : ndarray (k,)
        Of the statistics; the variance is about the target mean where there is one, else about the mean.
    constraint, constraint_stderr, constraint_spread : ndarray (m,)
        E[T], its standard error, and the standard deviation of T.
    least, greatest : ndarray (m,)
        Of T over the draws.
    p_values : ndarray (m,)
        Of the paper's two-tailed test, on means of n / 200 draws.
    n, n_failed : int
        Draws with prior density in the property's region, or of unknown place in it since they failed, and how many of
        their simulations were not finite; with fewer than two left, what needs simulations is NaN.
    outside_share : float
        Share of the draws with prior density that work and lie outside of the region: what is estimated is of the
        others, like the rest of the support of p*.
    round_trip : float
        See `passes_apart`: of these draws.
    joint : ndarray (1 + m, 1 + m), optional
        Covariance of the estimates of ``relative_entropy`` and E[T], which the same draws make.
    """

    entropy: float
    entropy_stderr: float
    relative_entropy: float
    mean: np.ndarray
    variance: np.ndarray
    constraint: np.ndarray
    constraint_stderr: np.ndarray
    constraint_spread: np.ndarray
    least: np.ndarray
    greatest: np.ndarray
    p_values: np.ndarray
    n: int
    n_failed: int
    round_trip: float = 0.0
    outside_share: float = 0.0
    joint: np.ndarray | None = None

    def stderr_at(self, multipliers):
        """Standard error of ``relative_entropy`` - ``multipliers`` (m,) . E[T]; without ``joint`` the most it can be.

        Next to p* log q and eta . T go together: in D = 1000 log q spreads over 32 nats, their difference over 6.
        """
        if self.joint is None:
            return float(self.entropy_stderr + np.abs(multipliers) @ self.constraint_stderr)
        along = np.concatenate([[1.0], -np.asarray(multipliers)])
        return float(np.sqrt(max(0.0, along @ self.joint @ along)))

    @property
    def failing_share(self):
        """Share of q's draws that fail; NaN where none has prior density."""
        return self.n_failed / self.n if self.n else np.nan

    @property
    def failing_interval(self):
        """Its 95 % confidence interval (Wilson)."""
        if not self.n:
            return np.nan, np.nan
        interval = stats.binomtest(self.n_failed, self.n).proportion_ci(method="wilson")
        return float(interval.low), float(interval.high)


def passes_apart(log_sampled, log_inverted):
    """How far the flow's two passes disagree on the log densities (n,) of its own draws: nats, on average.

    The density at a draw z = g(x) needs x back, so a round trip of samples that fails shows in it.  Infinite where a
    density is not finite.
    """
    difference = np.abs(log_sampled - log_inverted)
    return float(difference.mean()) if np.isfinite(difference).all() else np.inf


def score(problem, flow, theta, n=20_000, replicates=1):
    """Score the flow at parameters ``theta`` on ``n`` fresh draws.

    Where the property has a region, and the circuit is noisy, ``replicates`` further simulations of each parameter tell
    whether it lies there: the scored one would not if it was picked for it.
    """
    base = problem.normals(Stream.SCORE_BASE, 0, n)
    log_q, log_inverted, log_prior, valid, f, T, outside = [], [], [], [], [], [], 0
    for start in range(0, n, _BLOCK):
        z, block_log_q = flow.sample(theta, base[start : start + _BLOCK])
        batch = problem.simulate(z, Stream.SCORE_NOISE, 0, first_index=start)
        log_q.append(block_log_q)
        log_inverted.append(flow.log_prob(theta, z))
        log_prior.append(problem.log_prior(z))
        counts = _in_region(problem, z, batch, start, n, replicates)
        outside += int((~counts).sum())
        scored = batch.valid.copy()
        scored[batch.valid] = counts
        valid.append(scored)
        f.append(batch.f[counts])
        T.append(batch.T[counts])
        if start == 0 and not batch.valid.any():
            break  # nothing to score, and no reason to find it out of every block
    log_q, log_inverted, log_prior, valid, f, T = (
        np.concatenate(parts) for parts in (log_q, log_inverted, log_prior, valid, f, T)
    )
    entropy, entropy_stderr = working_entropy(log_q, valid)
    relative_entropy, _ = working_entropy(log_q - log_prior, valid)
    inside = log_prior > -np.inf
    joint = _joint_covariance(log_q - log_prior, valid, T) if len(f) >= 2 else None
    if len(f) < 2:
        f, T = np.full((2, f.shape[1]), np.nan), np.full((2, T.shape[1]), np.nan)
    mean = f.mean(axis=0)
    targets = problem.constraints.prop.mean
    share = max(1, len(T) // N_TESTS)
    groups = (T - problem.constraints.target)[: share * N_TESTS].reshape(-1, share, T.shape[1])
    centre = np.array([m if target is None else target for m, target in zip(mean, targets)])
    spread = T.std(axis=0, ddof=1)
    return Score(
        entropy=entropy,
        entropy_stderr=entropy_stderr,
        relative_entropy=-relative_entropy,
        mean=mean,
        variance=((f - centre) ** 2).mean(axis=0),
        constraint=T.mean(axis=0),
        constraint_stderr=spread / np.sqrt(len(T)),
        constraint_spread=spread,
        least=T.min(axis=0),
        greatest=T.max(axis=0),
        p_values=null_p_values(groups.mean(axis=1) / problem.constraints.scale, problem.constraints.is_bound),
        n=int(inside.sum()) - outside,
        n_failed=int(inside.sum()) - outside - int(valid.sum()),
        round_trip=passes_apart(log_q, log_inverted),
        outside_share=outside / max(1, int(inside.sum())),
        joint=joint,
    )


def _in_region(problem, z, batch, start, n, replicates):
    """Which rows of the ``batch``, simulated of ``z`` from row ``start`` of ``n``, lie in the region: (n_valid,)."""
    region = problem.constraints.region
    if region is None or replicates == 1:
        return np.ones(len(batch.f), bool) if region is None else region.contains(batch.f)
    expected = np.full((replicates, *batch.f.shape), np.nan)
    for r in range(replicates):
        again = problem.simulate(z[batch.valid], Stream.SCORE_NOISE, 1, first_index=start + r * n)
        expected[r, again.valid] = again.f
    return region.contains(expected.mean(axis=0))


def _joint_covariance(log_ratio, valid, T):
    """Of E[log_ratio | works] - log P(works) and E[T | works], from log_ratio (n,) and the T (n_valid, m) that work."""
    n, share = len(valid), len(T) / len(valid)
    influence = np.zeros((n, 1 + T.shape[1]))
    influence[:, 0] = 1.0
    influence[valid, 0] += (log_ratio[valid] - log_ratio[valid].mean() - 1) / share
    influence[valid, 1:] = (T - T.mean(axis=0)) / share
    return np.cov(influence.T) / n


def working_entropy(log_q, valid):
    """Entropy of q restricted to the draws that work, and its standard error, from log q (n,) of draws of q."""
    n, n_valid = len(valid), int(valid.sum())
    if n_valid < 2:
        return np.nan, np.nan
    mean = log_q[valid].mean()
    share = n_valid / n
    # Influence of a draw on -E[log q | works] + log P(works).
    influence = np.where(valid, (mean - log_q + 1) / share, 0.0) - 1
    return float(np.log(share) - mean), float(influence.std(ddof=1) / np.sqrt(n))
