"""Solver of the convex dual: anneal the multipliers, fit the flow by weighted maximum likelihood, then refine it.

The maximum-entropy density is p*(z) ~ p0(z) exp(eta . E[T | z]) with eta the minimiser of a convex dual (science:
section 1).  A run begins with rounds of simulation and fitting (`numepi.inference.dual.rounds`), and ends with a
refinement where the flow follows its target (`numepi.inference.dual.refinement`).  Else, where the circuit has them, it
goes on with a descent along the gradients of T (`numepi.inference.dual.descent`): that ends the run, or leads back to
the rounds where the flow follows its target now.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from numepi.flow.families.directional import DirectionalFlow
from numepi.flow.families.elementwise import ElementwiseFlow
from numepi.flow.families.spline import SplineFlow
from numepi.flow.families.symmetric import SymmetricFlow
from numepi.inference.dual.descent import Descent
from numepi.inference.dual.multipliers import Multipliers
from numepi.inference.dual.refinement import Refinement
from numepi.inference.dual.replay import Replay
from numepi.inference.dual.rounds import Rounds
from numepi.inference.dual.settings import Settings
from numepi.inference.dual_problem import normalised_weights
from numepi.inference.optimiser import Adam
from numepi.inference.problem import Stream

__all__ = ["Dual", "FlowSample"]

_CLIP_NORM = 5.0
_STEPS_PER_CALL = 50  # fitting steps between looks at the budget, the callback and Ctrl-C
_DECAY = 0.03  # of the learning rate, over the last third of the final rounds and over the refinement
_LEAST_SPREAD = 1e-12  # of T in natural scales, where a violation is counted in standard errors
_LAST_PHASES = (None, Refinement, Descent)
_NOT_FINITE = "the gradient is not finite: lower learning_rate, or use precision='float64'"


@dataclass(frozen=True)
class FlowSample:
    """Samples of the flow in the last phase.

    Attributes
    ----------
    z : ndarray (n, D)
    log_q : ndarray (n,)
    pullback : callable
        Of the flow's sampling pass.
    batch : numepi.inference.problem.Batch
    violation : ndarray (n_valid, m)
        T - mu_opt in natural scales.
    """

    z: np.ndarray
    log_q: np.ndarray
    pullback: Callable[..., Any]
    batch: object
    violation: np.ndarray


class Dual:
    """One run of the dual solver, advanced by `step`; its whole state is what `state` returns."""

    settings_type = Settings
    needs_gradient = False
    takes_bounds = True

    def __init__(self, problem, flow, settings):
        self.problem = problem
        self.flow = flow
        self.settings = settings
        constraints = problem.constraints
        self.scale = constraints.scale
        m = len(constraints)
        self.optimiser = Adam(flow.n_parameters, settings.learning_rate, clip_norm=_CLIP_NORM)
        self.replay = Replay(settings.window, settings.defensive, flow.dim, m)
        self.theta = self.theta_start = None
        self.annealing = Multipliers(constraints, problem.prior is not None or problem.circuit.support.is_box)
        self.rounds = Rounds(self)
        self.last = None  # phase: Refinement or Descent, after the rounds
        self.descended = None  # theta, eta and optimal_eta of a descent that led back to the rounds
        self.chunk = 0  # of the last phase
        self.failure = None
        self._spread = np.full(m, np.nan)
        self.trace = {"entropy": [], "violation": [], "ess": [], "multipliers": []}

    @staticmethod
    def default_flow(circuit, precision, prior):
        """The family that serves a circuit's parameters: one alone, directions in vectors long enough, symmetries."""
        if circuit.support.dim == 1:
            return ElementwiseFlow(circuit.support, precision=precision)
        if 1 < circuit.parameter_vectors < circuit.support.dim // circuit.parameter_vectors:
            return DirectionalFlow(circuit.support, circuit.parameter_vectors, precision=precision)
        if circuit.sign_symmetries and prior is None and circuit.support.where is None:
            return SymmetricFlow(circuit.support, circuit.sign_symmetries, precision=precision)
        return SplineFlow(circuit.support, precision=precision)

    def initialise(self):
        """Start from the identity flow: the prior on a box."""
        self.theta_start = self.flow.initial_parameters(self.problem.seed(Stream.INITIAL))
        self.theta = self.theta_start.copy()

    @property
    def finished(self):
        """Whether the last phase is done, or the run cannot go on."""
        return self.failure is not None or (self.last is not None and self.chunk >= _chunks(self.last.n_steps))

    @property
    def fit_chunks(self):
        """Calls of `step` that a round's fit takes, unless it has more to gain."""
        return _chunks(self.settings.fit_steps)

    @property
    def n_steps(self):
        """Number of steps of a full run; a guess before the last phase."""
        if self.last is not None:
            return self._steps_behind + self.rounds.number * (self.fit_chunks + 1) + _chunks(self.last.n_steps)
        left = self.settings.final_rounds + 1 if self.rounds.left < 0 else self.rounds.left
        to_come = (self.rounds.number + left) * (self.fit_chunks + 1) + _chunks(self.settings.refine_steps)
        return self._steps_behind + to_come

    @property
    def steps_done(self):
        """Number of steps taken."""
        now = self.rounds.chunk if self.last is None else self.chunk
        return self._steps_behind + self.epoch * (self.fit_chunks + 1) + now

    @property
    def _steps_behind(self):
        return _chunks(self.settings.descent_steps) if self.descended is not None else 0

    @property
    def simulations_per_step(self):
        """Simulations that the next step makes at the most."""
        if self.last is not None:
            return len(_steps(self.chunk, self.last.n_steps)) * self.settings.refine_size
        return self.rounds.size * self.rounds.replicates if self.rounds.chunk == 0 else 0

    @property
    def epoch(self):
        """Rounds that are done, for progress reports."""
        return self.rounds.number - (self.rounds.chunk > 0)

    @property
    def iteration(self):
        """Steps of the fit in the round, or of the last phase, before the next call."""
        return _STEPS_PER_CALL * (max(self.rounds.chunk - 1, 0) if self.last is None else self.chunk)

    def step(self):
        """One of: a round's simulations and multipliers; a few steps of its fit; a few steps of the last phase."""
        rounds = self.rounds
        if self.last is not None:
            self.last.take(_steps(self.chunk, self.last.n_steps))
            self.chunk += 1
            if self.finished and not self.failure and isinstance(self.last, Descent) and self.last.follows:
                self._back_to_rounds()
        elif rounds.chunk == 0:
            optimal = rounds.simulate()
            if self.descended is not None and not optimal and not self.failure:
                self._stay_with_descent()
        else:
            rounds.fit(_steps((rounds.chunk - 1) % self.fit_chunks, self.settings.fit_steps))
            guided = self.problem.with_gradient and self.descended is None
            if rounds.chunk == 0 and (rounds.left == 0 or (guided and rounds.lost)):
                self._end_rounds(Descent if guided and not (rounds.left == 0 and rounds.follows) else Refinement)

    def _end_rounds(self, phase):
        self.last = phase(self)
        self.optimiser.reset()

    def _back_to_rounds(self):
        """After a descent importance weights work again: they cover what the descent missed, and need no more steps."""
        self.last, self.chunk = None, 0
        self.descended = np.concatenate([self.theta, self.annealing.eta, self.annealing.optimal_eta])
        self.rounds.left = self.settings.final_rounds
        self.optimiser.reset()

    def _stay_with_descent(self):
        """The rounds found p* to be where the flow is not, and would have to anneal anew: the descent's end stands."""
        self.last, self.chunk, self.rounds.chunk = Descent(self), _chunks(self.settings.descent_steps), 0
        self.theta, self.annealing.eta, self.annealing.optimal_eta = np.split(
            self.descended, np.cumsum([len(self.theta), len(self.annealing.eta)])
        )
        self.descended = None

    def resampler(self, weights, generator):
        """Draws batches of replay rows in proportion to ``weights``, stratified."""
        cumulative = np.cumsum(weights)
        size = self.settings.batch_size
        width = cumulative[-1] / size
        strata = np.arange(size) * width
        cumulative[-1] = np.inf  # a point that rounds up to the end belongs to the last row

        def draw():
            return cumulative.searchsorted(strata + generator.random() * width)

        return draw

    def generator(self, purpose, counter):
        """The random generator of one stream of the run."""
        return np.random.Generator(np.random.Philox(self.problem.seed(purpose, counter)))

    def likelihood_gradient(self, rows):
        """Gradient of the negative mean log-likelihood of replay rows."""
        _, pullback = self.flow.log_prob_with_pullback(self.theta, self.replay.z.take(rows, axis=0))
        return pullback(np.full(len(rows), -1.0 / len(rows)))[0]

    def simulate_flow(self, number, with_jacobian):
        """`FlowSample` for step ``number`` of the last phase; None where too many simulations fail."""
        problem = self.problem
        counter = number + (self.settings.descent_steps if self.descended is not None else 0)
        z, log_q, pullback = self.flow.sample_with_pullback(
            self.theta, problem.normals(Stream.EPOCH_BASE, counter, self.settings.refine_size)
        )
        batch = problem.simulate(z, Stream.EPOCH_NOISE, counter, with_jacobian=with_jacobian)
        self.failure = problem.too_many_failures(batch.valid, z, self.settings.max_failed_fraction)
        if self.failure:
            return None
        return FlowSample(z, log_q, pullback, batch, (batch.T - problem.constraints.target) / self.scale)

    @staticmethod
    def decay(progress):
        """Factor of the learning rate while ``progress`` goes from 0 to 1."""
        return _DECAY**progress

    def descend(self, gradient, rate):
        """One step of the optimiser, at ``rate`` times the learning rate; return whether it was possible."""
        if not np.isfinite(gradient @ gradient):
            self.failure = _NOT_FINITE
            return False
        self.optimiser.learning_rate = self.settings.learning_rate * rate
        self.theta = self.optimiser.step(self.theta, gradient)
        return True

    def record(self, log_q, log_prior, violation):
        """Add samples of the flow, log densities (n,) and violations (n, m), to the traces."""
        log_weights = log_prior + violation @ self.annealing.eta - log_q
        weights = normalised_weights(log_weights)
        mean = violation.mean(axis=0)
        variance = np.einsum("nm,nm->m", violation, violation) / len(violation) - mean**2
        self._spread = np.sqrt(np.maximum(variance, _LEAST_SPREAD**2) / len(violation))
        self.trace["entropy"].append(float((log_prior - log_q).mean()))
        self.trace["violation"].append(mean)
        self.trace["ess"].append(float(1 / (np.sum(weights**2) * len(weights))))
        self.trace["multipliers"].append(self.annealing.eta / self.scale)

    def record_sample(self, sample):
        """Add a step of the last phase to the traces."""
        valid = sample.batch.valid
        self.record(sample.log_q[valid], self.problem.log_prior(sample.z[valid]), sample.violation)

    @property
    def replicates(self):
        """Simulations of each parameter that the noise of the circuit asks for."""
        return self.rounds.replicates

    @property
    def multipliers(self):
        """Natural parameters of p ~ exp(eta . T), at the optimum of the dual."""
        return self.annealing.optimal_eta / self.scale

    @property
    def violation_in_stderr(self):
        """|R_i| of the last batch in its standard errors (m,)."""
        if not self.trace["violation"]:
            return np.full(len(self.scale), np.nan)
        return np.abs(self.trace["violation"][-1]) / self._spread

    def answer(self):
        """Flow parameters; whether the constraints are met is for the final score to say (None)."""
        return self.theta, None

    def history(self):
        """Traces, an entry a round and one a step of other phases, in their order; violations in their own units."""
        m = len(self.scale)
        return {
            "entropy": np.array(self.trace["entropy"], float),
            "violation": np.array(self.trace["violation"], float).reshape(-1, m) * self.scale,
            "ess": np.array(self.trace["ess"], float),
            "multipliers": np.array(self.trace["multipliers"], float).reshape(-1, m),
        }

    def state(self):
        """Everything that `restore` needs to continue to the same bits, as arrays."""
        rounds = self.rounds
        arrays = {"theta": self.theta, "theta_start": self.theta_start, "spread": self._spread}
        arrays["failure"] = np.array(self.failure or "")
        phase = _LAST_PHASES.index(self.last and type(self.last))
        counters = [rounds.number, rounds.chunk, rounds.left, rounds.replicates, phase, self.chunk]
        arrays["counters"] = np.array(counters)
        arrays["descent"] = self.last.best if isinstance(self.last, Descent) else np.empty(0)
        arrays["descended"] = np.array([] if self.descended is None else self.descended)
        arrays |= {f"adam_{k}": np.asarray(v) for k, v in self.optimiser.state().items()}
        arrays |= {f"dual_{k}": v for k, v in self.annealing.state().items()}
        arrays |= {f"replay_{k}": v for k, v in self.replay.state().items()}
        return arrays | {f"trace_{k}": np.array(v, float) for k, v in self.trace.items()}

    def restore(self, arrays):
        """Continue from what `state` returned."""
        rounds = self.rounds
        self.theta, self.theta_start, self._spread = arrays["theta"], arrays["theta_start"], arrays["spread"]
        self.failure = str(arrays["failure"]) or None
        counters = (int(v) for v in arrays["counters"])
        rounds.number, rounds.chunk, rounds.left, rounds.replicates, phase, self.chunk = counters
        self.descended = arrays["descended"] if len(arrays["descended"]) else None
        self.last = _LAST_PHASES[phase](self) if phase else None
        if isinstance(self.last, Descent):
            self.last.best = arrays["descent"]
        self.annealing.restore({k: arrays[f"dual_{k}"] for k in self.annealing.state()})
        self.optimiser.restore({k: arrays[f"adam_{k}"] for k in self.optimiser.state()})
        self.replay.restore({k: arrays[f"replay_{k}"] for k in self.replay.state()})
        self.trace = {k: list(arrays[f"trace_{k}"]) for k in self.trace}


def _chunks(n_steps):
    return -(-n_steps // _STEPS_PER_CALL)


def _steps(call, n_steps):
    """Numbers of the steps that a call takes, of ``n_steps`` in all."""
    return range(call * _STEPS_PER_CALL, min((call + 1) * _STEPS_PER_CALL, n_steps))
