"""
Wilson-Cowan
============

Oscillation of an excitatory and an inhibitory population with noise (Wilson and Cowan 1972).
"""

# sphinx_gallery_thumbnail_path = "docs/figures/models/wilson_cowan.png"
import numpy as np
from gallery import run

import numepi as ne


def gain(u, slope, threshold):
    return 1 / (1 + np.exp(-slope * (u - threshold))) - 1 / (1 + np.exp(slope * threshold))


def drift(x, z, t):
    to_e = gain(z.w_EE * x.e - z.w_EI * x.i + z.P, 1.3, 4.0)
    to_i = gain(15 * x.e - 3 * x.i, 2.0, 3.7)
    return {"e": (-x.e + (1 - x.e) * to_e) / 8.0, "i": (-x.i + (1 - x.i) * to_i) / 8.0}


def model(trials=20):
    return ne.Dynamics(
        drift, noise=lambda x, z, t: {"e": 0.005, "i": 0.005}, states={"e": 0.1, "i": 0.05},
        parameters={"w_EE": (12.0, 18.0), "w_EI": (10.0, 14.0), "P": (0.5, 2.0)},
        statistics={
            "e_sd": ne.observe.std("e"), "e_mean": ne.observe.mean("e"),
            "power": ne.observe.band_power("e", np.arange(15, 26) / 1000),
        },
        dt=0.5, duration=500.0, observe_from=100.0, trials=trials, name="Wilson-Cowan",
    )  # fmt: skip


if __name__ == "__main__":
    run(
        "wilson_cowan",
        model(),
        [[16.0, 12.0, 1.25], [13.0, 12.0, 1.0]],
        [0.1, 0.2, None],
        [0.001, 0.001, None],
        __doc__,
    )
