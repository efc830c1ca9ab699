"""
Gene switch
===========

A toggle switch of two genes that repress each other: which of two states it keeps (Gardner et al. 2000).
"""

# sphinx_gallery_thumbnail_path = "docs/figures/models/gene_switch.png"
import numpy as np
from gallery import run

import numepi as ne


def drift(x, z, t):
    pulse = np.where(t < 10.0, 5.0, 0.0)  # an inducer of u, for a while
    return {"u": z.alpha / (1 + x.v**2) - x.u + pulse, "v": z.alpha / (1 + x.u**2) - z.decay * x.v}


def model(trials=20):
    return ne.Dynamics(
        drift, noise=lambda x, z, t: {"u": 0.1, "v": 0.1}, states={"u": 0.2, "v": 3.0},
        parameters={"alpha": (1.0, 6.0), "decay": (0.5, 2.0)},
        statistics={
            "kept": ne.observe.final(lambda x, z, t: 1 / (1 + np.exp(-4 * (x.u - x.v)))), "v": ne.observe.mean("v"),
        },
        dt=0.05, duration=60.0, observe_from=40.0, trials=trials, name="gene switch",
    )  # fmt: skip


if __name__ == "__main__":
    run("gene_switch", model(), [[4.0, 1.0], [1.5, 1.0]], [0.9, None], [0.01, None], __doc__)
