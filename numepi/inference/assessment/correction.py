"""Draws from the exact maximum-entropy solution: a fitted flow's, resampled by importance, or particles moved there."""

import numpy as np

from numepi.inference.dual_problem import effective_sample_size, minimise_dual, normalised_weights
from numepi.inference.noise import averaged_statistics, correct_for_noise
from numepi.inference.particles.annealing import ParticleSettings, connect, forget, memory
from numepi.inference.particles.density import PathPoint, TemperedDensity
from numepi.inference.problem import Stream

__all__ = ["NotReached", "corrected_sample", "moved_sample"]

_DEFENSIVE = 0.1
_PROPOSALS_PER_DRAW = 5
_MIN_PROPOSALS = 2000
_PARTICLES = 500  # moved at a time, at the most; at the least
_LEAST_PARTICLES = 100
_SPARE = 1.5  # moved draws for one that is kept, so that few are kept twice
_NOISE_DRAWS = 8  # simulations of each that tell its expected statistics: an eighth of the noise is left
_FLOOR = 20.0  # least effective number of weighted proposals on the way to the targets
_LEAST_SHARE = 0.25  # of the moved draws that must count after that: a few tenths of a scale leave nine tenths


class NotReached(ValueError):
    """Particles do not come to the exact solution."""


def corrected_sample(problem, flow, theta, theta_start, multipliers, n, replicates=1):
    """Draw ``n`` parameters from p* ~ p0 exp(eta . T), eta the ``multipliers`` (m,), in the property's region.

    Proposals come from the flow and, for a share, from where it started; each is kept with a probability in proportion
    to its importance weight (systematic resampling, so that a proposal repeats only if its weight exceeds 1 / n).  The
    multipliers are those of these proposals' own dual where they reach its optimum: of a hundred effective ones the
    means lie a tenth of a standard deviation beside the targets at any others.

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
    constraints, scale = problem.constraints, problem.constraints.scale
    violation, eta = (T - constraints.target) / scale, np.asarray(multipliers, float) * scale
    log_start = flow.log_prob(theta_start, z) + np.log(_DEFENSIVE)
    log_base = problem.log_prior(z) - np.logaddexp(flow.log_prob(theta, z) + np.log1p(-_DEFENSIVE), log_start)
    violation, log_base = correct_for_noise(violation, covariance / np.outer(scale, scale), log_base, eta)
    step = minimise_dual(violation, log_base, eta, _FLOOR, is_bound=constraints.is_bound)
    weights = normalised_weights(log_base + violation @ (step.eta if step.optimal else eta))
    rows = _kept(weights, n, np.random.default_rng(problem.seed(Stream.CORRECTION, 2)))
    return problem.circuit.support.rounded(z[rows]), float(effective_sample_size(weights) / len(weights))


def _kept(weights, n, generator):
    """Rows (n,) in proportion to normalised ``weights``, in any order: one repeats only if its weight exceeds 1 / n."""
    cumulative = np.cumsum(weights)
    points = (generator.random() + np.arange(n)) / n * cumulative[-1]
    return generator.permutation(np.minimum(np.searchsorted(cumulative, points), len(weights) - 1))


def moved_sample(problem, flow, theta, multipliers, n):
    """Draw ``n`` parameters from p* where weights reach nothing: particles moved there from the flow.

    They follow the path from q to p* (`numepi.inference.particles`), and then move on there for as many rounds as
    ``n`` draws take.  The multipliers are known to a tenth of a standard deviation of the statistics, and particles
    keep the noise that they have met, beside which fresh noise lies: so the draws' expected statistics have a dual of
    their own, whose small step makes the weights by which ``n`` of them are kept.

    Returns
    -------
    z : ndarray (n, D)
    efficiency : float
        What a draw is worth of an independent one: (1 - c) / (1 + c), c the largest autocorrelation of a constraint
        between rounds, times the effective share of those weights.

    Raises
    ------
    NotReached
        If the particles do not get there, or their statistics stay away from the targets.
    """
    region = problem.constraints.region
    density = TemperedDensity(problem, flow, theta, None if region is None else region.contains)
    settings = ParticleSettings(particles=min(max(n, _LEAST_PARTICLES), _PARTICLES))
    generator = np.random.default_rng(problem.seed(Stream.CORRECTION, 2))
    eta = np.asarray(multipliers, float) * problem.constraints.scale
    path = connect(density, PathPoint(1.0, eta, region is not None), settings, generator)
    if path.failure is not None:
        raise NotReached(f"corrected = True, but particles do not reach the solution: {path.failure}")
    particles, mover, drawn, kept = path.particles, path.mover, [], 0.0
    for _ in range(int(np.ceil(_SPARE * max(n, 1) / settings.particles)) + 1):
        before = particles.violation
        particles, mover = forget(density, particles, path.point, mover, settings, generator)
        kept = max(kept, memory(before, particles.violation))
        drawn.append(particles.z)
    z, weights = _led_to_targets(problem, np.concatenate(drawn[1:]), eta)  # the first round forgets what was copied
    efficiency = (1 - kept) / (1 + kept) * effective_sample_size(weights) / len(weights)
    return problem.circuit.support.rounded(z[_kept(weights, n, generator)]), float(efficiency)


def _led_to_targets(problem, z, eta):
    """The draws of ``z`` (n, D) in the region, and weights by which their expected statistics meet the constraints."""
    constraints = problem.constraints
    valid, T, _ = averaged_statistics(problem, z, Stream.CORRECTION, 1, _NOISE_DRAWS, confined=True)
    violation = (T - constraints.target) / constraints.scale
    base = -violation @ eta  # the draws have these multipliers already
    step = minimise_dual(violation, base, eta, _LEAST_SHARE * len(violation), is_bound=constraints.is_bound)
    if not step.optimal:
        raise NotReached(
            "corrected = True, but the particles' statistics stay "
            f"{np.abs(step.gradient).max():.2g} target standard deviations or variances away from the targets"
        )
    return z[valid], normalised_weights(base + violation @ step.eta)
