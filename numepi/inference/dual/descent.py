"""Phase of the dual solver where the flow does not follow its target: descent along path gradients.

In many dimensions, or for sharp targets, importance weights reach nothing.  What is left is the gradient of T: each
step simulates a few samples of the flow with their Jacobian, moves eta towards the targets within a trust region, and
takes d/dz (log q - log p_eta), pulled back through the samples alone (Roeder et al. 2017), as the gradient of the flow.

Where the density of circuits falls steeply the multiplier of a square comes out positive, and p_eta grows again far
out.  A few outliers there would draw the whole flow after them: they get a normal's multipliers instead, and a stretch
of steps that diverges all the same is undone.
"""

import numpy as np

from numepi.inference.dual.moment_step import moment_step
from numepi.inference.dual.rounds import CLOSE

__all__ = ["Descent"]

_RATE = 1.5  # times the learning rate; at 2 flows of 400 dimensions blow up
_WINDOW = 8  # batches that the moments are taken from
_MULTIPLIER_SHARE = 0.1  # of the Newton step that the multipliers take at each step
_RADIUS = 0.1  # of their trust region
_LANDING = 0.3  # share of the steps in which rates fall to zero
_OUTLIER = 4.0  # standard deviations of the target from its mean, once the bulk of the samples is there
_DIVERGENCE_FACTOR = 3.0  # times the least violation of a stretch so far that takes one back,
_DIVERGENCE_FLOOR = 0.25  # from this violation, in natural scales
_ENOUGH = 300  # steps that should have come near any targets within reach
_FAR = 0.5  # natural scales from the targets


class Descent:
    """Steps of the descent on the state of a `numepi.inference.dual.solver.Dual`."""

    def __init__(self, solver):
        self.solver = solver
        self.n_steps = solver.settings.descent_steps
        self.best = np.empty(0)  # violation, theta and eta at the end of the stretch that was nearest to the targets

    def take(self, steps):
        """Take the steps of these numbers; stop early where the solver fails."""
        solver = self.solver
        constraints, scale = solver.problem.constraints, solver.scale
        recent = []
        for number in steps:
            sample = solver.simulate_flow(number, with_jacobian=True)
            if sample is None:
                return
            recent = [*recent[1 - _WINDOW :], (sample.batch.f, sample.batch.T)]
            landing = min(1.0, (1 - number / self.n_steps) / _LANDING)
            f, T = (np.concatenate(parts) for parts in zip(*recent))
            step = moment_step(constraints, f, T, _MULTIPLIER_SHARE * landing, _RADIUS)
            solver.annealing.eta = constraints.admissible(solver.annealing.eta + step * scale)
            solver.annealing.optimal_eta = solver.annealing.eta
            if not solver.descend(self._path_gradient(sample), _RATE * landing):
                return
            solver.record_sample(sample)
        self._take_back(len(steps))
        if steps[-1] == self.n_steps - 1 and self.n_steps >= _ENOUGH:
            self._look_back(len(steps))

    def _take_back(self, n):
        """Return to the best stretch so far if the last ``n`` steps led away from the targets."""
        solver = self.solver
        violation = np.abs(np.mean(solver.trace["violation"][-n:], axis=0)).max()
        if not len(self.best) or violation <= self.best[0]:
            self.best = np.concatenate([[violation], solver.theta, solver.annealing.eta])
        elif not violation <= max(_DIVERGENCE_FLOOR, _DIVERGENCE_FACTOR * self.best[0]):
            _, solver.theta, eta = np.split(self.best, [1, 1 + len(solver.theta)])
            solver.annealing.eta = solver.annealing.optimal_eta = eta
            solver.optimiser.reset()

    @property
    def follows(self):
        """Whether the flow follows its target by now, as its last samples tell."""
        return self.n_steps >= _ENOUGH and np.mean(self.solver.trace["ess"][-_ENOUGH // 2 :]) >= CLOSE

    def _look_back(self, n):
        """Fail if no stretch of ``n`` steps came near the targets: they are out of the circuit's reach."""
        violation = np.array(self.solver.trace["violation"][-self.n_steps :])
        stretches = violation[: len(violation) // n * n].reshape(-1, n, violation.shape[1]).mean(axis=1)
        distance = np.abs(stretches).max(axis=1)
        nearest = stretches[np.argmin(distance)]
        # A descent that ended far from its best broke down: that says nothing of what is within reach.
        if distance.min() > _FAR and distance[-1] <= _DIVERGENCE_FACTOR * distance.min():
            self.solver.annealing.out_of_reach(nearest)
            self.solver.failure = self.solver.annealing.failure

    def _multipliers(self, f):
        """Of each sample (n, m): those of p_eta, but a normal's for outliers."""
        constraints = self.solver.problem.constraints
        rows = np.tile(self.solver.multipliers, (len(f), 1))
        mean, variance = constraints.prop.mean, constraints.prop.variance
        fixed = [i for i, (m, v) in enumerate(zip(mean, variance)) if m is not None and v is not None]
        if fixed:
            deviation = (f[:, fixed] - [mean[i] for i in fixed]) / np.sqrt([variance[i] for i in fixed])
            if np.all(np.abs(np.median(deviation, axis=0)) < 1):
                rows[(np.abs(deviation) > _OUTLIER).any(axis=1)] = constraints.gaussian_multipliers()
        return rows

    def _path_gradient(self, sample):
        solver = self.solver
        problem, batch = solver.problem, sample.batch
        z = sample.z[batch.valid]
        grad_z = np.zeros_like(sample.z)
        grad_z[batch.valid] = (
            solver.flow.log_prob_gradient(solver.theta, z)
            - problem.log_prior_gradient(z)
            - problem.constraints.pullback(batch.f, batch.jacobian, self._multipliers(batch.f))
        ) / len(z)
        return sample.pullback(grad_z, np.zeros(len(grad_z)))
