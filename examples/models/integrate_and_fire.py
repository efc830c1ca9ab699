"""
Integrate-and-fire
==================

Leaky integrate-and-fire with noise: rate and irregularity (Lapicque 1907; Stein 1967; ms, threshold units).
"""

# sphinx_gallery_thumbnail_path = "docs/figures/models/integrate_and_fire.png"
from gallery import run

import numepi as ne


def model():
    return ne.Dynamics(
        lambda x, z, t: {"v": (z.mu - x.v) / 20.0}, noise=lambda x, z, t: {"v": z.sigma / 20.0**0.5}, states={"v": 0.0},
        parameters={"mu": (0.5, 2.0), "sigma": (0.1, 1.0)},
        events={"spike": ne.Event(lambda x, z, t: x.v - 1.0, reset=lambda x, z, t: {"v": 0.0}, refractory=2.0)},
        statistics={"interval": ne.observe.mean_interval("spike"), "cv": ne.observe.interval_cv("spike")},
        dt=0.1, duration=1000.0, trials=10, name="integrate-and-fire",
    )  # fmt: skip


if __name__ == "__main__":
    run("integrate_and_fire", model(), [[1.2, 0.2], [0.9, 0.5]], [50.0, 0.6], [100.0, 0.01], __doc__)
