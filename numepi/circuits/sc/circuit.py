"""Superior colliculus: rapid switching between a Pro and an Anti task (paper: Figures 4 and 5)."""

from __future__ import annotations

import numpy as np

from numepi.arguments import check_choice, check_count, check_number
from numepi.circuits.base import Circuit, Trajectories
from numepi.circuits.sc.equations import SC_SIMULATOR, SCConstants
from numepi.property.emergent_property import EmergentProperty
from numepi.simulation.lanes import Job, Noise
from numepi.support import Support

__all__ = ["SC"]

_WINDOWS = ("delay", "choice", "total")
_STIMULI = ("left", "right")
_DURATION, _CHOICE, _LIGHT_OFF, _DELAY = 1.8, 1.2, 1.5, 0.8


class SC(Circuit):
    """Four populations (left and right, Pro and Anti) that must orient towards or away from a light.

    u, x in R^4, ordered LP, LA, RP, RA; x = tanh((u - a)/b)/2 + 1/2; tau du/dt = -u + W x + h(t) + noise (science:
    section 4.5; paper: equations of the SC methods).  Parameters z = [sW, vW, hW, dW], dimensionless, on [-5, 5]^4: the
    weight of a population on itself, of Pro and Anti on one side, of the same kind across sides, and of the other kind
    across.  Statistics: p_pro and p_anti, the fraction of trials that end on the correct side in each task, each
    trial judged by sigmoid(slope (x_LP - x_RP)) at the last sample.

    Parameters
    ----------
    trials : int
        Trials of each task (the given noise decides instead where there is any).
    decision_slope : float
        Slope of the sigmoid that judges a trial.
    silencing : float
        Optogenetic strength gamma in [0, 1]: activities are multiplied by 1 - gamma within the window.
    window : "delay", "choice" or "total"
        When silencing acts: 0.8 s < t < 1.2 s, t >= 1.2 s, or always.
    stimulus : "left" or "right"
        Side of the light; the correct choices are mirrored with it.
    dt, tau : float
        Step and time constant, seconds.  A trial lasts 1.8 s: samples t_i = i dt < 1.8.
    offset, width : float
        a and b of the activation.
    noise : float
        Standard deviation of the noise, in units of the input.
    start_mean, start_noise : float
        Mean and standard deviation of x(0).
    constant_input, pro_input, rule_input, choice_input, light_input : float
        Inputs: to all; to the Pro populations; to those of the task until 1.2 s; to all after 1.2 s; to the side of
        the light between 1.2 and 1.5 s.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Notes
    -----
    Noise arrays, where given: ``x0_noise`` (n, 2, trials, 4) and ``noise`` (n, 2, trials, samples, 4), axis 1 = Pro,
    Anti; index 0 of the samples is unused.  From the generator: counter c1 = 2 trial + task, step 0 for x(0).
    """

    name = "sc"
    parameter_names = ("sW", "vW", "hW", "dW")
    statistic_names = ("p_pro", "p_anti")
    support = Support([-5.0] * 4, [5.0] * 4)
    noise_names = ("x0_noise", "noise")

    def __init__(
        self,
        trials: int = 200,
        decision_slope: float = 100.0,
        silencing: float = 0.0,
        window: str = "delay",
        stimulus: str = "left",
        dt: float = 0.024,
        tau: float = 0.09,
        offset: float = 0.05,
        width: float = 0.5,
        noise: float = 0.2,
        start_mean: float = 0.1,
        start_noise: float = 0.005,
        constant_input: float = 0.75,
        pro_input: float = 0.5,
        rule_input: float = 0.6,
        choice_input: float = 0.25,
        light_input: float = 0.5,
    ) -> None:
        self.trials = check_count("trials", trials)
        self.decision_slope = check_number("decision_slope", decision_slope, above=0)
        self.silencing = check_number("silencing", silencing, least=0, most=1)
        self.window = check_choice("window", window, _WINDOWS)
        self.stimulus = check_choice("stimulus", stimulus, _STIMULI)
        self.dt = check_number("dt", dt, least=1e-6, most=0.5)
        self.tau = check_number("tau", tau, above=0)
        self.offset = check_number("offset", offset)
        self.width = check_number("width", width, above=0)
        self.noise = check_number("noise", noise, least=0)
        self.start_mean = check_number("start_mean", start_mean, least=0, most=1)
        self.start_noise = check_number("start_noise", start_noise, least=0)
        self.constant_input = check_number("constant_input", constant_input)
        self.pro_input = check_number("pro_input", pro_input)
        self.rule_input = check_number("rule_input", rule_input)
        self.choice_input = check_number("choice_input", choice_input)
        self.light_input = check_number("light_input", light_input)

    def emergent_property(self) -> EmergentProperty:
        """Both tasks at 75 % with variance 0.075^2 over parameters and trials (paper: Figure 4)."""
        return EmergentProperty(mean=[0.75, 0.75], variance=[0.075**2, 0.075**2])

    @property
    def time(self) -> np.ndarray:
        """Sample times in seconds."""
        return np.arange(-(-_microseconds(_DURATION) // _microseconds(self.dt))) * self.dt

    def _schedule(self):
        """Inputs and gates: a row for each sample, (samples, 7)."""
        # whole microseconds: 50 dt > 1.2 s must not hang on a rounding
        t = np.arange(len(self.time)) * _microseconds(self.dt)
        choice, light_off, delay = _microseconds(_CHOICE), _microseconds(_LIGHT_OFF), _microseconds(_DELAY)
        drive = np.empty((len(t), 7))
        drive[:, :4] = self.constant_input + self.pro_input * np.array([1, 0, 1, 0])
        drive[t > choice, :4] += self.choice_input
        lit_side = [0, 1] if self.stimulus == "left" else [2, 3]
        drive[np.ix_((t > choice) & (t < light_off), lit_side)] += self.light_input
        drive[:, 4] = np.where(t <= choice, self.rule_input, 0.0)
        silenced = {"delay": (t > delay) & (t < choice), "choice": t >= choice, "total": t >= 0}[self.window]
        gate = np.where(silenced, 1 - self.silencing, 1.0)
        drive[:, 6] = gate
        drive[:, 5] = np.concatenate([gate[:1], gate[:-1]])  # a step takes the activity at its start
        return drive

    def _constants(self, drive):
        slope = self.decision_slope if self.stimulus == "left" else -self.decision_slope
        rate = self.dt / self.tau
        return SCConstants(
            rate=rate,
            noise=rate * self.noise,
            offset=self.offset,
            gain=2 / self.width,
            half_width=self.width / 2,
            start_mean=self.start_mean,
            start_sd=self.start_noise,
            one=1.0,
            pro_slope=slope,
            anti_less_pro_slope=-2 * slope,
            last_gate=drive[-1, 6],
        )

    def _given(self, noise):
        """Check given noise; return the driver's `Noise` and the number of trials."""
        if noise is None:
            return None, self.trials
        first, steps = noise["x0_noise"], noise["noise"]
        samples = len(self.time)
        if first.ndim != 4 or first.shape[1] != 2 or first.shape[3] != 4 or first.shape[2] < 1:
            raise ValueError(f"noise['x0_noise'] has shape {first.shape}: expected (n, 2, trials, 4)")
        expected = (*first.shape[:3], samples, 4)
        if steps.shape != expected:
            raise ValueError(f"noise['noise'] has shape {steps.shape}: expected {expected} beside this 'x0_noise'")
        steps = np.ascontiguousarray(steps[:, :, :, 1:])
        return Noise(first.reshape(-1, 4), steps.reshape(-1, samples - 1, 4)), first.shape[2]

    def _job(self, noise):
        drive = self._schedule()
        given, trials = self._given(noise)
        return Job(SC_SIMULATOR, trials, drive, self._constants(drive), given)

    def _simulate(self, z, key, noise):
        values = self._job(noise).trajectories(z, key)
        return Trajectories(self.time, values, ("x_LP", "x_LA", "x_RP", "x_RA"))


def _microseconds(seconds):
    return round(seconds * 1e6)
