"""Equations of the stomatogastric subcircuit: one Euler step and its tangent, for lanes and threads alike.

Neurons are ordered f1, f2, hub, s1, s2; a state is their potentials V (volts), then their gates N, then H; its tangents
are the derivatives by g_el, then by g_synA (per nS).

The operations of a step's value are those of the equations as one writes them, in that order: near a bifurcation a
rounding grows ten thousand times, and the circuit written with `numepi.Dynamics` must round alike in float32, too.
"""

from numepi.circuits.stg.spectrum import frequency, workspace
from numepi.kernels.compile import block_function, scalar
from numepi.kernels.fastmath import exp, sigmoid
from numepi.simulation.lanes import Observation, Simulator

__all__ = ["STG_SIMULATOR"]


@scalar
def start(initial, c):
    """The fixed initial state."""
    return (
        c.initial_v0, c.initial_v1, c.initial_v2, c.initial_v3, c.initial_v4,
        c.initial_n0, c.initial_n1, c.initial_n2, c.initial_n3, c.initial_n4,
        c.initial_h0, c.initial_h1, c.initial_h2, c.initial_h3, c.initial_h4,
    )  # fmt: skip


@scalar
def neuron(v, n, h, g_ca, g_k, g_h, c):
    """Membrane current and next gates of one neuron, and their derivatives by its V, N and H.

    Returns (I, N, H, dI/dV, dI/dN, dI/dH, dN/dV, dN/dN, dH/dV, dH/dH).
    """
    m_inf = sigmoid(c.m_slope * (v - c.v1))
    dm_inf = c.m_slope * (m_inf - m_inf * m_inf)
    # One exponential for N_inf and lambda_N: e = exp(-(V - v3) / (2 v4)), N_inf = 1 / (1 + e^4).
    e = exp(c.half_n_slope * (v - c.v3))
    r = c.one / e
    n_inf = c.one / (c.one + (e * e) * (e * e))
    dn_inf = c.n_slope * (n_inf - n_inf * n_inf)
    cosh_n = e + r
    dcosh_n = c.half_n_slope * (e - r)
    h_inf = sigmoid(c.h_slope * (v - c.minus_v5))
    dh_inf = c.h_slope * (h_inf - h_inf * h_inf)
    tau_inf = sigmoid(c.tau_slope * (v - c.v7))
    tau = c.tau_h0 + c.tau_h1 * tau_inf
    rate_h = c.one / tau
    change_h = (h_inf - h) / tau
    dtau = c.tau_h1 * (c.tau_slope * (tau_inf - tau_inf * tau_inf))
    ca, k, hyp = g_ca * m_inf, g_k * n, g_h * h
    from_ca, from_k, from_hyp = v - c.v_ca, v - c.v_k, v - c.v_hyp
    return (
        c.g_leak * (v - c.v_leak) + ca * from_ca + k * from_k + hyp * from_hyp,
        n + c.rate_n * (cosh_n * (n_inf - n)),
        h + c.dt * change_h,
        c.g_leak + ca + g_ca * (from_ca * dm_inf) + k + hyp,
        g_k * from_k,
        g_h * from_hyp,
        c.rate_n * (dcosh_n * (n_inf - n) + cosh_n * dn_inf),
        c.one - c.rate_n * cosh_n,
        c.dt * (rate_h * (dh_inf - change_h * dtau)),
        c.one - c.dt * rate_h,
    )


@scalar
def release(v, c):
    """Synaptic activation S_inf of a presynaptic potential, and its derivative."""
    s = sigmoid(c.s_slope * (v - c.v_th))
    return s, c.s_slope * (s - s * s)


