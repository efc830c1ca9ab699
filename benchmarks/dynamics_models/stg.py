"""Stomatogastric subcircuit (paper: Figure 1; Gutierrez et al. 2013), as a user writes it, in SI units."""

import numpy as np
from scipy.special import expit

import numepi as ne
from numepi.circuits.stg.constants import INITIAL_STATE

CAPACITANCE, DT = 1e-9, 0.025
G_CA = np.array([1.9, 1.9, 1.7, 0.85, 0.85]) * 1e-8
G_K = np.array([3.9, 3.9, 1.9, 1.5, 1.5]) * 1e-8
G_H = np.array([2.5, 2.5, 0.8, 1.0, 1.0]) * 1e-8
G_LEAK, G_SYN_B, NANOSIEMENS = 1e-10, 5e-9, 1e-9


def drift(x, z, t):
    v, n, h = x.v, x.n, x.h
    m_inf = expit(2 * v / 0.020)
    e = np.exp(-v / 0.030)  # one exponential for N_inf = 1 / (1 + e^4) and cosh(V / (2 v4))
    h_inf = expit(-(v + 0.0783) / 0.0105)
    tau_h = 0.272 + 1.499 * expit((v + 0.0422) / 0.0873)
    release = expit((v + 0.025) / 0.005)
    current = G_LEAK * (v + 0.040) + G_CA * m_inf * (v - 0.100) + G_K * n * (v + 0.080) + G_H * h * (v + 0.020)
    g_el, g_syn_a = NANOSIEMENS * z.g_el, NANOSIEMENS * z.g_synA
    _, f2, hub, _, s2 = v
    electrical = np.stack([0.0, g_el * (f2 - hub), g_el * (2 * hub - f2 - s2), 0.0, g_el * (s2 - hub)])
    presynaptic = np.stack([
        G_SYN_B * release[1], G_SYN_B * release[0], g_syn_a * (release[0] + release[3]), G_SYN_B * release[4],
        G_SYN_B * release[3],
    ])  # fmt: skip
    return {
        "v": -(current + electrical + presynaptic * (v + 0.075)) / CAPACITANCE,
        "n": (e + 1 / e) * (1 / (1 + e**4) - n),
        "h": (h_inf - h) / tau_h,
    }


def noise(x, z, t):
    return {"v": np.full(5, 1e-12 * np.sqrt(DT) / CAPACITANCE)}


def stg():
    return ne.Dynamics(
        drift, noise=noise, states=dict(zip("vnh", INITIAL_STATE)),
        parameters={"g_el": (4.0, 8.0), "g_synA": (0.01, 4.0)},
        statistics={"omega_hub": ne.observe.softmax_frequency("v[2]", np.arange(101) / 100, slope=100.0, smoothing=20)},
        dt=DT, duration=300 * DT, observe_from=20 * DT,
    )  # fmt: skip
