"""First phase of the dual solver: rounds of simulation, Newton on the dual, and maximum likelihood on the replay.

Draw parameters from the flow (and a share from where it started, which keeps looking everywhere), simulate, and keep
them in a replay of the last rounds.  Move eta by Newton steps on the dual, as far as the effective sample size allows:
the target is annealed from the prior to p*.  Fit the flow by maximum likelihood to the weighted replay.  This needs no
gradient of T, reuses every simulation, and does not lose a mode that it has seen.
"""

import numpy as np

from numepi.inference.noise import averaged_statistics
from numepi.inference.problem import Stream

__all__ = ["CLOSE", "Rounds"]

_MAX_REPLICATES = 16
_NOISY_SIMULATIONS = 6  # times round_size: most simulations of a round in which parameters are simulated repeatedly
_NO_NOISE = 1e-3  # variance of one draw of T in its natural scale, below which one draw will do
_NOISE_PER_WEIGHT = 0.05  # variance of a log-weight that is left to the second-order correction
_INSIDE_DRAWS = 2000  # that say which share of a round's draws has prior density, to 1 % at a half
_MOST_DRAWS = 100  # for one with prior density: a flow makes so many in less time than most circuits simulate one
_HELD_OUT = 5  # every fifth row of the replay tells whether a fit goes too far
_TOLERATED_LOSS = 0.05  # nats of held-out likelihood that a fit may lose
_MINIMUM_GAIN = 0.005  # nats that a few more steps of a fit should gain
_LONGEST_FIT = 5  # times fit_steps
CLOSE = 0.2  # effective share of the flow's samples under the target, from where the flow follows it
_SLOW_ROUNDS = 5  # annealing rounds before gradients are called for
_SLOW_DECREASE = 0.7  # share of the distance to the targets that may be left by then