@scalar
def step(state, parameters, noise, drive, task, c):
    """One Euler step; z = (g_el, g_synA) in nS.

    The linearisation holds, for each neuron, the derivatives of `neuron` with dI/dV completed by its couplings; then
    the derivatives of the currents by other neurons' potentials through synapses (f1 by f2, f2 by f1, hub by f1, hub by
    s1, s1 by s2, s2 by s1); then the derivatives of the currents of f2, hub and s2 by g_el and of hub by g_synA; all
    but those of gates times dt / C.
    """
    v0, v1, v2, v3, v4, n0, n1, n2, n3, n4, h0, h1, h2, h3, h4 = state
    x0, x1, x2, x3, x4 = noise
    g_el, g_syn_a = c.nanosiemens * parameters[0], c.nanosiemens * parameters[1]
    i0, n0, h0, iv0, in0, ih0, nv0, nn0, hv0, hh0 = neuron(v0, n0, h0, c.g_ca_fast, c.g_k_fast, c.g_h_fast, c)
    i1, n1, h1, iv1, in1, ih1, nv1, nn1, hv1, hh1 = neuron(v1, n1, h1, c.g_ca_fast, c.g_k_fast, c.g_h_fast, c)
    i2, n2, h2, iv2, in2, ih2, nv2, nn2, hv2, hh2 = neuron(v2, n2, h2, c.g_ca_hub, c.g_k_hub, c.g_h_hub, c)
    i3, n3, h3, iv3, in3, ih3, nv3, nn3, hv3, hh3 = neuron(v3, n3, h3, c.g_ca_slow, c.g_k_slow, c.g_h_slow, c)
    i4, n4, h4, iv4, in4, ih4, nv4, nn4, hv4, hh4 = neuron(v4, n4, h4, c.g_ca_slow, c.g_k_slow, c.g_h_slow, c)
    s0, ds0 = release(v0, c)
    s1, ds1 = release(v1, c)
    s3, ds3 = release(v3, c)
    s4, ds4 = release(v4, c)
    g0, g1, g2, g3, g4 = c.g_syn_b * s1, c.g_syn_b * s0, g_syn_a * (s0 + s3), c.g_syn_b * s4, c.g_syn_b * s3
    d0, d1, d2, d3, d4 = v0 - c.v_syn, v1 - c.v_syn, v2 - c.v_syn, v3 - c.v_syn, v4 - c.v_syn
    gap1, gap2, gap4 = v1 - v2, c.two * v2 - v1 - v4, v4 - v2
    new = (
        v0 - c.per_siemens * (i0 + g0 * d0) + c.noise * x0,
        v1 - c.per_siemens * (i1 + g_el * gap1 + g1 * d1) + c.noise * x1,
        v2 - c.per_siemens * (i2 + g_el * gap2 + g2 * d2) + c.noise * x2,
        v3 - c.per_siemens * (i3 + g3 * d3) + c.noise * x3,
        v4 - c.per_siemens * (i4 + g_el * gap4 + g4 * d4) + c.noise * x4,
        n0, n1, n2, n3, n4, h0, h1, h2, h3, h4,
    )  # fmt: skip
    a, b = c.per_siemens, c.per_siemens * c.g_syn_b
    per_nanosiemens = c.per_siemens * c.nanosiemens
    linearisation = (
        a * (iv0 + g0), a * in0, a * ih0, nv0, nn0, hv0, hh0,
        a * (iv1 + g1 + g_el), a * in1, a * ih1, nv1, nn1, hv1, hh1,
        a * (iv2 + g2 + (g_el + g_el)), a * in2, a * ih2, nv2, nn2, hv2, hh2,
        a * (iv3 + g3), a * in3, a * ih3, nv3, nn3, hv3, hh3,
        a * (iv4 + g4 + g_el), a * in4, a * ih4, nv4, nn4, hv4, hh4,
        b * (d0 * ds1), b * (d1 * ds0), (a * g_syn_a) * (d2 * ds0), (a * g_syn_a) * (d2 * ds3), b * (d3 * ds4),
        b * (d4 * ds3),
        per_nanosiemens * gap1, per_nanosiemens * gap2, per_nanosiemens * gap4, per_nanosiemens * (d2 * (s0 + s3)),
    )  # fmt: skip
    return new, linearisation


