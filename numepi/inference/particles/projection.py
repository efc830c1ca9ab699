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

__all__ = ["ROWS", "projected"]

_BATCH = 250  # draws
_LONGEST = 0.1  # natural scales that a step takes away, halved where that was too much
_LARGEST = 1.0  # natural scales of a violation from where this is no correction any more


class _Aim(NamedTuple):
    """How closely a part of the way is measured, and from where on it is done."""

    steps: int  # the last is measured and not taken where it is no better
    batches: range  # of draws, the same at each step: it is told apart from the one before by what it changes
    close: float  # natural scales


# Standard errors: a sixtieth of a standard deviation of 4,000 draws, and a 140th of 20,000, as many as a score has.
_NEXT_TO = _Aim(steps=8, batches=range(16), close=0.035)  # half a tolerance of a variance; most ends need two steps
_ONTO = _Aim(steps=3, batches=range(16, 96), close=0.003)  # half of that error
_WITH_GRADIENT = 16  # of the batches: G turns a step, and need not be as exact as x
ROWS = sum((aim.steps + 1) * len(aim.batches) * _BATCH for aim in (_NEXT_TO, _ONTO))


def projected(problem, flow, theta, eta):
    """``theta`` (n_parameters,) with the mean violations of the flow's draws in the property's region taken away.

    Parameters
    ----------
    problem : Problem
        With a gradient.
    flow : numepi.flow.Flow
    theta : ndarray (n_parameters,)
    eta : ndarray (m,)
        Multipliers in natural scales: a bound that does not bind stays as it is.
    """
    for aim in (_NEXT_TO, _ONTO):
        theta = _nearer(problem, flow, theta, eta, aim)
    return theta


def _nearer(problem, flow, theta, eta, aim):
    best, least, longest = theta, _LARGEST, _LONGEST
    for step in range(aim.steps + 1):
        mean, gradient = _mean_violation(problem, flow, theta, aim.batches)
        miss, free = free_gradient(mean, eta, problem.constraints.is_bound)
        size = np.abs(miss[free]).max(initial=0.0)
        if size < least:
            best, least, G = theta, size, gradient[free]
            way = G.T @ np.linalg.lstsq(G @ G.T, miss[free], rcond=None)[0]
        elif step == 0:
            break
        else:
            longest = min(longest, least) / 2
        if least < aim.close:
            break
        theta = best - min(1.0, longest / least) * way
    return best


def _mean_violation(problem, flow, theta, batches):
    """Of draws in the region (m,), and its gradient (m, n_parameters) along the first ones' paths; zero without any."""
    constraints, total, count, pulled = problem.constraints, 0.0, 0, 0
    gradient = np.zeros((len(constraints), len(theta)))
    for number in batches:
        base, turn = problem.normals(Stream.REFINE, number, _BATCH), number - batches[0] < _WITH_GRADIENT
        z, _, *pull = flow.sample_with_pullback(theta, base) if turn else flow.sample(theta, base)
        batch = problem.simulate(z, Stream.PENALTY, 0, first_index=number * _BATCH, with_jacobian=turn)
        inside = constraints.inside(batch.T)
        rows = np.flatnonzero(batch.valid)[inside]
        total = total + ((batch.T[inside] - constraints.target) / constraints.scale).sum(axis=0)
        count += len(rows)
        if not turn:
            continue
        slope = _slope(constraints, batch, inside, rows, z, *pull)
        if np.isfinite(slope).all():  # a draw on a bound of the box has no way back
            gradient += slope
            pulled += len(rows)
    return total / max(count, 1), gradient / max(pulled, 1)


def _slope(constraints, batch, inside, rows, z, pull):
    """Gradient (m, n_parameters) of the violations' sum over a batch's draws in the region."""
    slope = []
    for row in np.eye(len(constraints)) / constraints.scale:
        cotangent = np.zeros_like(z)
        cotangent[rows] = constraints.pullback(batch.f[inside], batch.jacobian[inside], row)
        slope.append(pull(cotangent, np.zeros(len(z))))
    return np.array(slope)
