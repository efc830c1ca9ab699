"""
Morris-Lecar
============

A barnacle muscle fibre that fires at 10 Hz (Morris and Lecar 1981; the Hopf case of Rinzel and
Ermentrout 1998: mV, ms, uA/cm2, mS/cm2).
"""

# sphinx_gallery_thumbnail_path = "docs/figures/models/morris_lecar.png"
import numpy as np
from gallery import run

import numepi as ne


def drift(x, z, t):
    m_inf = 0.5 * (1 + np.tanh((x.v + 1.2) / 18))
    w_inf = 0.5 * (1 + np.tanh((x.v - 2) / 30))
    current = z.g_Ca * m_inf * (x.v - 120) + 8 * x.w * (x.v + 84) + 2 * (x.v + 60)
    return {"v": (z.I - current) / 20, "w": 0.04 * np.cosh((x.v - 2) / 60) * (w_inf - x.w)}


def model():
    return ne.Dynamics(
        drift, states={"v": -20.0, "w": 0.1}, parameters={"I": (80.0, 160.0), "g_Ca": (4.0, 5.5)},
        events={"spike": ne.Event(lambda x, z, t: x.v, direction=+1)},
        statistics={"period": ne.observe.mean_interval("spike")},
        dt=0.25, duration=1500.0, observe_from=300.0, name="Morris-Lecar",
    )  # fmt: skip


if __name__ == "__main__":
    run("morris_lecar", model(), [[95.0, 4.4], [120.0, 5.0]], [100.0], [25.0], __doc__)
