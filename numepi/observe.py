"""Statistics of a `numepi.Dynamics`, computed while it runs: no trajectory is stored, and each has its derivative.

``of`` is the name of a state (``"v"``), of an element (``"r[0]"``), or a function ``(x, z, t)``; a vector gives one
statistic for each element.  Samples are taken after every step from ``observe_from`` on; events count if they are later
than that.  Times are in the units of the model's ``dt``.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from numepi.arguments import check_callable, check_count, check_mapping, check_number, check_text, real_array, shown
from numepi.circuits.dynamics.observers.base import Observer
from numepi.circuits.dynamics.observers.moments import Moments
from numepi.circuits.dynamics.observers.samples import (
    At,
    Correlation,
    Extreme,
    Final,
    Fold,
    Synchrony,
    TimeAbove,
)
from numepi.circuits.dynamics.observers.spectrum import Power, SoftmaxFrequency
from numepi.circuits.dynamics.observers.trains import Bursts, Count, FirstTime, IntervalCV, MeanInterval, Phase

__all__ = [
    "at", "band_power", "burst_duration", "burst_period", "correlation", "count", "duty_cycle", "final", "first_time",
    "fold", "interval_cv", "lagged_correlation", "maximum", "mean", "mean_interval", "minimum", "phase", "rate",
    "softmax_frequency", "spectral_peak", "spikes_per_burst", "std", "synchrony", "time_above", "variance",
]  # fmt: skip

# A state's name, an element's, or a function (x, z, t).
Observed = str | Callable[..., Any]


def mean(of: Observed, window: str | None = None) -> Observer:
    """Mean over time; ``window="cycles of spike"`` from the first to the last, best for an oscillator."""
    return Moments(_observed("of", of), "mean", _window(window))


def variance(of: Observed, window: str | None = None) -> Observer:
    """Variance over time (population, ddof 0); ``window`` as for `mean`."""
    return Moments(_observed("of", of), "variance", _window(window))


def std(of: Observed, window: str | None = None) -> Observer:
    """Standard deviation over time (population, ddof 0); its derivative is reported as zero where it is zero."""
    return Moments(_observed("of", of), "std", _window(window))


def minimum(of: Observed) -> Observer:
    """The least sample."""
    return Extreme(_observed("of", of), False)


def maximum(of: Observed) -> Observer:
    """The greatest sample."""
    return Extreme(_observed("of", of), True)


def final(of: Observed) -> Observer:
    """The value at the end."""
    return Final(_observed("of", of))


def at(of: Observed, time: float) -> Observer:
    """The value at a time (between samples on a straight line)."""
    return At(_observed("of", of), check_number("time", time, above=0))


def time_above(of: Observed, level: float) -> Observer:
    """Time spent above a level."""
    return TimeAbove(_observed("of", of), check_number("level", level))


def correlation(of: Observed, other: Observed) -> Observer:
    """Pearson's correlation of two values over time."""
    return Correlation(_observed("of", of), _observed("other", other))


def lagged_correlation(of: Observed, other: Observed, lag: int) -> Observer:
    """Pearson's correlation of a value with another, ``lag`` samples later."""
    return Correlation(_observed("of", of), _observed("other", other), check_count("lag", lag, least=0))


def synchrony(of: Observed) -> Observer:
    """Synchrony of a vector of units: 1 if all do the same, about 1 / sqrt(n) if they are independent.

    Square root of the variance over time of the population's mean over the mean variance of its units (Golomb and
    Rinzel 1993).
    """
    return Synchrony(_observed("of", of))


def band_power(of: Observed, frequencies: Sequence[float]) -> Observer:
    """Mean over ``frequencies`` of the power spectral density |sum (v - mean) exp(-2 pi i f t)|^2 dt / n."""
    return Power(_observed("of", of), _frequencies(frequencies))


def spectral_peak(of: Observed, frequencies: Sequence[float]) -> Observer:
    """The one of ``frequencies`` with the greatest power; it has no derivative."""
    return Power(_observed("of", of), _frequencies(frequencies), peak=True)


