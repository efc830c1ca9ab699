"""Primary visual cortex: noise-driven variability of a stochastic stabilised supralinear network (paper: Figure 3)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from numepi.arguments import check_array, check_count, check_number
from numepi.circuits.base import Circuit, Trajectories
from numepi.circuits.v1.equations import V1_SIMULATOR, V1Constants
from numepi.property.emergent_property import EmergentProperty
from numepi.simulation.lanes import Job, Noise
from numepi.support import Support

__all__ = ["V1"]

# Rows are the receiving population, in the order E, P, S, V (science: section 4.4).
WEIGHTS = (
    (0.218, -0.119, -0.0594, -0.0229),
    (0.166, -0.0651, -0.068, -0.0242),
    (0.0895, -5.22e-4, -1.51e-5, -0.0761),
    (0.334, -0.231, -0.0254, -2.52e-5),
)
BASELINE_INPUT = (4.16, 4.29, 4.91, 4.86)
CONTRAST_INPUT = (3.59, 4.03, 0.0, 0.0)
_RATE_NAMES = ("x_E (Hz)", "x_P (Hz)", "x_S (Hz)", "x_V (Hz)")
_RELAXATION_STEPS, _REST_TOLERANCE = 20_000, 1e-13


class V1(Circuit):
    """Four populations (excitatory; parvalbumin, somatostatin, VIP inhibitory) driven by slow noise.

    tau dx/dt = -x + [W x + h + epsilon]^2_+, tau_noise d epsilon = -epsilon dt + sqrt(2 tau_noise) sigma-tilde dB,
    sigma-tilde = sigma sqrt(1 + tau / tau_noise), h = h_b + contrast h_c (science: section 4.4; paper: Figure 3).
    Parameters z = [sigma_E, sigma_P, sigma_S, sigma_V], the noise amplitudes in units of the input, on [0, 0.5]^4.
    Statistic: s_E, the temporal standard deviation of the excitatory rate in Hz from 75 ms on, averaged over trials.
    Its derivative is reported as zero where it is itself zero (a noise-free circuit at rest).

    Parameters
    ----------
    contrast : float
        Of the stimulus, c >= 0.
    trials : int
        Simulations averaged (the given noise decides instead where there is any).
    steps : int
        Euler-Maruyama steps.
    dt, tau, tau_noise : float
        Step and time constants of the rates and the noise, seconds.
    observe_from : float
        Time in seconds from which the standard deviation is taken.
    start_range : (float, float)
        Initial rates are uniform between these, Hz.
    weights : array (4, 4)
        W: rows receive, in the order E, P, S, V.
    baseline_input, contrast_input : array (4,)
        h_b and h_c.

    Raises
    ------
    ValueError
        If an argument is outside its range.

    Notes
    -----
    Noise arrays, where given: ``x0`` (n, trials, 4), initial rates in Hz, and ``noise`` (n, trials, steps, 4).  From
    the generator: counter c1 = trial, step 0 for the initial rates.
    """

    name = "v1"
    parameter_names = ("sigma_E", "sigma_P", "sigma_S", "sigma_V")
    statistic_names = ("s_E",)
    support = Support([0.0] * 4, [0.5] * 4)
    noise_names = ("x0", "noise")

    def __init__(
        self,
        contrast: float = 0.0,
        trials: int = 100,
        steps: int = 200,
        dt: float = 5e-4,
        tau: float = 1e-3,
        tau_noise: float = 5e-3,
        observe_from: float = 0.075,
        start_range: ArrayLike = (10.0, 25.0),
        weights: ArrayLike = WEIGHTS,
        baseline_input: ArrayLike = BASELINE_INPUT,
        contrast_input: ArrayLike = CONTRAST_INPUT,
    ) -> None:
        self.contrast = check_number("contrast", contrast, least=0)
        self.trials = check_count("trials", trials)
        self.steps = check_count("steps", steps)
        self.dt = check_number("dt", dt, above=0)
        self.tau = check_number("tau", tau, above=0)
        self.tau_noise = check_number("tau_noise", tau_noise, above=0)
        self.observe_from = check_number("observe_from", observe_from, least=0)
        self.start_range = _tuples("start_range", start_range, (2,))
        self.weights = _tuples("weights", weights, (4, 4))
        self.baseline_input = _tuples("baseline_input", baseline_input, (4,))
        self.contrast_input = _tuples("contrast_input", contrast_input, (4,))
        if self.start_range[0] >= self.start_range[1]:
            raise ValueError(f"start_range = {self.start_range}: the lower rate must come first and be less")
        if self._samples < 2:
            raise ValueError(
                f"steps = {self.steps} of {self.dt} s leave {max(self._samples, 0)} samples from observe_from = "
                f"{self.observe_from} s on: a standard deviation needs two"
            )

    @property
    def time(self) -> np.ndarray:
        """Sample times in seconds, (steps + 1,)."""
        return np.arange(self.steps + 1) * self.dt

    @property
    def inputs(self) -> np.ndarray:
        """h = h_b + contrast h_c, (4,)."""
        return np.array(self.baseline_input) + self.contrast * np.array(self.contrast_input)

    def emergent_property(self, mean: float = 5.0) -> EmergentProperty:
        """Standard deviation of the excitatory rate: mean 5 or 10 Hz, variance 1 Hz^2 (paper: Figure 3)."""
        return EmergentProperty(mean=[check_number("mean", mean, above=0)], variance=[1.0])

    def steady_state(self, inputs: ArrayLike | None = None) -> np.ndarray:
        """Rates at which the noise-free circuit rests.

        Parameters
        ----------
        inputs : array (..., 4), optional
            Constant input to each population in place of `inputs`.

        Returns
        -------
        rates : ndarray (..., 4)
            In Hz; NaN where the circuit does not come to rest.
        """
        inputs = self.inputs if inputs is None else np.asarray(inputs, np.float64)
        if inputs.shape[-1:] != (4,):
            raise ValueError(f"inputs has shape {inputs.shape}: expected (..., 4), one for each of E, P, S, V")
        weights = np.array(self.weights)
        rates = np.full(inputs.shape, np.mean(self.start_range))
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(_RELAXATION_STEPS):
                change = _rest(rates, inputs, weights) - rates
                at_rest = np.isfinite(rates) & (np.abs(change) <= _REST_TOLERANCE * (1 + rates))
                if at_rest.all():
                    break
                rates = rates + 0.2 * change
        return np.where(at_rest.all(axis=-1, keepdims=True), rates, np.nan)

    def input_responses(self, change: ArrayLike = (0.02, 0.02, 0.2, 0.2)) -> np.ndarray:
        """Change of each steady rate when the input to one population rises.

        A negative diagonal element is the paradoxical effect: the rate of a population falls when its input rises.

        Parameters
        ----------
        change : array (4,)
            Rise of the input to E, P, S, V (the paper's 0.002 and 0.02, which are in units ten times larger).

        Returns
        -------
        response : ndarray (4, 4)
            ``response[i, j]`` in Hz: of population i to the input of population j.
        """
        change = np.array(_tuples("change", change, (4,)))
        return (self.steady_state(self.inputs + np.diag(change)) - self.steady_state()).T

    def input_step(self, change: ArrayLike, duration: float = 0.05) -> Trajectories:
        """Noise-free rates after the input steps up from rest at time 0.

        Parameters
        ----------
        change : array (4,)
            Step of the input to E, P, S, V.
        duration : float
            Seconds.

        Returns
        -------
        Trajectories
            ``values`` (1, T, 4), rates in Hz at multiples of ``dt``.
        """
        inputs = self.inputs + np.array(_tuples("change", change, (4,)))
        steps = max(1, round(check_number("duration", duration, above=0) / self.dt))
        rates = np.empty((1, steps + 1, 4))
        rates[0, 0] = self.steady_state()
        weights, rate = np.array(self.weights), self.dt / self.tau
        for t in range(steps):
            rates[0, t + 1] = rates[0, t] + rate * (_rest(rates[0, t], inputs, weights) - rates[0, t])
        return Trajectories(np.arange(steps + 1) * self.dt, rates, _RATE_NAMES)

    @property
    def _first_observed(self):
        # a sample at observe_from counts, whatever the rounding of the quotient
        return max(1, math.ceil(self.observe_from / self.dt - 1e-6))

    @property
    def _samples(self):
        return self.steps + 1 - self._first_observed

    def _constants(self):
        low, high = self.start_range
        rate, noise_rate = self.dt / self.tau, self.dt / self.tau_noise
        return V1Constants(
            rate, 1 - rate, 1 - noise_rate, math.sqrt(2 * noise_rate), math.sqrt(1 + self.tau / self.tau_noise), low,
            high - low, 0.0, 1.0, self._samples, *np.ravel(self.weights), *self.inputs,
        )  # fmt: skip

    def _given(self, noise):
        """Check given noise; return the driver's `Noise` and the number of trials."""
        if noise is None:
            return None, self.trials
        x0, steps = noise["x0"], noise["noise"]
        if x0.ndim != 3 or x0.shape[2] != 4 or x0.shape[1] < 1:
            raise ValueError(f"noise['x0'] has shape {x0.shape}: expected (n, trials, 4)")
        expected = (*x0.shape[:2], self.steps, 4)
        if steps.shape != expected:
            raise ValueError(f"noise['noise'] has shape {steps.shape}: expected {expected} beside this 'x0'")
        low, high = self.start_range
        return Noise(((x0 - low) / (high - low)).reshape(-1, 4), steps.reshape(-1, self.steps, 4)), x0.shape[1]

    def _job(self, noise):
        given, trials = self._given(noise)
        drive = np.empty((self.steps + 1, 0))
        return Job(V1_SIMULATOR, trials, drive, self._constants(), given, self._first_observed)

    def _simulate(self, z, key, noise):
        values = self._job(noise).trajectories(z, key)
        return Trajectories(self.time, values[:, 0], _RATE_NAMES)


def _rest(rates, inputs, weights):
    """[W x + h]^2_+: where the rates are drawn to."""
    return np.square(np.maximum(rates @ weights.T + inputs, 0.0))


def _tuples(name, value, shape):
    """Finite numbers of that shape as nested tuples, so that settings compare and repeat themselves exactly."""
    array = check_array(name, value, shape)
    return tuple(map(tuple, array.tolist())) if len(shape) == 2 else tuple(array.tolist())
