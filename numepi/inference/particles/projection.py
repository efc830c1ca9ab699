"""The last correction of a flow: onto its constraints, by the shortest way in its parameters.

KL(q || p_eta) is flat about its optimum: means that are off by a tenth of a standard deviation cost five thousandths of
a nat, less than the noise of a learning step, and are as much as a tolerance.  So what is left is taken away in the end
by Gauss-Newton steps: with x the mean violation of many draws and G (m, n_parameters) its gradient,

    theta <- theta - G^T (G G^T)^-1 x,

or by a share of them where x is large: where p* has a share at the region's edge that the flow lacks, the rest must
have a third more variance, and a whole step missed its target by more than there was (250 neurons).

Entropy is not flat there: with x it moves by eta . x, a twentieth of a nat for a hundredth of a standard deviation at
25 neurons.  So a few draws lead next to the constraints, and many onto them.
"""

from typing import NamedTuple

import numpy as np

from numepi.inference.dual_problem import free_gradient
from numepi.inference.problem import Stream

__all__ = ["BATCH", "Projection", "advance"]

BATCH = 250  # draws
_LONGEST = 0.1  # natural scales that a step takes away, halved where that was too much
_LARGEST = 1.0  # natural scales of a violation from where this is no correction any more


class _Aim(NamedTuple):
    """How closely a part of the way is measured, and from where on it is done."""

    steps: int
    batches: range  # of draws, the same at each step: it is told apart from the one before by what it changes
    close: float  # natural scales


# Standard errors: a sixtieth of a standard deviation of 4,000 draws, and a 140th of 20,000, as many as a score has.
_NEXT_TO = _Aim(steps=8, batches=range(16), close=0.035)  # half a tolerance of a variance; most ends need two steps
_ONTO = _Aim(steps=3, batches=range(16, 96), close=0.003)  # half of that error
_AIMS = (_NEXT_TO, _ONTO)
_STEEPEST = 1e9  # natural scales a unit of theta: next to a bound single draws have 1e288, and would be all of G
_TURNING = 8  # batches that G is of: it turns a step, and need not be as exact as x; each costs as much as four others


class Projection(NamedTuple):
    """Where the way of a flow onto its constraints stands; `advance` takes it on by a batch of draws.

    Attributes
    ----------
    best : ndarray (n_parameters,)
        The nearest parameters so far.
    trial : ndarray (n_parameters,)
        Those that are being measured.
    total, counted : ndarray (m,), int
        Violations' sum over the trial's draws in the region so far, and how many these are.
    gradient, pulled : ndarray (m, n_parameters), int
        G's sum over draws of the best, and how many these are.
    miss, free : ndarray (m,), ndarray (m,) of bool
        x of the best, and which constraints are to be met: a bound that does not bind stays as it is.
    way : ndarray (n_parameters,) or (0,)
        The whole step from the best, once it is known.
    least, longest : float
        Natural scales: the size of x, and of what a step takes away.
    aim, step, batch : int
        Of the parts of the way, which and how far.
    turning : bool
        Whether G is being measured, not x.
    taken : int
        Batches so far.
    """

    best: np.ndarray
    trial: np.ndarray
    total: np.ndarray
    counted: int
    gradient: np.ndarray
    pulled: int
    miss: np.ndarray
    free: np.ndarray
    way: np.ndarray
    least: float = _LARGEST
    longest: float = _LONGEST
    aim: int = 0
    step: int = 0
    batch: int = 0
    turning: bool = False
    taken: int = 0

    @classmethod
    def begin(cls, theta, m):
        """From parameters ``theta`` with ``m`` constraints."""
        nothing = np.zeros(m)
        return cls(
            theta, theta, nothing, 0, np.zeros((m, len(theta))), 0, nothing, np.zeros(m, bool), np.empty(0)
        )  # fmt: skip

    @property
    def done(self):
        """Whether the way has ended."""
        return self.aim == len(_AIMS)

    @property
    def n_batches(self):
        """Of a whole way: so far, and a guess of what is to come."""
        return self.taken if self.done else max(self.taken + 1, 2 * sum(len(aim.batches) + _TURNING for aim in _AIMS))

    def measured(self, eta, is_bound):
        """The next stretch, after x of the trial."""
        aim = _AIMS[self.aim]
        miss, free = free_gradient(self.total / max(self.counted, 1), eta, is_bound)
        size = np.abs(miss[free]).max(initial=0.0)
        if size < self.least:
            after = self._replace(best=self.trial, least=size, miss=miss, free=free, way=np.empty(0))
        elif self.step == 0:
            return self._replace(aim=len(_AIMS))  # elsewhere
        else:
            after = self._replace(longest=min(self.longest, self.least) / 2)
        if after.least < aim.close or after.step == aim.steps:
            return after.onwards()
        return after.stepped() if len(after.way) else after._replace(batch=0, turning=True)

    def turned(self):
        """The next stretch, after G of the best."""
        G, miss = self.gradient[self.free] / max(self.pulled, 1), self.miss[self.free]
        after = self._replace(way=G.T @ np.linalg.lstsq(G @ G.T, miss, rcond=None)[0])
        return after._replace(gradient=np.zeros_like(self.gradient), pulled=0, turning=False).stepped()

    def stepped(self):
        """A step from the best, to be measured."""
        trial = self.best - min(1.0, self.longest / self.least) * self.way
        return self._replace(trial=trial, step=self.step + 1, total=np.zeros_like(self.total), counted=0, batch=0)

    def onwards(self):
        """The next part of the way, or its end."""
        return Projection.begin(self.best, len(self.total))._replace(aim=self.aim + 1, taken=self.taken)


