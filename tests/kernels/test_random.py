"""Philox4x32-10 and the normals: known answers, distribution, independence, precision."""

import numpy as np
import pytest
from scipy import stats

from numepi.kernels.compile import kernel
from numepi.kernels.random import normals4, philox4x32, uniform

# Random123, kat_vectors: counter, key, answer
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@kernel
def fill_words(counters, keys, out):
    for i in range(len(out)):
        c, k = counters[i], keys[i]
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = philox4x32(c[0], c[1], c[2], c[3], k[0], k[1])


@kernel
def fill_uniforms(words, out):
    for i in range(len(out)):
        out[i] = uniform(words[i], out[i])


@kernel
def fill_normals(parameters, steps, k0, k1, out):
    """Normals (parameter, step, 4)."""
    for i in range(parameters):
        for t in range(steps):
            like = out[i, t, 0]
            out[i, t, 0], out[i, t, 1], out[i, t, 2], out[i, t, 3] = normals4(i, 0, t, 0, k0, k1, like)


def words(counters, keys):
    out = np.empty((len(counters), 4), np.uint64)
    fill_words(np.array(counters, np.uint64), np.array(keys, np.uint64), out)
    return out


def normals(parameters, steps, key=(1, 2), dtype=np.float64):
    out = np.zeros((parameters, steps, 4), dtype)
    fill_normals(parameters, steps, *key, out)
    return out


def python_philox(counter, key):
    """Ten rounds in Python integers."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 % 2**32, (p0 >> 32) ^ c[3] ^ k[1], p0 % 2**32]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


@pytest.mark.parametrize("counter, key, answer", KNOWN_ANSWERS)
def test_known_answers(counter, key, answer):
    assert tuple(words([counter], [key])[0]) == answer
    assert philox4x32(*counter, *key) == answer  # called on Python integers


def test_any_counter_agrees_with_python_integers():
    rng = np.random.default_rng(0)
    counters, keys = rng.integers(0, 2**32, (200, 4)), rng.integers(0, 2**32, (200, 2))
    expected = [python_philox(c, k) for c, k in zip(counters.tolist(), keys.tolist())]
    np.testing.assert_array_equal(words(counters, keys), np.array(expected, np.uint64))


@pytest.mark.parametrize("dtype, lowest, highest", [
    (np.float64, 2.0**-33, 1 - 2.0**-33),
    (np.float32, 2.0**-33, 1 - 2.0**-24),
])  # fmt: skip
def test_uniforms_are_never_zero_or_one(dtype, lowest, highest):
    u = np.zeros(6, dtype)
    edge = np.array([0, 1, 2**31, 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFF7F], np.uint64)
    fill_uniforms(edge, u)
    assert u[0] == u.min() == lowest
    assert u[4] == u.max() == highest
    np.testing.assert_allclose(u, (edge.astype(float) + 0.5) / 2**32, rtol=2.0**-23)


def test_moments():
    # 4e6 normals; each check has a false-alarm rate of 6e-7 (five standard errors)
    x = normals(1000, 1000).ravel()
    n = x.size
    for power, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96), (6, 15, 10170)):
        assert abs((x**power).mean() - mean) < 5 * np.sqrt(variance / n), power


def test_distribution_to_five_sigma():
    # 2e7 normals: chi-square over 60 bins and the counts beyond 4, 4.5 and 5 sigma; false alarms 1e-5 in total
    edges = np.concatenate([[-np.inf], np.linspace(-4.5, 4.5, 59), [np.inf]])
    counts, beyond, total = np.zeros(60), np.zeros(3), 0
    for key in range(5):
        x = normals(1000, 1000, key=(key, 99)).ravel()
        counts += np.histogram(x, edges)[0]
        beyond += [(np.abs(x) > s).sum() for s in (4, 4.5, 5)]
        total += x.size
    expected = total * np.diff(stats.norm.cdf(edges))
    assert stats.chi2.sf(((counts - expected) ** 2 / expected).sum(), 59) > 1e-6
    for count, sigma in zip(beyond, (4, 4.5, 5)):
        mean = total * 2 * stats.norm.sf(sigma)
        assert min(stats.poisson.cdf(count, mean), stats.poisson.sf(count - 1, mean)) > 1e-6


def test_neighbouring_counters_keys_and_slots_are_independent():
    # correlations of x, x^2 and |x|^3 between neighbours: 4e5 pairs each, five standard errors, 6e-7 false alarms each
    x = normals(400, 1000)
    pairs = [
        (x[:-1], x[1:]),
        (x[:, :-1], x[:, 1:]),
        (x, normals(400, 1000, key=(1, 3))),
        (x, normals(400, 1000, key=(2, 2))),
        *[(x[..., a], x[..., b]) for a in range(4) for b in range(a)],
    ]
    for a, b in pairs:
        a, b = a.ravel(), b.ravel()
        for function in (np.positive, np.square, lambda v: np.abs(v) ** 3):
            assert abs(np.corrcoef(function(a), function(b))[0, 1]) < 5 / np.sqrt(a.size)
            assert abs(np.corrcoef(function(a), b)[0, 1]) < 5 / np.sqrt(a.size)


def test_one_bit_of_the_counter_flips_half_of_the_output():
    base = (5, 0, 7, 0, 11, 13)
    reference = words([base[:4]], [base[4:]])[0]
    for position in range(6):
        for bit in range(32):
            changed = list(base)
            changed[position] ^= 1 << bit
            flipped = words([changed[:4]], [changed[4:]])[0] ^ reference
            ones = sum(int(w).bit_count() for w in flipped)
            assert 32 <= ones <= 96  # binomial(128, 1/2): 5.6 standard deviations, 2e-8 a case


def test_both_precisions_are_the_same_stream():
    double, single = normals(200, 500), normals(200, 500, dtype=np.float32)
    assert single.dtype == np.float32
    difference = np.abs(double - single)
    assert np.quantile(difference, 0.999) < 1e-6
    assert difference.max() < 1e-4  # a radius near zero loses digits with 1 - u
