"""Score and certificate from a run's own rows: right whatever the surrogate is worth."""

from dataclasses import replace

import numpy as np
import pytest

import numepi as ne
from numepi.inference.assessment import row_certificate
from numepi.inference.assessment.own_rows import Beliefs, Rows, score_rows
from numepi.inference.assessment.row_certificate import _worse, certify_rows
from numepi.inference.problem import Problem

# q = N(0.1, 1.1^2) and p0 = N(0, 2^2) on the line (of which the second coordinate is no part); T = [z, z^2].
Q, START, BOX = (0.1, 1.1), (0.0, 2.0), ne.Support([-np.inf, -np.inf], [np.inf, np.inf])
ETA = np.array([0.2, -0.375 * np.sqrt(2)])  # scaled: p_eta = N(0, 4) exp(0.2 z - 0.375 (z^2 - 1)) ~ N(0.2, 1)


class Start:
    def log_prob(self, z):
        return log_normal(z[:, 0], *START)

    def gradient(self, z):
        return -z / START[1] ** 2


def log_normal(x, mean, sd):
    return -0.5 * ((x - mean) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi)


def problem():
    circuit = ne.circuits.FunctionCircuit(lambda z: z[:, :1], BOX, statistic_names=("x",))
    prop = ne.EmergentProperty(mean=[0.0], variance=[1.0])
    return Problem(circuit, prop, np.random.SeedSequence(0), prior=Start())


def believed(x, slope, spoilt=0.0):
    f = slope * x[:, None]
    T = np.column_stack([f, f**2 + spoilt])
    ones = np.ones(len(x))
    return Beliefs(log_normal(x, *Q), log_normal(x, *START), log_normal(x, *START), ones, f, T)


