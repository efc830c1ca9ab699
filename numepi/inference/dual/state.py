"""The whole state of a run of the dual solver: one frozen record, from whose fields checkpoints derive.

A phase is a function ``step(state, problem, flow, settings) -> state`` and owns nothing else.  What a phase wants
simulated it puts into ``request``; the solver fulfils it in batches, between which a run can be stopped.
"""

from dataclasses import dataclass, replace

import numpy as np

from numepi.inference.assessment.certificate import Certificate
from numepi.inference.assessment.score import Score
from numepi.inference.dual.multipliers import DualPoint, dual_start
from numepi.inference.dual.replay import Replay, add_foreign, add_round, empty_replay
from numepi.inference.dual.surrogate import Surrogate
from numepi.inference.optimiser import Moments
from numepi.inference.problem import Stream

__all__ = [
    "Answer",
    "Fit",
    "Request",
    "Rounds",
    "State",
    "Stretch",
    "Trace",
    "initial_state",
    "kept",
    "recorded",
    "request",
]


@dataclass(frozen=True)
class Request:
    """Rows to simulate: the first ``n_start`` from the start, then those of the flow, the last ``n_repeat`` repeated.

    A repeated row is simulated again with other noise: the last rows repeat the first of the flow's (or, where all are
    from the start, the first).
    ``f`` (done, k) and ``T`` (done, m) hold what is done.
    """

    z: np.ndarray
    n_start: int
    n_repeat: int
    purpose: int
    counter: int
    f: np.ndarray
    T: np.ndarray

    @property
    def complete(self):
        """Whether all rows are simulated."""
        return len(self.f) == len(self.z)


@dataclass(frozen=True)
class Fit:
    """A fit of the flow to the surrogate: steps taken of those planned, parameters, their running average.

    Attributes
    ----------
    landing : bool
        Whether the rate falls to the end of the steps.
    best : ndarray (P,)
        The nearest to the target of the starts and ends of the fit's stretches, and
    distance : float
        its KL(q || p), nats.
    repeated : int
        How often the present stretch was repeated.
    """

    step: int
    n_steps: int
    theta: np.ndarray
    average: np.ndarray
    landing: bool
    best: np.ndarray
    distance: float
    repeated: int


@dataclass(frozen=True)
class Answer:
    """A flow with its score and certificate from rows of its own."""

    theta: np.ndarray
    score: Score
    certificate: Certificate


@dataclass(frozen=True)
class Rounds:
    """Counters of rounds.

    Attributes
    ----------
    number : int
        Rounds simulated, surveys included.
    size : int
        Rows of the next round.
    misses : int
        Rounds in a row on whose rows the surrogate explained too little.
    allowance : int, optional
        Rows that were left when the surrogate was dropped; None before, or without a limit.
    left : int, optional
        Final rounds to come, without a surrogate; None until the dual's optimum has been reached.
    last : int, optional
        Rows for the last phase without a surrogate; None before, or without a limit.
    """

    number: int
    size: int
    misses: int
    allowance: int | None = None
    left: int | None = None
    last: int | None = None


@dataclass(frozen=True)
class Stretch:
    """Where a stretch of the descent ended: largest violation in natural scales, parameters, multipliers (scaled)."""

    violation: float
    theta: np.ndarray
    eta: np.ndarray


@dataclass(frozen=True)
class Trace:
    """An entry a round, and one a step of the phases without a surrogate; violations in natural scales."""

    entropy: np.ndarray
    violation: np.ndarray
    spread: np.ndarray
    ess: np.ndarray
    multipliers: np.ndarray
    explained: np.ndarray


