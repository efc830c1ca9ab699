"""Constants of the pyloric network: physiology, the prior's box, and what was measured in animals."""

from typing import NamedTuple

import numpy as np

__all__ = ["CELLS", "CURRENTS", "LOWER", "SYNAPSES", "TARGETS", "UPPER", "PyloricPhysiology"]

CELLS = ("AB", "LP", "PY")  # AB stands for the electrically coupled AB and PD
CURRENTS = ("Na", "CaT", "CaS", "A", "KCa", "Kd", "H", "leak")
# (from, to, kind): the glutamatergic synapses are fast, the cholinergic ones slow
SYNAPSES = (
    ("AB", "LP", "fast"), ("AB", "LP", "slow"), ("AB", "PY", "fast"), ("AB", "PY", "slow"),
    ("LP", "AB", "fast"), ("LP", "PY", "fast"), ("PY", "LP", "fast"),
)  # fmt: skip

# Maximal conductances of the currents of each cell in mS/cm2, then the natural logarithms of those of the synapses in
# mS: the prior of Goncalves et al. 2020, which widens the ranges of Prinz et al. 2004.
LOWER = np.array([
    0, 0, 0, 0, 0, 25, 0, 0,
    0, 0, 2, 10, 0, 0, 0, 0.01,
    0, 0, 0, 30, 0, 50, 0, 0,
    *[np.log(1e-8)] * 7,
])  # fmt: skip
UPPER = np.array([
    500, 7.5, 8, 60, 15, 150, 0.02, 0.01,
    200, 2.5, 12, 60, 10, 125, 0.06, 0.04,
    600, 12.5, 4, 60, 5, 150, 0.06, 0.04,
    np.log(1e-2), *[np.log(1e-3)] * 6,
])  # fmt: skip
LOWER.setflags(write=False)
UPPER.setflags(write=False)


class PyloricPhysiology(NamedTuple):
    """Membranes and synapses of Prinz, Bucher and Marder 2004; ms, mV, mS, microampere, micromolar."""

    capacitance: float = 0.6283e-3  # microfarad
    area: float = 0.628e-3  # cm2
    temperature: float = 283.0  # kelvin: where all of the model's Q10 factors are 1
    e_na: float = 50.0
    e_k: float = -80.0
    e_h: float = -20.0
    e_leak: float = -50.0
    calcium_outside: float = 3000.0
    calcium_rest: float = 0.05
    calcium_per_current: float = 14961.0  # micromolar for each microampere
    tau_calcium: float = 200.0
    e_fast: float = -70.0
    e_slow: float = -80.0
    tau_fast: float = 40.0
    tau_slow: float = 100.0
    synaptic_threshold: float = -35.0
    synaptic_slope: float = 5.0


# Mean and standard deviation over animals, in ms and shares of the period, in the order of the published analyses.
TARGETS = {
    "period": (1509.0, 279.0),
    "duration_AB": (582.0, 133.0), "duration_LP": (399.0, 113.0), "duration_PY": (530.0, 150.0),
    "gap_AB_LP": (221.0, 109.0), "gap_LP_PY": (-61.0, 60.0),
    "delay_AB_LP": (803.0, 169.0), "delay_AB_PY": (1141.0, 216.0),
    "duty_AB": (0.385, 0.040), "duty_LP": (0.264, 0.059), "duty_PY": (0.348, 0.054),
    "phase_gap_AB_LP": (0.148, 0.065), "phase_gap_LP_PY": (-0.040, 0.034),
    "phase_LP": (0.533, 0.054), "phase_PY": (0.758, 0.060),
}  # fmt: skip
