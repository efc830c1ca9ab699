"""Solver by particles: they solve the dual and find draws of p* without a flow, and the flow learns from them.

Where importance weights from a flow reach nothing, from about a hundred dimensions on, a flow cannot lead the way to
p*.  Particles can (`numepi.inference.particles.annealing`).  A run anneals them in the base space of the support's map;
then the flow learns them by maximum likelihood, while moves between its steps keep them from running out; and then

- multipliers of the flow's own answer to the violations of its draws, with fresh noise, which makes up for what the
  flow leaks or lacks, and for the noise that particles hold fixed (`numepi.inference.particles.multipliers`);
- the flow goes on learning the particles, and evens out log q - log p_eta over its own draws: the gradient of
  KL(q || p_eta) at those multipliers along their paths, without the score, so that its noise vanishes with the
  divergence (Roeder et al. 2017); by the score function, with a baseline (Richter et al. 2020), where T has no
  gradient; and in the end it goes onto its constraints by the shortest way (`numepi.inference.particles.projection`).
"""

from dataclasses import replace
from functools import partial

import numpy as np

from numepi.flow.families.directional import DirectionalFlow
from numepi.flow.families.elementwise import ElementwiseFlow
from numepi.flow.families.lens import LensFlow
from numepi.flow.families.spline import SplineFlow
from numepi.inference.assessment.reserve import reserve
from numepi.inference.optimiser import Adam
from numepi.inference.particles.annealing import Path, Stage, begin, go_on
from numepi.inference.particles.density import PathPoint, TemperedDensity
from numepi.inference.particles.images import image, parities
from numepi.inference.particles.learning import Pace, path_gradient, rate, score_gradient, weights
from numepi.inference.particles.moves import Mover
from numepi.inference.particles.multipliers import FlowMultipliers
from numepi.inference.particles.plain import plain_flow
from numepi.inference.particles.projection import BATCH, Projection, advance
from numepi.inference.particles.settings import Settings
from numepi.inference.problem import Stream
from numepi.kernels.threads import run_all

__all__ = ["ParticleSolver"]

_CLIP_NORM = 5.0
_CHUNK = 10  # learning steps a call: about half a second for the rank-2 network of 250 neurons
_LEAST_FINITE = 0.5  # of the particles, that a flow has a gradient at: fewer are not one batch's bad luck
_LEAST_INSIDE = 0.5  # share of a flow's draws in the region from which they say how it differs from p* there
_STAGES = ("temper", "means", "confine", "all", "average", "done")
_TYPICAL_STEPS = 150  # of a path: 71 for the rank-2 network of 50 neurons; for the time left


