"""`Dynamics`: a user's model as a circuit."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from numepi.annotations import Seed
from numepi.arguments import check_count, check_number, check_text
from numepi.circuits.base import Circuit
from numepi.circuits.dynamics import checks
from numepi.circuits.dynamics.description import describe_model, digest, restore, source_text
from numepi.circuits.dynamics.events import Event
from numepi.circuits.dynamics.given_noise import given_noise
from numepi.circuits.dynamics.model import Model, element_names
from numepi.circuits.dynamics.observers.base import Observer
from numepi.circuits.dynamics.program import Build
from numepi.circuits.dynamics.reference import reference
from numepi.circuits.dynamics.step_check import StepCheck
from numepi.circuits.dynamics.trajectories import ModelTrajectories, paths_of
from numepi.random_streams import stream_key
from numepi.simulation.programs import ProgramJob
from numepi.support import Support

__all__ = ["Dynamics"]

Function = Callable[..., Any]  # (x, z, t), or (x, z, t, xi) for a map


class Dynamics(Circuit):
    """A circuit given by its equations, as plain Python functions.

    Parameters
    ----------
    drift : callable
        ``drift(x, z, t)`` -> derivatives of the states, by name (a dict) or in their order.  ``x.v`` or ``x["v"]`` is a
        state, ``z.I`` a parameter (or a constant of the task), ``t`` the time.
    states : dict
        Initial values by name: numbers, arrays (vector states), functions of z, or random (`numepi.initial`).
    parameters : dict
        Bounds (lowest, highest) by name; arrays of bounds make vectors and matrices.
    statistics : dict
        Of `numepi.observe`, by name; a vector gives one statistic for each element, a task one for each task.
    dt, duration, observe_from : float
        Step, end, and beginning of the window of observation, in the units of time of the equations.
    noise : callable, optional
        ``noise(x, z, t)`` -> amplitudes of independent normals per square root of time, by name of the noisy states; a
        tuple of amplitudes for several noises.
    step : callable, optional
        In place of drift, for a map: ``step(x, z, t, xi)`` -> the next state; t counts steps times dt.
    normals : tuple of str, or dict of shapes
        Standard normals that ``xi`` holds at each step of a map.
    events : dict of Event
    tasks : dict of dicts
        Constants by task: the model is simulated once for each.
    trials : int
        Simulations with noise of their own, over which statistics are averaged.
    method : "euler", "heun", "rk4" or "exponential-euler", optional
        With noise "euler" (Euler-Maruyama, Ito) by default, else "rk4"; "heun" is Stratonovich.
    least_share : float
        A statistic is the mean over the trials that have one, where at least this share has; 1 (the default): all must.
        Below 1 the mean is that of the trials that have one: biased where having one and its value go together.
    name : str
        What results and files call the circuit.

    Raises
    ------
    TypeError, ValueError, AttributeError
        With a line that says what to change, where the model cannot be used as it stands.

    Examples
    --------
    >>> import numepi as ne
    >>> decay = ne.Dynamics(
    ...     lambda x, z, t: {"v": -z.rate * x.v}, states={"v": 1.0}, parameters={"rate": (0.5, 2.0)},
    ...     statistics={"end": ne.observe.final("v")}, dt=0.01, duration=1.0)
    >>> f, jacobian = decay.statistics_and_jacobian([[1.0]])
    >>> print(f.round(6), jacobian.round(6))
    [[0.367879]] [[[-0.367879]]]
    """

    def __init__(
        self,
        drift: Function | None = None,
        states: Mapping[str, Any] | None = None,
        parameters: Mapping[str, Any] | None = None,
        statistics: Mapping[str, Observer] | None = None,
        dt: float | None = None,
        duration: float | None = None,
        observe_from: float = 0.0,
        noise: Function | None = None,
        step: Function | None = None,
        normals: Sequence[str] | Mapping[str, tuple[int, ...]] = (),
        events: Mapping[str, Event] | None = None,
        tasks: Mapping[str, Mapping[str, ArrayLike]] | None = None,
        trials: int = 1,
        method: str | None = None,
        least_share: float = 1.0,
        name: str = "dynamics",
    ) -> None:
        if states is None or parameters is None or statistics is None:
            missing = [
                n for n, v in zip(("states", "parameters", "statistics"), (states, parameters, statistics)) if v is None
            ]
            raise TypeError(f"{' and '.join(missing)} missing: give a dict by name")
        events, tasks = events or {}, tasks or {}
        checks.check_states(states)
        checks.check_names("statistics", statistics)
        if not statistics:
            raise ValueError("statistics is empty: give at least one of ne.observe, by name")
        bounds = checks.check_parameters(parameters)
        checks.check_tasks(tasks, parameters)
        dt, duration, observe_from = checks.check_times(dt, duration, observe_from)
        method = checks.check_method(method, drift, step, noise)
        checks.check_events(events, dt, method == "map")
        normals = checks.check_normals(normals, method == "map")
        self.trials = check_count("trials", trials)
        self.least_share = check_number("least_share", least_share, above=0, most=1)
        if not check_text("name", name):
            raise ValueError("name = '': give one of at least one letter")
        self.name = name
        self.model = Model(
            {"drift": drift, "step": step, "noise": noise}, states, {n: b[0].shape for n, b in bounds.items()}, tasks,
            events, method, dt, duration, observe_from, normals,
        )  # fmt: skip
        self.observers = {key: self._observer(key, observer) for key, observer in statistics.items()}
        self.functions: dict[str, Any] | None = {
            "drift": drift,
            "step": step,
            "noise": noise,
            "states": states,
            "events": events,
        }
        self.text = {
            n: source_text(f) for n, f in (("drift", drift), ("step", step), ("noise", noise)) if f is not None
        }
        self._name_all(*(np.concatenate([np.ravel(b[side]) for b in bounds.values()]) for side in (0, 1)))

    def _name_all(self, lower, upper):
        self.support = Support(lower, upper)
        self.parameter_names = tuple(e for n, s in self.model.parameters.items() for e in element_names(n, s))
        self.statistic_names = self._statistic_names()

    def _observer(self, key, observer):
        if not isinstance(observer, Observer):
            raise TypeError(
                f"statistics[{key!r}] is a {type(observer).__name__}: choose one of ne.observe, as ne.observe.mean('v')"
            )
        for event in observer.events():
            if event not in self.model.events:
                known = ", ".join(self.model.events) or "none"
                raise ValueError(
                    f"statistics[{key!r}] is about the event {event!r}: there is no such event (there are {known})"
                )
        observer.check(self.model)
        return observer, observer.trace(f"statistics[{key!r}]", self.model)

    def _statistic_names(self):
        names = [name for key in self.observers for name in element_names(key, self._build.statistics[key])]
        return (
            tuple(f"{name}_{task}" for task in self.model.tasks for name in names) if self.model.tasks else tuple(names)
        )

    def _names_of(self, key):
        names = element_names(key, self._build.statistics[key])
        return [f"{name}_{task}" for task in self.model.tasks for name in names] if self.model.tasks else names

    @cached_property
    def _build(self):
        return Build(self.model, self.observers)

    # -- what the model is, as plain data
    @cached_property
    def description(self) -> dict[str, Any]:
        """The whole model in JSON's types: `Dynamics.from_description` makes it again, without its functions."""
        return describe_model(self)

    @classmethod
    def from_description(cls, description: Mapping[str, Any]) -> "Dynamics":
        """The model that `description` describes; it has no functions for `reference`."""
        self = object.__new__(cls)
        self.trials, self.least_share = description["trials"], description["least_share"]
        self.name, self.text, self.functions = description["name"], description["text"], None
        self.model = Model.from_description(description)
        self.observers = {
            name: (Observer.from_description(d), {n: restore(t) for n, t in d["functions"].items()})
            for name, d in description["statistics"].items()
        }
        self._name_all(np.array(description["lower"]), np.array(description["upper"]))
        return self

    def __reduce__(self):
        return Dynamics.from_description, (self.description,)

    @property
    def settings(self) -> dict[str, Any]:
        """What defines the model, for results and checkpoints: numbers, and a fingerprint of every function."""
        parts = dict(self.description)
        for name in ("templates", "events", "statistics"):
            parts[name] = {key: digest(value) for key, value in parts[name].items()}
        del parts["text"], parts["lower"], parts["upper"]
        return parts

    def __repr__(self):
        model = self.model
        noise = ", noise" if self.noise_names else ""
        return (
            f"Dynamics({self.name!r}: states {', '.join(model.states)}; parameters {', '.join(model.parameters)}; "
            f"{model.method}, {model.steps} steps of {model.dt:g}{noise})"
        )

    @property
    def time(self) -> np.ndarray:
        """Sample times, in the units of the equations."""
        return np.arange(self.model.steps + 1) * self.model.dt

    @property
    def noise_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """ "initial" and "noise", as far as the model has them."""
        return tuple(
            n for n, size in (("initial", sum(self._build.n_random.values())), ("noise", self._build.n_noise)) if size
        )

    def _job(self, noise, build=None):
        build = build or self._build
        program, constants = build.program
        given, trials = given_noise(build, noise, self.trials)
        tasks = np.array([
            [v for values in (self.model.tasks[task],) for name in self.model.constants for v in np.ravel(values[name])]
            for task in self.model.tasks
        ]).reshape(program.n_tasks, -1)  # fmt: skip
        return ProgramJob(
            program,
            trials,
            build.drive(),
            constants,
            tasks,
            given,
            build.observe_from,
            self.least_share,
            build.tables(),
            lambda: build.for_threads,
        )

    # -- derivatives
    @property
    def differentiable_statistics(self) -> tuple[str, ...]:
        """Names of the statistics that have a Jacobian.

        Counts never do.  Where there is noise, times of events do not, nor does anything in a model whose events reset:
        the derivative at fixed noise exists there, but it is not that of the mean.
        """
        return tuple(
            name
            for key, (observer, _) in self.observers.items()
            for name in self._names_of(key)
            if self._is_differentiable(observer)
        )

    def _is_differentiable(self, observer):
        noisy = bool(self._build.n_noise)
        return not (observer.counts or (noisy and (observer.of_events or self.model.resets)))

    @property
    def differentiable(self) -> bool:  # type: ignore[override]
        """Whether all statistics have a Jacobian."""
        return all(self._is_differentiable(observer) for observer, _ in self.observers.values())

    def statistics_and_jacobian(
        self,
        z: ArrayLike,
        rng: Seed = 0,
        first_index: int = 0,
        noise: Mapping[str, ArrayLike] | None = None,
        precision: str = "float64",
        device: str = "cpu",
    ) -> tuple[np.ndarray, np.ndarray]:
        """Statistics (n, k) and Jacobian (n, k, D); TypeError where a statistic has no derivative."""
        without = [key for key, (observer, _) in self.observers.items() if not self._is_differentiable(observer)]
        if without:
            raise TypeError(
                f"{', '.join(without)}: no derivative exists (counts have none; times of events none with noise): call "
                "statistics, or infer with gradient='none'"
            )
        return super().statistics_and_jacobian(z, rng, first_index, noise, precision, device)

    # -- trajectories
    @cached_property
    def _paths(self):
        return Build(self.model.changed(observe_from=0.0), {}, keep=True)

    def simulate(
        self, z: ArrayLike, rng: Seed = 0, noise: Mapping[str, ArrayLike] | None = None, every: int = 1
    ) -> ModelTrajectories:
        """States, and times of events, at each parameter (rows of ``z`` (n, D)).

        Parameters
        ----------
        z : array (n, D)
        rng : int, SeedSequence or Generator
        noise : dict of arrays, optional
            See `noise_names`.
        every : int
            Keep every so many-th sample of the states (events are all kept).

        Returns
        -------
        ModelTrajectories
        """
        every = check_count("every", every)
        z = self._check_parameters(z)
        job, key = self._job(self._check_noise(noise, len(z)), self._paths), stream_key(rng)
        states, events = paths_of(self._paths, job, z, key, every)
        names = tuple(e for n, shape in self.model.states.items() for e in element_names(n, shape))
        return ModelTrajectories(self.time[::every], states, names, events)

    # -- checks
    def reference(self, z: ArrayLike, rng: Seed = 0, first_index: int = 0) -> np.ndarray:
        """Statistics (n, k) by the model's own functions in plain NumPy, slowly, with the noise of `statistics`.

        For checking and teaching: print and debug inside the functions.
        """
        if self.functions is None:
            raise ValueError("a loaded model has no functions to run in NumPy: make it from its own code")
        kept = [name for name, (observer, _) in self.observers.items() if observer.kept]
        if kept:
            raise ValueError(f"{', '.join(kept)}: a softmax frequency is computed by compiled code only")
        return reference(self, self._check_parameters(z), stream_key(rng), first_index)

    def check_step(self, z: ArrayLike, rng: Seed = 0) -> StepCheck:
        """How far statistics move when the step is halved.

        Parameters
        ----------
        z : array (n, D)
        rng : int, SeedSequence or Generator
            Of the noise; its paths differ between the two, so statistics of few trials move by chance, too.

        Returns
        -------
        StepCheck
        """
        half = object.__new__(Dynamics)
        vars(half).update({n: v for n, v in vars(self).items() if n not in ("_build", "_paths", "description")})
        half.model = self.model.changed(dt=self.model.dt / 2)
        return StepCheck(self.model.dt, self.statistic_names, self.statistics(z, rng), half.statistics(z, rng))
