"""Solver of the convex dual: anneal the multipliers, fit the flow by weighted maximum likelihood, then refine it.

The maximum-entropy density is p*(z) ~ p0(z) exp(eta . E[T | z]) with eta the minimiser of a convex dual (science:
section 1).  A run has two phases.

*Rounds.*  Draw parameters from the flow (and a share from where it started, which keeps looking everywhere), simulate,
and keep them in a replay of the last rounds.  Move eta by Newton steps on the dual, as far as the effective sample
size allows: the target is annealed from the prior to p*.  Fit the flow by maximum likelihood to the weighted replay.
This needs no gradient of T, reuses every simulation, and does not lose a mode that it has seen.

*Refinement.*  Maximum likelihood covers p* and leaks beyond it, so that the flow's own moments are off a little.  The
last phase steps along the gradient of KL(q || p_eta) + KL(p_eta || q) / 2 (the first term through the simulator's
Jacobian, by path gradients, where there is one), while eta follows the violation of the flow's own constraints.
"""

import numpy as np

from numepi.inference.dual_problem import normalised_weights
from numepi.inference.dual_settings import Settings
from numepi.inference.multipliers import Multipliers
from numepi.inference.noise import averaged_statistics
from numepi.inference.optimiser import Adam
from numepi.inference.problem import Stream
from numepi.inference.replay import Replay

__all__ = ["Dual"]

_CLIP_NORM = 5.0
_STEPS_PER_CALL = 50  # fitting steps between looks at the budget, the callback and Ctrl-C
_DECAY = 0.03  # of the learning rate, over the last third of the final rounds and over the refinement
_REFINE_RATE = 0.25  # of the learning rate, at the start of the refinement
_MULTIPLIER_RATE = 0.02  # share of a Newton step that the refinement's multipliers take at each of its steps
_MAX_REPLICATES = 8
_HELD_OUT = 5  # every fifth row of the replay tells whether a fit goes too far
_CLOSE = 0.2  # effective share of the flow's samples under the target, for the refinement to correct the multipliers
_TRIFLE = 0.05  # nats of held-out likelihood
_NO_NOISE = 1e-3  # variance of a log-weight from one draw, below which one draw will do
_NOISE_PER_WEIGHT = 0.05  # variance of a log-weight that is left to the second-order correction
_NOT_FINITE = "the gradient is not finite: lower learning_rate, or use precision='float64'"


