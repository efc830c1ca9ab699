"""Superior colliculus: rapid switching between a Pro and an Anti task (paper: Figures 4 and 5)."""

from typing import NamedTuple

import numpy as np

from numepi.circuits.arguments import finite, one_of, positive, positive_integer, within
from numepi.circuits.base import Circuit, Trajectories
from numepi.emergent_property import EmergentProperty
from numepi.kernels.compile import scalar
from numepi.kernels.fastmath import log, sigmoid
from numepi.kernels.lanes import Noise, Simulator
from numepi.support import Support

__all__ = ["SC", "SC_SIMULATOR"]


class SCConstants(NamedTuple):
    """Numbers of the equations below, all floats of one precision."""

    rate: float  # dt / tau
    noise: float  # dt / tau times the standard deviation of the noise
    offset: float  # a
    gain: float  # 2 / b
    half_width: float  # b / 2
    start_mean: float
    start_sd: float
    one: float
    pro_slope: float  # slope of the decision in x_LP - x_RP, with the sign of the correct choice
    anti_less_pro_slope: float
    last_gate: float


@scalar
def start(initial, c):
    """x(0) = 0.1 + 0.005 xi, u(0) = b atanh(2 x - 1) + a."""
    x0, x1, x2, x3 = initial
    return start_potential(x0, c), start_potential(x1, c), start_potential(x2, c), start_potential(x3, c)


@scalar
def start_potential(xi, c):
    x = c.start_mean + c.start_sd * xi
    return c.offset + c.half_width * log(x / (c.one - x))


@scalar
def activity(u, gate, c):
    """x = gate phi(u), phi(u) = tanh((u - a) / b) / 2 + 1/2, and dx/du."""
    phi = sigmoid(c.gain * (u - c.offset))
    return gate * phi, gate * (c.gain * (phi - phi * phi))


@scalar
def step(state, parameters, noise, drive, task, c):
    """u <- u + dt/tau (-u + W x + h + noise), with the order LP, LA, RP, RA and z = (sW, vW, hW, dW)."""
    u0, u1, u2, u3 = state
    n0, n1, n2, n3 = noise
    h0, h1, h2, h3, rule, gate, _ = drive
    w0, w1, w2, w3 = parameters
    x0, slope0 = activity(u0, gate, c)
    x1, slope1 = activity(u1, gate, c)
    x2, slope2 = activity(u2, gate, c)
    x3, slope3 = activity(u3, gate, c)
    rule_anti = rule * task
    rule_pro = rule - rule_anti
    new = (
        u0 + (c.rate * (h0 + rule_pro - u0 + (w0 * x0 + w1 * x1 + w2 * x2 + w3 * x3)) + c.noise * n0),
        u1 + (c.rate * (h1 + rule_anti - u1 + (w1 * x0 + w0 * x1 + w3 * x2 + w2 * x3)) + c.noise * n1),
        u2 + (c.rate * (h2 + rule_pro - u2 + (w2 * x0 + w3 * x1 + w0 * x2 + w1 * x3)) + c.noise * n2),
        u3 + (c.rate * (h3 + rule_anti - u3 + (w3 * x0 + w2 * x1 + w1 * x2 + w0 * x3)) + c.noise * n3),
    )
    return new, (x0, x1, x2, x3, slope0, slope1, slope2, slope3)


@scalar
def tangent(tangents, linearisation, parameters, drive, task, c):
    """du <- du + dt/tau (-du + W dx + (dW) x), for each of the four weights."""
    s0, s1, s2, s3, v0, v1, v2, v3, h0, h1, h2, h3, d0, d1, d2, d3 = tangents
    x0, x1, x2, x3, slope0, slope1, slope2, slope3 = linearisation
    slopes = slope0, slope1, slope2, slope3
    decay = c.one - c.rate
    w0, w1, w2, w3 = parameters
    weights = c.rate * w0, c.rate * w1, c.rate * w2, c.rate * w3
    x0, x1, x2, x3 = c.rate * x0, c.rate * x1, c.rate * x2, c.rate * x3
    # each row of dW / dz_p has one entry 1: a permutation of x
    return (
        direction((s0, s1, s2, s3), (x0, x1, x2, x3), slopes, weights, decay)
        + direction((v0, v1, v2, v3), (x1, x0, x3, x2), slopes, weights, decay)
        + direction((h0, h1, h2, h3), (x2, x3, x0, x1), slopes, weights, decay)
        + direction((d0, d1, d2, d3), (x3, x2, x1, x0), slopes, weights, decay)
    )


