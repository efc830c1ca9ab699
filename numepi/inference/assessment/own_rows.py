"""Score of a flow from the run's own rows: each round's are fresh for the flow that they came from.

The surrogate, which has not seen them, is a control variate: what it says is averaged over many draws that cost no
simulation, and the rows add the mean of the difference between the circuit and it.  The estimates are unbiased,
whatever the surrogate is worth (Owen 2013, section 8.9); a good one leaves next to no variance in the difference.

With ok the success of a simulation, E_q[g | ok] = E_q[g 1_ok] / P(ok).
"""

from dataclasses import dataclass

import numpy as np

from numepi.inference.assessment.convergence import null_p_values
from numepi.inference.assessment.score import N_TESTS, Score

__all__ = ["LEAST_ROWS", "Beliefs", "Rows", "level_of", "score_rows", "variance_of"]

LEAST_ROWS = 8  # valid rows of the flow, for a variance


@dataclass(frozen=True)
class Beliefs:
    """What is known of parameters without simulating them.

    Attributes
    ----------
    log_q, log_start, log_prior : ndarray (n,)
        Finite; log p0 is anything where the prior has no density.
    success : ndarray (n,)
        The surrogate's probability that a simulation succeeds; 0 where the prior has no density.
    f, T : ndarray (n, k), (n, m)
        The surrogate's E[f | z] and E[T | z].
    """

    log_q: np.ndarray
    log_start: np.ndarray
    log_prior: np.ndarray
    success: np.ndarray
    f: np.ndarray
    T: np.ndarray

    def log_weights(self, exponent, start_share):
        """Log of p_0 exp(eta . T-bar) P(success) over the mixture's density, with ``exponent`` = eta . T-bar (n,)."""
        log_mixture = self.log_q
        if start_share > 0:
            log_mixture = np.logaddexp(self.log_q + np.log1p(-start_share), self.log_start + np.log(start_share))
        return self.log_prior - log_mixture + exponent + np.log(np.maximum(self.success, np.finfo(float).tiny))


@dataclass(frozen=True)
class Rows:
    """Simulated rows, of the mixture of flow and start.

    Attributes
    ----------
    own : ndarray (n,), bool
        Rows of the flow; the others came from the start.
    inside, valid : ndarray (n,), bool
        Rows with prior density, which were simulated; and those that succeeded.
    z : ndarray (n, D)
    f, T : ndarray (n, k), (n, m)
        NaN where not valid.
    beliefs : Beliefs
    repeats : ndarray (r, m)
        T of other simulations of the first r own rows, NaN where they failed.
    """

    own: np.ndarray
    inside: np.ndarray
    valid: np.ndarray
    z: np.ndarray
    f: np.ndarray
    T: np.ndarray
    beliefs: Beliefs
    repeats: np.ndarray


