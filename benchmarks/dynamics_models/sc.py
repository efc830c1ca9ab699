"""Superior colliculus (paper: Figure 4), as a user writes it."""

import numpy as np

import numepi as ne

TAU, DT, A, B = 0.09, 0.024, 0.05, 0.5
PRO, LEFT = np.array([1.0, 0, 1, 0]), np.array([1.0, 1, 0, 0])
EPSILON = 1e-9  # seconds: 50 dt > 1.2 s must not hang on a rounding


def rates(u):
    return 0.5 * np.tanh((u - A) / B) + 0.5


def drift(x, z, t):
    t = t + DT  # the input is that of the sample to come
    rule = z.pro * PRO + (1 - z.pro) * (1 - PRO)
    choice = t > 1.2 + EPSILON
    light = choice & (t < 1.5 - EPSILON)
    h = 0.75 + 0.5 * PRO + np.where(choice, 0.25, 0.6 * rule) + np.where(light, 0.5, 0.0) * LEFT
    w = np.array([
        [z.sW, z.vW, z.hW, z.dW], [z.vW, z.sW, z.dW, z.hW], [z.hW, z.dW, z.sW, z.vW], [z.dW, z.hW, z.vW, z.sW],
    ])  # fmt: skip
    return {"u": (-x.u + w @ rates(x.u) + h) / TAU}


def noise(x, z, t):
    return {"u": np.full(4, 0.2 * np.sqrt(DT) / TAU)}


def correct(x, z, t):
    r = rates(x.u)
    return 1 / (1 + np.exp(-100 * (2 * z.pro - 1) * (r[0] - r[2])))


def sc(trials=200):
    return ne.Dynamics(
        drift, noise=noise,
        states={"u": ne.initial.normal(np.full(4, 0.1), 0.005, of=lambda r, z: B * np.arctanh(2 * r - 1) + A)},
        parameters=dict.fromkeys(("sW", "vW", "hW", "dW"), (-5.0, 5.0)),
        tasks={"pro": {"pro": 1.0}, "anti": {"pro": 0.0}},
        statistics={"p": ne.observe.final(correct)}, dt=DT, duration=74 * DT, trials=trials,
    )  # fmt: skip
