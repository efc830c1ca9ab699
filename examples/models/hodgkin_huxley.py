"""
Hodgkin-Huxley
==============

Rate and latency of the squid axon (Hodgkin and Huxley 1952, 6.3 degrees; mV from rest at -65, ms).

The published model fires at about 68 Hz at 10 uA/cm2.
"""

# sphinx_gallery_thumbnail_path = "docs/figures/models/hodgkin_huxley.png"
import numpy as np
from gallery import run

import numepi as ne


def ratio(u):
    """u / (1 - exp(-u)), smooth through zero."""
    small = np.abs(u) < 1e-4
    return np.where(small, 1 + u / 2, u / (1 - np.exp(-np.where(small, 1.0, u))))


def drift(x, z, t):
    v, m, h, n = x.v, x.m, x.h, x.n
    current = z.g_Na * m**3 * h * (v - 50) + z.g_K * n**4 * (v + 77) + 0.3 * (v + 54.4)
    return {
        "v": z.I - current,
        "m": ratio((v + 40) / 10) * (1 - m) - 4 * np.exp(-(v + 65) / 18) * m,
        "h": 0.07 * np.exp(-(v + 65) / 20) * (1 - h) - h / (1 + np.exp(-(v + 35) / 10)),
        "n": 0.1 * ratio((v + 55) / 10) * (1 - n) - 0.125 * np.exp(-(v + 65) / 80) * n,
    }


def model():
    return ne.Dynamics(
        drift, states={"v": -65.0, "m": 0.0529, "h": 0.596, "n": 0.3177},
        parameters={"I": (7.0, 20.0), "g_Na": (100.0, 140.0), "g_K": (30.0, 45.0)},
        events={"spike": ne.Event.peak("v", above=0.0)},
        statistics={"interval": ne.observe.mean_interval("spike"), "latency": ne.observe.first_time("spike")},
        dt=0.02, duration=150.0, name="Hodgkin-Huxley",
    )  # fmt: skip


if __name__ == "__main__":
    run("hodgkin_huxley", model(), [[10.0, 120.0, 36.0], [15.0, 120.0, 36.0]], [14.0, 2.5], [1.0, 0.1], __doc__)
