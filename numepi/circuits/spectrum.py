"""Frequency of an oscillation as a smooth function of its samples: the softmax spectrum of the STG's hub.

The samples are rectified, averaged over a moving window ("valid"), freed of their mean and Fourier transformed at given
frequencies phi_j; the frequency is sum_j phi_j softmax(slope |X_j|) (science: section 4.2).  All that follows the
rectification is linear, so it is folded into one table per (cos, sin) beforehand.  With time counted from the middle
the cosine part sees only the even and the sine part only the odd half of the samples; the phase does not matter to |X|.
"""

from functools import lru_cache

import numpy as np

from numepi.kernels.compile import kernel

__all__ = ["frequency", "spectrum_tables"]


@lru_cache(maxsize=8)
def spectrum_tables(n_samples, window, dt, frequencies):
    """Fold moving average, mean subtraction and Fourier transform into tables.

    Parameters
    ----------
    n_samples, window : int
        Rectified samples, and samples in the moving average.
    dt : float
        Seconds between samples.
    frequencies : tuple of float
        Hz, m of them.

    Returns
    -------
    tables : ndarray (2, p, m)
        For the sums (cos) and differences (sin) of samples at equal distance from the middle, nearest first; a sample
        in the middle is half of such a sum.  Zeros fill p up to a multiple of 4.
    transposed : ndarray (2, m, p)
        The same with the last two axes exchanged, and m filled up.
    """
    n_filtered = n_samples - window + 1
    time = (np.arange(n_filtered) - (n_filtered - 1) / 2) * dt
    wave = np.exp(-2j * np.pi * np.asarray(frequencies) * time[:, None])
    wave -= wave.mean(axis=0)
    average = np.zeros((n_samples, n_filtered))
    for k in range(window):
        average[np.arange(n_filtered) + k, np.arange(n_filtered)] = 1 / window
    late_half = (average @ wave)[n_samples // 2 :]
    tables = np.stack([late_half.real, late_half.imag])
    if n_samples % 2:
        tables[:, 0] /= 2
    return _filled(tables), _filled(tables.transpose(0, 2, 1))


def _filled(tables):
    """Zeros up to a multiple of four rows, as `project` reads them; nobody may write into cached tables."""
    tables = np.pad(tables, ((0, 0), (0, -tables.shape[1] % 4), (0, 0)))
    tables.setflags(write=False)
    return tables


@kernel
def project(tables, x, out):
    """Fill out (2, >= m) with x[i] (p,) @ tables[i] (p, m) for i = 0, 1; four rows at a time (p is a multiple of 4)."""
    for i in range(2):
        for j in range(tables.shape[2]):
            out[i, j] = 0.0
        for p in range(0, tables.shape[1], 4):
            a, b, c, d = x[i, p], x[i, p + 1], x[i, p + 2], x[i, p + 3]
            for j in range(tables.shape[2]):
                near = a * tables[i, p, j] + b * tables[i, p + 1, j]
                out[i, j] += near + (c * tables[i, p + 2, j] + d * tables[i, p + 3, j])


@kernel
def frequency(samples, tables, transposed, frequencies, slope, with_gradient):
    """Frequency (Hz) of samples (s,) before rectification; with_gradient puts its derivatives in their place.

    ``tables`` (2, p, m) and ``transposed`` (2, m, p) are those of `spectrum_tables`.  Where all rectified samples
    vanish, all |X_j| do, too: the frequency is the mean of the frequencies and the gradient zero.  A rectified sample
    has derivative 0; |X| has derivative 0 at X = 0.
    """
    n_pairs, m = tables.shape[1:]
    middle, last = len(samples) // 2, len(samples) - 1
    # even and odd halves, later their derivatives; cosine and sine part of the spectrum; softmax weights
    work = np.zeros((5, max(n_pairs, m)))
    halves, parts, weights = work[:2], work[2:4], work[4]
    for p in range(len(samples) - middle):
        late, early = samples[middle + p], samples[last - middle - p]
        late = 0.0 if late < 0.0 else late
        early = 0.0 if early < 0.0 else early
        halves[0, p], halves[1, p] = late + early, late - early
    project(tables, halves, parts)
    greatest = 0.0
    for j in range(m):
        modulus = np.sqrt(parts[0, j] * parts[0, j] + parts[1, j] * parts[1, j])
        greatest = greatest if modulus <= greatest else modulus  # keeps a NaN
        weights[j] = modulus
    total, weighted = 0.0, 0.0
    for j in range(m):
        modulus, weights[j] = weights[j], np.exp(slope * (weights[j] - greatest))
        total += weights[j]
        weighted += weights[j] * frequencies[j]
        weights[j] = weights[j] / modulus if modulus > 0.0 else 0.0
    omega = weighted / total
    if with_gradient:
        for j in range(m):
            # d omega / d |X_j| = slope p_j (phi_j - omega), and d |X| / d X = X / |X|
            sensitivity = slope * weights[j] / total * (frequencies[j] - omega)
            parts[0, j] *= sensitivity
            parts[1, j] *= sensitivity
        project(transposed, parts, halves)
        for p in range(len(samples) - middle):
            late, early = middle + p, last - middle - p
            even, odd = halves[0, p], halves[1, p]
            odd = even if late == early else odd  # the sample in the middle is both of its pair
            late_derivative = even + odd if samples[late] > 0.0 else 0.0
            early_derivative = even - odd if samples[early] > 0.0 else 0.0
            samples[early] = early_derivative
            samples[late] = late_derivative
    return omega
