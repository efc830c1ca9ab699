"""
FitzHugh-Nagumo
===============

The period of an excitable membrane's oscillation (FitzHugh 1961; Nagumo et al. 1962).
"""

# sphinx_gallery_thumbnail_path = "docs/figures/models/fitzhugh_nagumo.png"
from gallery import run

import numepi as ne


def drift(x, z, t):
    return {"v": x.v - x.v**3 / 3 - x.w + z.I, "w": z.eps * (x.v + 0.7 - 0.8 * x.w)}


def model():
    return ne.Dynamics(
        drift, states={"v": -1.0, "w": 1.0}, parameters={"I": (0.35, 1.4), "eps": (0.02, 0.2)},
        events={"spike": ne.Event(lambda x, z, t: x.v - 1.0, direction=+1)},
        statistics={"period": ne.observe.mean_interval("spike"), "v_sd": ne.observe.std("v", window="cycles of spike")},
        dt=0.1, duration=400.0, observe_from=100.0, name="FitzHugh-Nagumo",
    )  # fmt: skip


if __name__ == "__main__":
    run("fitzhugh_nagumo", model(), [[0.5, 0.08], [0.8, 0.05]], [40.0, 1.3], [4.0, 0.01], __doc__)