@scalar
def direction(du, direct, slopes, weights, decay):
    w0, w1, w2, w3 = weights
    x0, x1, x2, x3 = slopes[0] * du[0], slopes[1] * du[1], slopes[2] * du[2], slopes[3] * du[3]
    return (
        decay * du[0] + direct[0] + w0 * x0 + w1 * x1 + w2 * x2 + w3 * x3,
        decay * du[1] + direct[1] + w1 * x0 + w0 * x1 + w3 * x2 + w2 * x3,
        decay * du[2] + direct[2] + w2 * x0 + w3 * x1 + w0 * x2 + w1 * x3,
        decay * du[3] + direct[3] + w3 * x0 + w2 * x1 + w1 * x2 + w0 * x3,
    )


@scalar
def statistic(state, observed, task, c):
    """How clearly the trial ends on the correct side: sigmoid(slope (x_LP - x_RP))."""
    left, left_slope = activity(state[0], c.last_gate, c)
    right, right_slope = activity(state[2], c.last_gate, c)
    slope = c.pro_slope + task * c.anti_less_pro_slope
    correct = sigmoid(slope * (left - right))
    sensitivity = slope * (correct - correct * correct)
    return (correct,), (sensitivity * left_slope, sensitivity * right_slope)


@scalar
def statistic_tangent(tangents, observed_tangents, linearisation, c):
    left, right = linearisation
    return (
        left * tangents[0] - right * tangents[2],
        left * tangents[4] - right * tangents[6],
        left * tangents[8] - right * tangents[10],
        left * tangents[12] - right * tangents[14],
    )


@scalar
def readout(state, drive, c):
    """Activities x of LP, LA, RP, RA."""
    u0, u1, u2, u3 = state
    gate = drive[6]
    return activity(u0, gate, c)[0], activity(u1, gate, c)[0], activity(u2, gate, c)[0], activity(u3, gate, c)[0]


SC_SIMULATOR = Simulator(
    name="sc", n_parameters=4, n_states=4, n_tangents=16, n_noise=4, n_drive=7, n_readout=4, n_tasks=2,
    start=start, step=step, tangent=tangent, statistic=statistic, statistic_tangent=statistic_tangent, readout=readout,
)  # fmt: skip

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
        trials=200,
        decision_slope=100.0,
        silencing=0.0,
        window="delay",
        stimulus="left",
        dt=0.024,
        tau=0.09,
        offset=0.05,
        width=0.5,
        noise=0.2,
        start_mean=0.1,
        start_noise=0.005,
        constant_input=0.75,
        pro_input=0.5,
        rule_input=0.6,
        choice_input=0.25,
        light_input=0.5,
    ):
        self.trials = positive_integer("trials", trials)
        self.decision_slope = positive("decision_slope", decision_slope)
        self.silencing = within("silencing", silencing, 0, 1)
        self.window = one_of("window", window, _WINDOWS)
        self.stimulus = one_of("stimulus", stimulus, _STIMULI)
        self.dt = within("dt", dt, 1e-6, 0.5)
        self.tau = positive("tau", tau)
        self.offset = finite("offset", offset)
        self.width = positive("width", width)
        self.noise = within("noise", noise, 0, np.inf)
        self.start_mean = within("start_mean", start_mean, 0, 1)
        self.start_noise = within("start_noise", start_noise, 0, np.inf)
        self.constant_input = finite("constant_input", constant_input)
        self.pro_input = finite("pro_input", pro_input)
        self.rule_input = finite("rule_input", rule_input)
        self.choice_input = finite("choice_input", choice_input)
        self.light_input = finite("light_input", light_input)

    def emergent_property(self):
        """Both tasks at 75 % with variance 0.075^2 over parameters and trials (paper: Figure 4)."""
        return EmergentProperty(mean=[0.75, 0.75], variance=[0.075**2, 0.075**2])

    def paper_settings(self):
        """The flow and Algorithm 1 settings of the paper, as keywords of `numepi.infer`."""
        from numepi.flow import RealNVP

        return {
            "flow": RealNVP(self.support, stages=3, hidden=(50, 50), box_map="sigmoid"),
            "iterations_per_epoch": 2000,
            "batch_size": 100,
            "penalty": 1e2,
            "penalty_growth": 2.0,
            "test_batch_size": 25,
            "learning_rate": 1e-3,
        }

    @property
    def time(self):
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

    def _evaluate(self, z, key, first_index, noise, with_jacobian):
        drive = self._schedule()
        given, trials = self._given(noise)
        return SC_SIMULATOR.statistics(z, key, first_index, trials, drive, self._constants(drive), with_jacobian, given)

    def _simulate(self, z, key, noise):
        drive = self._schedule()
        given, trials = self._given(noise)
        values = SC_SIMULATOR.trajectories(z, key, 0, trials, drive, self._constants(drive), given)
        return Trajectories(self.time, values, ("x_LP", "x_LA", "x_RP", "x_RA"))


def _microseconds(seconds):
    return round(seconds * 1e6)
