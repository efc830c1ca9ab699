"""Score and certificate of a flow from the run's own rows: each round's are fresh for the flow that they came from.

The surrogate, which has not seen them, is a control variate: what it says is averaged over many draws that cost no
simulation, and the rows add the mean of the difference between the circuit and it.  Both estimates are unbiased,
whatever the surrogate is worth (Owen 2013, section 8.9); a good one leaves next to no variance in the difference.

With ok the success of a simulation and m = (1 - d) q + d q_0 the mixture that the rows came from,

    E_q[g | ok] = E_q[g 1_ok] / P(ok),    Z = E_m[1_ok p_0 exp(eta . T) / m],
    KL(q || p_eta) = E_q[log q - log p_0 - eta . T | ok] + log Z - log P(ok).

With noise exp(eta . T) of single draws is biased: it is expanded about the surrogate to second order, the square of
whose error is known from smooth fits and from pairs of simulations.
"""

from dataclasses import dataclass

import numpy as np

from numepi.inference.assessment.certificate import PLENTY, RELIABLE_PARETO_K, Certificate
from numepi.inference.assessment.convergence import null_p_values
from numepi.inference.assessment.pareto import pareto_k
from numepi.inference.assessment.score import N_TESTS, Score
from numepi.inference.assessment.weights import error_by_multipliers, has_minimum
from numepi.inference.dual_problem import free_gradient

__all__ = ["Beliefs", "Rows", "certify_rows", "score_rows"]

