"""Spectra of samples at given frequencies (per unit of the model's time)."""

from dataclasses import dataclass

import numpy as np

from numepi.circuits.dynamics.observers.base import Observer, zeros
from numepi.circuits.stg.spectrum import spectrum_tables

__all__ = ["Power", "SoftmaxFrequency"]


@dataclass(frozen=True)
class Power(Observer):
    """|sum (v - mean) exp(-2 pi i f t)|^2 dt / n: mean over the frequencies, or the frequency where it is greatest."""

    of: object
    frequencies: tuple
    peak: bool = False

    @property
    def counts(self):
        return self.peak

    def check(self, model):
        if not self.frequencies or not all(0 <= f <= 0.5 / model.dt for f in self.frequencies):
            raise ValueError(
                f"frequencies = {self.frequencies}: give some between 0 and 1 / (2 dt) = {0.5 / model.dt:g}"
            )

    def functions(self):
        angular = 2 * np.pi * np.array(self.frequencies)
        return {
            "of": self.of,
            "cos": lambda x, z, t: np.cos(t * angular),
            "sin": lambda x, z, t: np.sin(t * angular),
        }

    def start(self, view):
        if view.shape() != ():
            raise ValueError(f"a spectrum of {self.of!r}: take one element, such as 'r[0]'")
        size = len(self.frequencies)
        return {"real": np.zeros(size), "imaginary": np.zeros(size), "mean": 0.0}

    def sample(self, own, view):
        value = view.value()
        return {
            "real": own["real"] + value * view.value("cos"),
            "imaginary": own["imaginary"] + value * view.value("sin"),
            "mean": own["mean"] + (value - own["mean"]) / view.count,
        }

    def finish(self, own, view):
        model = view.model
        phase = 2j * np.pi * np.outer(np.arange(model.first_sample, model.steps + 1) * model.dt, self.frequencies)
        offset = np.exp(phase).sum(axis=0)
        real = own["real"] - own["mean"] * offset.real
        imaginary = own["imaginary"] - own["mean"] * offset.imag
        power = (real * real + imaginary * imaginary) * (model.dt / model.n_samples)
        if not self.peak:
            return np.mean(power)
        best, at = power[0], self.frequencies[0]
        for k, frequency in enumerate(self.frequencies[1:], 1):
            better = power[k] > best
            best, at = np.where(better, power[k], best), np.where(better, frequency, at)
        return at


@dataclass(frozen=True)
class SoftmaxFrequency(Observer):
    """sum_j phi_j softmax_j(slope |X_j|), X the spectrum of the rectified, smoothed samples (science: section 4.2)."""

    of: object
    frequencies: tuple
    slope: float
    smoothing: int

    def check(self, model):
        if not 1 <= self.smoothing <= model.n_samples // 2:
            raise ValueError(
                f"smoothing = {self.smoothing} samples: the window has {model.n_samples}, give at most half"
            )

    def functions(self):
        return {"of": self.of}

    @property
    def kept(self):
        return True

    def tables(self, model):
        """What `numepi.circuits.stg.spectrum.frequency` reads."""
        return spectrum_tables(model.n_samples, self.smoothing, model.dt, self.frequencies)

    def start(self, view):
        return {"sample": zeros(view.shape())}

    def sample(self, own, view):
        return {"sample": view.value()}