def score_rows(problem, rows, draws, round_trip=0.0):
    """The `Score` of the flow from its own ``rows``; ``draws`` are `Beliefs` on many draws of it.

    ``round_trip`` is `numepi.inference.assessment.score.passes_apart` of some of those.
    """
    constraints, ok = problem.constraints, rows.valid[rows.own]
    f, T = rows.f[rows.own], rows.T[rows.own]
    n = int(rows.inside[rows.own].sum())
    k, m = f.shape[1], T.shape[1]
    mean, second = np.full(k, np.nan), np.full(k, np.nan)
    constraint, stderr, spread, least, greatest, p_values = (np.full(m, np.nan) for _ in range(6))
    entropy = entropy_stderr = relative_entropy = np.nan
    if ok.sum() >= LEAST_ROWS:
        success = rows.beliefs.success[rows.own], draws.success
        f_hat, T_hat = rows.beliefs.f[rows.own], rows.beliefs.T[rows.own]
        mean, _ = _mean_given_success(ok, f, f_hat, draws.f, success)
        centre = np.array([m if target is None else target for m, target in zip(mean, constraints.prop.mean)])
        second, _ = _mean_given_success(
            ok, (f - centre) ** 2, (f_hat - centre) ** 2, (draws.f - centre) ** 2, success
        )  # fmt: skip
        both, worth = _of_both_simulations(rows, ok, T, T_hat)
        constraint, stderr = _mean_given_success(ok, both, T_hat, draws.T, success, worth)
        spread, least, greatest = T[ok].std(axis=0, ddof=1), T[ok].min(axis=0), T[ok].max(axis=0)
        level, influences = level_of(draws.log_q, rows.beliefs.log_q[rows.own], rows, draws, 0.0)
        entropy, entropy_stderr = -level, np.sqrt(variance_of(*influences))
        relative_entropy, _ = level_of(
            draws.log_q - draws.log_prior, (rows.beliefs.log_q - rows.beliefs.log_prior)[rows.own], rows, draws, 0.0
        )
        violation = (T - constraints.target)[ok]
        share = max(1, len(violation) // N_TESTS)
        groups = violation[: min(len(violation) // share, N_TESTS) * share].reshape(-1, share, m)
        p_values = null_p_values(groups.mean(axis=1) / constraints.scale, constraints.is_bound)
    return Score(
        entropy=float(entropy),
        entropy_stderr=float(entropy_stderr),
        relative_entropy=float(relative_entropy),
        mean=mean,
        variance=second,
        constraint=constraint,
        constraint_stderr=stderr,
        constraint_spread=spread,
        least=least,
        greatest=greatest,
        p_values=p_values,
        n=n,
        n_failed=int(n - ok.sum()),
        round_trip=round_trip,
    )


def _of_both_simulations(rows, ok, T, T_hat):
    """T (n, m) of the flow's rows, the mean of both where they were simulated twice, and what each is worth (n, m).

    The surrogate's error is the same in both, the noise is not: a mean is worth twice a single one where noise is all.
    Where simulations fail the second ones are left out: rows that work twice are not like those that work once.
    """
    r, worth = len(rows.repeats), np.ones(T.shape)
    if r < LEAST_ROWS or not (ok.all() and np.isfinite(rows.repeats).all()):
        return T, worth
    single, noise = np.mean((T - T_hat) ** 2, axis=0), np.mean((T[:r] - rows.repeats) ** 2, axis=0) / 2
    left = np.maximum(single - noise / 2, single / 2)  # what a mean has of a single one's variance
    worth[:r] = np.divide(single, left, out=np.ones_like(left), where=left > 0)
    return np.concatenate([(T[:r] + rows.repeats) / 2, T[r:]]), worth / worth.mean(axis=0)


def _mean_given_success(ok, values, believed, drawn, success, worth=1.0):
    """E_q[g | ok] (k,) and its standard error, from rows (n, k), the surrogate's at the rows, and at many draws.

    The surrogate counts by the regression of the rows on it, which is none where it is worth nothing.  ``worth`` (n, k)
    are weights of the rows, of mean 1.
    """
    at_rows, at_draws = success
    share = _regression(values[ok], believed[ok])
    p_ok = at_draws.mean() + np.mean(ok - at_rows)
    gain = np.where(ok[:, None], values, 0.0) - share * at_rows[:, None] * believed
    gained = np.mean(worth * gain, axis=0)
    mean = (share * np.mean(at_draws[:, None] * drawn, axis=0) + gained) / p_ok
    of_rows = (worth * (gain - gained) - (ok - at_rows)[:, None] * mean) / p_ok
    of_draws = at_draws[:, None] * (share * drawn - mean) / p_ok
    return mean, np.sqrt(of_rows.var(axis=0) / len(of_rows) + of_draws.var(axis=0) / len(of_draws))


def _regression(values, believed):
    centred = believed - believed.mean(axis=0)
    slope = np.sum(centred * values, axis=0) / np.maximum(np.sum(centred**2, axis=0), np.finfo(float).tiny)
    return np.clip(slope, 0.0, 1.0)


def level_of(of_draws, believed, rows, draws, residual):
    """E_q[g | ok] - log P(ok), and the influence of the draws and of the flow's rows on it.

    ``of_draws`` is g at the draws, ``believed`` at the flow's rows, by the surrogate; ``residual`` is what it is less.
    """
    ok, at_rows = rows.valid[rows.own], rows.beliefs.success[rows.own]
    true = believed - residual
    p_ok = draws.success.mean() + np.mean(ok - at_rows)
    ratio = (np.mean(draws.success * of_draws) + np.mean(ok * true - at_rows * believed)) / p_ok
    on_draws = draws.success * (of_draws - ratio - 1) / p_ok / len(of_draws)
    on_rows = (ok * (true - ratio - 1) - at_rows * (believed - ratio - 1)) / p_ok / len(true)
    return ratio - np.log(p_ok), (on_draws, on_rows)


def variance_of(*influences):
    """Of an estimate, from the influence of every draw in each of its independent strata."""
    return float(sum(len(each) * np.var(each) for each in influences if len(each)))
