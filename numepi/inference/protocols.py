"""What solvers, their phases and priors are to everybody else: the contracts that `numepi.infer` relies on."""

from typing import Any, Protocol, runtime_checkable

import numpy as np

from numepi.flow import Flow

__all__ = ["Phase", "Prior", "Solver"]


@runtime_checkable
class Prior(Protocol):
    """The reference density p0 of a relative entropy; it need not be normalised.

    A ``description`` (JSON-able), where a prior has one, tells a checkpoint one prior from another.
    """

    def log_prob(self, z: np.ndarray) -> np.ndarray:
        """Log p0 (n,) at ``z`` (n, D)."""

    def gradient(self, z: np.ndarray) -> np.ndarray:
        """d log p0 / dz (n, D) at ``z`` (n, D)."""


class Phase(Protocol):
    """A stretch of a solver's run, taken in steps.

    It reads and moves the solver that it was made with, and owns nothing that the solver's `Solver.state` lacks.
    """

    n_steps: int

    def take(self, steps: range) -> None:
        """Take the steps of these numbers, of 0 ... ``n_steps`` - 1; stop early where the solver has failed."""


class Solver(Protocol):
    """One run of a solver, made as ``solver(problem, flow, settings)`` and advanced by `step`.

    Owner of the flow's parameters and of everything that the run learns; the problem owns the account of simulations.
    Multipliers and violations are those of `problem.constraints`, m of them, in their own units.

    Attributes
    ----------
    settings_type : type
        Dataclass of the solver's settings, whose fields are keywords of `numepi.infer`.
    needs_gradient : bool
        Whether it is of no use without the circuit's Jacobian.
    takes_bounds : bool
        Whether it keeps the multipliers of upper bounds from being positive.
    problem : numepi.inference.problem.Problem
    flow : Flow
    theta : ndarray (n_parameters,) or None
        The flow's present parameters; None before `initialise` or `restore`.
    failure : str or None
        Why the run cannot go on, and the remedy.
    epoch, iteration : int
        Epochs (rounds) done, and the place within the present one: for people.
    trace : dict of list
        At least "entropy" (nats, relative to the prior where there is one).
    replicates : int
        Simulations of each parameter that the circuit's noise asks for.
    least_simulations : int
        Rows below which a budget allows nothing, and is refused.
    reserve : int
        Rows of a budget to keep back for score and certificate.
    surrogate_share : float
        Share of the variance of eta . T on fresh rows that a surrogate explains; 0 without one.
    """

    settings_type: type
    needs_gradient: bool
    takes_bounds: bool
    least_simulations: int
    problem: Any
    flow: Flow
    theta: np.ndarray | None
    failure: str | None
    trace: dict[str, list]

    @staticmethod
    def default_flow(circuit: Any, precision: str, prior: Prior | None) -> Flow:
        """The family that suits a circuit where the user names none."""

    @property
    def epoch(self) -> int:
        """See above."""

    @property
    def iteration(self) -> int:
        """See above."""

    @property
    def replicates(self) -> int:
        """See above."""

    @property
    def reserve(self) -> int:
        """See above."""

    @property
    def surrogate_share(self) -> float:
        """See above."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do, or ``failure`` says that nothing can be done."""

    @property
    def n_steps(self) -> int:
        """Steps of a full run: a guess, for the time left."""

    @property
    def steps_done(self) -> int:
        """Steps taken, of ``n_steps``."""

    @property
    def simulations_per_step(self) -> int:
        """Rows that the next step simulates at the most."""

    @property
    def multipliers(self) -> np.ndarray:
        """Eta (m,) of p ~ p0 exp(eta . T)."""

    @property
    def violation_in_stderr(self) -> np.ndarray:
        """|E[T] - mu_opt| (m,) of the last batch in its standard errors; NaN before there is one."""

    def initialise(self) -> None:
        """Begin a run that is not restored."""

    def step(self) -> None:
        """Advance by what should take well under a second besides its simulations."""

    def answer(self) -> tuple[np.ndarray, bool | None]:
        """Theta, and whether the constraints are met (None: for the score to say)."""

    def assessment(self) -> tuple[Any, Any] | None:
        """Score and certificate from the run's own rows; None: fresh ones are simulated for them."""

    def table(self) -> Any:
        """The run's rows as `numepi.simulations.Simulations`; None where their density is not known."""

    def history(self) -> dict[str, np.ndarray]:
        """Traces of the run, by name."""

    def state(self) -> dict[str, np.ndarray]:
        """Everything that `restore` needs to continue to the same bits."""

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Continue from what `state` returned."""