class ParticleSolver:
    """One run of the particle solver, advanced by `step`; it satisfies `numepi.inference.protocols.Solver`."""

    settings_type = Settings
    needs_gradient = False
    takes_bounds = True
    replicates = 1
    least_simulations = 1000  # to score and certify: a step of the path alone takes some ten thousand
    surrogate_share = 0.0  # there is none

    def __init__(self, problem, flow, settings):
        self.problem, self.flow, self.settings = problem, flow, settings.for_flow(flow)
        line = plain_flow(problem.circuit.support)
        region = problem.constraints.region
        self.density = TemperedDensity(problem, line, np.empty(0), None if region is None else region.contains)
        self.scale, self.parities = problem.constraints.scale, parities(problem)
        self.pace = Pace.of(flow.dim)
        self.optimiser = Adam(flow.n_parameters, clip_norm=_CLIP_NORM)
        self.theta = self.path = self.lead = self.projection = None
        self.stage, self.path_steps, self.learnt = Stage("temper"), 0, 0
        self.failure = None
        self._spread = np.full(len(self.scale), np.nan)
        self.trace = {"entropy": [], "violation": [], "ess": [], "multipliers": [], "acceptance": []}

    @staticmethod
    def default_flow(circuit, precision, prior):
        """Lenses, or directions, in vectors where the parameters are some, long enough; else splines."""
        vectors = circuit.parameter_vectors
        if 1 < vectors < circuit.support.dim // vectors:
            family = LensFlow if circuit.support.is_box else DirectionalFlow
            return family(circuit.support, vectors, precision=precision)
        if circuit.support.dim == 1:
            return ElementwiseFlow(circuit.support, precision=precision)
        return SplineFlow(circuit.support, post_affine=True, precision=precision)

    def initialise(self):
        """Begin with particles of the support's map: the prior on a box."""
        self.theta = self.flow.initial_parameters(self.problem.seed(Stream.INITIAL))
        self.path = begin(self.density, self.settings.sampler, self._generator())
        self.failure = self.path.failure

    @property
    def finished(self):
        """Whether the flow has learnt, or the run cannot go on."""
        learnt = self.learnt >= self.settings.learn_steps
        return self.failure is not None or (learnt and (self.projection is None or self.projection.done))

    @property
    def n_steps(self):
        """Steps of a full run; a guess while the path, or the way onto the constraints, has not ended."""
        path = self.path_steps if self.stage.name == "done" else max(_TYPICAL_STEPS, self.path_steps + 1)
        return (
            path
            + -(-self.settings.learn_steps // _CHUNK)
            + (0 if self.projection is None else self.projection.n_batches)
        )

    @property
    def steps_done(self):
        """Steps taken."""
        return self.path_steps + -(-self.learnt // _CHUNK) + (0 if self.projection is None else self.projection.taken)

    @property
    def simulations_per_step(self):
        """Rows that the next step simulates at the most."""
        settings = self.settings
        if self.stage.name != "done":
            return settings.particles * (settings.most_moves * self.path.mover.steps(settings.most_moves) + 2)
        if self.projection is not None:
            return BATCH
        return _CHUNK * (settings.particles * settings.leapfrogs // self.pace.move_every + settings.batch_size)

    @property
    def reserve(self):
        """Rows of a budget to keep back for score and certificate."""
        return reserve(self.problem.limit)

    def table(self):
        """None: densities of its rows are not kept."""

    def assessment(self):
        """None: score and certificate are of fresh draws."""

    @property
    def epoch(self):
        """Steps of the path."""
        return self.path_steps

    @property
    def iteration(self):
        """Steps of the learning."""
        return self.learnt

    @property
    def multipliers(self):
        """Natural parameters of p ~ exp(eta . T) at the optimum of the dual, as far as it was found."""
        return self.path.point.eta / self.scale

    @property
    def violation_in_stderr(self):
        """|E[T] - mu_opt| of the last draws, in their standard errors (m,)."""
        return np.abs(self.trace["violation"][-1] if self.trace["violation"] else np.nan) / self._spread

    def step(self):
        """A step of the path, or a few of the learning."""
        if self.stage.name != "done":
            first = self.problem.constraints.is_mean
            self.stage = go_on(self.density, self.path, self.stage, first, self.settings.sampler, self._generator())
            self.path_steps += 1
            self.failure = self.path.failure
            self._record(np.nan, self.path.particles.violation, np.nan)
            if self.stage.name == "done":
                self._begin_to_learn()
        elif self.projection is not None:
            self.projection = advance(self.projection, self.problem, self.flow, self.lead.total)
            self.theta = self.projection.best
        else:
            generator = self._generator()
            for _ in range(min(_CHUNK, self.settings.learn_steps - self.learnt)):
                if not self._learn(generator):
                    return
            if self.learnt == self.settings.learn_steps and self.problem.with_gradient:
                self.projection = Projection.begin(self.theta, len(self.scale))

    def _begin_to_learn(self):
        self.lead = FlowMultipliers.first(self.path.point.eta)
        if hasattr(self.flow, "fitted_parameters"):
            self.theta = self.flow.fitted_parameters(self.path.particles.z, self.problem.seed(Stream.INITIAL))

    def _learn(self, generator):
        """One step of the flow; return whether it was possible."""
        settings, path = self.settings, self.path
        progress = self.learnt / settings.learn_steps
        if self.learnt % self.pace.move_every == 0:
            short = replace(path.mover, length=0.0)  # and often: the flow sees each of them
            path.particles, path.mover = short.move(self.density, path.particles, path.point, generator)
        gradients = [g for g in self._gradients(progress >= self.pace.lead, generator) if _has_length(g)]
        if gradients:
            now = settings.learning_rate * rate(self.learnt, progress, self.pace.straight)
            self.theta = self.optimiser.step(self.theta, sum(gradients), now)
        elif self.failure is None and self._astray():
            self.failure = "the gradient is not finite: lower learning_rate, or use precision='float64'"
        if self.failure is not None:
            return False
        self.learnt += 1
        return True

    def _gradients(self, leads, generator):
        """Those of KL(p_eta || q) by particles and, where the flow ``leads``, of KL(q || p_eta) by its draws.

        Passes go side by side, all but the simulator: a batch is about one block of them, which is one thread's.
        """
        particles = self.path.particles
        particles = particles.take(generator.permutation(len(particles))[: self.settings.batch_size])
        z = image(particles.z, self.parities, generator)
        passes = [partial(self.flow.log_prob_with_pullback, self.theta, z)]
        if leads:
            base = generator.standard_normal((self.settings.batch_size, self.flow.dim))
            passes.append(partial(self.flow.sample_with_pullback, self.theta, base))
        (log_q, pullback), *draws = run_all(passes)
        log_p = self.problem.log_prior(particles.z) + particles.violation @ self.path.point.eta
        passes = [partial(pullback, -weights(log_p - log_q) / len(particles))]
        if leads:
            passes += self._reverse_gradient(*draws[0])
            if self.failure is not None:
                return []
        (forward, _), *reverse = run_all(passes)
        return [self.pace.forward_weight * forward if leads else forward, *reverse]

    def _astray(self):
        """Whether the flow has no gradient at most particles: then no other batch will help."""
        gradients = self.flow.log_prob_gradient(self.theta, self.path.particles.z)
        return np.isfinite(gradients).all(axis=1).mean() < _LEAST_FINITE

    def _reverse_gradient(self, z, log_q, pull):
        """Gradient of KL(q || p_eta) by draws of the flow, which move its eta, too: a list of the call that makes it.

        It is empty where too few of them lie where they say anything, and where too many fail.
        """
        problem, settings, region = self.problem, self.settings, self.problem.constraints.region
        batch = problem.simulate(z, Stream.EPOCH_NOISE, self.learnt, with_jacobian=problem.with_gradient)
        self.failure = problem.too_many_failures(batch.valid, z, settings.max_failed_fraction)
        inside = np.ones(len(batch.f), bool) if region is None else region.contains(batch.f)
        rows = np.flatnonzero(batch.valid)[inside]
        if self.failure is not None or len(rows) < _LEAST_INSIDE * len(z):
            return []  # the particles alone must teach it first where p* is
        violation = (batch.T[inside] - problem.constraints.target) / self.scale
        eta = self.lead.eta(problem.constraints)
        relative = problem.log_prior(z[rows]) - log_q[rows]
        log_ratio = -relative - violation @ eta
        self._record(float(np.mean(relative)), violation, log_ratio)
        self.lead = self.lead.moved(violation, problem.constraints)
        beyond = np.flatnonzero(batch.valid)[~inside]
        if not problem.with_gradient:
            every, log_ratio = np.append(rows, beyond), np.append(log_ratio, np.full(len(beyond), np.inf))
            return [partial(score_gradient, self.flow, self.theta, z[every], log_ratio)]
        tilt = problem.log_prior_gradient(z[rows])
        tilt += problem.constraints.pullback(batch.f[inside], batch.jacobian[inside], eta / self.scale)
        outward = np.zeros((0, self.flow.dim))
        if len(beyond):
            outward = np.einsum("nk,nkd->nd", region.outward(batch.f[~inside]), batch.jacobian[~inside])
        return [partial(path_gradient, self.flow, self.theta, z, rows, tilt, beyond, outward, pull)]

    def _record(self, entropy, violation, log_ratio):
        mean = violation.mean(axis=0)
        self._spread = violation.std(axis=0) / np.sqrt(len(violation))
        weights = np.exp(np.min(log_ratio) - log_ratio)
        self.trace["entropy"].append(entropy)
        self.trace["violation"].append(mean)
        self.trace["acceptance"].append(self.path.mover.acceptance)
        self.trace["ess"].append(float(np.mean(weights) ** 2 / np.mean(weights**2)))
        self.trace["multipliers"].append((self.path.point.eta if self.lead is None else self.lead.total) / self.scale)

    def _generator(self):
        """Of the next step: a pure function of the run and of how many steps were taken."""
        return np.random.Generator(np.random.Philox(self.problem.seed(Stream.FIT, self.steps_done)))

    def answer(self):
        """Flow parameters; whether the constraints are met is for the final score to say (None)."""
        return self.theta, None

    def history(self):
        """Traces, an entry for each step of the path, and for each of the learning that simulates the flow.

        "acceptance" is that of the particles' last move, "ess" the flow's effective share of draws.
        """
        m = len(self.scale)
        return {
            "entropy": np.array(self.trace["entropy"], float),
            "violation": np.array(self.trace["violation"], float).reshape(-1, m) * self.scale,
            "ess": np.array(self.trace["ess"], float),
            "acceptance": np.array(self.trace["acceptance"], float),
            "multipliers": np.array(self.trace["multipliers"], float).reshape(-1, m),
        }

    def state(self):
        """Everything that `restore` needs to continue to the same bits, as arrays."""
        path, point = self.path, self.path.point
        arrays = {
            "theta": self.theta, "spread": self._spread, "failure": np.array(self.failure or ""),
            "counters": np.array([_STAGES.index(self.stage.name), self.stage.whole, self.path_steps, self.learnt]),
            "u": path.particles.u, "exponent": np.array(point.exponent), "eta": point.eta,
            "confined": np.array(point.confined), "inside": np.array(path.inside),
            "mover": np.array([path.mover.step_size, path.mover.leapfrogs, path.mover.length, path.mover.acceptance]),
            "path_eta": np.array(path.trace["eta"], float).reshape(-1, len(self.scale)),
            "lead": np.empty((0, 0)) if self.lead is None else np.vstack(self.lead[:3]),
            "batches": np.array(0 if self.lead is None else self.lead.batches),
        }  # fmt: skip
        arrays |= {f"adam_{k}": np.asarray(v) for k, v in self.optimiser.state().items()}
        if self.projection is not None:
            arrays |= {f"projection_{k}": np.asarray(v) for k, v in self.projection._asdict().items()}
        return arrays | {f"trace_{k}": np.array(v, float) for k, v in self.trace.items()}

    def restore(self, arrays):
        """Continue from what `state` returned."""
        self.theta, self._spread = arrays["theta"], arrays["spread"]
        self.failure = str(arrays["failure"]) or None
        stage, whole, self.path_steps, self.learnt = (int(v) for v in arrays["counters"])
        self.stage = Stage(_STAGES[stage], whole)
        point = PathPoint(float(arrays["exponent"]), np.array(arrays["eta"]), bool(arrays["confined"]))
        step_size, leapfrogs, length, acceptance = arrays["mover"].tolist()
        counted = self.problem.state()
        particles = self.density.evaluate(np.array(arrays["u"]), point)
        self.problem.restore(counted)  # these rows were counted when they were first simulated
        self.path = Path(
            [point], [], [], particles, Mover(step_size, int(leapfrogs), length, acceptance), float(arrays["inside"])
        )
        self.path.trace["eta"] = list(np.array(arrays["path_eta"]))
        lead = np.array(arrays["lead"])
        self.lead = FlowMultipliers(lead[0], lead[1], lead[2:], int(arrays["batches"])) if len(lead) else None
        if "projection_best" in arrays:
            fields = {k: np.array(arrays[f"projection_{k}"]) for k in Projection._fields}
            self.projection = Projection(**{k: v if v.ndim else v.item() for k, v in fields.items()})
        self.optimiser.restore({k: arrays[f"adam_{k}"] for k in self.optimiser.state()})
        self.trace = {k: list(arrays[f"trace_{k}"]) for k in self.trace}


def _has_length(gradient):
    """Not so where a flow presses one draw against a bound, whose way back is NaN or 1e288: other draws teach on."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.isfinite(gradient @ gradient)