_OPTIMAL = 0.05  # gradient of the dual in natural scales: a thousandth of a nat in KL
_VAGUE = 0.3  # standard error of that gradient, above which it says nothing: of a rare part with much weight, say
_LEAST_ROWS = 8  # valid rows of the flow, for a variance
_LEAST_ESS = 5.0  # rows with weight under p_eta: of a handful any number would be one of them
_LEAST_Z = 0.05  # of the surrogate's Z: below, the rows contradict it
_ROWS_A_FEATURE = 10  # of a fit to the surrogate's errors
_OVERFLOW = 50.0  # nats by which the circuit may exceed the surrogate in a weight


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
    if ok.sum() >= _LEAST_ROWS:
        success = rows.beliefs.success[rows.own], draws.success
        f_hat, T_hat = rows.beliefs.f[rows.own], rows.beliefs.T[rows.own]
        mean, _ = _mean_given_success(ok, f, f_hat, draws.f, success)
        centre = np.array([m if target is None else target for m, target in zip(mean, constraints.prop.mean)])
        second, _ = _mean_given_success(
            ok, (f - centre) ** 2, (f_hat - centre) ** 2, (draws.f - centre) ** 2, success
        )  # fmt: skip
        constraint, stderr = _mean_given_success(ok, T, T_hat, draws.T, success)
        spread, least, greatest = T[ok].std(axis=0, ddof=1), T[ok].min(axis=0), T[ok].max(axis=0)
        level, influences = _level(draws.log_q, rows.beliefs.log_q[rows.own], rows, draws, 0.0)
        entropy, entropy_stderr = -level, np.sqrt(_variance(*influences))
        relative_entropy, _ = _level(
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


def _mean_given_success(ok, values, believed, drawn, success):
    """E_q[g | ok] (k,) and its standard error, from rows (n, k), the surrogate's at the rows, and at many draws.

    The surrogate counts by the regression of the rows on it, which is none where it is worth nothing.
    """
    at_rows, at_draws = success
    share = _regression(values[ok], believed[ok])
    p_ok = at_draws.mean() + np.mean(ok - at_rows)
    gain = np.where(ok[:, None], values, 0.0) - share * at_rows[:, None] * believed
    mean = (share * np.mean(at_draws[:, None] * drawn, axis=0) + gain.mean(axis=0)) / p_ok
    of_rows = (gain - (ok - at_rows)[:, None] * mean) / p_ok
    of_draws = at_draws[:, None] * (share * drawn - mean) / p_ok
    return mean, np.sqrt(of_rows.var(axis=0) / len(of_rows) + of_draws.var(axis=0) / len(of_draws))


def _regression(values, believed):
    centred = believed - believed.mean(axis=0)
    slope = np.sum(centred * values, axis=0) / np.maximum(np.sum(centred**2, axis=0), np.finfo(float).tiny)
    return np.clip(slope, 0.0, 1.0)


def certify_rows(problem, eta, rows, draws, start_draws, start_share, weights, replicates, round_trip=0.0, loud=False):
    """The `Certificate` of the flow against p_eta.

    Parameters
    ----------
    eta : ndarray (m,)
        Of the scaled constraints.
    draws, start_draws : Beliefs
        On draws of the flow and of the start.
    start_share : float
        d: share of the rows that came from the start.
    weights : ndarray
        Of all valid rows of the run under p_eta, normalised: what the estimate can rest on.
    replicates : int
        Simulations of each parameter that the noise asks for where there is no surrogate; 1 where there is no noise.
    loud : bool
        Whether noise makes up nearly all of a target variance.  What the surrogate misses is then too small beside the
        noise to be told from it (noise of 0.45 in a variance of 0.5: KL -0.03 +- 0.05 for 0.20), and the doubt is as
        large as the noise's own second order.
    """
    constraints, own, ok = problem.constraints, rows.own, rows.valid
    noisy = replicates > 1
    V, V_hat, V_draws, V_start = (
        (T - constraints.target) / constraints.scale for T in (rows.T, rows.beliefs.T, draws.T, start_draws.T)
    )
    residual = np.where(ok[:, None], V - V_hat, 0.0)
    logs = [
        beliefs.log_weights(v @ eta, start_share)
        for beliefs, v in ((draws, V_draws), (start_draws, V_start), (rows.beliefs, V_hat))
    ]
    shift = max(each.max() for each in logs)
    w_draws, w_start, w_hat = (np.exp(each - shift) for each in logs)
    change = 1 + residual @ eta if noisy else np.exp(np.minimum(residual @ eta, _OVERFLOW))
    w_rows = np.where(ok, w_hat / np.maximum(rows.beliefs.success, np.finfo(float).tiny), 0.0)
    believed_z = (1 - start_share) * w_draws.mean() + start_share * w_start.mean()
    z = believed_z + np.mean(w_rows * change - w_hat)
    second = second_stderr = 0.0
    if noisy:
        second, second_stderr = _second_order(rows, V_hat, constraints, eta, w_rows)
        z += second
    ess = 1 / np.sum(weights**2) if len(weights) else 0.0
    tail = pareto_k(weights) if len(weights) > _LEAST_ROWS else np.inf
    if not z > _LEAST_Z * believed_z or ok[own].sum() < _LEAST_ROWS or ess < _LEAST_ESS:
        return _certificate(problem, eta, (np.nan,) * 4, len(weights), ess, tail, False, replicates, round_trip)
    if not noisy:
        ess, tail = _worse(ess, tail, w_rows * change, len(weights))
    # Influence of every draw and row on log Z, then on E_q[log q - log p_0 - eta . T | ok] - log P(ok).
    n = len(own)
    on_z = [
        (1 - start_share) * w_draws / z / len(w_draws), start_share * w_start / z / len(w_start),
        *((w_rows * change - w_hat)[part] / z / n for part in (own, ~own)),
    ]  # fmt: skip
    of_draws = draws.log_q - draws.log_prior - V_draws @ eta
    believed = (rows.beliefs.log_q - rows.beliefs.log_prior - V_hat @ eta)[own]
    level, on_level = _level(of_draws, believed, rows, draws, (residual @ eta)[own])
    log_z = float(np.log(z) + shift)
    on_square = (second_stderr / z) ** 2
    variance = _variance(on_z[0] + on_level[0], on_z[1], on_z[2] + on_level[1], on_z[3]) + on_square
    numerator = (1 - start_share) * (w_draws @ V_draws) / len(w_draws) + start_share * (w_start @ V_start) / len(
        w_start
    )
    tilted = w_rows[:, None] * (change[:, None] * V_hat + residual) - w_hat[:, None] * V_hat
    gradient = (numerator + tilted.mean(axis=0)) / z
    spread = tilted.std(axis=0) / np.sqrt(n) / z
    is_bound = constraints.is_bound
    believed_V, share = np.concatenate([V_draws, V_start]), np.concatenate(on_z[:2])
    centred = believed_V - share @ believed_V / share.sum()
    covariance = (share[:, None] * centred).T @ centred / share.sum()
    of_gradient = (share[:, None] ** 2 * centred).T @ centred + np.atleast_2d(np.cov(tilted.T)) / n / z**2
    by_eta = error_by_multipliers(eta, gradient, of_gradient, covariance, V[own & ok].mean(axis=0), is_bound)
    numbers = level + log_z, np.sqrt(variance + by_eta**2), log_z, np.sqrt(_variance(*on_z) + on_square)
    gradient, _ = free_gradient(gradient, eta, is_bound)
    met = np.all(np.abs(gradient) < _OPTIMAL + 3 * spread) and np.all(spread < _VAGUE)
    optimal = bool(met) and has_minimum(V[ok], is_bound)
    # What the expansion leaves out is less than its last term where that is small: until it is seen to be, it is not.
    bias = (second + 2 * second_stderr) / z
    if loud:
        bias = max(bias, 0.5 * float(np.mean((residual @ eta)[own & ok] ** 2)))
    return _certificate(problem, eta, numbers, len(weights), ess, tail, optimal, replicates, round_trip, bias)


def _worse(ess, tail, weights, n):
    """Effective number and Pareto k of the last rows' own ``weights``, where these have the heavy tail.

    The surrogate may miss what few rows show; then they alone tell, and there are too few of them.
    """
    k, own_ess = pareto_k(weights), weights.sum() ** 2 / np.sum(weights**2)
    heavy = k > max(tail, RELIABLE_PARETO_K) and own_ess < PLENTY * len(weights)
    return (min(own_ess, ess, PLENTY * n), k) if heavy else (ess, tail)


def _level(of_draws, believed, rows, draws, residual):
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


def _second_order(rows, V_hat, constraints, eta, w_rows):
    """What the surrogate's error adds to Z, E[(eta . (T-bar - T-hat))^2] / 2 under the weights, and its standard error.

    A surrogate's errors are smooth: a quadratic is fitted to them over all of the flow's rows, and what noise alone
    would make such a fit explain is taken off.  Where pairs of simulations, whose noises are independent, show clearly
    more, they count.  Without enough rows for either the error has no bound.
    """
    errors = ((rows.T - constraints.target) / constraints.scale - V_hat) @ eta
    once = rows.own & rows.valid
    smooth, smooth_stderr = _smooth_square(rows.z[once], errors[once], w_rows[once])
    first = np.flatnonzero(rows.own)[: len(rows.repeats)]
    again = ((rows.repeats - constraints.target) / constraints.scale - V_hat[first]) @ eta
    both = np.isfinite(errors[first]) & np.isfinite(again)
    paired, paired_stderr = 0.0, np.inf
    if both.sum() >= _LEAST_ROWS:
        squares = (w_rows[first] * errors[first] * again)[both]
        paired, paired_stderr = max(0.0, float(squares.mean())), float(squares.std() / np.sqrt(len(squares)))
    clear = paired - 2 * paired_stderr > smooth
    square, stderr = (paired, paired_stderr) if clear or smooth_stderr == np.inf else (smooth, smooth_stderr)
    return square / 2 * rows.own.mean(), stderr / 2 * rows.own.mean()


def _smooth_square(z, errors, weights):
    """Mean weighted square of the best quadratic in z (n, D) for ``errors`` (n,), less what is noise; its error."""
    n, dim = z.shape
    spread = z.std(axis=0)
    x = (z - z.mean(axis=0)) / np.where(spread > 0, spread, 1.0) if n else z
    products = [x[:, i] * x[:, j] for i in range(dim) for j in range(i + 1)]
    features = np.column_stack([np.ones(n), x, *products])
    if features.shape[1] * _ROWS_A_FEATURE > n:
        return 0.0, np.inf
    normal = (weights[:, None] * features).T @ features
    slopes = np.linalg.lstsq(normal, features.T @ (weights * errors), rcond=1e-10)[0]
    fitted = features @ slopes
    scatter = (features * (weights * (errors - fitted))[:, None]).T
    by_noise = np.trace(np.linalg.lstsq(normal, scatter @ scatter.T, rcond=1e-10)[0]) / n
    square = max(0.0, float(weights @ fitted**2 / n - by_noise))
    variance = 2 * by_noise**2 / len(slopes) + 4 * square * by_noise / len(slopes)
    return square, float(np.sqrt(variance))


def _variance(*influences):
    """Of an estimate, from the influence of every draw in each of its independent strata."""
    return float(sum(len(each) * np.var(each) for each in influences if len(each)))


def _certificate(problem, eta, numbers, n, ess, tail, optimal, replicates, round_trip, noise_bias=0.0):
    kl, kl_stderr, bound, bound_stderr = (float(number) for number in numbers)
    return Certificate(
        kl=kl,
        kl_stderr=kl_stderr,
        entropy_bound=bound,
        entropy_bound_stderr=bound_stderr,
        ess=float(ess),
        pareto_k=tail,
        optimal=optimal,
        multipliers=tuple((eta / problem.constraints.scale).tolist()),
        n=n,
        replicates=replicates,
        round_trip=round_trip,
        noise_bias=float(noise_bias),
        with_prior=problem.prior is not None,
        method="rows",
    )
