"""The multipliers of the dual solver: annealed towards the optimum of the dual on the replay of simulations.

The way starts at eta = 0, the prior p_0.  Where the simulations hold too little of it (without a prior an unbounded
support has no such distribution, and a prior may be far narrower than the start q_0) the way starts at q_0 instead, and
follows a geometric *tempering path*: the reference is p_0^b q_0^(1-b), and b grows from 0 to 1 (Neal 2001).
"""

import numpy as np

from numepi.inference.assessment.pareto import pareto_k
from numepi.inference.assessment.verdict import not_reached
from numepi.inference.dual_problem import effective_sample_size, minimise_dual, normalised_weights
from numepi.inference.noise import correct_for_noise

__all__ = ["Multipliers"]

_CORRECTIONS = 3  # Newton runs in a move where the noise correction is renewed, or the path followed
_STALLED_ROUNDS = 5  # annealing rounds in which the distance to the targets must have fallen by _PROGRESS
_PROGRESS = 0.9
_BISECTIONS = 30
_LEAST_LEFT = 0.1  # of 1 - b, that one advance leaves at the least, unless it reaches the end
_UNBOUNDED_LEFT = 1e-6  # of 1 - b: what spreads a thousand times wider than the start has no end
_HEAVY_TAIL = 0.7  # Pareto k from which the weights have no mean to speak of
_UNBOUNDED = (
    "the problem is unbounded: entropy grows without end on this support; bound the support, give a (narrower) prior, "
    "or fix a variance in every direction"
)


class Multipliers:
    """eta of the scaled constraints, centred on the targets; ``failure`` says why they cannot get further.

    Parameters
    ----------
    constraints : Constraints
    proper : bool
        Whether the reference measure is a distribution: a box, or a prior.

    Attributes
    ----------
    eta : ndarray (m,)
    optimal_eta : ndarray (m,)
        Where the last move ended, and where noise is corrected; a refinement may shift ``eta`` from there.
    exponent : float
        b above: 1 at the end of the tempering path.
    """

    def __init__(self, constraints, proper):
        self.constraints = constraints
        self.proper = proper
        self.eta = np.zeros(len(constraints))
        self.optimal_eta = self.eta
        self.exponent = np.nan  # until the first move
        self.gaps = []  # of the dual's gradient, one a round in which nothing else moved
        self.failure = None

    def weights(self, replay, eta=None):
        """Normalised weights (n,) of the replay's rows under p_eta, at the present ``eta`` by default."""
        violation, log_base = self._corrected(replay)
        return normalised_weights(log_base + violation @ (self.eta if eta is None else eta))

    def move(self, replay, floor, noisy, follows):
        """Newton on the dual as far as the effective sample size stays above ``floor``; return whether to its optimum.

        Parameters
        ----------
        replay : Replay
        noisy : bool
            Whether to renew the noise correction at the new multipliers.
        follows : bool
            Whether standing still means that there is no way on: the flow follows the annealed target.
        """
        if np.isnan(self.exponent):
            self.exponent = float(effective_sample_size(normalised_weights(replay.log_base)) >= floor)
        before = self.exponent
        self._retreat(replay, floor)
        for _ in range(_CORRECTIONS if noisy or self.exponent < 1 else 1):
            step = minimise_dual(*self._corrected(replay), self.eta, floor, is_bound=self.constraints.is_bound)
            self.eta = self.optimal_eta = step.eta
            if self.exponent < 1 and step.optimal:
                self._advance(replay, floor)
        if self.exponent < 1 and 1 - self.exponent < _UNBOUNDED_LEFT:
            self.failure = _UNBOUNDED
        elif not step.optimal and self.exponent == before:
            self._check_progress(step.gradient, follows)
        return step.optimal and before == 1

    def out_of_rounds(self):
        """Fail if the rounds for annealing are spent, and no distribution has come in sight."""
        if self.exponent < 1 and not self.proper:
            self.failure = _UNBOUNDED

    def _log_base(self, replay):
        log_base = replay.log_base
        if self.exponent < 1:
            log_base = log_base + (1 - self.exponent) * (replay.log_start - replay.log_prior)
        return log_base

    def _corrected(self, replay):
        # Not at an eta that a refinement has shifted: the correction is quadratic, and would run away with it.
        if not replay.noisy:
            return replay.violation, self._log_base(replay)
        return correct_for_noise(replay.violation, replay.covariance, self._log_base(replay), self.optimal_eta)

    def _retreat(self, replay, floor):
        """Take b back until the effective sample size is enough."""
        while 0 < self.exponent < 1 and effective_sample_size(self.weights(replay)) < floor:
            self.exponent = max(0.0, 1 - 2 * (1 - self.exponent))

    def _advance(self, replay, floor):
        """Take b as far as the effective sample size allows."""
        low, high = self.exponent, 1 - _LEAST_LEFT * (1 - self.exponent)
        self.exponent = 1.0
        weights = self.weights(replay)
        if effective_sample_size(weights) >= floor and (self.proper or pareto_k(weights) < _HEAVY_TAIL):
            return
        for _ in range(_BISECTIONS):
            self.exponent = 0.5 * (low + high)
            if effective_sample_size(self.weights(replay)) < floor:
                high = self.exponent
            else:
                low = self.exponent
        self.exponent = low

    def _check_progress(self, gradient, follows):
        """Fail when the targets come no nearer: they are out of the circuit's reach, and the dual diverges."""
        self.gaps.append(np.max(np.abs(gradient)))
        # A flow that lags behind its target stalls too: then more rounds, or a richer flow, may still get there.
        if follows and self.stalled:
            self.out_of_reach(gradient)

    @property
    def stalled(self):
        """Whether the last rounds brought the targets no nearer."""
        recent, before = self.gaps[-_STALLED_ROUNDS:], self.gaps[:-_STALLED_ROUNDS]
        return bool(before) and min(recent) > _PROGRESS * min(before)

    def out_of_reach(self, gradient):
        """Fail, where the violation E[T] - mu_opt (m,), in natural scales, does not get smaller."""
        self.failure = not_reached(self.constraints, self.constraints.target + gradient * self.constraints.scale)

    def state(self):
        """Everything that `restore` needs, as arrays."""
        return {
            "eta": self.eta,
            "optimal_eta": self.optimal_eta,
            "exponent": np.array(self.exponent),
            "gaps": np.array(self.gaps),
        }

    def restore(self, arrays):
        """Continue from what `state` returned."""
        self.eta, self.optimal_eta, self.exponent = arrays["eta"], arrays["optimal_eta"], float(arrays["exponent"])
        self.gaps = list(arrays["gaps"])
