"""Stomatogastric subcircuit: frequency of the hub neuron between a fast and a slow pair (paper: Figure 1)."""

from __future__ import annotations

import numpy as np

from numepi.arguments import check_count, check_number
from numepi.circuits.base import Circuit, Trajectories
from numepi.circuits.stg.constants import STGConstants, STGPhysiology
from numepi.circuits.stg.equations import STG_SIMULATOR
from numepi.circuits.stg.spectrum import spectrum_tables
from numepi.property.emergent_property import EmergentProperty
from numepi.simulation.lanes import Job, Noise
from numepi.support import Support

__all__ = ["STG"]

_DROPPED, _WINDOW = 20, 20  # samples left out at the start, and in the moving average
_FREQUENCIES = tuple(np.arange(101) / 100)  # Hz


class STG(Circuit):
    """Five Morris-Lecar neurons with hyperpolarisation-activated currents (Gutierrez et al. 2013), SI units.

    Parameters z = [g_el, g_synA]: the electrical coupling of f2 and s2 with the hub, in [4, 8] nS, and the synaptic one
    from f1 and s1 to the hub, in [0.01, 4] nS.  Statistic ``omega_hub``: the hub's frequency in Hz, from the softmax
    spectrum of its rectified, smoothed potential (science: section 4.2; `numepi.circuits.stg.spectrum`).

    The Jacobian is exact for the simulated steps: the derivative of the rectification at 0 is 0, that of |X_j| at
    X_j = 0 is 0, and a silent hub gives 0.5 Hz with a Jacobian of zero.

    Parameters
    ----------
    steps : int
        Euler steps; the first 20 samples are dropped and 20 averaged, so at least 40.
    dt : float
        Seconds a step.
    softmax_slope : float
        beta_psi, per unit of |X| (volts times samples).
    noise : float
        sigma_I, ampere: each step adds (dt / C_m) sigma_I xi to each potential.
    physiology : STGPhysiology, optional
        Conductances, reversal potentials and time constants; by default those of the paper.

    Notes
    -----
    The given noise is ``{"noise": (n, steps, 5)}``, xi of f1, f2, hub, s1, s2.  Internally step t draws at the counter
    (parameter index, 0, t, block of four neurons).  A row whose potentials overflow has a statistic of NaN.
    """

    name = "stg"
    parameter_names = ("g_el", "g_synA")
    statistic_names = ("omega_hub",)
    support = Support([4.0, 0.01], [8.0, 4.0])
    noise_names = ("noise",)

    def __init__(
        self,
        steps: int = 300,
        dt: float = 0.025,
        softmax_slope: float = 100.0,
        noise: float = 1e-12,
        physiology: STGPhysiology | None = None,
    ) -> None:
        self.steps = check_count("steps", steps)
        if self.steps < _DROPPED + _WINDOW:
            raise ValueError(f"steps = {steps}: the spectrum needs at least {_DROPPED + _WINDOW}")
        self.dt = check_number("dt", dt, above=0)
        self.softmax_slope = check_number("softmax_slope", softmax_slope, above=0)
        self.noise = check_number("noise", noise, least=0)
        self.physiology = None if physiology is None else STGPhysiology(*physiology)

    def emergent_property(self) -> EmergentProperty:
        """Intermediate hub frequency: mean 0.55 Hz, variance 0.025^2 Hz^2 (paper: Figure 1)."""
        return EmergentProperty(mean=[0.55], variance=[0.025**2])

    def _check_noise(self, noise, n):
        noise = super()._check_noise(noise, n)
        expected = (n, self.steps, 5)
        if noise is not None and noise["noise"].shape != expected:
            raise ValueError(f"noise['noise'] has shape {noise['noise'].shape}: expected {expected}")
        return noise

    def _job(self, noise):
        tables = spectrum_tables(self.steps + 1 - _DROPPED, _WINDOW, self.dt, _FREQUENCIES)
        constants = STGConstants.of(
            self.physiology or STGPhysiology(), self.dt, self.noise, self.softmax_slope, tables, _FREQUENCIES
        )
        given = None if noise is None else Noise(np.empty((len(noise["noise"]), 0)), noise["noise"])
        return Job(STG_SIMULATOR, 1, np.empty((self.steps + 1, 0)), constants, given, _DROPPED)

    def _simulate(self, z, key, noise):
        values = self._job(noise).trajectories(z, key)
        names = tuple(f"V_{neuron} (V)" for neuron in ("f1", "f2", "hub", "s1", "s2"))
        return Trajectories(np.arange(self.steps + 1) * self.dt, values[:, 0, 0], names)
