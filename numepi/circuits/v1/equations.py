"""Equations of the primary visual cortex circuit: one step, tangent and statistic, for lanes and threads alike."""

import math
from typing import NamedTuple

from numepi.kernels.compile import scalar
from numepi.kernels.random import uniform
from numepi.simulation.lanes import Observation, Simulator

__all__ = ["V1_SIMULATOR", "V1Constants"]


class V1Constants(NamedTuple):
    """Numbers of the equations below, all floats of one precision."""

    rate: float  # dt / tau
    decay: float  # 1 - dt / tau
    noise_decay: float  # 1 - dt / tau_noise
    noise_kick: float  # sqrt(2 dt / tau_noise)
    amplification: float  # sigma-tilde / sigma = sqrt(1 + tau / tau_noise)
    start_low: float
    start_width: float
    zero: float
    one: float
    samples: float  # observed, of the temporal standard deviation
    wEE: float
    wEP: float
    wES: float
    wEV: float
    wPE: float
    wPP: float
    wPS: float
    wPV: float
    wSE: float
    wSP: float
    wSS: float
    wSV: float
    wVE: float
    wVP: float
    wVS: float
    wVV: float
    hE: float
    hP: float
    hS: float
    hV: float


@scalar
def initial_uniforms(w0, w1, w2, w3, like):
    """Four uniforms in (0, 1)."""
    return uniform(w0, like), uniform(w1, like), uniform(w2, like), uniform(w3, like)


@scalar
def start(initial, c):
    """Rates drawn uniformly; no noise yet.  The state is (x, e): the input noise is epsilon_i = sigma-tilde_i e_i."""
    u0, u1, u2, u3 = initial
    return (
        c.start_low + c.start_width * u0,
        c.start_low + c.start_width * u1,
        c.start_low + c.start_width * u2,
        c.start_low + c.start_width * u3,
        c.zero,
        c.zero,
        c.zero,
        c.zero,
    )


@scalar
def synaptic(x, c):
    """W x."""
    x0, x1, x2, x3 = x
    return (
        c.wEE * x0 + c.wEP * x1 + c.wES * x2 + c.wEV * x3,
        c.wPE * x0 + c.wPP * x1 + c.wPS * x2 + c.wPV * x3,
        c.wSE * x0 + c.wSP * x1 + c.wSS * x2 + c.wSV * x3,
        c.wVE * x0 + c.wVP * x1 + c.wVS * x2 + c.wVV * x3,
    )


@scalar
def rectified(drive, c):
    # this way round NaN stays NaN
    return c.zero if drive < c.zero else drive


@scalar
def step(state, parameters, noise, drive, task, c):
    """x <- x + dt/tau (-x + [W x + h + epsilon]^2_+), and an Ornstein-Uhlenbeck step of e, from the same old state."""
    x0, x1, x2, x3, e0, e1, e2, e3 = state
    i0, i1, i2, i3 = synaptic((x0, x1, x2, x3), c)
    a0, a1, a2, a3 = c.amplification * e0, c.amplification * e1, c.amplification * e2, c.amplification * e3
    r0 = rectified(i0 + c.hE + parameters[0] * a0, c)
    r1 = rectified(i1 + c.hP + parameters[1] * a1, c)
    r2 = rectified(i2 + c.hS + parameters[2] * a2, c)
    r3 = rectified(i3 + c.hV + parameters[3] * a3, c)
    new = (
        c.decay * x0 + c.rate * (r0 * r0),
        c.decay * x1 + c.rate * (r1 * r1),
        c.decay * x2 + c.rate * (r2 * r2),
        c.decay * x3 + c.rate * (r3 * r3),
        c.noise_decay * e0 + c.noise_kick * noise[0],
        c.noise_decay * e1 + c.noise_kick * noise[1],
        c.noise_decay * e2 + c.noise_kick * noise[2],
        c.noise_decay * e3 + c.noise_kick * noise[3],
    )
    # d/d(input) of dt/tau [input]^2_+, and d(input_i)/d(sigma_i)
    g0, g1, g2, g3 = c.rate * (r0 + r0), c.rate * (r1 + r1), c.rate * (r2 + r2), c.rate * (r3 + r3)
    return new, (g0, g1, g2, g3, g0 * a0, g1 * a1, g2 * a2, g3 * a3)


