"""How an observer is written: accumulators that start, are updated, and are finished, in plain NumPy that is traced."""

from dataclasses import dataclass, fields

import numpy as np

from numepi.archive import plain
from numepi.circuits.dynamics.description import source_text
from numepi.circuits.dynamics.events import is_seen
from numepi.circuits.dynamics.methods import Clock

__all__ = ["Observer", "View", "time_between", "zeros"]


@dataclass(frozen=True)
class View:
    """What an observer sees.

    Attributes
    ----------
    model : Model
    field : TracedField or NumpyField
    templates : dict
        The observer's functions, traced.
    x : dict
        The states now.
    clock : Clock
        Where in the step they are.
    slots : dict
        What is kept of events, up to now.
    number : float
        Of the step that ended here (0: the first).
    count : float
        Number of this sample among those observed: 1, 2, ...
    record : StepRecord
        What the step did, for `Observer.step`.
    """

    model: object
    field: object
    templates: dict
    x: dict
    clock: Clock
    slots: dict | None = None
    number: object = None
    count: object = None
    record: object = None

    def value(self, name="of", x=None, clock=None):
        """One of the observer's functions, here or elsewhere."""
        return self.field.value(self.templates[name], self.x if x is None else x, clock or self.clock)

    def shape(self, name="of"):
        """Shape of one of the observer's functions."""
        return self.templates[name].shape()

    def slot(self, event, key):
        """What is kept of an event: see `numepi.circuits.dynamics.events.SLOTS`."""
        return self.slots[f"{event}.{key}"]

    def seen(self, event):
        """Whether an event happened in this step, within the window."""
        return is_seen(self.model, self.record.hits[event], self.number)

    def event_shape(self, event):
        """() or the number of units, each with events of its own."""
        return self.model.events[event].shape


class Observer:
    """Base of all observers: dataclasses of plain values, names and functions.

    Class attributes: ``counts`` says that the value counts, so that it never has a derivative; ``of_events`` that it
    rests on times of events, which have none in noisy models;
    ``in_window`` that it looks at no sample before the window.
    """

    counts = False
    of_events = False
    in_window = True

    def trace(self, what, model):
        """Templates of its functions."""
        return {name: model.function(what, of) for name, of in self.functions().items()}

    def functions(self):
        """Functions of (x, z, t), or names of states, by the observer's own names for them."""
        return {}

    def events(self):
        """Names of the events that it needs."""
        return ()

    def start(self, view):
        """Accumulators before anything is observed: numbers or arrays by name."""
        return {}

    def sample(self, own, view):
        """The accumulators after another sample."""
        return own

    def step(self, own, view):
        """The accumulators after another step; they must be others than those of `sample`."""
        return own

    def finish(self, own, view):
        """What the accumulators come to, after the last step."""
        raise NotImplementedError

    def answer(self, own, view):
        """The statistic; NaN where what its events are about is no number at the end.

        A state that ran away crosses nothing any more: a simulation that failed would count as silent.
        """
        value = self.finish(own, view)
        for name in self.events():
            event = view.model.events[name]
            watched = view.field.value(event.template if event.level is None else event.level, view.x, view.clock)
            value = np.where(np.isfinite(watched), value, np.nan)
        return value

    def check(self, model):
        """Raise ValueError where the model does not have what the observer needs."""

    def description(self):
        """Kind and arguments in JSON's types; functions by their text, which is never executed."""
        arguments = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            "observer": type(self).__name__,
            "arguments": {n: source_text(v) if callable(v) else plain(v) for n, v in arguments.items()},
        }

    @staticmethod
    def from_description(description):
        """The observer that `description` described."""
        kinds = {kind.__name__: kind for kind in _subclasses(Observer)}
        arguments = {n: tuple(v) if isinstance(v, list) else v for n, v in description["arguments"].items()}
        return kinds[description["observer"]](**arguments)

    @property
    def kept(self):
        """Whether its value needs all samples: see `numepi.circuits.dynamics.observers.spectrum`."""
        return False


def time_between(view, early, late):
    """Time from one moment to another, each (number of the step, part of it)."""
    return ((late[0] - early[0]) + (late[1] - early[1])) * view.model.dt


def _subclasses(kind):
    for own in kind.__subclasses__():
        yield own
        yield from _subclasses(own)


def zeros(shape):
    """A start value."""
    return np.zeros(shape) if shape else 0.0
