"""Linear theory of the V1 circuit: covariance of small fluctuations about the steady state, by Lyapunov equations.

With x = x* + dx the rates obey tau d(dx)/dt = -dx + G (W dx + eps), G = diag(2 [W x* + h]_+), driven by
Ornstein-Uhlenbeck noise eps_i of standard deviation sigma_i sqrt(1 + tau/tau_noise).  The covariance is linear in the
sigma_i^2, so the variance of every rate is a quadratic form sum_i g_i sigma_i^2: its level sets are ellipsoids (paper:
"Primary visual cortex: Mathematical intuition and challenges").

The simulated circuit differs from that in two ways that the theory can follow: it takes steps of dt (half of tau), and
its standard deviation is that of a short window, which misses slow fluctuations.  What it cannot follow is the
rectified square itself: the theory is exact only as sigma -> 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import solve_continuous_lyapunov, solve_discrete_lyapunov

from numepi.analysis.subjects import circuit_of, samples_of
from numepi.arguments import check_flag
from numepi.circuits.v1.circuit import V1

__all__ = ["linear_standard_deviation", "variance_gains"]


def variance_gains(circuit: V1, as_simulated: bool = True) -> np.ndarray:
    """Variance of each rate per unit sigma_i^2: g (4, 4), ``g[p, i]`` in Hz^2, population p, noise source i.

    Parameters
    ----------
    circuit : numepi.circuits.V1
    as_simulated : bool
        For the circuit's own steps and observation window; else the stationary variance in continuous time.

    Raises
    ------
    ValueError
        If the circuit has no stable steady state.
    """
    circuit_of(circuit, V1)
    check_flag("as_simulated", as_simulated)
    rest = circuit.steady_state()
    weights = np.array(circuit.weights)
    gain = 2 * np.maximum(weights @ rest + circuit.inputs, 0.0)
    if not np.isfinite(rest).all():
        raise ValueError("the circuit has no steady state: there is nothing to linearise about")
    amplification = np.sqrt(1 + circuit.tau / circuit.tau_noise)
    rates, noise_rate = (gain[:, None] * weights - np.eye(4)) / circuit.tau, 1 / circuit.tau_noise
    drive = np.diag(gain * amplification) / circuit.tau
    flow = np.block([[rates, drive], [np.zeros((4, 4)), -noise_rate * np.eye(4)]])
    if np.linalg.eigvals(flow).real.max() >= 0:
        raise ValueError("the steady state is not stable: fluctuations about it do not stay small")
    samples = np.count_nonzero(circuit.time >= circuit.observe_from - 1e-6 * circuit.dt)
    gains = np.empty((4, 4))
    for source in range(4):
        kick = np.zeros((8, 8))
        kick[4 + source, 4 + source] = 2 * noise_rate
        if as_simulated:
            step = np.eye(8) + circuit.dt * flow
            covariance = solve_discrete_lyapunov(step, circuit.dt * kick)
            gains[:, source] = _windowed(covariance, step, samples)
        else:
            covariance = solve_continuous_lyapunov(flow, -kick)
            gains[:, source] = np.diag(covariance)[:4]
    return gains


def linear_standard_deviation(circuit: V1, z: ArrayLike, as_simulated: bool = True) -> np.ndarray:
    """Standard deviation of each rate, (n, 4) in Hz, at noise amplitudes ``z`` (n, 4), by linear theory."""
    return np.sqrt(samples_of("z", z, 4) ** 2 @ variance_gains(circuit, as_simulated).T)


def _windowed(covariance, step, samples):
    """Expected variance (1/n) about the mean of ``samples`` successive values: C(0) - sum_ij C(i - j) / n^2."""
    lagged, total = covariance, samples * np.diag(covariance)[:4]
    for lag in range(1, samples):
        lagged = step @ lagged
        total = total + 2 * (samples - lag) * np.diag(lagged)[:4]
    return np.diag(covariance)[:4] - total / samples**2
