"""Properties that no distribution over the parameters has, as the simulations show: noise above a target variance.

The variance of a statistic is taken over parameters *and* noise, E[(f - mu)^2] >= E_z[Var(f | z)] (science: section 1):
where the noise given z exceeds the target variance at every z, no distribution of z meets it.
"""

import numpy as np

from numepi.inference.noise import least_noise, least_noise_rows
from numepi.inference.problem import Stream

__all__ = ["CHECK_ROWS", "LOOK_ROWS", "WORTH_A_LOOK", "noise_exceeds_target", "noise_in_doubt"]

_SIZE = 1000  # parameters, half from the fit and half from where it started
_FIRST_LOOK = 100  # of them, simulated twice: most misses have other reasons
WORTH_A_LOOK = 0.8  # share of noise in a target variance, from where quiet parameters are looked for
_SIGMAS = 3.0
_QUIET = (
    0.5  # share of a target variance; at a parameter with more noise than the target 64 simulations hardly show less
)
LOOK_ROWS = 2 * _FIRST_LOOK
CHECK_ROWS = LOOK_ROWS + least_noise_rows(_SIZE)  # that the check of one statistic takes


def noise_exceeds_target(problem, flow, theta, theta_start, score):
    """The sentence that says by how much noise exceeds a target variance that was missed, or None where none does.

    Parameters
    ----------
    problem : Problem
    theta, theta_start : array
        Flow parameters of the fit, and of its start.
    score : numepi.inference.assessment.score.Score
        Of the fit.
    """
    targets, left = _missed(problem, score)
    if targets is None or left < CHECK_ROWS:
        return None
    base = problem.normals(Stream.NOISE_CHECK, 2, _SIZE)
    z = np.concatenate([flow.sample(t, half)[0] for t, half in zip((theta, theta_start), np.split(base, 2))])
    share = _noise(problem, z[:_FIRST_LOOK]) / targets
    i = int(np.argmax(share))
    if not share[i] > WORTH_A_LOOK:
        return None
    least = least_noise(problem, z, Stream.NOISE_CHECK, i)
    variance, stderr = least.mean(), least.std(ddof=1) / np.sqrt(len(least))
    # One quiet parameter is enough: a distribution may lie there.
    if not (variance - _SIGMAS * stderr > targets[i] and least[0] > _QUIET * targets[i]):
        return None
    name = problem.circuit.statistic_names[i]
    return (
        f"the property is infeasible: the noise of {name!r} alone has the variance {variance:.4g} +- {stderr:.2g}"
        f", at the {len(least)} of {_SIZE:,} parameters where it is least; the target variance is {targets[i]:.4g}: "
        "ask for more variance, or average the statistic over more trials"
    )


def noise_in_doubt(problem, flow, theta, score):
    """What is said where noise exceeds a target variance at the answer, and too few rows are left to look elsewhere.

    None where it does not, where the rows do not suffice for the first look (``LOOK_ROWS``), or suffice for the whole.
    """
    targets, left = _missed(problem, score)
    if targets is None or not LOOK_ROWS <= left < CHECK_ROWS:
        return None
    z, _ = flow.sample(theta, problem.normals(Stream.NOISE_CHECK, 2, _FIRST_LOOK))
    noise = _noise(problem, z)
    i = int(np.argmax(noise / targets))
    # two standard errors of the mean square of normal noise
    if not noise[i] * (1 - 2 * np.sqrt(2 / _FIRST_LOOK)) > WORTH_A_LOOK * targets[i]:
        return None
    return (
        f"the noise of {problem.circuit.statistic_names[i]!r} alone has the variance {noise[i]:.2g} at the answer, of "
        f"a target of {targets[i]:.4g}: the property may be infeasible; a larger max_simulations tells whether there "
        "are quieter parameters"
    )


def _missed(problem, score):
    """Target variances (k,), infinite where free, or None where none is exceeded; and the rows that are left."""
    targets = np.array([np.inf if v is None else v for v in problem.constraints.prop.largest_variance])
    left = np.inf if problem.limit is None else problem.left(problem.limit)
    return (targets if np.any(score.variance > targets) else None), left


def _noise(problem, z):
    """Variance of each statistic given z (k,), on average over the rows of ``z``; zero where too few work."""
    draws = np.full((2, len(z), len(problem.circuit.statistic_names)), np.nan)
    for r in range(2):
        batch = problem.simulate(z, Stream.NOISE_CHECK, 2, first_index=r * len(z))
        draws[r, batch.valid] = batch.f
    draws = draws[:, np.isfinite(draws).all(axis=(0, 2))]
    return 0.5 * ((draws[0] - draws[1]) ** 2).mean(axis=0) if draws.shape[1] else np.zeros(draws.shape[2])