@scalar
def direction(tangents, own0, own1, own2, own3, own4, synapses, g_el, direct1, direct2, direct4):
    """Advance the derivatives by one parameter; ``direct``: what the parameter itself takes from f2, hub and s2."""
    v0, v1, v2, v3, v4, n0, n1, n2, n3, n4, h0, h1, h2, h3, h4 = tangents
    by01, by10, by20, by23, by34, by43 = synapses
    return (
        v0 - (own0[0] * v0 + own0[1] * n0 + own0[2] * h0 + by01 * v1),
        v1 - (own1[0] * v1 + own1[1] * n1 + own1[2] * h1 + by10 * v0 - g_el * v2 + direct1),
        v2 - (own2[0] * v2 + own2[1] * n2 + own2[2] * h2 + by20 * v0 + by23 * v3 - g_el * (v1 + v4) + direct2),
        v3 - (own3[0] * v3 + own3[1] * n3 + own3[2] * h3 + by34 * v4),
        v4 - (own4[0] * v4 + own4[1] * n4 + own4[2] * h4 + by43 * v3 - g_el * v2 + direct4),
        own0[3] * v0 + own0[4] * n0,
        own1[3] * v1 + own1[4] * n1,
        own2[3] * v2 + own2[4] * n2,
        own3[3] * v3 + own3[4] * n3,
        own4[3] * v4 + own4[4] * n4,
        own0[5] * v0 + own0[6] * h0,
        own1[5] * v1 + own1[6] * h1,
        own2[5] * v2 + own2[6] * h2,
        own3[5] * v3 + own3[6] * h3,
        own4[5] * v4 + own4[6] * h4,
    )


@scalar
def tangent(tangents, linearisation, parameters, drive, task, c):
    """Derivatives of the next state by g_el and by g_synA (per nS)."""
    own0, own1, own2, own3, own4 = (
        linearisation[0:7], linearisation[7:14], linearisation[14:21], linearisation[21:28], linearisation[28:35],
    )  # fmt: skip
    synapses = linearisation[35:41]
    el1, el2, el4, syn_a = linearisation[41:45]
    g_el = (c.per_siemens * c.nanosiemens) * parameters[0]
    zero = c.one - c.one
    by_el = direction(tangents[0:15], own0, own1, own2, own3, own4, synapses, g_el, el1, el2, el4)
    by_syn = direction(tangents[15:30], own0, own1, own2, own3, own4, synapses, g_el, zero, syn_a, zero)
    return by_el + by_syn


@scalar
def potentials(state, drive, c):
    """Membrane potentials of f1, f2, hub, s1, s2 in volts."""
    return state[0], state[1], state[2], state[3], state[4]


@scalar
def hub_potential(values, state, count, c):
    return (state[2],), ()


@scalar
def hub_potential_tangent(derivatives, tangents, linearisation, count, c):
    return tangents[2], tangents[17]


@block_function
def hub_workspace(n_observed, lanes, c):
    """Arrays for the spectra of four lanes at a time, or of one."""
    return workspace(min(4, lanes), n_observed, c.tables, c.frequencies)


@block_function
def hub_frequency(kept, c, work, results):
    """Frequency of the hub in each lane, and its derivatives where ``results`` (1 or 3, lanes) has room for them."""
    samples, halves, moduli = work
    signals, with_gradient = len(samples), len(results) > 1
    for first in range(0, results.shape[1], signals):
        for t in range(len(kept)):
            for i in range(signals):
                samples[i, t] = kept[t, 0, first + i]
        omega = results[0, first : first + signals]
        frequency(samples, c.tables, c.frequencies, c.softmax_slope, with_gradient, halves, moduli, omega)
        for i in range(signals):
            for d in range(1, len(results)):
                total = 0.0
                for t in range(len(kept)):
                    total += samples[i, t] * kept[t, d, first + i]
                results[d, first + i] = total


STG_SIMULATOR = Simulator(
    name="stg", n_parameters=2, n_states=15, n_tangents=30, n_noise=5, n_drive=0, n_readout=5, n_initial=0,
    start=start, step=step, tangent=tangent, readout=potentials, summary=hub_frequency, workspace=hub_workspace,
    lanes=16,
    observation=Observation(1, hub_potential, 2, hub_potential_tangent, keep_all=True),
)  # fmt: skip
