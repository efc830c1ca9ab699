"""The dual solver, as a function of state: phases ``step(state, problem, flow, settings) -> state``.

The maximum-entropy density is p*(z) ~ p0(z) exp(eta . E[T | z]) with eta the minimiser of a convex dual
(docs/science.md: section 1).  A surrogate of the statistics leads (`numepi.inference.dual.lead`) as long as it explains
what fresh simulations show.  Where it does not, rounds on the replay of real rows take over
(`numepi.inference.dual.rounds`), which end with a refinement where the flow follows its target
(`numepi.inference.dual.refinement`), or, where the circuit has gradients, with a descent along them
(`numepi.inference.dual.descent`).
"""

from dataclasses import replace

import numpy as np

from numepi.flow.families.directional import DirectionalFlow
from numepi.flow.families.elementwise import ElementwiseFlow
from numepi.flow.families.spline import SplineFlow
from numepi.flow.families.symmetric import SymmetricFlow
from numepi.inference.assessment.reserve import reserve
from numepi.inference.dual import descent, plan, refinement
from numepi.inference.dual.checks import NOISY_REPLICATES
from numepi.inference.dual.explore import explore, look, take_explored, take_look
from numepi.inference.dual.fit import fit
from numepi.inference.dual.lead import check, draw, go_on, learn_rows, survey, take_survey
from numepi.inference.dual.rounds import anneal, ask, refit
from numepi.inference.dual.seek import seek
from numepi.inference.dual.settings import Settings
from numepi.inference.dual.state import State, initial_state
from numepi.inference.running.records import from_arrays, to_arrays
from numepi.simulations import Simulations

__all__ = ["PHASES", "Dual"]

PHASES = {
    "survey": survey,
    "take survey": take_survey,
    "seek": seek,
    "learn": learn_rows,
    "fit": fit,
    "draw": draw,
    "check": check,
    "explore": explore,
    "take explored": take_explored,
    "look": look,
    "take look": take_look,
    "spent": go_on,
    "round": ask,
    "anneal": anneal,
    "refit": refit,
    "refine": refinement.refine,
    "descend": descent.descend,
}
_STEPS_A_CALL = {"refine": refinement.CHUNK, "descend": descent.CHUNK}
_HIDDEN = (16, 16)  # units of the default flow's networks: half the time of (32, 32) for the same KL on the LDS
# Rows of a request that count as a step, whatever a batch has: steps number the streams of random numbers, so that an
# executor, whose batches are larger, and `max_batch` give the same answer.
_ROWS_A_STEP = 500
_LEAST_SHARE = 0.02  # of the work that counts as done: before the first round there is nothing to go by
_LEAST_SIMULATIONS = 100  # of a run: a survey, one round, and its score


