"""
SIR
===

When an epidemic peaks and how high (Kermack and McKendrick 1927; time in days).

The greatest share of infected is 1 - (1 + log R0) / R0 where nearly all are susceptible at first, R0 = beta / gamma.
"""

# sphinx_gallery_thumbnail_path = "docs/figures/models/sir.png"
from gallery import run

import numepi as ne


def drift(x, z, t):
    infections = z.beta * x.s * x.i
    return {"s": -infections, "i": infections - z.gamma * x.i}


def model():
    return ne.Dynamics(
        drift, states={"s": 1 - 1e-4, "i": 1e-4}, parameters={"beta": (0.25, 1.0), "gamma": (0.05, 0.2)},
        events={"peak": ne.Event.peak("i")},
        statistics={"peak_time": ne.observe.first_time("peak"), "peak": ne.observe.maximum("i")},
        dt=0.1, duration=200.0, name="SIR",
    )  # fmt: skip


if __name__ == "__main__":
    run("sir", model(), [[0.4, 0.1], [0.8, 0.2]], [40.0, 0.3], [25.0, 0.0025], __doc__)
