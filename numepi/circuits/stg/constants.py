"""Constants of the stomatogastric subcircuit: the physiology in SI units, and what the equations read."""

from typing import NamedTuple

import numpy as np

__all__ = ["INITIAL_STATE", "STGConstants", "STGPhysiology"]

INITIAL_STATE = np.array([
    [-0.04169771, -0.04319491, 0.00883992, -0.06879824, 0.03048103],
    [0.00151316, 0.19784773, 0.56514935, 0.12214069, 0.35290397],
    [0.08614699, 0.04938177, 0.05568701, 0.07007949, 0.05790969],
])  # fmt: skip
INITIAL_STATE.setflags(write=False)


class STGPhysiology(NamedTuple):
    """Membrane and synapse constants of Gutierrez et al. 2013, SI units (science: section 4.2)."""

    capacitance: float = 1e-9  # C_m, farad
    g_leak: float = 1e-10  # siemens
    g_ca_fast: float = 1.9e-8
    g_k_fast: float = 3.9e-8
    g_h_fast: float = 2.5e-8
    g_ca_hub: float = 1.7e-8
    g_k_hub: float = 1.9e-8
    g_h_hub: float = 8.0e-9
    g_ca_slow: float = 8.5e-9
    g_k_slow: float = 1.5e-8
    g_h_slow: float = 1.0e-8
    g_syn_b: float = 5e-9  # within the fast and the slow pair
    v_leak: float = -0.040  # volts
    v_ca: float = 0.100
    v_k: float = -0.080
    v_hyp: float = -0.020
    v_syn: float = -0.075
    v1: float = 0.0  # M_inf = (1 + tanh((V - v1) / v2)) / 2
    v2: float = 0.020
    v3: float = 0.0  # N_inf = (1 + tanh((V - v3) / v4)) / 2
    v4: float = 0.015
    v5: float = 0.0783  # H_inf = 1 / (1 + exp((V + v5) / v6))
    v6: float = 0.0105
    v7: float = -0.0422  # tau_h = tau_h0 + tau_h1 / (1 + exp((-V + v7) / v8))
    v8: float = 0.0873
    v9: float = 0.005  # S_inf = 1 / (1 + exp((v_th - V) / v9))
    v_th: float = -0.025
    phi_n: float = 2.0  # 1 / second
    tau_h0: float = 0.272  # seconds
    tau_h1: float = 1.499


class STGConstants(NamedTuple):
    """What the equations read.  Floats of the working precision (SI units), and the arrays of
    `numepi.circuits.stg.spectrum` in float64.
    """

    g_leak: float
    g_ca_fast: float
    g_k_fast: float
    g_h_fast: float
    g_ca_hub: float
    g_k_hub: float
    g_h_hub: float
    g_ca_slow: float
    g_k_slow: float
    g_h_slow: float
    g_syn_b: float
    nanosiemens: float  # siemens
    per_siemens: float  # dt / C_m
    dt: float
    noise: float  # volts a step
    v_leak: float
    v_ca: float
    v_k: float
    v_hyp: float
    v_syn: float
    v1: float
    m_slope: float  # M_inf = sigmoid(m_slope (V - v1))
    v3: float
    half_n_slope: float  # -1 / (2 v4)
    n_slope: float  # 2 / v4
    minus_v5: float
    h_slope: float  # -1 / v6
    v7: float
    tau_slope: float
    v_th: float
    s_slope: float
    rate_n: float  # dt phi_N / 2
    tau_h0: float
    tau_h1: float
    one: float
    two: float
    initial_v0: float
    initial_v1: float
    initial_v2: float
    initial_v3: float
    initial_v4: float
    initial_n0: float
    initial_n1: float
    initial_n2: float
    initial_n3: float
    initial_n4: float
    initial_h0: float
    initial_h1: float
    initial_h2: float
    initial_h3: float
    initial_h4: float
    softmax_slope: float
    tables: np.ndarray
    frequencies: np.ndarray

    @classmethod
    def of(cls, physiology, dt, noise, softmax_slope, tables, frequencies):
        """Constants of a step of ``dt`` seconds with current noise of standard deviation ``noise`` (ampere)."""
        p = physiology
        conductances = {name: value for name, value in p._asdict().items() if name.startswith("g_")}
        same = ("v_leak", "v_ca", "v_k", "v_hyp", "v_syn", "v1", "v3", "v7", "v_th", "tau_h0", "tau_h1")
        initial = {f"initial_{letter}{i}": INITIAL_STATE[row, i] for row, letter in enumerate("vnh") for i in range(5)}
        return cls(
            **conductances, **initial, **{name: getattr(p, name) for name in same},
            nanosiemens=1e-9, per_siemens=dt / p.capacitance, dt=dt, noise=dt / p.capacitance * noise, one=1.0, two=2.0,
            m_slope=2 / p.v2, half_n_slope=-1 / (2 * p.v4), n_slope=2 / p.v4, minus_v5=-p.v5, h_slope=-1 / p.v6,
            tau_slope=1 / p.v8, s_slope=1 / p.v9,
            rate_n=dt * p.phi_n / 2,
            softmax_slope=softmax_slope, tables=tables,
            frequencies=np.array(frequencies),
        )  # fmt: skip