def parts(rng, slope, noise=0.0, n=4000, share=0.1, spoilt=0.0):
    start = rng.normal(START[0], START[1], int(share * n))
    x = np.concatenate([start, rng.normal(*Q, n - len(start))])
    own = np.arange(n) >= len(start)
    repeats = x[own][: n // 4]

    def simulated(x):
        f = (x + noise * rng.normal(size=len(x)))[:, None]
        return f, np.column_stack([f, f**2])

    f, T = simulated(x)
    ones = np.ones(n, bool)
    rows = Rows(own, ones, ones, x[:, None], f, T, believed(x, slope, noise**2 + spoilt), simulated(repeats)[1])
    draws = believed(rng.normal(*Q, 40_000), slope, noise**2 + spoilt)
    start_draws = believed(rng.normal(*START, 10_000), slope, noise**2 + spoilt)
    return rows, draws, start_draws, share


def optimal(noise=0.0):
    """Multipliers of p*, which is N(0, 1 - noise^2): noise is part of the variance."""
    return np.array([0.0, -0.5 * np.sqrt(2) * (1 / (1 - noise**2) - 1 / START[1] ** 2)])


def kl(mean, sd, p_mean=0.0, p_sd=1.0):
    return np.log(p_sd / sd) + (sd**2 + (mean - p_mean) ** 2) / (2 * p_sd**2) - 0.5


@pytest.mark.parametrize("slope", [1.0, 0.97, 0.7])
def test_score_is_unbiased_for_any_surrogate_and_sharper_for_a_good_one(rng, slope):
    rows, draws, *_ = parts(rng, slope)
    score = score_rows(problem(), rows, draws)
    truth = [0.1, 0.1**2 + 1.1**2]
    # five standard errors of each, false alarm 6e-7
    np.testing.assert_array_less(np.abs(score.constraint - truth), 5 * score.constraint_stderr)
    plain = rows.T[rows.own].std(axis=0) / np.sqrt(rows.own.sum())
    assert np.all(score.constraint_stderr < {1.0: 0.35, 0.97: 0.45, 0.7: 1.05}[slope] * plain)
    assert score.n == rows.own.sum() and score.n_failed == 0


@pytest.mark.parametrize("start", ["optimum", "beside"])
@pytest.mark.parametrize(("slope", "noise"), [(1.0, 0.0), (0.95, 0.0), (1.0, 0.3), (0.95, 0.3)])
def test_certificate_is_the_kl_to_the_exact_solution_not_to_the_surrogates(rng, slope, noise, start):
    """Nor to p_eta: multipliers that the rows see beside the optimum are led there."""
    rows, draws, start_draws, share = parts(rng, slope, noise, n=20_000)
    weights, eta = np.full(1000, 1e-3), optimal(noise) if start == "optimum" else ETA
    certificate = certify_rows(problem(), eta, rows, draws, start_draws, share, weights, 4 if noise else 1)
    # Five standard errors (false alarm 6e-7), and the third order of what is expanded.
    sd = np.sqrt(1 - noise**2)
    assert abs(certificate.kl - kl(*Q, p_sd=sd)) < 5 * certificate.kl_stderr + 2e-3
    assert abs(certificate.entropy_bound + kl(0.0, sd, *START)) < 5 * certificate.entropy_bound_stderr + 2e-3
    assert certificate.entropy_bound_stderr < 0.02 and certificate.kl_stderr < 0.05
    assert certificate.optimal


@pytest.mark.parametrize(("slope", "spoilt", "is_good"), [(1.0, 0.0, True), (1.0, 3.0, False), (0.7, 0.0, False)])
def test_a_surrogate_too_wrong_for_the_expansion_is_noticed_through_much_noise(rng, slope, spoilt, is_good):
    noise = 1.5
    rows, draws, start_draws, share = parts(rng, slope, noise, n=4000, spoilt=spoilt)
    certificate = certify_rows(problem(), ETA, rows, draws, start_draws, share, np.full(1000, 1e-3), 4)
    assert (certificate.noise_bias < 0.05) == is_good
    assert certificate.method == "rows"
    assert any("beyond their correction" in doubt for doubt in certificate.doubts) != is_good


def test_without_pairs_and_with_few_rows_the_noise_has_no_bound(rng):
    rows, draws, start_draws, share = parts(rng, 1.0, 0.3, n=40)
    rows = replace(rows, own=rows.own & (np.arange(40) < 25), repeats=np.empty((0, 2)))
    certificate = certify_rows(problem(), ETA, rows, draws, start_draws, share, np.full(1000, 1e-3), 4)
    assert certificate.noise_bias == np.inf and not certificate.reliable


def test_outliers_that_no_pair_of_simulations_shows_make_a_certificate_unreliable(rng):
    rows, draws, start_draws, share = parts(rng, 1.0, 0.3, n=4000)
    T = rows.T.copy()
    T[np.flatnonzero(rows.own)[len(rows.repeats) :: 100], 1] += 100.0  # of those simulated once; -38 nats
    found = [
        certify_rows(problem(), optimal(0.3), each, draws, start_draws, share, np.full(1000, 1e-3), 4)
        for each in (rows, replace(rows, T=T))
    ]
    assert found[0].noise_bias < 0.05 and found[1].noise_bias > 0.1
    assert any("beyond their correction" in doubt for doubt in found[1].doubts)


def test_rows_that_fail_are_outside_of_the_support(rng):
    # Simulations fail above 0.5; the surrogate believes in a soft edge.
    rows, draws, start_draws, share = parts(rng, 1.0, n=20_000)
    edge = lambda b: 1 / (1 + np.exp((b.f[:, 0] - 0.5) / 0.1))  # noqa: E731
    fails = rows.f[:, 0] > 0.5
    rows = Rows(
        rows.own, rows.inside, ~fails, rows.z, np.where(fails[:, None], np.nan, rows.f),
        np.where(fails[:, None], np.nan, rows.T), _with(rows.beliefs, edge), np.empty((0, 2)),
    )  # fmt: skip
    draws, start_draws = _with(draws, edge), _with(start_draws, edge)
    score = score_rows(problem(), rows, draws)
    cells = (np.arange(200_000) + 0.5) / 200_000 * 20 - 19.5
    q = np.exp(log_normal(cells, *Q))
    p = np.exp(log_normal(cells, 0.2, 1.0))
    q, p = q / q.sum(), p / p.sum()
    np.testing.assert_array_less(np.abs(score.constraint - [q @ cells, q @ cells**2]), 5 * score.constraint_stderr)
    assert score.n_failed == fails[rows.own].sum()
    certificate = certify_rows(problem(), ETA, rows, draws, start_draws, share, np.full(1000, 1e-3), 1)
    assert abs(certificate.kl - q @ np.log(q / p)) < 5 * certificate.kl_stderr


def _with(beliefs, edge):
    return Beliefs(beliefs.log_q, beliefs.log_start, beliefs.log_prior, edge(beliefs), beliefs.f, beliefs.T)


def test_next_to_no_rows_certify_nothing(rng):
    rows, draws, start_draws, share = parts(rng, 1.0, n=8)
    certificate = certify_rows(problem(), ETA, rows, draws, start_draws, share, np.array([1.0]), 1)
    assert np.isnan(certificate.kl) and not certificate.reliable


@pytest.mark.parametrize("noise", [0.25, 0.5])
def test_noise_that_makes_up_nearly_all_of_a_variance_is_a_doubt(rng, noise):
    """The doubt is the noise's own second order, of T = z + noise and its square."""
    rows, *beliefs = parts(rng, 1.0, noise, n=4000)
    quiet, loud = (
        certify_rows(problem(), optimal(noise), rows, *beliefs, np.full(1000, 1e-3), 4, loud=loud)
        for loud in (False, True)
    )
    assert quiet.noise_bias < loud.noise_bias and quiet.kl == loud.kl
    slope = optimal(noise)[1] / np.sqrt(2)
    square = slope**2 * (4 * (Q[0] ** 2 + Q[1] ** 2) * noise**2 + 2 * noise**4)
    assert loud.noise_bias == pytest.approx(square / 2, rel=0.3)  # five standard errors of 3,600 rows


def test_multipliers_that_are_off_count_where_the_flow_misses_its_targets(rng, monkeypatch):
    """p* = N(0, 1), given multipliers of N(0.3, 1): the KL of a flow at mean 0.1 is off by 0.1 * 0.3 to first order.

    Where no steps lead to the optimum, that is in the error; steps do lead there.
    """
    rows, *beliefs = parts(rng, 1.0, n=20_000)
    right, led = (
        certify_rows(problem(), eta, rows, *beliefs, np.full(1000, 1e-3), 1)
        for eta in (optimal(), optimal() + [0.3, 0.0])
    )
    assert right.kl == pytest.approx(kl(*Q), abs=5 * right.kl_stderr)  # false alarm 6e-7
    assert right.kl_stderr < 0.01 and led.kl == pytest.approx(right.kl, abs=1e-3) and led.kl_stderr < 0.01
    np.testing.assert_allclose(led.multipliers, right.multipliers, atol=0.05)
    monkeypatch.setattr(row_certificate, "_NEWTON_STEPS", 0)
    off = certify_rows(problem(), optimal() + [0.3, 0.0], rows, *beliefs, np.full(1000, 1e-3), 1)
    assert off.kl_stderr > 0.02 and off.kl == pytest.approx(kl(*Q), abs=3 * off.kl_stderr)


def test_what_is_simulated_twice_counts_for_as_much_as_it_tells(rng):
    """With some rows simulated again the error of a mean that noise rules falls; not where the surrogate errs."""
    errors = {}
    for slope, noise in ((1.0, 0.5), (0.3, 0.02)):
        rows, draws, *_ = parts(rng, slope, noise)
        once = score_rows(problem(), replace(rows, repeats=rows.repeats[:0]), draws)
        twice = score_rows(problem(), rows, draws)
        truth = [0.1, 0.1**2 + 1.1**2 + noise**2]
        np.testing.assert_array_less(np.abs(twice.constraint - truth), 5 * twice.constraint_stderr)  # 6e-7
        errors[noise] = twice.constraint_stderr / once.constraint_stderr
    # 1000 of 3600 rows twice: sqrt(3600 / 4600) of noise, whatever part of the error the draws make
    np.testing.assert_array_less(errors[0.5], 0.95)
    np.testing.assert_allclose(errors[0.02], 1.0, atol=0.01)


def test_what_few_rows_alone_show_is_a_heavy_tail(rng):
    """The surrogate misses a part of p* that the flow hardly reaches: the few rows there carry most of the weight."""
    rows, *beliefs = parts(rng, 1.0, n=1000)
    missed = 6 * problem().constraints.scale[1] / ETA[1]  # T whose weight is exp(6)
    seen = replace(rows, T=rows.T + np.outer(rows.z[:, 0] > 2.6, [0.0, missed]))
    blind, told = (certify_rows(problem(), ETA, each, *beliefs, np.full(1000, 1e-3), 1) for each in (rows, seen))
    assert blind.pareto_k < 0.7 and not any("heavy tail" in doubt for doubt in blind.doubts)
    assert told.pareto_k > 0.7 and told.ess < 100 and any("heavy tail" in doubt for doubt in told.doubts)


@pytest.mark.parametrize(("largest", "expected"), [(0.0, 0.0), (1e-200, 800.0)])
def test_rows_that_the_solution_is_far_from_are_no_sample_of_it(largest, expected):
    """Weights that underflow, or whose squares do, gave 0 / 0, which let the surrogate's own number stand."""
    weights = np.zeros(1000)
    weights[:4] = largest  # too few for a tail
    assert _worse(800.0, 0.1, weights, 1000)[0] == expected