class Dual:
    """One run of the dual solver; its whole state is ``record``, a `numepi.inference.dual.state.State`."""

    settings_type = Settings
    needs_gradient = False
    least_simulations = _LEAST_SIMULATIONS
    takes_bounds = True

    def __init__(self, problem, flow, settings):
        self.problem = problem
        self.flow = flow
        self.settings = settings
        self.record: State | None = None

    @staticmethod
    def default_flow(circuit, precision, prior):
        """The family that serves a circuit's parameters: one alone, directions in vectors long enough, symmetries."""
        if circuit.support.dim == 1:
            return ElementwiseFlow(circuit.support, precision=precision)
        if 1 < circuit.parameter_vectors < circuit.support.dim // circuit.parameter_vectors:
            return DirectionalFlow(circuit.support, circuit.parameter_vectors, precision=precision)
        if circuit.sign_symmetries and prior is None and circuit.support.where is None:
            return SymmetricFlow(circuit.support, circuit.sign_symmetries, precision=precision)
        return SplineFlow(circuit.support, hidden=_HIDDEN, precision=precision)

    def initialise(self):
        """Start from the identity flow: the prior on a box."""
        self.record = initial_state(self.problem, self.flow)

    def step(self):
        """Simulate the next batch of what is wanted, or take a step of the phase.

        An exception leaves the record as it was before the step.
        """
        record = self.record
        wanted = record.request
        if wanted is not None and not wanted.complete:
            done = len(wanted.f)
            z = wanted.z[done : done + self.problem.batch_rows]
            f, T = self.problem.simulate_rows(z, wanted.purpose, wanted.counter, done)
            f, T = np.concatenate([wanted.f, f]), np.concatenate([wanted.T, T])
            record = replace(record, request=replace(wanted, f=f, T=T))
            taken = -(-len(f) // _ROWS_A_STEP) - -(-done // _ROWS_A_STEP)
        else:
            record, taken = PHASES[record.phase](record, self.problem, self.flow, self.settings), 1
        self.record = replace(record, steps=record.steps + taken)

    @property
    def finished(self):
        """Whether the run is over, or cannot go on."""
        return self.record.phase == "done" or self.record.failure is not None

    @property
    def failure(self):
        """Why the run cannot go on, and the remedy; else None."""
        return None if self.record is None else self.record.failure

    @property
    def theta(self):
        """The flow's present parameters."""
        return None if self.record is None else self.record.theta

    @property
    def epoch(self):
        """Rounds that are done."""
        return self.record.rounds.number

    @property
    def iteration(self):
        """Steps of the fit in the round, or of the last phase."""
        record = self.record
        return record.fit.step if record.fit is not None else record.last_step

    @property
    def phase(self):
        """What is being done, for people."""
        return "simulate" if self.record.request is not None else self.record.phase

    @property
    def steps_done(self):
        """Steps of phases, and of requests one for 500 rows."""
        return self.record.steps

    @property
    def distance(self):
        """KL(q || p*) by the last certificate, nats; None before the first."""
        answer = self.record.answer
        return None if answer is None else answer.certificate.kl

    @property
    def n_steps(self):
        """Steps of a full run: an estimate, for the time left (`numepi.inference.dual.plan.share_done`)."""
        if self.finished:
            return self.steps_done
        share = plan.share_done(self.settings, self.problem, self.record)
        return max(self.steps_done + 1, round(self.steps_done / max(share, _LEAST_SHARE)))

    @property
    def simulations_per_step(self):
        """Rows that the next step simulates at the most."""
        record = self.record
        if record.request is not None and not record.request.complete:
            return min(len(record.request.z) - len(record.request.f), self.problem.batch_rows)
        if record.phase == "spent":
            return plan.LEAST_ROUND + plan.kept_back(record, self.problem)
        if record.phase not in _STEPS_A_CALL:
            return 0
        n_steps, size = plan.last_phase(self.settings, record.rounds, record.phase)
        return min(_STEPS_A_CALL[record.phase], n_steps - record.last_step) * size

    @property
    def reserve(self):
        """Rows to be kept back for score and certificate: none while the run's own rows give them."""
        return 0 if self.record.leads else reserve(self.problem.limit)

    @property
    def trace(self):
        """Traces by name, an entry a round or a step."""
        return {"entropy": self.record.trace.entropy}

    @property
    def replicates(self):
        """Simulations of each parameter that the circuit's noise asks for where there is no surrogate."""
        return NOISY_REPLICATES if self.record.noisy else 1

    @property
    def multipliers(self):
        """Natural parameters of p ~ exp(eta . T), those that the answer was certified at."""
        answer = self.record.answer
        if answer is not None:
            return np.array(answer.certificate.multipliers)
        return self.record.dual.optimal_eta / self.problem.constraints.scale

    @property
    def violation_in_stderr(self):
        """|E[T] - mu_opt| (m,) of the last batch in its standard errors."""
        trace = self.record.trace
        if not len(trace.violation):
            return np.full(len(self.problem.constraints), np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.abs(trace.violation[-1]) / trace.spread[-1]

    @property
    def surrogate_share(self):
        """R^2 of the surrogate on the last round's rows; 0 where it was dropped."""
        explained = self.record.trace.explained
        return float(explained[-1]) if self.record.leads and len(explained) else 0.0

    def answer(self):
        """Flow parameters; whether the constraints are met is for the final score to say (None)."""
        return (self.record.theta if self.record.answer is None else self.record.answer.theta), None

    def assessment(self):
        """Score and certificate of the answer from the run's own rows; None where there are none, or a region."""
        answer = self.record.answer
        if answer is None or self.problem.constraints.region is not None:
            return None
        return answer.score, answer.certificate

    def table(self):
        """Every row of the run, and those that it was given."""
        replay = self.record.replay
        return Simulations(replay.z, replay.f, replay.log_proposal) if len(replay) else None

    def history(self):
        """Traces, an entry a round and one a step of other phases, in their order; violations in their own units."""
        trace, scale = self.record.trace, self.problem.constraints.scale
        return {
            "entropy": trace.entropy,
            "violation": trace.violation * scale,
            "ess": trace.ess,
            "multipliers": trace.multipliers / scale,
            "explained": trace.explained,
        }

    def state(self):
        """The record's fields, as arrays."""
        return to_arrays(self.record)

    def restore(self, arrays):
        """Continue from what `state` returned."""
        self.record = from_arrays(State, arrays)