@dataclass(frozen=True)
class State:
    """See the module.

    Attributes
    ----------
    phase : str
        A key of `numepi.inference.dual.solver.PHASES`, or "done".
    theta, theta_start : ndarray (P,)
        Parameters of the flow, and of the identity flow.
    adam : Moments
        Of the flow's optimiser.
    dual : DualPoint
    replay : Replay
        Every row simulated.
    rounds : Rounds
    trace : Trace
    noisy : bool, optional
        Whether T is random given z; None while no parameters have worked twice.
    loud : bool
        Whether the noise at the flow's rows may exceed a target variance: then rows are kept back, to look for quiet
        parameters if the property is missed.
    steps : int
        Taken of phases, and of requests one for 500 rows, however they are cut into batches.
    surrogate : Surrogate, optional
        None before the first round.
    leads : bool
        Whether the surrogate leads, or was dropped.
    answer : Answer, optional
        The last flow that was checked on rows of its own, and met the constraints if any did.
    unsure : Request, optional
        Rows of the present flow by which it seems near enough, but not surely: the next are of the same flow.
    last_step : int
        Steps taken of the refinement or the descent.
    best, descended : Stretch, optional
        The descent's best stretch; and its end, where it led back to the rounds.
    failure : str, optional
        Why the run cannot go on.
    """

    phase: str
    theta: np.ndarray
    theta_start: np.ndarray
    adam: Moments
    dual: DualPoint
    replay: Replay
    rounds: Rounds
    trace: Trace
    noisy: bool | None = None
    loud: bool = False
    steps: int = 0
    request: Request | None = None
    surrogate: Surrogate | None = None
    leads: bool = True
    fit: Fit | None = None
    answer: Answer | None = None
    unsure: Request | None = None
    last_step: int = 0
    best: Stretch | None = None
    descended: Stretch | None = None
    failure: str | None = None


def initial_state(problem, flow):
    """The state before the first step: the identity flow, which is the prior on a box."""
    theta = flow.initial_parameters(problem.seed(Stream.INITIAL))
    m = len(problem.constraints)
    k = len(problem.circuit.statistic_names)
    rows, none = np.empty((0, m)), np.empty(0)
    replay = empty_replay(flow.dim, k, m, len(theta))
    if problem.earlier is not None:
        z, log_density = problem.earlier.z, problem.earlier.log_density
        f, T = problem.known_rows(z, problem.earlier.statistics)
        replay = add_foreign(replay, flow, theta, z, f, T, problem.log_prior(z), log_density)
    return State(
        phase="survey",
        theta=theta,
        theta_start=theta,
        adam=Moments.zero(len(theta)),
        dual=dual_start(m),
        replay=replay,
        rounds=Rounds(0, 0, 0),
        trace=Trace(none, rows, rows, none, rows, none),
    )


def request(state, phase, problem, z, n_start, n_repeat=0):
    """The state that wants ``z`` simulated, and goes on with ``phase`` when it is."""
    k, m = len(problem.circuit.statistic_names), len(problem.constraints)
    wanted = Request(z, n_start, n_repeat, Stream.NOISE, state.rounds.number, np.empty((0, k)), np.empty((0, m)))
    return replace(state, phase=phase, request=wanted)


def kept(state, problem, flow):
    """The state with the rows of its fulfilled request in the replay."""
    done = state.request
    replay = add_round(
        state.replay, flow, state.theta, state.theta_start, done.n_start, done.z, done.f, done.T,
        problem.log_prior(done.z),
    )  # fmt: skip
    rounds = replace(state.rounds, number=state.rounds.number + 1)
    return replace(state, replay=replay, rounds=rounds, request=None)


def recorded(state, entropy, violation, spread, ess, eta, explained=np.nan):
    """The state with an entry more in its traces; ``eta`` (m,) of the scaled constraints."""
    trace = state.trace
    values = {
        "entropy": entropy, "violation": violation, "spread": spread, "ess": ess, "multipliers": eta,
        "explained": explained,
    }  # fmt: skip
    longer = {name: np.concatenate([getattr(trace, name), np.asarray(value)[None]]) for name, value in values.items()}
    return replace(state, trace=Trace(**longer))
