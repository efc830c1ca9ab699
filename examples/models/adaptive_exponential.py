"""
Adaptive exponential
====================

Adaptive exponential integrate-and-fire: spikes that slow down (Brette and Gerstner 2005; pF, nS, mV, pA, ms).
"""

# sphinx_gallery_thumbnail_path = "docs/figures/models/adaptive_exponential.png"
import numpy as np
from gallery import run

import numepi as ne


def drift(x, z, t):
    upswing = 30 * 2 * np.exp(np.minimum((x.v + 50.4) / 2, 20.0))
    return {"v": (-30 * (x.v + 70.6) + upswing - x.w + z.I) / 281, "w": (4 * (x.v + 70.6) - x.w) / 144}


def model():
    return ne.Dynamics(
        drift, states={"v": -70.6, "w": 0.0}, parameters={"I": (800.0, 1500.0), "b": (20.0, 150.0)},
        events={"spike": ne.Event(lambda x, z, t: x.v + 30.0, reset=lambda x, z, t: {"v": -70.6, "w": x.w + z.b})},
        statistics={"interval": ne.observe.mean_interval("spike"), "cv": ne.observe.interval_cv("spike")},
        dt=0.02, duration=400.0, name="adaptive exponential",
    )  # fmt: skip


if __name__ == "__main__":
    run("adaptive_exponential", model(), [[1000.0, 80.5], [1300.0, 40.0]], [30.0, 0.3], [9.0, 0.01], __doc__)
