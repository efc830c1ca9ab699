"""Draws from the exact maximum-entropy solution: a fitted flow's, resampled by importance, or particles moved there."""

import numpy as np

from numepi.inference.dual_problem import effective_sample_size, normalised_weights
from numepi.inference.noise import averaged_statistics, correct_for_noise
from numepi.inference.particles.annealing import ParticleSettings, connect, forget, memory
from numepi.inference.particles.density import PathPoint, TemperedDensity
from numepi.inference.problem import Stream

__all__ = ["corrected_sample", "moved_sample"]

_DEFENSIVE = 0.1
_PROPOSALS_PER_DRAW = 5
_MIN_PROPOSALS = 2000
_PARTICLES = 500  # moved at a time, at the most; at the least
_LEAST_PARTICLES = 100


def corrected_sample(problem, flow, theta, theta_start, multipliers, n, replicates=1):
    """Draw ``n`` parameters from p* ~ p0 exp(eta . T), eta the ``multipliers`` (m,), in the property's region.

    Proposals come from the flow and, for a share, from where it started; each is kept with a probability in proportion
    to its importance weight (systematic resampling, so that a proposal repeats only if its weight exceeds 1 / n).

    Returns
    -------
    z : ndarray (n, D)
    efficiency : float
        Effective number of proposals under p*, as a share of those made.
    """
    size = max(_MIN_PROPOSALS, _PROPOSALS_PER_DRAW * n)
    n_start = int(_DEFENSIVE * size)
    base = problem.normals(Stream.CORRECTION, 0, size)
    z = np.concatenate([flow.sample(theta, base[n_start:])[0], flow.sample(theta_start, base[:n_start])[0]])
    valid, T, covariance = averaged_statistics(problem, z, Stream.CORRECTION, 1, replicates, confined=True)
    z = z[valid]
    violation = T - problem.constraints.target
    log_start = flow.log_prob(theta_start, z) + np.log(_DEFENSIVE)
    log_base = problem.log_prior(z) - np.logaddexp(flow.log_prob(theta, z) + np.log1p(-_DEFENSIVE), log_start)
    violation, log_base = correct_for_noise(violation, covariance, log_base, multipliers)
    weights = normalised_weights(log_base + violation @ multipliers)
    generator = np.random.default_rng(problem.seed(Stream.CORRECTION, 2))
    cumulative = np.cumsum(weights)
    points = (generator.random() + np.arange(n)) / n * cumulative[-1]
    rows = np.minimum(np.searchsorted(cumulative, points), len(z) - 1)
    return problem.circuit.support.rounded(z[generator.permutation(rows)]), float(
        effective_sample_size(weights) / len(weights)
    )


def moved_sample(problem, flow, theta, multipliers, n):
    """Draw ``n`` parameters from p* where weights reach nothing: particles moved there from the flow.

    They follow the path from q to p* (`numepi.inference.particles`), and then move on there for as many rounds as
    ``n`` draws take.

    Returns
    -------
    z : ndarray (n, D)
    efficiency : float
        (1 - c) / (1 + c), c the largest autocorrelation of a constraint between rounds: what a draw is worth of an
        independent one.

    Raises
    ------
    ValueError
        If the particles do not get there.
    """
    region = problem.constraints.region
    density = TemperedDensity(problem, flow, theta, None if region is None else region.contains)
    settings = ParticleSettings(particles=min(max(n, _LEAST_PARTICLES), _PARTICLES))
    generator = np.random.default_rng(problem.seed(Stream.CORRECTION, 2))
    eta = np.asarray(multipliers, float) * problem.constraints.scale
    path = connect(density, PathPoint(1.0, eta, region is not None), settings, generator)
    if path.failure is not None:
        raise ValueError(f"corrected = True, but particles do not reach the solution: {path.failure}")
    particles, mover, drawn, kept = path.particles, path.mover, [], 0.0
    for _ in range(-(-n // settings.particles) + 1):
        before = particles.violation
        particles, mover = forget(density, particles, path.point, mover, settings, generator)
        kept = max(kept, memory(before, particles.violation))
        drawn.append(particles.z)
    z = np.concatenate(drawn[1:])  # the first round forgets what resampling copied
    rows = generator.permutation(len(z))[:n]
    return problem.circuit.support.rounded(z[rows]), float((1 - kept) / (1 + kept))
