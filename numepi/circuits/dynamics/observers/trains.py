"""Statistics of trains of events: counts, intervals, phases, bursts; of a vector of events one for each unit."""

from dataclasses import dataclass

import numpy as np

from numepi.circuits.dynamics.observers.base import Observer, time_between, zeros

__all__ = ["Bursts", "Count", "FirstTime", "IntervalCV", "MeanInterval", "Phase"]


@dataclass(frozen=True)
class _OfOneEvent(Observer):
    event: str

    def events(self):
        return (self.event,)

    def moment(self, view, which):
        """(number, part) of the ``first`` or ``last`` event so far."""
        return view.slot(self.event, f"{which} number"), view.slot(self.event, f"{which} part")

    def here(self, view):
        """(number, part) of the event in this step, if there is one."""
        return view.number, view.record.hits[self.event].fraction


@dataclass(frozen=True)
class Count(_OfOneEvent):
    """Number of events, or that number by time."""

    per_time: bool = False
    counts = True

    def finish(self, own, view):
        scale = 1.0 / (view.model.duration - view.model.observe_from) if self.per_time else 1.0
        return view.slot(self.event, "count") * scale


@dataclass(frozen=True)
class FirstTime(_OfOneEvent):
    """Time of the first event, counted from the beginning of the simulation; NaN without one."""

    of_events = True

    def finish(self, own, view):
        time = time_between(view, (0.0, 0.0), self.moment(view, "first"))
        return np.where(view.slot(self.event, "count") > 0.5, time, np.nan)


@dataclass(frozen=True)
class MeanInterval(_OfOneEvent):
    """(last - first) / (count - 1); NaN below two events."""

    of_events = True

    def finish(self, own, view):
        count = view.slot(self.event, "count")
        time = time_between(view, self.moment(view, "first"), self.moment(view, "last"))
        return np.where(count > 1.5, time / np.where(count > 1.5, count - 1.0, 1.0), np.nan)


@dataclass(frozen=True)
class _Intervals(_OfOneEvent):
    """Observers that see each interval when it ends."""

    of_events = True

    def previous(self, own, view):
        """The event before this step's, and whether there was one in the window."""
        return (own["number"], own["part"]), own["events"] > 0.5

    def remember(self, own, view):
        """Accumulators that hold this step's event for the next."""
        seen, here = view.seen(self.event), self.here(view)
        return {
            "number": np.where(seen, here[0], own["number"]),
            "part": np.where(seen, here[1], own["part"]),
            "events": own["events"] + np.where(seen, 1.0, 0.0),
        }

    def nothing_yet(self, view, *names):
        """Zeros by name."""
        return dict.fromkeys(("number", "part", "events", *names), zeros(view.event_shape(self.event)))


@dataclass(frozen=True)
class IntervalCV(_Intervals):
    """Standard deviation (ddof 0) over mean of the intervals; NaN below three events."""

    def start(self, view):
        return self.nothing_yet(view, "intervals", "mean", "squares")

    def step(self, own, view):
        before, some = self.previous(own, view)
        ends = view.seen(self.event) & some
        interval = time_between(view, before, self.here(view))
        intervals = own["intervals"] + np.where(ends, 1.0, 0.0)
        deviation = interval - own["mean"]
        mean = own["mean"] + deviation / np.maximum(intervals, 1.0)
        return self.remember(own, view) | {
            "intervals": intervals,
            "mean": np.where(ends, mean, own["mean"]),
            "squares": np.where(ends, own["squares"] + deviation * (interval - mean), own["squares"]),
        }

    def finish(self, own, view):
        intervals = own["intervals"]
        some = intervals > 1.5
        mean = np.where(some, own["mean"], 1.0)
        return np.where(some, np.sqrt(own["squares"] / np.where(some, intervals, 1.0)) / mean, np.nan)


