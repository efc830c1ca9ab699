"""Statistics of samples, one at every step of the window."""

from dataclasses import dataclass

import numpy as np

from numepi.circuits.dynamics.events import crossing
from numepi.circuits.dynamics.observers.base import Observer, zeros
from numepi.circuits.dynamics.template import Names, trace
from numepi.circuits.dynamics.traced import wrap

__all__ = ["At", "Correlation", "Extreme", "Final", "Fold", "Synchrony", "TimeAbove"]


@dataclass(frozen=True)
class Final(Observer):
    """The value at the end."""

    of: object

    def functions(self):
        return {"of": self.of}

    def finish(self, own, view):
        return view.value()


@dataclass(frozen=True)
class At(Observer):
    """The value at a time, between samples on a straight line."""

    of: object
    time: float
    in_window = False

    def functions(self):
        return {"of": self.of}

    def check(self, model):
        if not 0 < self.time <= model.duration * (1 + 1e-9):
            raise ValueError(
                f"observe.at(..., time={self.time}): give a time above 0, up to the duration {model.duration}"
            )

    def start(self, view):
        return {"value": zeros(view.shape())}

    def sample(self, own, view):
        place = self.time / view.model.dt
        whole = int(np.floor(place + 1e-9))
        part = max(0.0, place - whole)
        value, sample = view.value(), view.number + 1.0
        before = np.where(np.abs(sample - whole) < 0.5, (1 - part) * value, own["value"])
        after = own["value"] + part * value
        return {"value": np.where(np.abs(sample - (whole + 1)) < 0.5, after, before) if part else before}

    def finish(self, own, view):
        return own["value"]


@dataclass(frozen=True)
class Extreme(Observer):
    """The greatest or the least sample."""

    of: object
    largest: bool

    def functions(self):
        return {"of": self.of}

    def start(self, view):
        return {"value": zeros(view.shape()) + (-np.inf if self.largest else np.inf)}

    def sample(self, own, view):
        bound = np.maximum if self.largest else np.minimum
        return {"value": bound(own["value"], view.value())}

    def finish(self, own, view):
        return own["value"]


@dataclass(frozen=True)
class TimeAbove(Observer):
    """Time that is spent above a level; where it is crossed is found as for events."""

    of: object
    level: float
    of_events = True

    def functions(self):
        return {"of": self.of}

    def start(self, view):
        return {"total": zeros(view.shape())}

    def step(self, own, view):
        total = own["total"]
        for stretch, _ in view.record.stretches:
            a = view.value(x=stretch.x, clock=stretch.clock_x) - self.level
            b = view.value(x=stretch.y, clock=stretch.clock_y) - self.level
            slopes = [None, None]
            if view.model.smooth:
                way, of = stretch.length * view.model.dt, view.templates["of"]
                slopes = [
                    way * view.field.slope(of, *at)
                    for at in (
                        (stretch.x, stretch.clock_x, stretch.rates_x),
                        (stretch.y, stretch.clock_y, stretch.rates_y),
                    )
                ]
            crosses, part = crossing(view.field, view.model.smooth, a, b, *slopes, 0)
            part = np.where(crosses, np.where(b >= 0.0, 1.0 - part, part), np.where(a > 0.0, 1.0, 0.0))
            within = view.number >= view.model.first_step
            total = total + np.where(within, part * stretch.length * view.model.dt, 0.0)
        return {"total": total}

    def finish(self, own, view):
        return np.where(np.isfinite(view.value()), own["total"], np.nan)  # what is no number is above nothing


@dataclass(frozen=True)
class Correlation(Observer):
    """Pearson's correlation of two values, the second ``lag`` samples later."""

    of: object
    other: object
    lag: int = 0

    def functions(self):
        return {"of": self.of, "other": self.other}

    def check(self, model):
        if not 0 <= self.lag < model.n_samples - 1:
            raise ValueError(f"lag = {self.lag} samples: the window has {model.n_samples}; give fewer")

    def start(self, view):
        start = dict.fromkeys(("mean", "other mean", "squares", "other squares", "products"), 0.0)
        return start | ({"late": np.zeros(self.lag)} if self.lag else {})

    def sample(self, own, view):
        a, b, new = view.value(), view.value("other"), {}
        if self.lag:
            # the first value meets the second ``lag`` samples later
            new["late"] = np.concatenate([own["late"][1:], np.stack([a])])
            a = own["late"][0]
        count = view.count - self.lag
        valid, safe = count > 0.5, np.maximum(count, 1.0)
        da, db = a - own["mean"], b - own["other mean"]
        mean, other = own["mean"] + da / safe, own["other mean"] + db / safe
        new |= {
            "mean": np.where(valid, mean, 0.0),
            "other mean": np.where(valid, other, 0.0),
            "squares": np.where(valid, own["squares"] + da * (a - mean), 0.0),
            "other squares": np.where(valid, own["other squares"] + db * (b - other), 0.0),
            "products": np.where(valid, own["products"] + da * (b - other), 0.0),
        }
        return new

    def finish(self, own, view):
        return own["products"] / np.sqrt(own["squares"] * own["other squares"])


@dataclass(frozen=True)
class Synchrony(Observer):
    """Variance of a population's mean over the mean of its units' variances, square root (Golomb and Rinzel 1993)."""

    of: object

    def functions(self):
        return {"of": self.of}

    def start(self, view):
        if len(view.shape()) != 1:
            raise ValueError(f"observe.synchrony of {self.of!r}: expected a vector of units")
        size = view.shape()[0]
        return {"mean": np.zeros(size), "squares": np.zeros(size), "population": 0.0, "population squares": 0.0}

    def sample(self, own, view):
        value = view.value()
        deviation = value - own["mean"]
        mean = own["mean"] + deviation / view.count
        average = np.mean(value)
        population_deviation = average - own["population"]
        population = own["population"] + population_deviation / view.count
        return {
            "mean": mean,
            "squares": own["squares"] + deviation * (value - mean),
            "population": population,
            "population squares": own["population squares"] + population_deviation * (average - population),
        }

    def finish(self, own, view):
        return np.sqrt(own["population squares"] / np.mean(own["squares"]))


@dataclass(frozen=True)
class Fold(Observer):
    """One's own accumulation."""

    start_values: dict
    update: object
    result: object

    def trace(self, what, model):
        def arguments(graph):
            own = {
                name: wrap(graph, graph.input("own", name, np.shape(value)))
                for name, value in self.start_values.items()
            }
            return Names("accumulator", own), *model.arguments(graph, "x", "z", "t")

        def unpack(result):
            if not isinstance(result, dict) or set(result) != set(self.start_values):
                raise ValueError(f"update of {what} must return a dict of {', '.join(self.start_values)}")
            return result

        return {
            "update": trace(f"update of {what}", self.update, arguments, unpack),
            "finish": trace(f"finish of {what}", self.result, arguments, lambda result: {"": result}),
        }

    def start(self, view):
        return {
            name: np.asarray(value, np.float64) if np.ndim(value) else float(value)
            for name, value in self.start_values.items()
        }

    def sample(self, own, view):
        return view.field.call(view.templates["update"], view.x, view.clock, own=own)

    def finish(self, own, view):
        return view.field.call(view.templates["finish"], view.x, view.clock, own=own)[""]
