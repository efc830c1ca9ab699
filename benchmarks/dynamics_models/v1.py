"""Primary visual cortex (paper: Figure 3), as a user writes it."""

import numpy as np

import numepi as ne

W = np.array([
    [0.218, -0.119, -0.0594, -0.0229],
    [0.166, -0.0651, -0.068, -0.0242],
    [0.0895, -5.22e-4, -1.51e-5, -0.0761],
    [0.334, -0.231, -0.0254, -2.52e-5],
])  # fmt: skip
H = np.array([4.16, 4.29, 4.91, 4.86])
TAU, TAU_NOISE = 1e-3, 5e-3


def drift(x, z, t):
    # e is the noise in units of sigma: epsilon = sigma-tilde e
    current = W @ x.r + H + np.sqrt(1 + TAU / TAU_NOISE) * z.sigma * x.e
    return {"r": (np.maximum(current, 0.0) ** 2 - x.r) / TAU, "e": -x.e / TAU_NOISE}


def noise(x, z, t):
    return {"e": np.full(4, np.sqrt(2 / TAU_NOISE))}


def v1(trials=100):
    return ne.Dynamics(
        drift, noise=noise, states={"r": ne.initial.uniform(np.full(4, 10.0), 25.0), "e": np.zeros(4)},
        parameters={"sigma": (np.zeros(4), 0.5)}, statistics={"s_E": ne.observe.std("r[0]")},
        dt=5e-4, duration=0.1, observe_from=0.075, trials=trials,
    )  # fmt: skip
