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
    tables : ndarray (2, p, m), p = ceil(n_samples / 2)
        For the sums (cos) and differences (sin) of samples at equal distance from the middle, nearest first; a sample
        in the middle counts once.
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
    tables.setflags(write=False)
    return tables


@kernel
def project(table, x, out):
    """Fill out (m,) with x (p,) @ table (p, m), four rows at a time."""
    m = len(out)
    out[:] = 0.0
    whole = len(x) // 4 * 4
    for p in range(0, whole, 4):
        a, b, c, d = x[p], x[p + 1], x[p + 2], x[p + 3]
        for j in range(m):
            out[j] += a * table[p, j] + b * table[p + 1, j] + c * table[p + 2, j] + d * table[p + 3, j]
    for p in range(whole, len(x)):
        for j in range(m):
            out[j] += x[p] * table[p, j]


@kernel
def frequency(samples, tables, transposed, frequencies, slope, gradient):
    """Frequency (Hz) of samples (s,) before rectification; fills gradient (s,) with its derivatives unless empty.

    ``transposed`` (2, m, p) is ``tables`` with the last axes exchanged.  Where rectified samples vanish throughout,
    all |X_j| = 0: the frequency is the mean of the frequencies and the gradient zero.  A rectified sample has
    derivative 0; |X| has derivative 0 at X = 0.
    """
    n_pairs, m = tables.shape[1:]
    last = len(samples) - 1
    even, odd = np.empty(n_pairs), np.empty(n_pairs)
    for p in range(n_pairs):
        late = len(samples) // 2 + p
        a, b = samples[late], samples[last - late]
        a = 0.0 if a < 0.0 else a
        b = 0.0 if b < 0.0 else b
        even[p] = a + b if late != last - late else a
        odd[p] = a - b
    re, im, modulus = np.empty(m), np.empty(m), np.empty(m)
    project(tables[0], even, re)
    project(tables[1], odd, im)
    greatest = 0.0
    for j in range(m):
        modulus[j] = np.sqrt(re[j] * re[j] + im[j] * im[j])
        # written so that NaN is kept
        greatest = greatest if modulus[j] <= greatest else modulus[j]
    total, weighted = 0.0, 0.0
    for j in range(m):
        weight = np.exp(slope * (modulus[j] - greatest))
        total += weight
        weighted += weight * frequencies[j]
        even_weight = weight
        if len(gradient) > 0:
            # d omega / d |X_j| = slope p_j (phi_j - omega), completed below
            modulus[j] = even_weight / modulus[j] if modulus[j] > 0.0 else 0.0
    omega = weighted / total
    if len(gradient) == 0:
        return omega
    for j in range(m):
        sensitivity = slope * modulus[j] / total * (frequencies[j] - omega)
        re[j] *= sensitivity
        im[j] *= sensitivity
    project(transposed[0], re, even)
    project(transposed[1], im, odd)
    for p in range(n_pairs):
        late = len(samples) // 2 + p
        early = last - late
        gradient[late] = even[p] + odd[p] if samples[late] > 0.0 else 0.0
        if early != late:
            gradient[early] = even[p] - odd[p] if samples[early] > 0.0 else 0.0
    return omega
