"""Equations of the superior colliculus circuit: one Euler step and its tangent, for lanes and threads alike."""

from typing import NamedTuple

from numepi.kernels.compile import scalar
from numepi.kernels.fastmath import log, sigmoid
from numepi.simulation.lanes import Simulator

__all__ = ["SC_SIMULATOR", "SCConstants"]


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
    """u <- u + dt/tau (-u + W x + h + noise), with the order LP, LA, RP, RA and z = (sW, vW, hW, dW).

    The operations are in the order in which `numepi.Dynamics` has them from the equations as one writes them: decisions
    that hang on a hair differ in float32 where a rounding does.
    """
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
        u0 + c.rate * (w0 * x0 + w1 * x1 + w2 * x2 + w3 * x3 - u0 + (h0 + rule_pro)) + c.noise * n0,
        u1 + c.rate * (w1 * x0 + w0 * x1 + w3 * x2 + w2 * x3 - u1 + (h1 + rule_anti)) + c.noise * n1,
        u2 + c.rate * (w2 * x0 + w3 * x1 + w0 * x2 + w1 * x3 - u2 + (h2 + rule_pro)) + c.noise * n2,
        u3 + c.rate * (w3 * x0 + w2 * x1 + w1 * x2 + w0 * x3 - u3 + (h3 + rule_anti)) + c.noise * n3,
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
