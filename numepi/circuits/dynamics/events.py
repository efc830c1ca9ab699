"""Events within a step: where they are, what they reset, and the segments that they split the step into.

All of it is part of the traced map, so that derivatives of times, of states after resets and of refractory times come
out of differentiating the map.  A step has at most two segments.  Times are counted in steps, as a pair (number of the
step, fraction of it), the number exact in any precision.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from numepi.arguments import check_callable, check_number, shown
from numepi.circuits.dynamics.methods import Clock, Segment

__all__ = ["SLOTS", "Event", "Hit", "StepRecord", "advance", "between", "crossing", "is_seen"]

# What is kept of every event: how often it happened in the window, and the first and the last time.
SLOTS = ("count", "first number", "first part", "last number", "last part")
_NEWTON = 3  # after the straight line: a cubic's root to the last digits (quadratic convergence)
_GRAZING = 1e-9  # slope at an event relative to the mean slope over the step, below which it grazes


@dataclass(frozen=True)
class Event:
    """A moment of the simulation: a function of the state crosses zero.

    Parameters
    ----------
    function : callable
        ``function(x, z, t)`` crosses zero at the event.  A vector means one event for each element.
    direction : +1, -1 or 0
        Upwards, downwards, or both.
    reset : callable, optional
        ``reset(x, z, t)`` sees the state at the event and returns new values by name: {"v": z.v_reset}.
    refractory : float
        Time after an event during which the states that ``reset`` names are held, and no event of that kind happens; 0
        or at least one step.
    above : float, optional
        Of maxima, which `Event.peak` makes: those below do not count.

    Notes
    -----
    `Event.peak` makes the other kind: local maxima of a state.
    """

    function: Callable[..., Any] | str
    direction: int = +1
    reset: Callable[..., Mapping[str, Any]] | None = None
    refractory: float = 0.0
    above: float | None = field(default=None, kw_only=True)

    def __post_init__(self):
        if not callable(self.function) and not (self.is_peak and isinstance(self.function, str)):
            wanted = "the name of a state, or a function (x, z, t)" if self.is_peak else "a function (x, z, t)"
            remedy = "" if self.is_peak else " that crosses zero, or ne.Event.peak(name) for maxima of a state"
            raise TypeError(f"function = {shown(self.function)}: give {wanted}{remedy}")
        if isinstance(self.direction, (bool, float)) or self.direction not in (-1, 0, 1):
            raise ValueError(f"direction = {shown(self.direction)}: choose +1 (upwards), -1 (downwards) or 0 (both)")
        if self.reset is not None:
            check_callable("reset", self.reset, "a function (x, z, t) -> new values by name")
        check_number("refractory", self.refractory, least=0)

    @classmethod
    def peak(cls, of: str | Callable[..., Any], above: float = -np.inf, refractory: float = 0.0) -> "Event":
        """Local maxima of a state (a name, or a function of x, z, t) above a level.

        In maps and noisy models the greatest of three neighbouring samples; its time is the vertex of the parabola
        through them.
        """
        if not callable(of) and not (isinstance(of, str) and of):
            raise TypeError(f"of = {shown(of)}: give the name of a state, or a function (x, z, t)")
        above = check_number("above", above, below=np.inf, open_ended=True)
        return cls(of, direction=-1, refractory=refractory, above=above)

    @property
    def is_peak(self) -> bool:
        """Whether it was made by `peak`."""
        return self.above is not None


class Hit(NamedTuple):
    """An event in a step: whether, when (fraction of the step; minus one to one for peaks), and the state there."""

    happened: object
    fraction: object
    state: dict


class StepRecord(NamedTuple):
    """What a step did, for observers: events by name, and the stretches between them with their beginnings."""

    hits: dict
    stretches: list


def crossing(field, smooth, before, after, slope_before, slope_after, direction):
    """Whether a function crosses zero between two places, and at which part of the way.

    ``slope_before`` and ``slope_after`` are per way; a straight line unless ``smooth``.
    """
    up, down = (before < 0.0) & (after >= 0.0), (before > 0.0) & (after <= 0.0)
    happened = up if direction > 0 else down if direction < 0 else up | down
    a, b = np.where(happened, before, -0.5), np.where(happened, after, 0.5)
    part = a / (a - b)
    if not smooth:
        return happened, part
    da, db = np.where(happened, slope_before, 1.0), np.where(happened, slope_after, 1.0)
    c2, c3 = 3.0 * (b - a) - 2.0 * da - db, 2.0 * (a - b) + da + db
    q = field.stop(part)
    for _ in range(_NEWTON):
        slope = da + q * (2.0 * c2 + q * (3.0 * c3))
        q = field.stop(
            np.clip(q - (a + q * (da + q * (c2 + q * c3))) / np.where(np.abs(slope) > 0.0, slope, 1.0), 0.0, 1.0)
        )
    slope = field.stop(da + q * (2.0 * c2 + q * (3.0 * c3)))
    grazes = np.abs(slope) <= _GRAZING * np.abs(field.stop(b - a))
    root = q - (a + q * (da + q * (c2 + q * c3))) / np.where(grazes, 1.0, slope)
    return happened, field.graze(root, grazes)


def between(x, y, rates_x, rates_y, part, h):
    """States at a part of the way from ``x`` to ``y``: a straight line, or with rates the cubic that has them."""
    if rates_x is None:
        return {n: x[n] + part * (y[n] - x[n]) for n in x}
    states = {}
    for n in x:
        da, db = h[n] * rates_x[n], h[n] * rates_y[n]
        curve = 3.0 * (y[n] - x[n]) - 2.0 * da - db, 2.0 * (x[n] - y[n]) + da + db
        states[n] = x[n] + part * (da + part * (curve[0] + part * curve[1]))
    return states


class Stretch(NamedTuple):
    """A part of a step that a method has advanced over."""

    x: dict
    y: dict
    rates_x: dict
    rates_y: dict
    clock_x: Clock
    clock_y: Clock
    h: dict
    length: object  # in steps
    hold: dict


def _advance(field, model, x, start, length, draws, hold, others=1.0):
    """Advance by a method over ``length`` steps (None: one whole step; a vector: each unit its own part).

    ``others``: what states of other shapes than the units' advance by.
    """
    dt = model.dt
    if length is None:
        h, root = dict.fromkeys(x, dt), dict.fromkeys(x, np.sqrt(dt))
    else:
        lengths = {n: length if np.shape(length) in ((), np.shape(v)) else others for n, v in x.items()}
        h, root = {n: dt * v for n, v in lengths.items()}, {n: np.sqrt(dt * v) for n, v in lengths.items()}
    split = length is not None and np.ndim(length) == 0
    clock = Clock(start) if np.ndim(start) == 0 else Clock(0.0)
    segment = Segment(h, root, clock, length if split else None, draws, hold)
    y = field.advance(x, segment)
    end = segment.at(1.0)
    rates_x = rates_y = None
    if model.smooth:
        rates_x, rates_y = (_rates(field, state, at, hold) for state, at in ((x, clock), (y, end)))
    return Stretch(x, y, rates_x, rates_y, clock, end, h, 1.0 if length is None else length, hold)


def _rates(field, x, clock, hold):
    return {n: np.where(hold[n], 0.0, v) if n in hold else v for n, v in field.drift(x, clock).items()}


def _cross(field, model, event, stretch):
    """Whether and at which part of a stretch an event happens."""
    g = [field.value(event.template, state, clock) for state, clock in (
        (stretch.x, stretch.clock_x), (stretch.y, stretch.clock_y))]  # fmt: skip
    slopes = [None, None]
    if model.smooth:
        way = model.dt * stretch.length
        slopes = [
            way * field.slope(event.template, *at)
            for at in ((stretch.x, stretch.clock_x, stretch.rates_x), (stretch.y, stretch.clock_y, stretch.rates_y))
        ]
    happened, part = crossing(field, model.smooth, *g, *slopes, event.direction)
    if event.above is not None and event.above > -np.inf:
        state = between(stretch.x, stretch.y, stretch.rates_x, stretch.rates_y, part, stretch.h)
        happened = happened & (field.value(event.level, state, stretch.clock_x) > event.above)
    return happened, part, g[0]


def _peak(field, event, x, y, previous):
    """A maximum at the beginning of this step, from the samples before, at and after it."""
    before, here, after = previous, field.value(event.level, x, Clock(0.0)), field.value(event.level, y, Clock(1.0))
    happened = (here > before) & (here >= after) & (here > event.above)
    bend = np.where(happened, 2.0 * here - before - after, 1.0)
    return happened, np.where(happened, 0.5 * (after - before), 0.0) / bend, here


def _remaining(slots, name, number):
    """Steps until the refractory time ends (negative: over)."""
    return (slots[f"{name}.release number"] - number) + slots[f"{name}.release part"]


def advance(field, model, x, slots, number, draws):
    """One step: states and events' slots after it, and its record.

    Parameters
    ----------
    field : TracedField or NumpyField
    model : Model
    x, slots : dict
        States, and what is kept of events (`SLOTS`, refractory times, samples before).
    number : traced value
        Of the step, counted from 0, a float.
    draws : list of dict
        Normals of the noisy states, for the first and (where events reset) the second segment.

    Returns
    -------
    x, slots : dict
    record : StepRecord
    """
    slots = dict(slots)
    if not any(event.reset is not None for event in model.events.values()):
        first = _advance(field, model, x, 0.0, None, draws[0], {})
        hits = {name: _plain_hit(field, model, name, e, first, slots, number) for name, e in model.events.items()}
        stretches = [(first, 0.0)]
    else:
        hits, stretches = _with_resets(field, model, x, slots, number, draws)
    last = stretches[-1][0]
    for name, hit in hits.items():
        _count(model, slots, name, hit, number)
        event = model.events[name]
        if event.refractory and event.reset is None:
            _release(model, slots, name, hit, number)
    return last.y, slots, StepRecord(hits, stretches)


def _plain_hit(field, model, name, event, stretch, slots, number):
    """An event that resets nothing, in a whole step."""
    if event.sampled:
        happened, part, slots[f"{name}.previous"] = _peak(field, event, stretch.x, stretch.y, slots[f"{name}.previous"])
    else:
        happened, part, _ = _cross(field, model, event, stretch)
    if event.refractory:
        happened = happened & (_remaining(slots, name, number) <= part)
    return Hit(happened, part, None)


def _with_resets(field, model, x, slots, number, draws):
    """The two segments of a step that events or the ends of refractory times may split."""
    resetting = {n: e for n, e in model.events.items() if e.reset is not None}
    hold, length, split, held = {}, 1.0, False, {}
    for name, event in resetting.items():
        if not event.refractory:
            continue
        left = _remaining(slots, name, number)
        held[name] = left > 0.0
        ends = held[name] & (left < 1.0)
        length = np.minimum(length, np.where(ends, left, 1.0))
        split = split | ends
        for state in event.reset.outputs:
            hold[state] = hold[state] | held[name] if state in hold else held[name]
    first = _advance(field, model, x, 0.0, length if held else None, draws[0], hold)
    found = {}
    for name, event in resetting.items():
        happened, part, before = _cross(field, model, event, first)
        overdue = {1: before > 0.0, -1: before < 0.0, 0: False}[event.direction]
        happened, part = happened | overdue, np.where(overdue, 0.0, part * first.length)
        found[name] = [happened & ~held[name] if name in held else happened, part]
    # the earliest happens; another that is still due happens at the beginning of the next step
    earliest, any_hit = 2.0, False
    for happened, part in found.values():
        earliest, any_hit = np.minimum(earliest, np.where(happened, part, 2.0)), any_hit | happened
    taken = False
    for entry in found.values():
        entry[0] = entry[0] & (entry[1] <= earliest)
        if len(found) > 1:
            entry[0], taken = entry[0] & ~taken if taken is not False else entry[0], taken | entry[0]
    start = np.where(any_hit, earliest, first.length)
    at = between(x, first.y, first.rates_x, first.rates_y, start / first.length, first.h)
    state, hits = dict(first.y), {}
    for name, event in resetting.items():
        happened, part = found[name]
        for target, value in field.call(event.reset, at, Clock(start) if np.ndim(start) == 0 else Clock(0.0)).items():
            state[target] = np.where(happened, value, state[target])
        for other in x:
            if other not in event.reset.outputs and np.shape(happened) in ((), np.shape(x[other])):
                state[other] = np.where(happened, at[other], state[other])
        hits[name] = Hit(happened, part, at)
        if event.refractory:
            _release(model, slots, name, hits[name], number)
    again = np.where(any_hit | split, 1.0 - start, 0.0)
    hold = {}
    for name, event in resetting.items():
        if event.refractory:
            for target in event.reset.outputs:
                waits = _remaining(slots, name, number) > start
                hold[target] = hold[target] | waits if target in hold else waits
    second = _advance(field, model, state, start, again, draws[1], hold, others=0.0)
    if np.ndim(start) == 0:
        reached = {n: np.where(any_hit, at[n], first.y[n]) for n in x}
        first = first._replace(y=reached, length=start, h=dict.fromkeys(x, start * model.dt), clock_y=Clock(start))
        if model.smooth:
            first = first._replace(rates_y=_rates(field, reached, Clock(start), first.hold))
    for name, event in model.events.items():
        if event.reset is None:
            hits[name] = _hit_in_either(field, model, name, event, first, second, start, slots, number)
    return hits, [(first, 0.0), (second, start)]


def _hit_in_either(field, model, name, event, first, second, start, slots, number):
    """An event that resets nothing, in one of the two segments; the earlier if in both."""
    early, early_part, _ = _cross(field, model, event, first)
    late, late_part, _ = _cross(field, model, event, second)
    part = np.where(early, early_part * first.length, start + late_part * second.length)
    happened = early | (late & (second.length > 0.0))
    if event.refractory:
        happened = happened & (_remaining(slots, name, number) <= part)
    return Hit(happened, part, None)


def _release(model, slots, name, hit, number):
    """Set the end of the refractory time."""
    wait = model.events[name].refractory / model.dt
    slots[f"{name}.release number"] = np.where(hit.happened, number, slots[f"{name}.release number"])
    slots[f"{name}.release part"] = np.where(hit.happened, hit.fraction + wait, slots[f"{name}.release part"])


def _count(model, slots, name, hit, number):
    """Update what is kept of an event, if it is in the window."""
    seen = is_seen(model, hit, number)
    first = seen & (slots[f"{name}.count"] < 0.5)
    for which, condition in (("first", first), ("last", seen)):
        for key, value in (("number", number), ("part", hit.fraction)):
            slot = f"{name}.{which} {key}"
            slots[slot] = np.where(condition, value, slots[slot])
    slots[f"{name}.count"] = slots[f"{name}.count"] + np.where(seen, 1.0, 0.0)


def is_seen(model, hit, number):
    """Whether an event happened, and later than the beginning of the window."""
    if model.observe_from <= 0:
        return hit.happened
    return hit.happened & (number - model.observe_from / model.dt + hit.fraction > 0.0)