@dataclass(frozen=True)
class Phase(_Intervals):
    """Where in the cycle of ``of`` an event happens: mean over the cycles that have one (the first in each)."""

    of: str = ""

    def events(self):
        return (self.of, self.event)

    def start(self, view):
        start = dict.fromkeys(
            ("number", "part", "cycles", "waiting", "inside number", "inside part", "total", "used"), 0.0
        )
        shape = view.event_shape(self.event)
        return {
            n: zeros(shape) if n in ("waiting", "inside number", "inside part", "total", "used") else v
            for n, v in start.items()
        }

    def step(self, own, view):
        other = view.record.hits[self.of]
        closes = view.seen(self.of)
        complete = closes & (own["cycles"] > 0.5)
        begin, end = (own["number"], own["part"]), (view.number, other.fraction)
        new = {
            "number": np.where(closes, view.number, own["number"]),
            "part": np.where(closes, other.fraction, own["part"]),
            "cycles": own["cycles"] + np.where(closes, 1.0, 0.0),
        }
        inside = own["inside number"], own["inside part"]
        here = view.record.hits[self.event].fraction
        happens = view.seen(self.event)
        early = happens & ~(closes & (here >= other.fraction))  # before this step's end of the cycle, if any
        first = early & (own["waiting"] < 0.5) & (own["cycles"] > 0.5)
        inside = np.where(first, view.number, inside[0]), np.where(first, here, inside[1])
        waiting = np.where(first, 1.0, own["waiting"])
        uses = complete & (waiting > 0.5)
        length = np.where(uses, time_between(view, begin, end), 1.0)
        phase = time_between(view, begin, inside) / length
        late = happens & closes & (here >= other.fraction)  # the first of the next cycle
        return new | {
            "inside number": np.where(late, view.number, inside[0]),
            "inside part": np.where(late, here, inside[1]),
            "waiting": np.where(late, 1.0, np.where(closes, 0.0, waiting)),
            "total": own["total"] + np.where(uses, phase, 0.0),
            "used": own["used"] + np.where(uses, 1.0, 0.0),
        }

    def finish(self, own, view):
        some = own["used"] > 0.5
        return np.where(some, own["total"] / np.where(some, own["used"], 1.0), np.nan)


@dataclass(frozen=True)
class Bursts(_Intervals):
    """Bursts: events without a gap longer than ``gap``; complete ones that began in the window count."""

    gap: float = 0.0
    what: str = "duration"  # "duration", "period", "duty cycle" or "spikes"

    @property
    def counts(self):
        return self.what == "spikes"

    def check(self, model):
        if not self.gap > 0:
            raise ValueError(f"gap = {self.gap}: give the time above zero that separates bursts")

    def start(self, view):
        return self.nothing_yet(
            view, "spikes", "begun", "begin number", "begin part", "bursts", "durations", "periods", "all spikes"
        )

    def step(self, own, view):
        before, some = self.previous(own, view)
        here, seen = self.here(view), view.seen(self.event)
        begins = seen & some & (time_between(view, before, here) > self.gap)
        begin = own["begin number"], own["begin part"]
        ends = begins & (own["begun"] > 0.5)  # a burst whose beginning was seen is complete
        duration, period = time_between(view, begin, before), time_between(view, begin, here)
        return self.remember(own, view) | {
            "begun": np.where(begins, 1.0, own["begun"]),
            "begin number": np.where(begins, here[0], begin[0]),
            "begin part": np.where(begins, here[1], begin[1]),
            "spikes": np.where(begins, 1.0, own["spikes"] + np.where(seen, 1.0, 0.0)),
            "bursts": own["bursts"] + np.where(ends, 1.0, 0.0),
            "durations": own["durations"] + np.where(ends, duration, 0.0),
            "periods": own["periods"] + np.where(ends, period, 0.0),
            "all spikes": own["all spikes"] + np.where(ends, own["spikes"], 0.0),
        }

    def finish(self, own, view):
        some = own["bursts"] > 0.5
        above, below = {
            "duration": ("durations", "bursts"), "period": ("periods", "bursts"),
            "duty cycle": ("durations", "periods"),
            "spikes": ("all spikes", "bursts"),
        }[self.what]  # fmt: skip
        return np.where(some, own[above] / np.where(some, own[below], 1.0), np.nan)
