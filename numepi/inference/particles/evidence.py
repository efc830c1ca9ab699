"""Log Z of the maximum-entropy solution from all particles on a path: the multistate Bennett acceptance ratio.

Particles at all points, on the way there and on a way back, are draws of one mixture of the densities, whose only
unknowns are the points' log Z; of those the most likely are taken (Geyer 1994; Shirts & Chodera 2008), and every
particle has a weight under any density.  The product of the path's own weights says too little by what Newton's steps
owe to the particles that they were made from: of the rank-2 network of 50 neurons it found 0.12 to 0.25 nats less than
all particles together, which importance weights bore out.

What particles remember goes different ways on the way there and back: what either finds alone tells the error.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp

from numepi.inference.dual_problem import minimise_dual
from numepi.inference.particles.annealing import effective_share, forget, memory, resample
from numepi.inference.particles.density import Traits
from numepi.inference.particles.giving_up import spent

__all__ = ["Evidence", "Mixture", "evidence"]

_STEPS = 50  # of Newton, of which three or four are needed from the path's own weights
_CONVERGED = 1e-7  # nats
_HALVINGS = 30
_MOST_POINTS = 300  # of a path, evenly
_ROOM = 2e7  # log densities that a mixture keeps, 160 MB: beyond, fewer particles a point
_LEAST_OVERLAP = 1e-12  # of the points' densities, in the least eigenvalue of the scaled Hessian: less is rounding
_LEAST_KNOWN = 10  # particles, from which they tell what they remember
_FLOOR = 5.0  # effective particles, below which no dual is solved


@dataclass(frozen=True)
class Mixture:
    """Particles of several points of a path as draws of the mixture of their densities.

    Attributes
    ----------
    traits : Traits
        Of all N particles.
    log_density : ndarray (N,)
        Of the mixture, times N, relative to the base's normal.
    log_z, variance : float
        Of the last point relative to the first; the variance is that of independent draws.
    """

    traits: Traits
    log_density: np.ndarray
    log_z: float
    variance: float

    @classmethod
    def of(cls, points, samples):
        """From ``points`` (K of them) and the `Traits` of draws of each, one or more."""
        traits = Traits(*(np.concatenate(arrays) for arrays in zip(*samples)))
        counts = np.array([len(sample.inside) for sample in samples], float)
        log_p = np.stack([traits.tilt(point) for point in points])
        log_z = _first_guess(points, samples)
        if not np.isfinite(log_z).all():  # nobody of a point would be anywhere at the next
            return cls(traits, np.full(len(traits.inside), np.nan), np.nan, np.inf)
        log_z, log_density, hessian = _most_likely(log_p, counts, log_z)
        return cls(traits, log_density, float(log_z[-1]), _variance(hessian, counts))

    def optimum(self, point, is_bound):
        """The dual's optimum (`DualStep`) from the multipliers of ``point``, and log Z there."""
        log_base = self.traits.tilt(point._replace(eta=np.zeros(len(point.eta)))) - self.log_density
        alive = np.isfinite(log_base)
        violation, log_base = self.traits.violation[alive], log_base[alive]
        found = minimise_dual(violation, log_base, point.eta, _FLOOR, is_bound=is_bound)
        return found, float(logsumexp(log_base + violation @ found.eta))


@dataclass(frozen=True)
class Evidence:
    """Estimates of log Z at the end of a path, and the dual's optimum next to it.

    Attributes
    ----------
    log_z, stderr : float
        From all particles, and its error: of as many as remember nothing, and of half of what the two ways differ by.
        NaN where on the way back no particle has a density.
    forward, backward : float, optional
        From the particles of the way there, and of the way back, alone; None where no way was needed.
    eta : ndarray (m,)
        Multipliers in natural scales that all particles together find.
    log_z_there : float
        Log Z at them.
    effective : float
        Particles under the density there that remember nothing of each other.
    repeats : float
        Particles that count as one, for what they remember.
    optimal : bool
        Whether ``eta`` is the dual's optimum, and not only as near to it as particles reach.
    n : int
        Particles, and draws of a flow, that it rests on.
    """

    log_z: float
    stderr: float
    forward: float | None
    backward: float | None
    eta: np.ndarray
    log_z_there: float
    effective: float
    repeats: float
    optimal: bool
    n: int


def evidence(density, path, settings, generator):
    """Walk back along ``path`` from its end, and take all particles of both ways together: an `Evidence`."""
    particles, mover = forget(density, path.particles, path.point, path.mover, settings, generator)
    left = _memory(path, particles)
    numbers = _kept(len(path.samples))
    there = [(number, path.samples[number - 1]) for number in numbers]
    back = _way_back(density, path, numbers, particles, mover, settings, generator)
    none = Evidence(np.nan, np.inf, path.log_z, -np.inf, path.point.eta, np.nan, 0.0, np.inf, False, 0)
    if back is None:
        return none
    whole, forward, backward = (_mixture(path, way) for way in (there + back, there, back))
    if not np.isfinite([whole.log_z, forward.log_z, backward.log_z]).all():
        return none
    # The base's draws that failed have no place in the mixture: what the first point lacks of it.
    drawn = len(path.log_ratios[0])
    worked = logsumexp(path.log_ratios[0]) - np.log(drawn)
    failed = (np.exp(-worked) - 1) / drawn  # variance of the log of that share
    repeats = (1 + left) / max(1 - left, np.finfo(float).tiny)
    found, log_z_there = whole.optimum(path.point, density.problem.constraints.is_bound)
    stderr = np.hypot(np.sqrt(repeats * whole.variance + failed), 0.5 * (forward.log_z - backward.log_z))
    return Evidence(
        whole.log_z + worked, float(stderr), forward.log_z + worked, backward.log_z + worked, found.eta,
        log_z_there + worked, found.ess / repeats, repeats, found.optimal, len(whole.log_density),
    )  # fmt: skip


