"""exp(eta . T-bar) from single noisy draws of T: without the bias of lucky draws, whatever the surrogate has missed."""

import numpy as np
import pytest

from numepi.inference.assessment.single_draws import _near_products, expanded, for_normal_noise, noiseless

ETA = np.array([1.0, -0.5])
N = 20_000


def rows(rng, error, noise, pairs=4000):
    """Rows at z ~ N(0, 1) whose surrogate errs by ``error(z)`` nats, with ``noise(z, n)``; exact exp(b) and V-bar."""
    z = rng.standard_normal(N)
    b = error(z)

    def simulated(z, b):
        r = b + noise(z, len(z))
        return np.column_stack([0.6 * r, -0.8 * r])  # eta . residual = r

    residual, again = simulated(z, b), simulated(z[:pairs], b[:pairs])
    everything = np.ones(N, bool)
    arguments = np.column_stack([z, z]) + residual, residual, again, ETA, np.ones(N), everything, everything, z[:, None]
    return arguments, np.exp(b), np.column_stack([z, z]) + np.outer(b, [0.6, -0.8])


def mean(tilt):
    """The estimate of the mean of exp(b), and its standard error."""
    return tilt.factor.mean() + tilt.extra, np.hypot(tilt.factor.std() / np.sqrt(N), tilt.extra_stderr)


def normal(sd):
    return lambda z, n: sd * np.random.default_rng(n).standard_normal(n)


def cliff(z):
    """Where p* ends the surrogate is ten nats too high."""
    return np.where(z > 2.0, -10.0, 0.1 * z)


def test_beyond_a_cliff_that_the_surrogate_rounds_off_there_is_nothing(rng):
    arguments, exact, moments = rows(rng, cliff, normal(0.7))
    found, stderr = mean(for_normal_noise(*arguments))
    assert abs(found - exact.mean()) < 5 * stderr and stderr < 0.03  # false alarm 6e-7
    tilt = for_normal_noise(*arguments)
    of_moments = tilt.moments.mean(axis=0) + tilt.extra_moments
    spread = np.hypot(tilt.moments.std(axis=0) / np.sqrt(N), tilt.extra_moments_stderr)
    np.testing.assert_array_less(np.abs(of_moments - (exact[:, None] * moments).mean(axis=0)), 5 * spread)
    # The expansion is off by half a nat there, and says so; so that of the two this one counts.
    by_expansion = expanded(*arguments)
    assert abs(mean(by_expansion)[0] - exact.mean()) > 0.2
    doubts = [each.doubt(1.0, np.ones(N), arguments[5]) for each in (tilt, by_expansion)]
    assert doubts[0] < 0.15 < doubts[1]


def test_outliers_that_no_pair_shows_are_in_doubt_as_a_whole(rng):
    # noise of mean zero: -100 in a row of five hundred, 0.2 in all others; the pairs, 400 rows, have none of them
    def outliers(z, n):
        r = np.full(n, 0.2)
        r[401::500] = -100.0 + 0.2
        return r + 0.1 * np.random.default_rng(n).standard_normal(n)

    arguments, exact, _ = rows(rng, lambda z: 0.0 * z, outliers, pairs=400)
    tilt = for_normal_noise(*arguments)
    assert mean(tilt)[0] > 1.15 > exact.mean() + 0.1  # the outliers pass for a part that p* has not
    assert tilt.bias < 0.01 and tilt.unresolved > 0.15
    resolved = for_normal_noise(*rows(rng, cliff, normal(0.7))[0])  # pairs beyond the cliff say that it is one
    assert resolved.unresolved < 0.02


def test_noise_too_large_for_an_exponential_averages_out_in_the_expansion(rng):
    arguments, exact, _ = rows(rng, lambda z: 0.1 * z, normal(3.0))
    tilts = expanded(*arguments), for_normal_noise(*arguments)
    found, stderr = mean(tilts[0])
    assert abs(found - exact.mean()) < 5 * stderr and stderr < 0.1
    assert tilts[0].doubt(1.0, np.ones(N), arguments[5]) < tilts[1].doubt(1.0, np.ones(N), arguments[5])


def test_sharp_errors_are_seen_in_neighbours(rng):
    """A surrogate that rounds off ripples errs by 0.32 nats squared, of which no quadratic in z knows."""
    arguments, exact, _ = rows(rng, lambda z: 0.8 * np.sin(12.0 * z), normal(1.0), pairs=10)
    tilt = expanded(*arguments)
    found, stderr = mean(tilt)
    assert abs(found - exact.mean()) < 5 * stderr + 0.02 and stderr < 0.03  # of the fourth order: 0.01
    assert 2 * tilt.extra == pytest.approx(0.32, abs=0.06)


def test_where_no_row_is_near_neighbours_tell_nothing(rng):
    z = rng.standard_normal((2000, 10))
    assert _near_products(z, rng.standard_normal(2000), np.ones(2000))[1] == np.inf
    found, stderr = _near_products(z[:, :2], rng.standard_normal(2000), np.ones(2000))
    assert abs(found) < 5 * stderr and 0.4 / np.sqrt(2000) < stderr < 0.6 / np.sqrt(2000)  # sqrt(2 / 8) of noise alone


@pytest.mark.parametrize("sign", [1, -1])
def test_what_skewed_noise_adds_is_taken_off(rng, sign):
    """Gamma noise of variance 0.4 and third cumulant 0.25: exp(k / 6) is 0.04 off, which pairs of simulations show."""
    shape = 4 * 0.4**3 / 0.25**2

    def skewed(z, n):
        return sign * (rng.gamma(shape, size=n) - shape) * np.sqrt(0.4 / shape)

    arguments, exact, _ = rows(rng, lambda z: 0.2 * z, skewed, pairs=10_000)
    tilt = for_normal_noise(*arguments)
    found, stderr = mean(tilt)
    assert abs(found - exact.mean()) < 5 * stderr + 0.01  # of the fourth order
    assert abs(tilt.factor.mean() - exact.mean()) > 0.025 and np.sign(tilt.extra) == -sign
    assert abs(tilt.extra) < tilt.bias < 0.1


def test_the_variance_of_noise_follows_the_statistics(rng):
    """Noise that is three times as large on the one side as on the other."""
    arguments, exact, _ = rows(rng, lambda z: 0.0 * z, lambda z, n: np.exp(0.5 * np.tanh(z)) * rng.standard_normal(n))
    found, stderr = mean(for_normal_noise(*arguments))
    assert abs(found - exact.mean()) < 5 * stderr and stderr < 0.05


def test_without_noise_rows_count_as_they_are():
    residual = np.array([[0.0, 0.0], [1.0, 0.0], [100.0, 0.0]])
    tilt = noiseless(np.ones((3, 2)), residual, ETA)
    np.testing.assert_allclose(tilt.factor, np.exp([0.0, 1.0, 50.0]))
    np.testing.assert_allclose(tilt.moments, tilt.factor[:, None] * np.ones((3, 2)))
    assert tilt.extra == tilt.bias == 0


def test_too_few_pairs_tell_nothing_of_the_noise(rng):
    arguments, *_ = rows(rng, cliff, normal(0.7), pairs=5)
    assert for_normal_noise(*arguments) is None
    assert expanded(*arguments).bias < np.inf