@scalar
def tangent(tangents, linearisation, parameters, drive, task, c):
    """dx <- dx + dt/tau (-dx + 2 [input]_+ (W dx + d epsilon)) by each sigma; e does not depend on sigma."""
    dE, dP, dS, dV = tangents[0:4], tangents[4:8], tangents[8:12], tangents[12:16]
    g0, g1, g2, g3, b0, b1, b2, b3 = linearisation
    gains = g0, g1, g2, g3
    return (
        direction(dE, gains, (b0, c.zero, c.zero, c.zero), c)
        + direction(dP, gains, (c.zero, b1, c.zero, c.zero), c)
        + direction(dS, gains, (c.zero, c.zero, b2, c.zero), c)
        + direction(dV, gains, (c.zero, c.zero, c.zero, b3), c)
    )


@scalar
def direction(dx, gains, direct, c):
    i0, i1, i2, i3 = synaptic(dx, c)
    return (
        c.decay * dx[0] + gains[0] * i0 + direct[0],
        c.decay * dx[1] + gains[1] * i1 + direct[1],
        c.decay * dx[2] + gains[2] * i2 + direct[2],
        c.decay * dx[3] + gains[3] * i3 + direct[3],
    )


@scalar
def observe(values, state, count, c):
    """Running mean of x_E and sum of squared deviations from it, stable in one pass (Welford 1962)."""
    mean, squares = values
    deviation = state[0] - mean
    mean = mean + deviation / count
    return (mean, squares + deviation * (state[0] - mean)), (deviation,)


@scalar
def observe_tangent(derivatives, tangents, linearisation, count, c):
    """Running means of the dx_E and their co-moments with x_E: half the derivatives of the sum of squares."""
    m0, m1, m2, m3, s0, s1, s2, s3 = derivatives
    (deviation,) = linearisation
    d0, d1, d2, d3 = tangents[0], tangents[4], tangents[8], tangents[12]
    m0, m1, m2, m3 = m0 + (d0 - m0) / count, m1 + (d1 - m1) / count, m2 + (d2 - m2) / count, m3 + (d3 - m3) / count
    return (
        m0, m1, m2, m3, s0 + deviation * (d0 - m0), s1 + deviation * (d1 - m1), s2 + deviation * (d2 - m2),
        s3 + deviation * (d3 - m3),
    )  # fmt: skip


@scalar
def statistic(state, observed, task, c):
    """Temporal standard deviation of x_E."""
    deviation = math.sqrt(observed[1] / c.samples)
    return (deviation,), (deviation,)


@scalar
def statistic_tangent(tangents, observed_tangents, linearisation, c):
    """Zero where the standard deviation is zero: it has no derivative there."""
    (deviation,) = linearisation
    scale = c.zero if deviation == c.zero else c.one / (deviation * c.samples)
    return (
        scale * observed_tangents[4],
        scale * observed_tangents[5],
        scale * observed_tangents[6],
        scale * observed_tangents[7],
    )


@scalar
def readout(state, drive, c):
    """Rates x of E, P, S, V."""
    return state[0:4]


V1_SIMULATOR = Simulator(
    name="v1", n_parameters=4, n_states=8, n_tangents=16, n_noise=4, n_drive=0, n_readout=4,
    start=start, step=step, tangent=tangent, readout=readout, statistic=statistic, statistic_tangent=statistic_tangent,
    initial_noise=initial_uniforms, observation=Observation(2, observe, 8, observe_tangent),
)  # fmt: skip
