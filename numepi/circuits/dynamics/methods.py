"""One step of each method, written once in plain NumPy: it runs on traced values and on numbers alike.

``x`` is a dict of states; ``field`` evaluates the model's functions (`numepi.circuits.dynamics.fields`).  The length
``h`` of a step is a dict, as the states of units whose events split a step advance by parts of their own; a
``clock`` says where in the step a stage is evaluated, and ``hold`` which states are held.
"""

from typing import NamedTuple

import numpy as np

__all__ = ["METHODS", "RK4_STAGES", "Clock", "Segment", "run_stage", "stages_end"]


class Clock(NamedTuple):
    """A place in a step: a fraction of it, a number (0, 1/2, 1) or a traced value."""

    fraction: object = 0.0

    def after(self, part, stretch):
        """The place ``part`` of a stretch (a fraction of the step) further on."""
        if stretch is None:
            return Clock(self.fraction + part)
        return Clock(self.fraction + part * stretch)


class Segment(NamedTuple):
    """What a method advances over: a whole step, or a part of one.

    ``h`` gives the length for each state, ``root_h`` its square root; ``start`` is where it begins, ``stretch`` its
    share of the step (None: all of it); ``draws`` holds the normals of each noisy state, ``hold`` the states that
    stand still meanwhile: {name: truth value}.
    """

    h: dict
    root_h: dict
    start: Clock
    stretch: object
    draws: dict
    hold: dict

    def at(self, part):
        """The clock at a part of the segment."""
        return self.start.after(part, self.stretch)


def _held(segment, slopes):
    return {n: np.where(segment.hold[n], 0.0, v) if n in segment.hold else v for n, v in slopes.items()}


def _shift(x, h, slopes, part=1.0):
    return {n: x[n] + (h[n] * part) * slopes[n] for n in x}


def _kicks(field, x, clock, segment):
    """Sum over noises of amplitude times normal, without the square root of time."""
    kicks = {}
    for name, amplitudes in field.noise(x, clock).items():
        total = 0.0
        for amplitude, draw in zip(amplitudes, segment.draws[name]):
            total = total + amplitude * draw
        kicks[name] = np.where(segment.hold[name], 0.0, total) if name in segment.hold else total
    return kicks


def euler(field, x, segment):
    """Euler, with noise Euler-Maruyama (Ito)."""
    new = _shift(x, segment.h, _held(segment, field.drift(x, segment.at(0.0))))
    for name, kick in _kicks(field, x, segment.at(0.0), segment).items():
        new[name] = new[name] + segment.root_h[name] * kick
    return new


def heun(field, x, segment):
    """Heun: the mean of the slopes, and of the noise amplitudes, at both ends (Stratonovich)."""
    first = _held(segment, field.drift(x, segment.at(0.0)))
    kicks = _kicks(field, x, segment.at(0.0), segment)
    guess = _shift(x, segment.h, first)
    for name, kick in kicks.items():
        guess[name] = guess[name] + segment.root_h[name] * kick
    second = _held(segment, field.drift(guess, segment.at(1.0)))
    new = {n: x[n] + (segment.h[n] * 0.5) * (first[n] + second[n]) for n in x}
    for name, kick in _kicks(field, guess, segment.at(1.0), segment).items():
        new[name] = new[name] + (segment.root_h[name] * 0.5) * (kicks[name] + kick)
    return new


class Stage(NamedTuple):
    """A stage of a Runge-Kutta method: where in the step it evaluates slopes, how much these count for the step's sum
    of slopes, and how far (in steps) they lead to the next stage's place."""

    part: float
    weight: float
    ahead: float


RK4_STAGES = (Stage(0.0, 1.0, 0.5), Stage(0.5, 2.0, 0.5), Stage(0.5, 2.0, 1.0), Stage(1.0, 1.0, 0.0))


def rk4(field, x, segment):
    """The classic Runge-Kutta method of order 4, for models without noise."""
    place, total = x, dict.fromkeys(x, 0.0)
    for stage in RK4_STAGES:
        slopes = _held(segment, field.drift(place, segment.at(stage.part)))
        place, total = run_stage(x, segment.h, slopes, total, stage.weight, stage.ahead)
    return stages_end(x, segment.h, total)


def run_stage(x, h, slopes, total, weight, ahead):
    """Where the next stage is, and the sum of slopes so far."""
    return _shift(x, h, slopes, ahead), {n: total[n] + weight * slopes[n] for n in x}


def stages_end(x, h, total):
    """The state after the last stage."""
    return _shift(x, h, total, 1 / 6)


def exponential_euler(field, x, segment):
    """Each state by the exact solution of its own linear equation, all others as they were; noise likewise."""
    slopes = _held(segment, field.drift(x, segment.at(0.0)))
    rates = _held(segment, field.own_rates(x, segment.at(0.0)))
    new = {}
    for n in x:
        a = segment.h[n] * rates[n]
        small = np.abs(a) < 1e-5  # expm1(a) / a to the last digits, without 0 / 0
        growth = np.where(small, 1.0 + 0.5 * a, np.expm1(a) / np.where(small, 1.0, a))
        new[n] = x[n] + (segment.h[n] * growth) * slopes[n]
    for n, kick in _kicks(field, x, segment.at(0.0), segment).items():
        a = 2.0 * segment.h[n] * rates[n]
        small = np.abs(a) < 1e-5
        spread = np.sqrt(np.where(small, 1.0 + 0.5 * a, np.expm1(a) / np.where(small, 1.0, a)))
        new[n] = new[n] + (segment.root_h[n] * spread) * kick
    return new


def step_map(field, x, segment):
    """The user's own map, one step at a time."""
    return field.step(x, segment.at(0.0), segment.draws)


METHODS = {"euler": euler, "heun": heun, "rk4": rk4, "exponential-euler": exponential_euler}
