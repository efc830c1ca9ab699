"""The stomatogastric subcircuit in plain NumPy, in millivolts and as printed in the paper; Jacobian by complex step."""

import numpy as np

__all__ = ["hub_frequency", "jacobian", "potentials", "statistics"]

START_V = np.array([-41.69771, -43.19491, 8.83992, -68.79824, 30.48103])  # mV
START_N = np.array([0.00151316, 0.19784773, 0.56514935, 0.12214069, 0.35290397])
START_H = np.array([0.08614699, 0.04938177, 0.05568701, 0.07007949, 0.05790969])
# micro-siemens, for f1, f2, hub, s1, s2
G_CA = np.array([1.9e-2, 1.9e-2, 1.7e-2, 8.5e-3, 8.5e-3])
G_K = np.array([3.9e-2, 3.9e-2, 1.9e-2, 1.5e-2, 1.5e-2])
G_H = np.array([2.5e-2, 2.5e-2, 8.0e-3, 1.0e-2, 1.0e-2])
G_LEAK, G_SYN_B = 1e-4, 5e-3
ELECTRICAL = ((1, 2), (2, 4))  # pairs
SYNAPSES = ((0, 1), (1, 0), (3, 4), (4, 3))  # from, to, with g_synB
HUB_SYNAPSES = ((0, 2), (3, 2))  # with g_synA


def potentials(z, noise, dt=0.025, sigma=1e-12):
    """Potentials in volts, (steps + 1, 5), of one parameter z (nS, may be complex) with noise (steps, 5)."""
    g_el, g_syn_a = np.asarray(z) * 1e-3  # micro-siemens
    v, n, h = (x.astype(np.result_type(z, float)) for x in (START_V, START_N, START_H))
    path = [v]
    for xi in noise:
        m_inf = (1 + np.tanh(v / 20)) / 2
        n_inf = (1 + np.tanh(v / 15)) / 2
        h_inf = 1 / (1 + np.exp((v + 78.3) / 10.5))
        s_inf = 1 / (1 + np.exp((-25 - v) / 5))
        tau_h = (272 + 1499 / (1 + np.exp((-v - 42.2) / 87.3))) * 1e-3  # seconds
        current = G_LEAK * (v + 40) + G_CA * m_inf * (v - 100) + G_K * n * (v + 80) + G_H * h * (v + 20)  # nA
        for a, b in ELECTRICAL:
            current[a] = current[a] + g_el * (v[a] - v[b])
            current[b] = current[b] + g_el * (v[b] - v[a])
        for source, target in SYNAPSES:
            current[target] = current[target] + G_SYN_B * s_inf[source] * (v[target] + 75)
        for source, target in HUB_SYNAPSES:
            current[target] = current[target] + g_syn_a * s_inf[source] * (v[target] + 75)
        dv = (-current + sigma * 1e9 * xi) * 1e3  # nA / nF = V / s
        dn = 2 * np.cosh(v / 30) * (n_inf - n)
        dh = (h_inf - h) / tau_h
        v, n, h = v + dt * dv, n + dt * dn, h + dt * dh
        path.append(v)
    return np.array(path) * 1e-3


def hub_frequency(v, dt=0.025, slope=100.0):
    """Softmax-spectrum frequency (Hz) of potentials (samples,) in volts, possibly complex."""
    v = np.where(v[20:].real > 0, v[20:], 0)
    v = np.array([v[i : i + 20].mean() for i in range(len(v) - 19)])
    v = v - v.mean()
    frequencies = np.arange(101) / 100
    angle = 2 * np.pi * frequencies[:, None] * np.arange(len(v)) * dt
    re, im = np.cos(angle) @ v, np.sin(angle) @ v
    modulus = np.sqrt(re**2 + im**2) if np.any(v) else 0 * re
    weights = np.exp(slope * (modulus - modulus.real.max()))
    return frequencies @ weights / weights.sum()


def statistics(z, noise, dt=0.025, sigma=1e-12, slope=100.0):
    """omega_hub of every row of z (n, 2) with noise (n, steps, 5): (n, 1)."""
    return np.array([[hub_frequency(potentials(*row, dt, sigma)[:, 2], dt, slope)] for row in zip(z, noise)])


def jacobian(z, noise, dt=0.025, sigma=1e-12, slope=100.0):
    """d omega_hub / dz (n, 1, 2), exact to rounding."""
    columns = [statistics(z + 1e-30j * np.eye(2)[d], noise, dt, sigma, slope).imag / 1e-30 for d in range(2)]
    return np.stack(columns, axis=-1)