def softmax_frequency(of: Observed, frequencies: Sequence[float], slope: float, smoothing: int = 1) -> Observer:
    """A differentiable frequency: the mean of ``frequencies`` weighted by softmax(slope |X|).

    X is the spectrum of the samples, rectified, averaged over ``smoothing`` neighbours and freed of their mean: the
    hub frequency of the paper's STG circuit.
    """
    return SoftmaxFrequency(
        _observed("of", of),
        _frequencies(frequencies),
        check_number("slope", slope),
        check_count("smoothing", smoothing),
    )


def count(event: str) -> Observer:
    """Number of events in the window; it has no derivative."""
    return Count(_event("event", event))


def rate(event: str) -> Observer:
    """Number of events by the length of the window; no derivative: 1 / `mean_interval` has one."""
    return Count(_event("event", event), per_time=True)


def first_time(event: str) -> Observer:
    """Time of the first event in the window, from the beginning of the simulation; NaN without one."""
    return FirstTime(_event("event", event))


def mean_interval(event: str) -> Observer:
    """Mean time between events, (last - first) / (count - 1); NaN below two events."""
    return MeanInterval(_event("event", event))


def interval_cv(event: str) -> Observer:
    """Coefficient of variation of the times between events (ddof 0); NaN below three events."""
    return IntervalCV(_event("event", event))


def phase(event: str, of: str) -> Observer:
    """Where in the cycle of event ``of`` (0 to 1) another happens, mean over cycles that have one."""
    return Phase(_event("event", event), _event("of", of))


def burst_duration(event: str, gap: float) -> Observer:
    """Mean time from the first to the last event of a burst; a time above ``gap`` without an event ends it."""
    return Bursts(_event("event", event), check_number("gap", gap, above=0), "duration")


def burst_period(event: str, gap: float) -> Observer:
    """Mean time from the beginning of a burst to that of the next."""
    return Bursts(_event("event", event), check_number("gap", gap, above=0), "period")


def duty_cycle(event: str, gap: float) -> Observer:
    """Share of time within bursts: duration over period."""
    return Bursts(_event("event", event), check_number("gap", gap, above=0), "duty cycle")


def spikes_per_burst(event: str, gap: float) -> Observer:
    """Mean number of events in a burst; it has no derivative."""
    return Bursts(_event("event", event), check_number("gap", gap, above=0), "spikes")


def fold(
    start: Mapping[str, ArrayLike], update: Callable[..., Mapping[str, Any]], finish: Callable[..., Any]
) -> Observer:
    """A statistic of one's own.

    Parameters
    ----------
    start : dict
        Numbers or arrays to start from, by name.
    update : callable
        ``update(own, x, z, t)`` -> dict of the same names, after every sample; traced like the model's functions.
    finish : callable
        ``finish(own, x, z, t)`` -> the statistic, after the last.
    """
    start = check_mapping("start", start, "give numbers or arrays by name")
    if not start:
        raise ValueError("start is empty: give numbers or arrays by name")
    for name, value in start.items():
        check_text("a name of start", name)
        real_array(f"start[{name!r}]", value)
    check_callable("update", update, "a function (own, x, z, t)")
    return Fold(start, update, check_callable("finish", finish, "a function (own, x, z, t)"))


def _observed(name, value):
    """A name of a state or an element, or a function; whether there is such a state is for the model to say."""
    if callable(value):
        return value
    wanted = "give the name of a state, such as 'v' or 'r[0]', or a function (x, z, t)"
    if not isinstance(value, str):
        raise TypeError(f"{name} = {shown(value)}: {wanted}, not a {type(value).__name__}")
    if not re.fullmatch(r"\w+(\[[\d, ]+\])?", value):
        raise ValueError(f"{name} = {value!r}: {wanted}")
    return value


def _event(name, value):
    if not re.fullmatch(r"\w+", check_text(name, value)):
        raise ValueError(f"{name} = {value!r}: give the name of one of the model's events")
    return value


def _window(window):
    if window is not None and not re.fullmatch(r"cycles of \w+", check_text("window", window)):
        raise ValueError(f"window = {window!r}: write 'cycles of ' and the name of an event")
    return window


def _frequencies(frequencies):
    values = real_array("frequencies", frequencies)
    if values.ndim != 1 or not len(values) or not (values >= 0).all() or not np.isfinite(values).all():
        raise ValueError(f"frequencies = {shown(frequencies)}: give one or more finite numbers of zero or more")
    return tuple(values.tolist())
