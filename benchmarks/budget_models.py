"""Problems of `bench_budget` whose exact solution a quadrature gives: three of the paper's, and models of equations.

The models are those of ``examples/models`` with other statistics or boxes: what makes a problem is stated here in full.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import numepi as ne

__all__ = ["PROBLEMS", "Model"]


class Model(NamedTuple):
    """A problem, and the quadrature that seconds pay for: log2 of its points, simulations of each, draws of a KL."""

    build: Callable
    points: int
    replicates: int
    draws: int


def lotka_volterra():
    """Four rates, from half a prey and half a predator; a period of 10 +- 0.5."""

    def drift(x, z, t):
        return {
            "prey": x.prey * (z.alpha - z.beta * x.predator),
            "predator": x.predator * (z.delta * x.prey - z.gamma),
        }

    circuit = ne.Dynamics(
        drift,
        states={"prey": 0.5, "predator": 0.5},
        parameters=dict.fromkeys(("alpha", "beta", "gamma", "delta"), (0.4, 1.6)),
        events={"peak": ne.Event.peak("prey")},
        statistics={"period": ne.observe.mean_interval("peak")},
        dt=0.05,
        duration=80.0,
        name="Lotka-Volterra",
    )
    return circuit, ne.EmergentProperty(mean=[10.0], variance=[0.25])


def integrate_and_fire():
    """Leaky, with noise, drive and noise in units of threshold; 20 +- 6 Hz in one second, in single trials."""
    circuit = ne.Dynamics(
        lambda x, z, t: {"v": (z.mu - x.v) / 0.02},
        noise=lambda x, z, t: {"v": z.sigma / 0.02**0.5},
        states={"v": 0.0},
        parameters={"mu": (0.5, 2.0), "sigma": (0.1, 1.0)},
        events={"spike": ne.Event(lambda x, z, t: x.v - 1.0, reset=lambda x, z, t: {"v": 0.0}, refractory=0.002)},
        statistics={"rate": ne.observe.rate("spike")},
        dt=2e-4,
        duration=1.0,
        name="integrate-and-fire",
    )
    return circuit, ne.EmergentProperty(mean=[20.0], variance=[36.0])


def morris_lecar():
    """Current (uA/cm2) and calcium conductance (mS/cm2) of a fibre silent in 74 % of the box; a period of 90 +- 5 ms.

    Else as in Rinzel and Ermentrout (1998), the Hopf case.  A silent fibre has no period: its simulation fails.
    """

    def drift(x, z, t):
        m_inf = 0.5 * (1 + np.tanh((x.v + 1.2) / 18))
        w_inf = 0.5 * (1 + np.tanh((x.v - 2) / 30))
        current = z.g_Ca * m_inf * (x.v - 120) + 8 * x.w * (x.v + 84) + 2 * (x.v + 60)
        return {"v": (z.I - current) / 20, "w": 0.04 * np.cosh((x.v - 2) / 60) * (w_inf - x.w)}

    circuit = ne.Dynamics(
        drift,
        states={"v": -20.0, "w": 0.1},
        parameters={"I": (0.0, 140.0), "g_Ca": (2.0, 6.0)},
        events={"spike": ne.Event(lambda x, z, t: x.v, direction=+1)},
        statistics={"period": ne.observe.mean_interval("spike")},
        dt=0.25,
        duration=1500.0,
        observe_from=300.0,
        name="Morris-Lecar",
    )
    return circuit, ne.EmergentProperty(mean=[90.0], variance=[25.0])


PROBLEMS = {
    "lds": Model(lambda: (ne.circuits.LDS(), ne.circuits.LDS().emergent_property()), 21, 1, 300_000),
    "stg": Model(lambda: (ne.circuits.STG(), ne.circuits.STG().emergent_property()), 13, 64, 100_000),
    "v1": Model(lambda: (ne.circuits.V1(), ne.circuits.V1().emergent_property(mean=5.0)), 15, 8, 20_000),
    "lotka-volterra": Model(lotka_volterra, 19, 1, 300_000),
    "lif": Model(integrate_and_fire, 12, 64, 300_000),
    "morris-lecar": Model(morris_lecar, 16, 1, 60_000),
}