class Rounds:
    """Rounds on the state of a `numepi.inference.dual.solver.Dual`.

    Attributes
    ----------
    number : int
        Rounds begun.
    chunk : int
        Of the round's fit; 0 before its simulations.
    left : int
        Final rounds to come; -1 until the dual's optimum has been reached.
    replicates : int
        Simulations of each parameter in the next round.
    """

    def __init__(self, solver):
        self.solver = solver
        self.number, self.chunk, self.left, self.replicates = 0, 0, -1, 2

    @property
    def size(self):
        """Parameters in the next round."""
        size = self.solver.settings.round_size
        return min(size, max(20, _NOISY_SIMULATIONS * size // self.replicates))

    @property
    def follows(self):
        """Whether the flow follows its target well enough for its own violation to say where the targets are."""
        ess = self.solver.trace["ess"]
        return bool(ess) and ess[-1] >= CLOSE

    @property
    def lost(self):
        """Whether the multipliers are too far from the optimum for importance weights to lead there in time."""
        gaps = self.solver.annealing.gaps
        if self.left >= 0 or self.solver.annealing.exponent < 1:
            return False
        slow = len(gaps) >= _SLOW_ROUNDS and gaps[-1] > _SLOW_DECREASE * gaps[0]
        return slow or self.solver.annealing.stalled

    def simulate(self):
        """Simulate a round, and move the multipliers; return whether to the dual's optimum."""
        solver, problem = self.solver, self.solver.problem
        settings = solver.settings
        base = problem.normals(Stream.BASE, self.number, self._n_draws())
        n_start = int(settings.defensive * len(base))
        start, _ = solver.flow.sample(solver.theta_start, base[:n_start])
        own, log_own = solver.flow.sample(solver.theta, base[n_start:])
        z = np.concatenate([start, own])
        valid, T, covariance = averaged_statistics(problem, z, Stream.NOISE, self.number, self.replicates)
        own_rows = valid[n_start:]
        for rows, points in ((valid, z), (own_rows, own)):
            solver.failure = solver.failure or problem.too_many_failures(rows, points, settings.max_failed_fraction)
        if solver.failure:
            return False
        log_prior = problem.log_prior(z)
        violation = (T - problem.constraints.target) / solver.scale
        covariance = covariance / np.outer(solver.scale, solver.scale)
        solver.replay.add(
            solver.flow, solver.theta, solver.theta_start, len(z), z[valid], violation, covariance, log_prior[valid]
        )
        optimal = solver.annealing.move(
            solver.replay,
            settings.ess_floor * len(solver.replay),
            noisy=self.replicates > 1,
            follows=self.left < 0 and self.follows and not problem.with_gradient,
        )
        n_own = int(own_rows.sum())
        self._choose_replicates(n_own)
        solver.record(log_own[own_rows], log_prior[n_start:][own_rows], violation[-n_own:])
        self.number += 1
        self.chunk = 1
        if self.left > 0:
            self.left -= 1
        elif optimal or self.number >= settings.max_annealing_rounds:
            self.left = settings.final_rounds
            solver.annealing.out_of_rounds()
        solver.failure = solver.annealing.failure
        return optimal

    def _n_draws(self):
        """Draws of the mixture of which about `size` have prior density: the others are not simulated."""
        solver, problem = self.solver, self.solver.problem
        if problem.has_density_everywhere:
            return self.size
        base = problem.normals(Stream.INITIAL, 1 + self.number, _INSIDE_DRAWS)
        start, own = (problem.inside(solver.flow.sample(t, base)[0]).mean() for t in (solver.theta_start, solver.theta))
        share = solver.settings.defensive * start + (1 - solver.settings.defensive) * own
        return int(self.size / max(share, 1 / _MOST_DRAWS))

    def _choose_replicates(self, n_own):
        """Enough draws for each z that little noise is left in the log-weights of the flow's own rows.

        Not of the rows that carry the weight: those were picked for being lucky, and show too little of the noise.
        """
        if self.replicates == 1:
            return
        noise = self.solver.replay.covariance[-n_own:] * self.replicates
        if noise.mean(axis=0).diagonal().max() < _NO_NOISE:
            self.replicates = 1
            return
        eta = self.solver.annealing.eta
        per_draw = float((noise @ eta @ eta).mean())
        self.replicates = int(np.clip(np.ceil(per_draw / _NOISE_PER_WEIGHT), 2, _MAX_REPLICATES))

    def fit(self, steps):
        """Steps of the round's fit, of these numbers; the fit ends where it goes too far, or gains no more."""
        solver, settings = self.solver, self.solver.settings
        weights = solver.annealing.weights(solver.replay)
        held_out = np.arange(len(weights)) % _HELD_OUT == 0
        counter = self.number * (_LONGEST_FIT * solver.fit_chunks + 1) + self.chunk
        draw = solver.resampler(np.where(held_out, 0.0, weights), solver.generator(Stream.FIT, counter))
        before = solver.theta
        for step in steps:
            if not solver.descend(
                solver.likelihood_gradient(draw()), solver.decay(self._landed(step / settings.fit_steps))
            ):
                solver.theta = before
                return
        gain, stderr = self._gain(before, solver.replay.z[held_out], weights[held_out])
        if gain < -max(_TOLERATED_LOSS, 2 * stderr):
            solver.theta = before
            solver.optimiser.reset()
            self.chunk = 0
        elif self.chunk < solver.fit_chunks or (self._may_go_on and gain > max(_MINIMUM_GAIN, 2 * stderr)):
            self.chunk += 1
        else:
            self.chunk = 0

    @property
    def _may_go_on(self):
        """Whether a fit may take longer than its share: not while the learning rate lands."""
        return self._landed(0.0) == 0 and self.left != 0 and self.chunk < _LONGEST_FIT * self.solver.fit_chunks

    def _gain(self, before, z, weights):
        """How much the likelihood of held-out rows gained on that at ``before``, in nats, and its standard error."""
        solver = self.solver
        weights = weights / weights.sum()
        change = solver.flow.log_prob(solver.theta, z) - solver.flow.log_prob(before, z)
        mean = weights @ change
        return mean, np.sqrt(weights**2 @ (change - mean) ** 2)

    def _landed(self, progress):
        """How far the last third of the final rounds has gone, 0 to 1."""
        if self.left < 0:
            return 0.0
        third = max(1, self.solver.settings.final_rounds // 3)
        return max(0.0, (third - 1 - self.left + progress) / third)
