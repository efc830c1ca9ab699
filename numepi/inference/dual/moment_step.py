"""A step of the multipliers by the moments of the flow's own samples, where no importance weights reach the target.

Newton's step on the dual is Cov(T)^-1 (mu_opt - E T).  Far from the targets the straight line between the moments leads
through huge variances, those of mixtures of here and there, and the step would *widen* p_eta.  Mean and variance have
to move together, as a Gaussian's do: statistics are centred on their present means, and a variance is asked to become
the target's whatever way the mean still has to go.
"""

import numpy as np

__all__ = ["moment_step"]

_RIDGE = 1e-3  # on the correlation matrix of T
_LEAST_SPREAD = 0.01  # of T in natural scales: where T hardly varies, eta must not run away
_NEAR = 0.5  # standard deviations from the target means, from where the offset counts as variance again


def moment_step(constraints, f, T, share, radius):
    """Change of eta (m,) towards the targets, in the constraints' own units.

    Parameters
    ----------
    constraints : Constraints
    f : ndarray (n, k)
        Statistics of the flow's samples.
    T : ndarray (n, m)
        Their sufficient statistics.
    share : float
        Of the Newton step that is taken at most.
    radius : float
        Largest standard deviation under the samples of the change of log p_eta: the trust region.
    """
    prop = constraints.prop
    mean = f.mean(axis=0)
    offset = np.array([0.0 if target is None else m - target for m, target in zip(mean, prop.mean)])
    sigma = np.array([s if v is None else np.sqrt(v) for s, v in zip(f.std(axis=0), prop.variance)])
    matrix, excess = constraints.recentred(offset)
    violation = (T - constraints.target) @ matrix.T / constraints.scale
    if np.all(np.abs(offset) <= _NEAR * sigma):
        excess = np.zeros_like(excess)
    wanted = (constraints.target - T.mean(axis=0) + excess) / constraints.scale
    spread = np.maximum(violation.std(axis=0), _LEAST_SPREAD)
    correlation = np.cov(violation.T / spread[:, None], ddof=0) + _RIDGE * np.eye(len(spread))
    newton = np.linalg.solve(correlation, wanted / spread) / spread
    length = np.hypot(np.std(violation @ newton), _LEAST_SPREAD * np.linalg.norm(newton))
    newton *= min(share, radius / max(length, np.finfo(float).tiny))
    return matrix.T @ (newton / constraints.scale)
