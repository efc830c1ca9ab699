"""SC and V1 as straightforward scalar Numba: the yardstick of the lane driver.

One simulation at a time inside ``prange`` over (parameter, trial), NumPy-style loops, ``math.tanh``, Numba's own
``np.random.standard_normal``, value and forward-mode tangents; ``fastmath`` on, as a user in a hurry would have it.
The precision is that of ``z``.
"""

# ruff: noqa: NPY002 (numba has this generator)
import math

import numba
import numpy as np

__all__ = ["sc_scalar", "v1_scalar"]


@numba.njit(parallel=True, fastmath=True, error_model="numpy")
def _sc(z, trials, inputs, slope, values):
    real = z.dtype.type
    rate, noise, half, one = real(0.024 / 0.09), real(0.2), real(0.5), real(1)
    offset, width = real(0.05), real(0.5)
    samples = inputs.shape[1]
    for simulation in numba.prange(len(z) * trials):
        row, trial = simulation // trials, simulation % trials
        w = np.empty((4, 4), z.dtype)
        for i in range(4):
            for j in range(4):
                w[i, j] = z[row, i ^ j]  # the symmetric connectivity of LP, LA, RP, RA
        u, x, du, dx = (
            np.empty(4, z.dtype),
            np.empty(4, z.dtype),
            np.empty((4, 4), z.dtype),
            np.empty((4, 4), z.dtype),
        )
        for task in range(2):
            for i in range(4):
                start = real(0.1) + real(0.005) * real(np.random.standard_normal())
                u[i] = offset + width * half * math.log(start / (one - start))
                for p in range(4):
                    du[p, i] = 0
            for t in range(samples):
                for i in range(4):
                    if t > 0:
                        total = inputs[task, t, i] - u[i] + noise * real(np.random.standard_normal())
                        for j in range(4):
                            total += w[i, j] * x[j]
                        u[i] += rate * total
                        for p in range(4):
                            total = x[i ^ p] - du[p, i]
                            for j in range(4):
                                total += w[i, j] * dx[p, j]
                            du[p, i] += rate * total
                for i in range(4):
                    tanh = math.tanh((u[i] - offset) / width)
                    x[i] = half * tanh + half
                    for p in range(4):
                        dx[p, i] = half * (one - tanh * tanh) / width * du[p, i]
            sign = slope if task == 0 else -slope
            correct = one / (one + math.exp(-sign * (x[0] - x[2])))
            values[row, task, 0, trial] = correct
            for p in range(4):
                values[row, task, 1 + p, trial] = sign * correct * (one - correct) * (dx[p, 0] - dx[p, 2])


@numba.njit(parallel=True, fastmath=True, error_model="numpy")
def _v1(z, trials, steps, w, h, values):
    real = z.dtype.type
    rate, two, zero = real(0.5), real(2), real(0)
    noise_rate, amplification = real(0.1), real(math.sqrt(1.2))
    kick = real(math.sqrt(0.2))
    for simulation in numba.prange(len(z) * trials):
        row, trial = simulation // trials, simulation % trials
        x, epsilon, gain = np.empty(4, z.dtype), np.empty(4, z.dtype), np.empty(4, z.dtype)
        dx, unit, old = np.zeros((4, 4), z.dtype), np.zeros(4, z.dtype), np.empty((4, 4), z.dtype)
        mean, squares = zero, zero
        dmean, dsquares = np.zeros(4, z.dtype), np.zeros(4, z.dtype)
        for i in range(4):
            x[i] = real(10) + real(15) * real(np.random.random())
            epsilon[i] = 0
        for t in range(1, steps + 1):
            for i in range(4):
                drive = h[i] + epsilon[i]
                for j in range(4):
                    drive += w[i, j] * x[j]
                gain[i] = max(drive, zero)
            for p in range(4):
                for i in range(4):
                    old[p, i] = dx[p, i]
            for p in range(4):
                for i in range(4):
                    drive = amplification * unit[i] if p == i else zero
                    for j in range(4):
                        drive += w[i, j] * old[p, j]
                    dx[p, i] += rate * (two * gain[i] * drive - old[p, i])
            for i in range(4):
                x[i] += rate * (gain[i] * gain[i] - x[i])
                unit[i] += -noise_rate * unit[i] + kick * real(np.random.standard_normal())
                epsilon[i] = z[row, i] * amplification * unit[i]
            if t >= 150:
                count = real(t - 149)
                deviation = x[0] - mean
                mean += deviation / count
                squares += deviation * (x[0] - mean)
                for p in range(4):
                    dmean[p] += (dx[p, 0] - dmean[p]) / count
                    dsquares[p] += deviation * (dx[p, 0] - dmean[p])
        samples = real(steps - 149)
        value = math.sqrt(squares / samples)
        values[row, 0, 0, trial] = value
        for p in range(4):
            values[row, 0, 1 + p, trial] = dsquares[p] / (samples * value)


def sc_scalar(z, trials):
    """Value (n, 2) and Jacobian (n, 2, 4) of SC."""
    inputs = np.full((2, 75, 4), 0.75)
    inputs[:, :, [0, 2]] += 0.5
    inputs[0, :51, [0, 2]] += 0.6
    inputs[1, :51, [1, 3]] += 0.6
    inputs[:, 51:] += 0.25
    inputs[:, 51:63, :2] += 0.5
    values = np.empty((len(z), 2, 5, trials), z.dtype)
    _sc(z, trials, inputs.astype(z.dtype), z.dtype.type(100), values)
    means = values.mean(axis=-1, dtype=np.float64)
    return means[:, :, 0], means[:, :, 1:]


def v1_scalar(z, trials, steps=200):
    """Value (n, 1) and Jacobian (n, 1, 4) of V1."""
    from numepi.circuits.v1.circuit import BASELINE_INPUT, WEIGHTS

    values = np.empty((len(z), 1, 5, trials), z.dtype)
    _v1(z, trials, steps, np.array(WEIGHTS, z.dtype), np.array(BASELINE_INPUT, z.dtype), values)
    means = values.mean(axis=-1, dtype=np.float64)
    return means[:, :, 0], means[:, :, 1:]
