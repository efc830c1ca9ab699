"""
Ring attractor
==============

A ring of 16 units whose bump of activity outlasts its cue (Ben-Yishai et al. 1995): vector states.
"""

# sphinx_gallery_thumbnail_path = "docs/figures/models/ring_attractor.png"
import numpy as np
from gallery import run

import numepi as ne

ANGLE = 2 * np.pi * np.arange(16) / 16


def drift(x, z, t):
    weights = (z.J1 * np.cos(ANGLE[:, None] - ANGLE) - z.J0) / 16
    cue = np.where(t < 5.0, 0.5, 0.0) * np.cos(ANGLE)
    current = weights @ x.r + 1.0 + cue
    return {"r": np.tanh(np.maximum(current, 0.0)) - x.r}


def model():
    return ne.Dynamics(
        drift, states={"r": np.full(16, 0.2)}, parameters={"J0": (0.0, 6.0), "J1": (0.0, 8.0)},
        statistics={
            "bump": ne.observe.final(lambda x, z, t: (x.r @ np.cos(ANGLE)) / 8),
            "mean": ne.observe.final(lambda x, z, t: x.r.mean()),
        },
        dt=0.1, duration=40.0, name="ring attractor",
    )  # fmt: skip


if __name__ == "__main__":
    run("ring_attractor", model(), [[2.0, 1.0], [2.0, 6.0]], [0.5, 0.3], [0.01, 0.01], __doc__)
