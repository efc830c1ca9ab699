"""
Lotka-Volterra
==============

Period and swing of predators and prey (Lotka 1925; Volterra 1926).

Near the fixed point the period is 2 pi / sqrt(alpha gamma).
"""

# sphinx_gallery_thumbnail_path = "docs/figures/models/lotka_volterra.png"
from gallery import run

import numepi as ne


def drift(x, z, t):
    return {"prey": x.prey * (z.alpha - x.predator), "predator": x.predator * (x.prey - z.gamma)}


def model(start=1.2):
    return ne.Dynamics(
        drift, states={"prey": lambda z: start * z.gamma, "predator": lambda z: z.alpha},
        parameters={"alpha": (0.5, 2.0), "gamma": (0.5, 2.0)}, events={"peak": ne.Event.peak("prey")},
        statistics={"period": ne.observe.mean_interval("peak"), "most": ne.observe.maximum("predator")},
        dt=0.02, duration=60.0, name="Lotka-Volterra",
    )  # fmt: skip


if __name__ == "__main__":
    run("lotka_volterra", model(), [[1.0, 1.0], [1.5, 0.8]], [6.5, 1.2], [0.1, 0.01], __doc__)
