"""The pyloric network in plain NumPy, gate by gate, and its features from stored potentials."""

from itertools import pairwise

import numpy as np

__all__ = ["features", "potentials"]

E_CA_FACTOR = 8.31451e3 * 283.0 / (2 * 96485.3415)
SYNAPSES = [  # to, from, reversal potential, time constant
    (1, 0, -70, 40), (1, 0, -80, 100), (2, 0, -70, 40), (2, 0, -80, 100), (0, 1, -70, 40), (2, 1, -70, 40),
    (1, 2, -70, 40),
]  # fmt: skip


def sig(v, a, b):
    return 1 / (1 + np.exp((v + a) / b))


def rho(v, a, b, c, d):
    return 1 / (np.exp((v + a) / b) + np.exp((v + c) / d))


def gates(v, ca):
    """(steady value, time constant) of m of the seven currents, then of h of the first four."""
    return [
        (sig(v, 25.5, -5.29), 2.64 - 2.52 * sig(v, 120, -25)),
        (sig(v, 27.1, -7.2), 43.4 - 42.6 * sig(v, 68.1, -20.5)),
        (sig(v, 33, -8.1), 2.8 + 14 * rho(v, 27, 10, 70, -13)),
        (sig(v, 27.2, -8.7), 23.2 - 20.8 * sig(v, 32.9, -15.2)),
        (ca / (ca + 3) * sig(v, 28.3, -12.6), 180.6 - 150.2 * sig(v, 46, -22.7)),
        (sig(v, 12.3, -11.8), 14.4 - 12.8 * sig(v, 28.3, -19.2)),
        (sig(v, 75, 5.5), 2 / (np.exp(-14.59 - 0.086 * v) + np.exp(-1.87 + 0.0701 * v))),
        (sig(v, 48.9, 5.18), 1.34 * sig(v, 62.9, -10) * (1.5 + sig(v, 34.9, 3.6))),
        (sig(v, 32.1, 5.5), 210 - 179.6 * sig(v, 55, -16.9)),
        (sig(v, 60, 6.2), 120 + 300 * rho(v, 55, 9, 65, -16)),
        (sig(v, 56.9, 4.9), 77.2 - 58.4 * sig(v, 38.9, -26.5)),
    ]


def potentials(z, noise, dt=0.025):
    """Potentials (steps + 1, 3) with the currents ``noise`` (steps, 3) in microampere."""
    g_max, g_syn = 0.628e-3 * z[:24].reshape(3, 8), np.exp(z[24:])
    v, ca, x, s = np.full(3, -50.0), np.full(3, 0.05), np.zeros((11, 3)), np.zeros(7)
    path = [v]
    for current in noise:
        m, h = x[:7], x[7:]
        e_ca = E_CA_FACTOR * np.log(3000 / ca)
        powers = np.array([3, 3, 3, 3, 4, 4, 1])[:, None]
        opening = np.vstack([m**powers, np.ones(3)])
        opening[:4] *= h
        g = g_max.T * opening
        reversal = [50 + 0 * v, e_ca, e_ca, -80 + 0 * v, -80 + 0 * v, -80 + 0 * v, -20 + 0 * v, -50 + 0 * v]
        total, towards = g.sum(axis=0), (g * np.array(reversal)).sum(axis=0) + current
        new_s = s.copy()
        for k, (to, of, e, tau) in enumerate(SYNAPSES):
            total[to] += g_syn[k] * s[k]
            towards[to] += g_syn[k] * s[k] * e
            s_inf = 1 / (1 + np.exp((-35 - v[of]) / 5))
            tau_s = tau * (1 - s_inf)
            new_s[k] = s_inf if tau_s < dt else s[k] + (s_inf - s[k]) * dt / tau_s
        v_inf = np.where(total > 0, towards / np.where(total > 0, total, 1), v)
        ca_inf = 0.05 - 14961 * (g[1] + g[2]) * (v - e_ca)
        x = np.array([inf + (own - inf) * np.exp(-dt / tau) for own, (inf, tau) in zip(x, gates(v, ca))])
        ca = ca_inf + (ca - ca_inf) * np.exp(-dt / 200)
        v, s = v_inf + (v - v_inf) * np.exp(-dt * total / 0.6283e-3), new_s
        path.append(v)
    return np.array(path)


def bursts_of(v, dt):
    """Starts and ends of the bursts, and the number of spikes, in the potential of one cell."""
    times = [k * dt for k in range(1, len(v) - 1) if v[k] > -10 and v[k] > v[k - 1] and v[k] >= v[k + 1]]
    groups = []
    for time in times:
        if groups and time - groups[-1][-1] < 150:
            groups[-1].append(time)
        else:
            groups.append([time])
    return [(g[0], g[-1]) for g in groups if g[-1] - g[0] > 40], len(times)


def features(v, dt=0.025):
    """The fifteen features of potentials (samples, 3), and counts of bursts and spikes, and whether it is pyloric."""
    (ab, lp, py), spikes = zip(*(bursts_of(v[:, cell], dt) for cell in range(3)))
    durations = [np.mean([e - s for s, e in b]) if b else np.nan for b in (ab, lp, py)]
    counts = [len(ab), len(lp), len(py), *spikes]
    if len(ab) < 2:
        return np.array([np.nan, *durations, *[np.nan] * 11, *counts, 0])
    period = np.mean(np.diff([s for s, _ in ab]))
    rows = []
    for (start, end), (following, _) in pairwise(ab):
        inside = [[b for b in cell if start <= b[0] < following] for cell in (lp, py)]
        if len(inside[0]) == len(inside[1]) == 1:
            rows.append((start, end, *inside[0][0], *inside[1][0]))
    if len(rows) < 0.9 * (len(ab) - 1):
        return np.array([period, *durations, *[np.nan] * 4, *(np.array(durations) / period), *[np.nan] * 4, *counts, 0])
    start, end, lp0, lp1, py0, py1 = np.array(rows).T
    means = np.array([np.mean(lp0 - end), np.mean(py0 - lp1), np.mean(lp0 - start), np.mean(py0 - start)])
    pyloric = np.mean((lp0 <= py0) & (lp1 <= py1) & (end <= lp0)) >= 0.7
    return np.array([period, *durations, *means, *(np.array(durations) / period), *(means / period), *counts, pyloric])
