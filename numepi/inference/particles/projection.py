"""The last correction of a flow: onto its constraints, by the shortest way in its parameters.

KL(q || p_eta) is flat about its optimum: means that are off by a tenth of a standard deviation cost five thousandths of
a nat, less than the noise of a learning step, and are as much as a tolerance.  So what is left is taken away in the end
by Gauss-Newton steps: with x the mean violation of many draws and G (m, n_parameters) its gradient,

    theta <- theta - G^T (G G^T)^-1 x,

or by a share of them where x is large: where p* has a share at the region's edge that the flow lacks, the rest must
have a third more variance, and a whole step missed its target by more than there was (250 neurons).
"""

import numpy as np

from numepi.inference.dual_problem import free_gradient
from numepi.inference.problem import Stream

__all__ = ["ROWS", "projected"]

_STEPS = 8  # the last is measured and not taken where it is no better; most ends need two
_DRAWS, _BATCH = 4000, 250  # of a step: standard errors of a sixtieth of a standard deviation
_LONGEST = 0.1  # natural scales that a step takes away, halved where that was too much
_CLOSE = 0.035  # natural scales: half a tolerance of a variance, which is left as it is
_LARGEST = 1.0  # natural scales of a violation from where this is no correction any more
ROWS = (_STEPS + 1) * _DRAWS


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
    best, least, longest = theta, _LARGEST, _LONGEST
    for step in range(_STEPS + 1):
        mean, gradient = _mean_violation(problem, flow, theta, step)
        miss, free = free_gradient(mean, eta, problem.constraints.is_bound)
        size = np.abs(miss[free]).max(initial=0.0)
        if size < least:
            best, least, G = theta, size, gradient[free]
            way = G.T @ np.linalg.lstsq(G @ G.T, miss[free], rcond=None)[0]
        elif step == 0:
            break
        else:
            longest = min(longest, least) / 2
        if least < _CLOSE:
            break
        theta = best - min(1.0, longest / least) * way
    return best


def _mean_violation(problem, flow, theta, step):
    """Of draws in the region (m,), and its gradient (m, n_parameters) along their paths; NaN where there are none."""
    constraints, total, count = problem.constraints, 0.0, 0
    gradient = np.zeros((len(constraints), len(theta)))
    for number, base in enumerate(np.split(problem.normals(Stream.REFINE, step, _DRAWS), _DRAWS // _BATCH)):
        z, _, pull = flow.sample_with_pullback(theta, base)
        batch = problem.simulate(z, Stream.PENALTY, step, first_index=number * _BATCH, with_jacobian=True)
        inside = constraints.inside(batch.T)
        rows = np.flatnonzero(batch.valid)[inside]
        total = total + ((batch.T[inside] - constraints.target) / constraints.scale).sum(axis=0)
        count += len(rows)
        for i, row in enumerate(np.eye(len(constraints)) / constraints.scale):
            cotangent = np.zeros_like(z)
            cotangent[rows] = constraints.pullback(batch.f[inside], batch.jacobian[inside], row)
            gradient[i] += pull(cotangent, np.zeros(len(z)))
    return total / max(count, 1), gradient / max(count, 1)
