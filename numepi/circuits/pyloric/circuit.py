"""The pyloric network of the crab's stomatogastric ganglion: three cells that burst in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from numepi.annotations import Seed
from numepi.arguments import check_names, check_number, shown
from numepi.circuits.base import Circuit, Trajectories
from numepi.circuits.pyloric import runs
from numepi.circuits.pyloric.bursts import EXTRA_FEATURES, FEATURES, cells_of, features
from numepi.circuits.pyloric.constants import CELLS, CURRENTS, LOWER, SYNAPSES, TARGETS, UPPER, PyloricPhysiology
from numepi.circuits.pyloric.equations import model
from numepi.property.emergent_property import EmergentProperty
from numepi.support import Support

__all__ = ["Pyloric"]

_TRANSIENT = 1000.0  # ms that no feature looks at
_PROPERTY_A = ("period", "duty_AB", "duty_LP", "duty_PY", "phase_LP", "phase_PY")
_GATES = ("m_Na", "m_CaT", "m_CaS", "m_A", "m_KCa", "m_Kd", "m_H", "h_Na", "h_CaT", "h_CaS", "h_A")
# Cell by cell V, Ca and the gates, then the synapses; and where these are among the states of the equations.
_STATE_NAMES = tuple(f"{s}_{cell}" for cell in CELLS for s in ("V", "Ca", *_GATES)) + tuple(
    f"s_{before}_{after}_{kind}" for before, after, kind in SYNAPSES
)
_ORDER = np.concatenate([np.arange(13 * 3).reshape(13, 3).T.ravel(), 39 + np.arange(7)])


class Pyloric(Circuit):
    """Three cells, AB (with PD), LP and PY, and seven synapses (Prinz, Bucher and Marder 2004; Goncalves et al. 2020).

    Parameters z: maximal conductances of eight currents of each cell in mS/cm2 (24), then the natural logarithms of
    the seven synaptic conductances in mS.  Statistics: the fifteen features of the rhythm, in ms and shares of the
    period (`numepi.circuits.pyloric.bursts`).  One that does not exist is NaN: gaps, delays and phases exist only where
    at least 90 % of the periods are triphasic.  Features are random given the parameters, and so is whether they exist.

    Parameters
    ----------
    duration : float
        Seconds that are simulated; features leave out the first, and do not exist in runs that end before.
    features : "A" or sequence of str, optional
        "A": period, three duty cycles and two phases of starts.  Names may also be ``bursts_AB``, ``spikes_AB`` (and of
        LP, PY), and ``pyloric``, 1 where the order of the bursts is that of the pyloric rhythm.
    noise : float
        Standard deviation of the current that each cell receives, anew for each step, in microampere.
    dt : float
        Milliseconds a step.
    give_up : float
        Seconds after which a run ends where a cell that the features need (AB; LP or PY where theirs are asked for; all
        three for gaps, delays and phases) has since the first second been silent, or fired without a pause of 150 ms:
        all its features are NaN.  Before ``duration``, this saves most of what hopeless runs cost; a rhythm whose cells
        pause for less than ``give_up`` - 1 seconds is never given up.
    physiology : PyloricPhysiology, optional
        Capacitance, reversal potentials, calcium and synapses; by default those of the papers.

    Notes
    -----
    The given noise is ``{"noise": (n, steps, 3)}``, the current of AB, LP and PY in microampere, row t - 1 at step t;
    there are duration/dt - 1 steps, as the first sample is the initial state.  Internally step t draws at the counter
    (parameter index, 0, t, 0).  Computed in float64: in float32 the slow gates lose their increments, and bursts 2.5 %
    of their length.  There are no derivatives: those of the times of spikes do not exist with noise
    (`numepi.Dynamics`).
    """

    name = "pyloric"
    parameter_names = tuple(f"{cell}_{current}" for cell in CELLS for current in CURRENTS) + tuple(
        f"log_{before}_{after}_{kind}" for before, after, kind in SYNAPSES
    )
    support = Support(LOWER, UPPER)
    noise_names = ("noise",)
    differentiable = False

    def __init__(
        self,
        duration: float = 11.0,
        features: str | Sequence[str] | None = None,
        noise: float = 0.001,
        dt: float = 0.025,
        give_up: float = 3.0,
        physiology: PyloricPhysiology | None = None,
    ) -> None:
        self.duration = check_number("duration", duration, above=0)
        self.dt = check_number("dt", dt, above=0)
        if self.steps < 1:
            raise ValueError(f"duration = {duration} s is less than two samples of dt = {dt} ms: give a longer one")
        self.noise = check_number("noise", noise, least=0)
        self.give_up = check_number("give_up", give_up, above=_TRANSIENT / 1000)
        self.physiology = None if physiology is None else _physiology(physiology)
        self.features = features if features is None or isinstance(features, str) else check_names("features", features)
        self.statistic_names = _names(self.features)

    @property
    def steps(self) -> int:
        """Steps of a run: one less than samples."""
        return round(self.duration * 1000 / self.dt) - 1

    def emergent_property(self) -> EmergentProperty:
        """Means and variances of the features over animals (Haddad and Marder's data; published with the fits)."""
        without = [name for name in self.statistic_names if name not in TARGETS]
        if without:
            raise ValueError(f"features = {self.features!r}: {', '.join(without)} were not measured in animals")
        mean, sd = zip(*(TARGETS[name] for name in self.statistic_names))
        return EmergentProperty(mean=list(mean), variance=[s**2 for s in sd])

    @property
    def _network(self):
        return model(self.steps * self.dt, self.dt, self.noise, self.physiology or PyloricPhysiology())

    def _check_noise(self, noise, n):
        noise = super()._check_noise(noise, n)
        expected = (n, self.steps, 3)
        if noise is not None and noise["noise"].shape != expected:
            raise ValueError(f"noise['noise'] has shape {noise['noise'].shape}: expected {expected}")
        if noise is not None and self.noise == 0:
            raise ValueError("noise is given and the circuit has noise = 0: leave it out, or give the circuit its s.d.")
        return noise

    def _evaluate(self, z, key, first_index, noise, with_jacobian):
        if z.dtype != np.float64:
            raise ValueError("precision = 'float32': the slow gates of Pyloric lose their increments, so use 'float64'")
        given = None if noise is None else noise["noise"] / self.noise
        observe_from, give_up = round(_TRANSIENT / self.dt), min(self.steps, round(self.give_up * 1000 / self.dt))
        records, room, whole = runs.run(
            self._network, self.duration * 1000, z, key, first_index, given, observe_from, give_up,
            cells_of(self.statistic_names),
        )  # fmt: skip
        f = np.empty((len(z), len(FEATURES) + len(EXTRA_FEATURES)))
        features(records, room, f)
        f[~whole | ~np.isfinite(records[:, :3]).all(axis=1)] = np.nan
        return f[:, [(FEATURES + EXTRA_FEATURES).index(name) for name in self.statistic_names]], None

    def simulate(
        self, z: ArrayLike, rng: Seed = 0, noise: Mapping[str, ArrayLike] | None = None, every: int = 1
    ) -> Trajectories:
        """States at each parameter (rows of ``z`` (n, D)): (n, T, 46), every so many-th sample."""
        z = self._check_parameters(z)
        noise = self._check_noise(noise, len(z))
        given = None if noise is None else {"noise": noise["noise"] / self.noise}
        path = self._network.simulate(z, rng, given, every)
        return Trajectories(path.time / 1000, path.values[:, 0][..., _ORDER], _STATE_NAMES)


def _physiology(value):
    """The constants, each within its bounds; as they are stored they are a plain list."""
    names = PyloricPhysiology._fields
    if not isinstance(value, (tuple, list)) or len(value) != len(names):
        raise TypeError(f"physiology = {shown(value)}: give a PyloricPhysiology, whose names are {', '.join(names)}")
    may_be_negative = ("e_na", "e_k", "e_h", "e_leak", "e_fast", "e_slow", "synaptic_threshold")
    return PyloricPhysiology(
        *(
            check_number(f"physiology.{name}", number, above=None if name in may_be_negative else 0)
            for name, number in zip(names, value)
        )
    )


def _names(features):
    if features is None:
        return FEATURES
    if features == "A":
        return _PROPERTY_A
    known = FEATURES + EXTRA_FEATURES
    unknown = [name for name in features if name not in known] if not isinstance(features, str) else [features]
    if unknown or not features:
        raise ValueError(f"features = {features!r}: choose 'A', or names among {', '.join(known)}")
    return tuple(features)