def _memory(path, particles):
    """How much ``particles`` remember, of what log Z is made of, of the path's last ones, which they were before."""
    with np.errstate(invalid="ignore"):  # a copy without density
        before, after = (
            each.traits.tilt(path.point) - each.traits.tilt(path.points[1]) for each in (path.particles, particles)
        )
    known = np.isfinite(before) & np.isfinite(after)
    return memory(before[known, None], after[known, None]) if known.sum() >= _LEAST_KNOWN else 1.0


def _kept(n):
    """Numbers of the points, of 1 to n, that count."""
    return np.unique(np.linspace(1, n, min(n, _MOST_POINTS)).round().astype(int)).tolist()


def _way_back(density, path, numbers, particles, mover, settings, generator):
    """(number of a point, traits there) of particles from the path's end to its start; None where all lose it.

    Of the points ``numbers`` those are left out over which the weights reach: Newton's last steps are all in one place.
    """
    at, samples = len(numbers) - 1, []
    while True:
        # A copy that met other noise and was not moved has no density here: it stands for nothing.
        alive = np.isfinite(particles.log_density)
        if not alive.any() or spent(density, settings):
            return None
        here = path.points[numbers[at]]
        samples.append((numbers[at], particles.traits.take(alive)))
        if at == 0:
            return samples
        before, log_weights = at, np.full(len(alive), -np.inf)
        tilt = samples[-1][1].tilt
        for earlier in range(at - 1, -1, -1):
            point = path.points[numbers[earlier]]
            ratio = tilt(point) - tilt(here)
            # Weights do not see what lies outside of a region that particles are confined to.
            far = point.confined != here.confined or effective_share(ratio) < settings.ess_floor
            if earlier < at - 1 and far:
                break
            before, log_weights[alive] = earlier, ratio
        rows, point = resample(log_weights, generator), path.points[numbers[before]]
        start = density.evaluate(particles.u[rows], point)
        particles, mover = forget(density, start, point, mover, settings, generator)
        at = before


def _mixture(path, way):
    """The `Mixture` of samples (number of a point, traits) of ``path``; those of one point are one sample."""
    numbers = sorted({number for number, _ in way})
    samples = [
        Traits(*(np.concatenate(arrays) for arrays in zip(*(traits for at, traits in way if at == number))))
        for number in numbers
    ]
    points = [path.points[number] for number in numbers]
    alive = [np.flatnonzero(np.isfinite(sample.tilt(point))) for point, sample in zip(points, samples)]
    room = int(_ROOM / len(points) ** 2)
    rows = [each[np.unique(np.linspace(0, len(each) - 1, min(len(each), room)).astype(int))] for each in alive]
    held = [k for k, each in enumerate(rows) if len(each)]
    return Mixture.of([points[k] for k in held], [samples[k].take(rows[k]) for k in held])


def _first_guess(points, samples):
    """Log Z (K,) by the weights from each point to the next."""
    steps = [
        logsumexp(sample.tilt(after) - sample.tilt(before)) - np.log(len(sample.inside))
        for sample, before, after in zip(samples, points[:-1], points[1:])
    ]
    return np.concatenate([[0.0], np.cumsum(steps)])


def _variance(hessian, counts):
    """Of the last point's log Z for independent draws; infinite where densities do not overlap."""
    if len(counts) == 1:
        return 0.0
    free, root = hessian[1:, 1:], np.sqrt(counts[1:])
    if np.linalg.eigvalsh(free / np.outer(root, root))[0] < _LEAST_OVERLAP:
        return np.inf
    return max(0.0, float(np.linalg.inv(free)[-1, -1] - 1 / counts[0] - 1 / counts[-1]))


def _most_likely(log_p, counts, log_z):
    """The points' log Z (K,), the first's held; the mixture's log density (N,) times N; minus the Hessian (K, K).

    ``log_p`` (K, N) are log densities of all draws at all points, ``counts`` (K,) of which were drawn there.  The log
    likelihood is concave in log Z; Newton's steps are halved until it rises.
    """

    def likelihood(log_z):
        log_density = logsumexp(log_p + (np.log(counts) - log_z)[:, None], axis=0)
        return -log_density.sum() - counts @ log_z, log_density

    value, log_density = likelihood(log_z)
    for _ in range(_STEPS):
        shares = np.exp(log_p + (np.log(counts) - log_z)[:, None] - log_density)
        hessian = np.diag(shares.sum(axis=1)) - shares @ shares.T
        step = np.zeros_like(log_z)
        step[1:] = np.linalg.lstsq(hessian[1:, 1:], (shares.sum(axis=1) - counts)[1:], rcond=1e-12)[0]
        for _ in range(_HALVINGS):
            trial, trial_density = likelihood(log_z + step)
            if trial >= value - 1e-12 * abs(value):
                break
            step /= 2
        log_z, value, log_density = log_z + step, trial, trial_density
        if np.abs(step).max() < _CONVERGED:
            break
    return log_z, log_density, hessian