class Dual:
    """One run of the dual solver, advanced by `step`; its whole state is what `state` returns."""

    settings_type = Settings
    needs_gradient = False
    default_stages = 6

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
        self.dual = Multipliers(constraints, problem.prior is not None or problem.circuit.support.is_box)
        self.replicates = 2
        self.round = 0
        self.chunk = 0  # of the round's fit, or of the refinement
        self.rounds_left = -1  # until the dual's optimum has been reached
        self.refining = False
        self.failure = None
        self._spread = np.full(m, np.nan)
        self.trace = {"entropy": [], "violation": [], "ess": [], "multipliers": []}

    def initialise(self):
        """Start from the identity flow: the prior on a box."""
        self.theta_start = self.flow.initial_parameters(self.problem.seed(Stream.INITIAL))
        self.theta = self.theta_start.copy()

    @property
    def finished(self):
        """Whether the refinement is done, or the run cannot go on."""
        return self.failure is not None or (self.refining and self.chunk >= self._refine_chunks)

    @property
    def _fit_chunks(self):
        return -(-self.settings.fit_steps // _STEPS_PER_CALL)

    @property
    def _refine_chunks(self):
        return -(-self.settings.refine_steps // _STEPS_PER_CALL)

    @property
    def n_steps(self):
        """Number of steps of a full run; a guess while the multipliers are being annealed."""
        left = self.settings.final_rounds + 1 if self.rounds_left < 0 else self.rounds_left
        return (self.round + left) * (self._fit_chunks + 1) + self._refine_chunks

    @property
    def steps_done(self):
        """Number of steps taken."""
        return self.epoch * (self._fit_chunks + 1) + self.chunk

    @property
    def simulations_per_step(self):
        """Simulations that the next step makes at the most."""
        if self.refining:
            return len(self._steps(self.chunk, self.settings.refine_steps)) * self.settings.refine_size
        return self.settings.round_size * self.replicates if self.chunk == 0 else 0

    @property
    def epoch(self):
        """Rounds that are done, for progress reports."""
        return self.round if self.refining or self.chunk == 0 else self.round - 1

    @property
    def iteration(self):
        """Steps of the fit in the round, or of the refinement, before the next call."""
        return _STEPS_PER_CALL * (self.chunk if self.refining else max(self.chunk - 1, 0))

    def step(self):
        """One of: a round's simulations and multipliers; a few steps of its fit; a few steps of the refinement."""
        if self.refining:
            self._refine()
        elif self.chunk == 0:
            self._simulate_round()
        else:
            self._fit()

    def _simulate_round(self):
        settings, problem = self.settings, self.problem
        base = problem.normals(Stream.BASE, self.round, settings.round_size)
        n_start = int(settings.defensive * settings.round_size)
        start, _ = self.flow.sample(self.theta_start, base[:n_start])
        own, log_own = self.flow.sample(self.theta, base[n_start:])
        z = np.concatenate([start, own])
        valid, T, covariance = averaged_statistics(problem, z, Stream.NOISE, self.round, self.replicates)
        own_rows = valid[n_start:]
        for rows in (valid, own_rows):
            self.failure = self.failure or problem.too_many_failures(
                int(rows.sum()), len(rows), settings.max_failed_fraction
            )
        if self.failure:
            return
        violation = (T - problem.constraints.target) / self.scale
        covariance = covariance / np.outer(self.scale, self.scale)
        self.replay.add(
            self.flow, self.theta, self.theta_start, z[valid], violation, covariance, problem.log_prior(z[valid])
        )
        optimal = self._move_multipliers()
        self._choose_replicates()
        self._record(log_own[own_rows], problem.log_prior(own[own_rows]), violation[-own_rows.sum() :])
        self.round += 1
        self.chunk = 1
        if self.rounds_left > 0:
            self.rounds_left -= 1
        elif optimal or self.round >= settings.max_annealing_rounds:
            self.rounds_left = settings.final_rounds
            self.dual.out_of_rounds()
        self.failure = self.dual.failure

    def _move_multipliers(self):
        """Towards the optimum of the dual, within the trust region; return whether it was reached."""
        floor = self.settings.ess_floor * len(self.replay)
        follows = self.rounds_left < 0 and bool(self.trace["ess"]) and self.trace["ess"][-1] >= _CLOSE
        return self.dual.move(self.replay, floor, self.replicates > 1, follows)

    def _choose_replicates(self):
        """Enough draws for each z that the noise left in a log-weight is small where the weight sits."""
        if self.replicates == 1:
            return
        eta = self.dual.eta
        noise = np.einsum("nij,i,j->n", self.replay.covariance, eta, eta) * self.replicates
        newest = self.replay.round == self.replay.round[-1]
        weights = self.dual.weights(self.replay) * newest
        per_draw = float(weights @ noise / weights.sum())
        wanted = int(np.ceil(per_draw / _NOISE_PER_WEIGHT))
        self.replicates = 1 if per_draw < _NO_NOISE else int(np.clip(wanted, 2, _MAX_REPLICATES))

    def _resampler(self, weights, generator):
        """Draws batches of replay rows in proportion to ``weights``, stratified."""
        cumulative = np.cumsum(weights)
        size = self.settings.batch_size

        def draw():
            points = (generator.random() + np.arange(size)) / size * cumulative[-1]
            return np.minimum(np.searchsorted(cumulative, points), len(cumulative) - 1)

        return draw

    @staticmethod
    def _steps(call, n_steps):
        """Numbers of the steps that a call takes, of ``n_steps`` in all."""
        return range(call * _STEPS_PER_CALL, min((call + 1) * _STEPS_PER_CALL, n_steps))

    def _generator(self, purpose, counter):
        return np.random.Generator(np.random.Philox(self.problem.seed(purpose, counter)))

    def _likelihood_gradient(self, rows):
        """Gradient of the negative mean log-likelihood of replay rows."""
        _, pullback = self.flow.log_prob_with_pullback(self.theta, self.replay.z[rows])
        return pullback(np.full(len(rows), -1.0 / len(rows)))[0]

    def _fit(self):
        counter = self.round * self._fit_chunks + self.chunk
        weights = self.dual.weights(self.replay)
        held_out = np.arange(len(weights)) % _HELD_OUT == 0
        draw = self._resampler(np.where(held_out, 0.0, weights), self._generator(Stream.FIT, counter))
        before = self.theta
        for step in self._steps(self.chunk - 1, self.settings.fit_steps):
            progress = step / self.settings.fit_steps
            self.optimiser.learning_rate = self.settings.learning_rate * _DECAY ** self._decay(progress)
            self.theta = self.optimiser.step(self.theta, self._likelihood_gradient(draw()))
        if not np.isfinite(self.theta).all():
            self.theta, self.failure = before, _NOT_FINITE
            return
        self.chunk += 1
        if self._overfitted(before, self.replay.z[held_out], weights[held_out]):
            self.theta = before
            self.optimiser.reset()
            self.chunk = self._fit_chunks + 1
        if self.chunk > self._fit_chunks:
            self.chunk = 0
            if self.rounds_left == 0:
                self.refining = True
                self.optimiser.reset()

    def _overfitted(self, before, z, weights):
        """Whether the likelihood of held-out rows fell since ``before``, beyond doubt and by more than a trifle."""
        weights = weights / weights.sum()
        change = self.flow.log_prob(self.theta, z) - self.flow.log_prob(before, z)
        mean = weights @ change
        return mean < -max(_TRIFLE, 2 * np.sqrt(weights**2 @ (change - mean) ** 2))

    def _decay(self, progress):
        """How far the last third of the final rounds has gone, 0 to 1."""
        if self.rounds_left < 0:
            return 0.0
        third = max(1, self.settings.final_rounds // 3)
        return max(0.0, (third - 1 - self.rounds_left + progress) / third)

    def _refine(self):
        settings, problem, constraints = self.settings, self.problem, self.problem.constraints
        draw = self._resampler(self.dual.weights(self.replay), self._generator(Stream.REFINE, self.chunk))
        # A flow far from its target (in many dimensions, say) follows the path gradient alone, towards the multipliers
        # that the dual found: its own violation is too large to correct them by, and would wind them up.
        close = self.trace["ess"][self.round - 1] >= _CLOSE
        # At the dual's optimum: at shifted multipliers a small covariance would make the next shift larger yet.
        weights = self.dual.weights(self.replay, self.dual.optimal_eta)
        newton = np.linalg.pinv(np.atleast_2d(np.cov(self.replay.violation.T, aweights=weights, ddof=0)))
        for counter in self._steps(self.chunk, settings.refine_steps):
            z, log_q, pullback = self.flow.sample_with_pullback(
                self.theta, problem.normals(Stream.EPOCH_BASE, counter, settings.refine_size)
            )
            batch = problem.simulate(z, Stream.EPOCH_NOISE, counter, with_jacobian=problem.with_gradient)
            n = int(batch.valid.sum())
            self.failure = problem.too_many_failures(n, len(z), settings.max_failed_fraction)
            if self.failure:
                return
            violation = (batch.T - constraints.target) / self.scale
            gradient = self._likelihood_gradient(draw()) if close or not problem.with_gradient else 0.0
            if problem.with_gradient:
                # Path gradient: d/dz (log q - log p_eta) pulled back through the sample alone (Roeder et al. 2017).
                grad_z = np.zeros_like(z)
                grad_z[batch.valid] = (
                    self.flow.log_prob_gradient(self.theta, z)[batch.valid]
                    - problem.log_prior_gradient(z[batch.valid])
                    - constraints.pullback(batch.f, batch.jacobian, self.dual.eta / self.scale)
                ) / n
                gradient = 0.5 * gradient + pullback(grad_z, np.zeros(len(z)))
            if not np.isfinite(gradient).all():
                self.failure = _NOT_FINITE
                return
            progress = counter / settings.refine_steps
            rate = _REFINE_RATE if close else 1.0
            self.optimiser.learning_rate = settings.learning_rate * rate * _DECAY**progress
            self.theta = self.optimiser.step(self.theta, gradient)
            if close:
                self.dual.eta = self.dual.eta - _MULTIPLIER_RATE * newton @ violation.mean(axis=0)
            self._record(log_q[batch.valid], problem.log_prior(z[batch.valid]), violation)
        self.chunk += 1

    def _record(self, log_q, log_prior, violation):
        log_weights = log_prior + violation @ self.dual.eta - log_q
        weights = normalised_weights(log_weights)
        self._spread = violation.std(axis=0) / np.sqrt(len(violation))
        self.trace["entropy"].append(float((log_prior - log_q).mean()))
        self.trace["violation"].append(violation.mean(axis=0))
        self.trace["ess"].append(float(1 / (np.sum(weights**2) * len(weights))))
        self.trace["multipliers"].append(self.dual.eta / self.scale)

    @property
    def multipliers(self):
        """Natural parameters of p ~ exp(eta . T), at the optimum of the dual."""
        return self.dual.optimal_eta / self.scale

    @property
    def violation_in_stderr(self):
        """|R_i| of the last batch in its standard errors (m,)."""
        if not self.trace["violation"]:
            return np.full(len(self.scale), np.nan)
        return np.abs(self.trace["violation"][-1]) / np.maximum(self._spread, np.finfo(float).tiny)

    def answer(self):
        """Flow parameters; whether the constraints are met is for the final score to say (None)."""
        return self.theta, None

    def history(self):
        """Traces: one entry a round, then one a refinement step; violations in the constraints' own units."""
        m = len(self.scale)
        return {
            "entropy": np.array(self.trace["entropy"], float),
            "violation": np.array(self.trace["violation"], float).reshape(-1, m) * self.scale,
            "ess": np.array(self.trace["ess"], float),
            "multipliers": np.array(self.trace["multipliers"], float).reshape(-1, m),
        }

    def state(self):
        """Everything that `restore` needs to continue to the same bits, as arrays."""
        arrays = {"theta": self.theta, "theta_start": self.theta_start, "spread": self._spread}
        arrays["failure"] = np.array(self.failure or "")
        arrays["counters"] = np.array([self.replicates, self.round, self.chunk, self.rounds_left, self.refining])
        arrays |= {f"adam_{k}": np.asarray(v) for k, v in self.optimiser.state().items()}
        arrays |= {f"dual_{k}": v for k, v in self.dual.state().items()}
        arrays |= {f"replay_{k}": v for k, v in self.replay.state().items()}
        return arrays | {f"trace_{k}": np.array(v, float) for k, v in self.trace.items()}

    def restore(self, arrays):
        """Continue from what `state` returned."""
        self.theta, self.theta_start, self._spread = arrays["theta"], arrays["theta_start"], arrays["spread"]
        self.failure = str(arrays["failure"]) or None
        self.replicates, self.round, self.chunk, self.rounds_left, refining = (int(v) for v in arrays["counters"])
        self.refining = bool(refining)
        self.dual.restore({k: arrays[f"dual_{k}"] for k in self.dual.state()})
        self.optimiser.restore({k: arrays[f"adam_{k}"] for k in self.optimiser.state()})
        self.replay.restore({k: arrays[f"replay_{k}"] for k in self.replay.state()})
        self.trace = {k: list(arrays[f"trace_{k}"]) for k in self.trace}