def advance(projection, problem, flow, eta):
    """The `Projection` after one more batch of draws.

    Parameters
    ----------
    projection : Projection
    problem : Problem
        With a gradient.
    flow : numepi.flow.Flow
    eta : ndarray (m,)
        Multipliers in natural scales: a bound that does not bind stays as it is.
    """
    aim, taken = _AIMS[projection.aim], projection.taken + 1
    number = aim.batches[projection.batch]
    if projection.turning:
        slope, rows = _turn(problem, flow, projection.best, number)
        after = projection._replace(
            gradient=projection.gradient + slope,
            pulled=projection.pulled + rows,
            batch=projection.batch + 1,
            taken=taken,
        )
        return after.turned() if after.batch == _TURNING else after
    total, rows = _violations(problem, flow, projection.trial, number)
    after = projection._replace(
        total=projection.total + total, counted=projection.counted + rows, batch=projection.batch + 1, taken=taken
    )
    return after.measured(eta, problem.constraints.is_bound) if after.batch == len(aim.batches) else after


def _violations(problem, flow, theta, number):
    """Sum (m,) over a batch's draws in the region, and how many these are."""
    constraints = problem.constraints
    z, _ = flow.sample(theta, problem.normals(Stream.REFINE, number, BATCH))
    batch = problem.simulate(z, Stream.PENALTY, 0, first_index=number * BATCH)
    inside = constraints.inside(batch.T)
    return ((batch.T[inside] - constraints.target) / constraints.scale).sum(axis=0), int(inside.sum())


def _turn(problem, flow, theta, number):
    """Sum (m, n_parameters) of the violations' gradients along such draws' paths, and how many; zero without any."""
    constraints = problem.constraints
    z, _, pull = flow.sample_with_pullback(theta, problem.normals(Stream.REFINE, number, BATCH))
    batch = problem.simulate(z, Stream.PENALTY, 0, first_index=number * BATCH, with_jacobian=True)
    inside = constraints.inside(batch.T)
    rows = np.flatnonzero(batch.valid)[inside]
    slope = _slope(constraints, batch, inside, rows, z, pull)
    if np.abs(slope).max(initial=0.0) < _STEEPEST:
        return slope, len(rows)
    return np.zeros_like(slope), 0  # a draw on a bound of the box has no way back


def _slope(constraints, batch, inside, rows, z, pull):
    """Gradient (m, n_parameters) of the violations' sum over a batch's draws in the region."""
    slope = []
    for row in np.eye(len(constraints)) / constraints.scale:
        cotangent = np.zeros_like(z)
        cotangent[rows] = constraints.pullback(batch.f[inside], batch.jacobian[inside], row)
        slope.append(pull(cotangent, np.zeros(len(z))))
    return np.array(slope)
