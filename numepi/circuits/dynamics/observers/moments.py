"""Means and variances over the window: of samples, or as integrals over the segments between events."""

from dataclasses import dataclass

import numpy as np

from numepi.circuits.dynamics.events import between
from numepi.circuits.dynamics.methods import Clock
from numepi.circuits.dynamics.observers.base import Observer, zeros

__all__ = ["Moments"]


@dataclass(frozen=True)
class Moments(Observer):
    """Mean, variance or standard deviation (population, ddof 0).

    Over samples by default; where events reset, and over a window of cycles, integrals over the segments that events
    split steps into: a sum over the grid would have a derivative of its own, that of the number of samples.
    """

    of: object
    what: str  # "mean", "variance" or "std"
    window: str | None = None

    def functions(self):
        return {"of": self.of}

    @property
    def cycles(self):
        """The event whose cycles are the window, or None."""
        return None if self.window is None else self.window.removeprefix("cycles of ")

    def events(self):
        return () if self.window is None else (self.cycles,)

    @property
    def of_events(self):
        """Whether times of events are the window's ends."""
        return self.window is not None

    def check(self, model):
        if self.window is None:
            return
        if not self.window.startswith("cycles of "):
            raise ValueError(f"window = {self.window!r}: write 'cycles of ' and the name of an event")
        event = model.events[self.cycles]
        if event.sampled or event.shape != ():
            raise ValueError(
                f"window = {self.window!r}: a window needs one threshold crossing, no vector and no sampled peak"
            )
        if model.resets and event.reset is None:
            raise ValueError(f"window = {self.window!r}: in a model with resets, give the event that resets")

    def _integrates(self, view):
        return view.model.resets or self.window is not None

    def start(self, view):
        zero = zeros(view.shape())
        own = {"mean": zero} | ({} if self.what == "mean" else {"squares": zero})
        if self._integrates(view):
            own |= {"time": 0.0}
            if self.window is not None:
                own |= {f"closed {name}": value for name, value in own.items()}
        return own

    def sample(self, own, view):
        if self._integrates(view):
            return own
        value = view.value()
        deviation = value - own["mean"]
        mean = own["mean"] + deviation / view.count
        new = {"mean": mean}
        if self.what != "mean":
            new["squares"] = own["squares"] + deviation * (value - mean)
        return new

    def step(self, own, view):
        if not self._integrates(view):
            return own
        if self.window is None:
            within = view.number >= view.model.first_step
            for stretch, _ in view.record.stretches:
                own = self._merge(own, view, stretch, within)
            return own
        return self._cycles(own, view)

    def _cycles(self, own, view):
        hit = view.record.hits[self.cycles]
        seen = view.seen(self.cycles)
        started = view.slot(self.cycles, "count") > np.where(seen, 1.5, 0.5)
        pieces = [stretch for stretch, _ in view.record.stretches]
        if len(pieces) == 1:
            pieces = _split(view, pieces[0], hit)
        names = [name for name in own if not name.startswith("closed ")]
        new = self._merge(own, view, pieces[0], started)
        closes = seen & started
        new |= {f"closed {name}": np.where(closes, new[name], own[f"closed {name}"]) for name in names}
        return self._merge(new, view, pieces[1], started | seen)

    def _merge(self, own, view, stretch, within):
        """Take a stretch's mean and variance into those so far (Chan et al. 1979)."""
        length = stretch.length * view.model.dt
        a, b = (
            view.value(x=x, clock=clock) for x, clock in ((stretch.x, stretch.clock_x), (stretch.y, stretch.clock_y))
        )
        rise = b - a
        area, square = 0.5 * rise, 0.5 * rise * rise  # means of u and u^2 over the stretch, u = value - a, times length
        if view.model.smooth:  # the trapezoid rule with its end correction: fourth order
            da = view.field.slope(view.templates["of"], stretch.x, stretch.clock_x, stretch.rates_x)
            db = view.field.slope(view.templates["of"], stretch.y, stretch.clock_y, stretch.rates_y)
            area = area + (length / 12.0) * (da - db)
            square = square - (length / 6.0) * rise * db
        time = own["time"] + length
        share = np.where(time > 0.0, length / np.where(time > 0.0, time, 1.0), 0.0)
        deviation = a + area - own["mean"]
        new = dict(own)
        new["time"] = np.where(within, time, own["time"])
        new["mean"] = np.where(within, own["mean"] + deviation * share, own["mean"])
        if self.what != "mean":
            added = length * (square - area * area) + own["time"] * share * (deviation * deviation)
            new["squares"] = np.where(within, own["squares"] + added, own["squares"])
        return new

    def finish(self, own, view):
        if not self._integrates(view):
            mean, variance = own["mean"], own.get("squares", 0.0) * (1.0 / view.model.n_samples)
        else:
            closed = "" if self.window is None else "closed "
            time = own[f"{closed}time"]
            some = time > 0.0
            mean = np.where(some, own[f"{closed}mean"], np.nan)
            variance = np.where(some, own.get(f"{closed}squares", 0.0) / np.where(some, time, 1.0), np.nan)
        if self.what == "mean":
            return mean
        return variance if self.what == "variance" else np.sqrt(variance)


def _split(view, stretch, hit):
    """A whole step cut at an event (anywhere, where there is none)."""
    model = view.model
    part = np.where(hit.happened, hit.fraction, 0.0)
    at = between(stretch.x, stretch.y, stretch.rates_x, stretch.rates_y, part, stretch.h)
    clock = Clock(part)
    rates = view.field.drift(at, clock) if model.smooth else None
    lengths = part, 1.0 - part
    first, second = (dict.fromkeys(at, length * model.dt) for length in lengths)
    return [
        stretch._replace(y=at, rates_y=rates, clock_y=clock, h=first, length=lengths[0]),
        stretch._replace(x=at, rates_x=rates, clock_x=clock, h=second, length=lengths[1]),
    ]
