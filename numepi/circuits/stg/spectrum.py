"""Frequency of an oscillation as a smooth function of its samples: the softmax spectrum of the STG's hub.

The samples are rectified, averaged over a moving window ("valid"), freed of their mean and Fourier transformed at given
frequencies phi_j; the frequency is sum_j phi_j softmax(slope |X_j|) (science: section 4.2).  All that follows the
rectification is linear, so it is folded into one table per (cos, sin) beforehand.  With time counted from the middle
the cosine part sees only the even and the sine part only the odd half of the samples; the phase does not matter to |X|.
"""

import math
from functools import lru_cache

import numpy as np

from numepi.kernels.compile import block_function
from numepi.kernels.fastmath import exp

__all__ = ["frequency", "spectrum_tables", "workspace"]


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
    tables : ndarray (2, 2, q, q)
        ``tables[0, :, :p, :m]``: for the sums (cos) and differences (sin) of samples at equal distance from the middle,
        nearest first; a sample in the middle is half of such a sum.  ``tables[1]``: the same transposed.  Zeros
        elsewhere; q is a multiple of 4, as `project` reads them.
    """
    n_filtered = n_samples - window + 1
    time = (np.arange(n_filtered) - (n_filtered - 1) / 2) * dt
    wave = np.exp(-2j * np.pi * np.asarray(frequencies) * time[:, None])
    wave -= wave.mean(axis=0)
    average = np.zeros((n_samples, n_filtered))
    for k in range(window):
        average[np.arange(n_filtered) + k, np.arange(n_filtered)] = 1 / window
    late_half = (average @ wave)[n_samples // 2 :]
    if n_samples % 2:
        late_half[0] /= 2
    n_pairs, m = late_half.shape
    size = -(-max(n_pairs, m) // 4) * 4
    tables = np.zeros((2, 2, size, size))
    tables[0, :, :n_pairs, :m] = late_half.real, late_half.imag
    tables[1] = tables[0].transpose(0, 2, 1)
    tables.setflags(write=False)
    return tables


@block_function
def project_each(tables, rows, columns, x, out):
    """As `project`, signal by signal, with the sums in the same order."""
    for i in range(len(tables)):
        for signal in range(x.shape[1]):
            for j in range(columns):
                total = 0.0
                for p in range(0, rows, 4):
                    a0, a1, a2, a3 = x[i, signal, p], x[i, signal, p + 1], x[i, signal, p + 2], x[i, signal, p + 3]
                    t0, t1, t2, t3 = tables[i, p, j], tables[i, p + 1, j], tables[i, p + 2, j], tables[i, p + 3, j]
                    total += (a0 * t0 + a1 * t1) + (a2 * t2 + a3 * t3)
                out[i, signal, j] = total


@block_function
def project(tables, rows, columns, x, out):
    """Fill out (2, signals, q), zeros before, with x[i] (signals, rows) @ tables[i] (rows, columns), i = 0, 1.

    Four signals and four rows at a time: 16 products for 12 loads and stores.
    """
    if x.shape[1] != 4:
        project_each(tables, rows, columns, x, out)
        return
    for i in range(len(tables)):  # a length that the compiler does not know: it would unroll the loop
        for p in range(0, rows, 4):
            a0, a1, a2, a3 = x[i, 0, p], x[i, 0, p + 1], x[i, 0, p + 2], x[i, 0, p + 3]
            b0, b1, b2, b3 = x[i, 1, p], x[i, 1, p + 1], x[i, 1, p + 2], x[i, 1, p + 3]
            c0, c1, c2, c3 = x[i, 2, p], x[i, 2, p + 1], x[i, 2, p + 2], x[i, 2, p + 3]
            d0, d1, d2, d3 = x[i, 3, p], x[i, 3, p + 1], x[i, 3, p + 2], x[i, 3, p + 3]
            for j in range(columns):
                t0, t1, t2, t3 = tables[i, p, j], tables[i, p + 1, j], tables[i, p + 2, j], tables[i, p + 3, j]
                out[i, 0, j] += (a0 * t0 + a1 * t1) + (a2 * t2 + a3 * t3)
                out[i, 1, j] += (b0 * t0 + b1 * t1) + (b2 * t2 + b3 * t3)
                out[i, 2, j] += (c0 * t0 + c1 * t1) + (c2 * t2 + c3 * t3)
                out[i, 3, j] += (d0 * t0 + d1 * t1) + (d2 * t2 + d3 * t3)


@block_function
def soften(re, im, frequencies, slope, modulus, weights):
    """Return omega of one signal's spectrum re, im (m,), which d omega / d re and d omega / d im (m,) replace.

    ``modulus`` and ``weights`` (m,) are room to work in.
    """
    m = len(frequencies)
    greatest, total, weighted = 0.0, 0.0, 0.0
    for j in range(m):
        modulus[j] = math.sqrt(re[j] * re[j] + im[j] * im[j])
        greatest = greatest if modulus[j] <= greatest else modulus[j]  # keeps a NaN
    for j in range(m):
        weights[j] = exp(slope * (modulus[j] - greatest))
    for j in range(m):
        total += weights[j]
        weighted += weights[j] * frequencies[j]
    omega = weighted / total
    for j in range(m):
        # d omega / d |X_j| = slope p_j (phi_j - omega), and d |X| / d X = X / |X|
        sensitivity = slope * weights[j] / total * (frequencies[j] - omega)
        sensitivity = sensitivity / modulus[j] if modulus[j] > 0.0 else 0.0
        re[j] *= sensitivity
        im[j] *= sensitivity
    return omega


@block_function
def workspace(signals, n_samples, tables, frequencies):
    """Arrays that `frequency` needs: samples (signals, s), and the ``work`` of the rest."""
    halves = np.empty((3, 2, signals, tables.shape[3]))
    return np.empty((signals, n_samples)), halves, np.empty((2, signals, len(frequencies)))


@block_function
def frequency(samples, tables, frequencies, slope, with_gradient, halves, moduli, omega):
    """Frequencies (Hz) of some signals; their derivatives by the samples take the samples' place where asked for.

    Parameters
    ----------
    samples : ndarray (signals, s)
        Before rectification.
    tables : ndarray
        Of `spectrum_tables`.
    frequencies : ndarray (m,)
    slope : float
    with_gradient : bool
    halves : ndarray (3, 2, signals, q)
        Room to work in: even and odd halves of the signals; cosine and sine parts of the spectrum; derivatives by the
        halves.
    moduli : ndarray (2, signals, m)
        Room to work in.
    omega : ndarray (signals,)
        Filled.  Where all rectified samples vanish, all |X_j| do, too: omega is the mean of the frequencies and the
        gradient zero.  A rectified sample has derivative 0; |X| has derivative 0 at X = 0.
    """
    middle, last, m = samples.shape[1] // 2, samples.shape[1] - 1, len(frequencies)
    n_pairs = last + 1 - middle
    halves[:] = 0.0
    for signal in range(len(samples)):
        for p in range(n_pairs):
            late, early = samples[signal, middle + p], samples[signal, last - middle - p]
            late = 0.0 if late < 0.0 else late
            early = 0.0 if early < 0.0 else early
            halves[0, 0, signal, p], halves[0, 1, signal, p] = late + early, late - early
    # One loop for both directions: the code of `project` is large, and is compiled wherever it is called.
    for stage in range(1 + with_gradient):
        rows, columns = (n_pairs, m) if stage == 0 else (m, n_pairs)
        project(tables[stage], rows, columns, halves[stage], halves[stage + 1])
        if stage == 0:
            for signal in range(len(samples)):
                omega[signal] = soften(
                    halves[1, 0, signal], halves[1, 1, signal], frequencies, slope, moduli[0, signal], moduli[1, signal]
                )
    if with_gradient:
        for signal in range(len(samples)):
            for p in range(n_pairs):
                late, early = middle + p, last - middle - p
                even, odd = halves[2, 0, signal, p], halves[2, 1, signal, p]
                odd = even if late == early else odd  # the sample in the middle is both of its pair
                late_derivative = even + odd if samples[signal, late] > 0.0 else 0.0
                early_derivative = even - odd if samples[signal, early] > 0.0 else 0.0
                samples[signal, early] = early_derivative
                samples[signal, late] = late_derivative
