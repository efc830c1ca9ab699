"""One step of the pyloric network, as a map: exponential Euler from the old state (Prinz, Bucher and Marder 2004)."""

from functools import lru_cache

import numpy as np
from scipy.special import expit

from numepi.circuits.dynamics.circuit import Dynamics
from numepi.circuits.dynamics.observers.samples import Final
from numepi.circuits.pyloric.constants import CELLS, LOWER, SYNAPSES, UPPER

__all__ = ["model"]

_FROM, _TO = (np.array([CELLS.index(synapse[k]) for synapse in SYNAPSES]) for k in (0, 1))
_SLOW = np.array([kind == "slow" for _, _, kind in SYNAPSES])
# Gates: m of Na, CaT, CaS, A, KCa, Kd, H, then h of Na, CaT, CaS, A.
_HALF = np.array([25.5, 27.1, 33.0, 27.2, 28.3, 12.3, 75.0, 48.9, 32.1, 60.0, 56.9])[:, None]
_SLOPE = np.array([-5.29, -7.2, -8.1, -8.7, -12.6, -11.8, 5.5, 5.18, 5.5, 6.2, 4.9])[:, None]


def _sigma(v, a, b):
    return expit(-(v + a) / b)


def _rho(v, a, b, c, d):
    return 1.0 / (np.exp((v + a) / b) + np.exp((v + c) / d))


def _time_constants(v):
    """Of the eleven gates, ms."""
    return np.stack([
        2.64 - 2.52 * _sigma(v, 120.0, -25.0),
        43.4 - 42.6 * _sigma(v, 68.1, -20.5),
        2.8 + 14.0 * _rho(v, 27.0, 10.0, 70.0, -13.0),
        23.2 - 20.8 * _sigma(v, 32.9, -15.2),
        180.6 - 150.2 * _sigma(v, 46.0, -22.7),
        14.4 - 12.8 * _sigma(v, 28.3, -19.2),
        2.0 / (np.exp(-14.59 - 0.086 * v) + np.exp(-1.87 + 0.0701 * v)),
        1.34 * _sigma(v, 62.9, -10.0) * (1.5 + _sigma(v, 34.9, 3.6)),
        210.0 - 179.6 * _sigma(v, 55.0, -16.9),
        120.0 + 300.0 * _rho(v, 55.0, 9.0, 65.0, -16.0),
        77.2 - 58.4 * _sigma(v, 38.9, -26.5),
    ])  # fmt: skip


@lru_cache(maxsize=16)
def model(duration, dt, noise, constants):
    """The network as a map.

    States: ``v`` (mV) and ``ca`` (micromolar) of the three cells, ``gates`` (11, 3), ``s`` of the seven synapses, and
    their maximal conductances ``k`` (mS), which never change.

    Parameters
    ----------
    duration, dt : float
        Milliseconds.
    noise : float
        Standard deviation of the current that each cell receives for one step, in microampere.
    constants : PyloricPhysiology
    """
    p = constants
    per_volt = 8.31451e3 * p.temperature / (2.0 * 96485.3415)  # R T / 2 F, mV
    reversal = np.array([p.e_na, 0.0, 0.0, p.e_k, p.e_k, p.e_k, p.e_h, p.e_leak])[:, None]
    e_synapse, tau_synapse = np.where(_SLOW, p.e_slow, p.e_fast), np.where(_SLOW, p.tau_slow, p.tau_fast)
    inputs = [np.flatnonzero(to == _TO) for to in range(len(CELLS))]

    def step(x, z, t, xi):
        v, ca = x.v, x.ca
        m, h = x.gates[:7], x.gates[7:]
        e_ca = per_volt * np.log(p.calcium_outside / ca)
        open_ = np.stack([
            m[0] ** 3 * h[0], m[1] ** 3 * h[1], m[2] ** 3 * h[2], m[3] ** 3 * h[3], m[4] ** 4, m[5] ** 4, m[6],
        ])  # fmt: skip
        g = p.area * z.g.T
        g = np.concatenate([g[:7] * open_, g[7:]])
        towards = np.sum(g * reversal, axis=0) + (g[1] + g[2]) * e_ca + noise * xi.current
        total = np.sum(g, axis=0)
        synaptic = x.k * x.s
        total = total + np.stack([np.sum(synaptic[own]) for own in inputs])
        towards = towards + np.stack([np.sum(synaptic[own] * e_synapse[own]) for own in inputs])
        conducts = total > 0.0  # at the first step all gates are shut, and the leak may be zero
        v_inf = np.where(conducts, towards / np.where(conducts, total, 1.0), v)
        steady = _sigma(v, _HALF, _SLOPE)
        steady = np.concatenate([steady[:4], (steady[4] * ca / (ca + 3.0))[None], steady[5:]])
        ca_inf = p.calcium_rest - p.calcium_per_current * (g[1] + g[2]) * (v - e_ca)
        before = v[_FROM]
        s_inf = expit((before - p.synaptic_threshold) / p.synaptic_slope)
        return {
            "v": v_inf + (v - v_inf) * np.exp(-(dt / p.capacitance) * total),
            "ca": ca_inf + (ca - ca_inf) * np.exp(-dt / p.tau_calcium),
            "gates": steady + (x.gates - steady) * np.exp(-dt / _time_constants(v)),
            "s": x.s + (s_inf - x.s) * np.minimum(dt / (tau_synapse * (1.0 - s_inf)), 1.0),
            "k": x.k,
        }

    return Dynamics(
        step=step, normals={"current": (3,)}, dt=dt, duration=duration, name="pyloric",
        states={
            "v": np.full(3, -50.0), "ca": np.full(3, p.calcium_rest), "gates": np.zeros((11, 3)), "s": np.zeros(7),
            "k": lambda z: np.exp(z.log_k),
        },
        parameters={
            "g": (LOWER[:24].reshape(3, 8), UPPER[:24].reshape(3, 8)), "log_k": (LOWER[24:], UPPER[24:]),
        },
        statistics={"v": Final("v")},
    )  # fmt: skip
