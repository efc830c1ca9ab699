"""Models whose compilation is measured: ten states and five parameters, and a ring of units."""

import numpy as np

import numepi as ne


def cascade(method, n=10):
    """Ten gating variables in a row that drive one another, five parameters."""

    def drift(x, z, t):
        names = [f"s{k}" for k in range(n)]
        slopes = {}
        for k, name in enumerate(names):
            before = x[names[k - 1]]
            gate = 1 / (1 + np.exp(-z.gain * (before - z.threshold)))
            slopes[name] = (gate * (1 - x[name]) - z.decay * x[name]) / z.tau + z.drive * (k == 0)
        return slopes

    return ne.Dynamics(
        drift, states={f"s{k}": 0.1 * (k % 3) for k in range(n)},
        parameters={
            "gain": (1.0, 5.0), "threshold": (0.1, 0.6), "decay": (0.1, 1.0), "tau": (0.5, 2.0), "drive": (0.0, 0.5),
        },
        statistics={"sd": ne.observe.std("s3"), "end": ne.observe.final("s9")}, dt=0.05, duration=20.0, method=method,
    )  # fmt: skip


def ring(n=64, trials=1, method="rk4"):
    """Rates on a ring with a cosine profile of weights."""
    angle = 2 * np.pi * np.arange(n) / n
    profile = np.cos(angle[:, None] - angle) / n

    def drift(x, z, t):
        current = (z.modulation * profile - z.inhibition / n) @ x.r + z.drive * (1 + 0.1 * np.cos(angle))
        return {"r": np.tanh(np.maximum(current, 0.0)) - x.r}

    return ne.Dynamics(
        drift, states={"r": 0.1 + 0.05 * np.cos(angle)},
        parameters={"modulation": (2.0, 8.0), "inhibition": (0.5, 2.0), "drive": (0.5, 1.5)},
        statistics={"bump": ne.observe.final(lambda x, z, t: x.r[0] - x.r[n // 2]), "mean": ne.observe.mean("r[0]")},
        dt=0.1, duration=10.0, trials=trials, method=method,
    )  # fmt: skip
