"""The certificate by particles: log Z of the exact solution where importance weights from the flow reach nothing.

KL(q || p*) = E_q[log q - log p0 - eta . (T - mu_opt)] + log Z(eta) needs weights only for log Z.  Two populations of
particles find it, each with multipliers of its own: one starts at the flow, whose way to p* is short where the fit is
good, and one where the flow started (the prior, on a box), which knows nothing of what the flow has lost.  Each walks
to p* and back (`numepi.inference.particles`), and E_q is that of the scored draws.  In hundreds of dimensions each goes
there alone, and is then set against draws of the flow (`numepi.inference.particles.bridge`).

Particles keep the noise that they have met: z moves so that the statistics of z *with this noise* fit, and T of fresh
noise lies a little beside, by which log Z is corrected (`TemperedDensity.noise_shift`).
"""

from dataclasses import dataclass, replace

import numpy as np

from numepi.inference.assessment.certificate import Certificate, uncertified
from numepi.inference.particles.annealing import ParticleSettings, anneal, connect, settle, working
from numepi.inference.particles.bridge import FAR, bridge, placed
from numepi.inference.particles.density import PathPoint, TemperedDensity
from numepi.inference.particles.evidence import evidence
from numepi.inference.particles.plain import plain_flow
from numepi.inference.problem import Stream

__all__ = ["certify_by_particles"]

_NOISE_DRAWS = 16  # simulations of each particle that tell how fixed noise shifts the statistics
# In more dimensions than this, particles lag behind on a path; at its end, which is all that it has to reach, draws of
# the flow are set against them.  Rank-2 networks of 10 to 50 neurons (D = 40 to 200): errors of 0.01 to 0.04 nats in 2
# to 16 CPU s, by whole paths 0.03 in 121 s at D = 200.  In few dimensions paths find shares of modes.
_MANY = 30
_BESIDE = ParticleSettings(particles=200, moves=2, most_moves=4, length=0.3, ess_floor=0.6, settle=6)
# Where the flow is too far away for that, a gradient through it costs a millisecond in more dimensions than these:
# fewer particles, and longer steps.  What that costs shows in the error.
_VERY_MANY = 200
_COARSE = ParticleSettings(particles=200, moves=4, most_moves=8, ess_floor=0.6, settle=6)
# Rows of the draws, of the first steps and of what tells the noise, before anyone looks at a budget.
_LEAST_BUDGET = 30_000
_SPENT = "particles did not get to the solution and back within a budget of {:,} simulations: give a larger budget"
_LEAST_ERROR = 1e-6  # nats: a run that says less has not looked
_SIGMAS = 3.0  # standard errors by which two runs may differ
_PROBES = 20  # base points at which two maps are compared
_SAME = 1e-5  # of a coordinate's spread, and nats of each: float32 leaves less


def certify_by_particles(problem, flow, theta, theta_start, multipliers, score, budget=None, settings=None):
    """Estimate the `Certificate` of the flow at ``theta`` by sequential Monte Carlo.

    Parameters
    ----------
    problem : Problem
        With the circuit's Jacobian where it has one: then particles move by HMC.
    theta_start : array
        Flow parameters of the broad start.
    multipliers : array (m,)
        Of the solver: where the population that starts at the flow is led first.
    score : numepi.inference.assessment.score.Score
        Of the same flow: E_q.
    budget : int, optional
        Rows that may be simulated.
    settings : ParticleSettings, optional
    """
    cap = {} if budget is None else {"most_simulations": problem.n_simulations + budget}
    target = np.asarray(multipliers, float) * problem.constraints.scale
    start = _plainest(flow, theta_start)
    runs = []
    if budget is not None and budget < _LEAST_BUDGET:
        return _nothing(problem, score, _SPENT.format(budget))
    most = cap.get("most_simulations", np.inf)
    if flow.dim > _MANY and problem.with_gradient:
        near = replace(settings or _BESIDE, **cap)
        runs = [_beside(problem, flow, theta, start, eta, near, k) for k, eta in enumerate([target, None])]
        if problem.n_simulations >= most:
            return _nothing(problem, score, _SPENT.format(budget))
    if not all(run.stderr <= FAR for run in runs) or not runs:
        settings = replace(settings or (_COARSE if flow.dim > _VERY_MANY else ParticleSettings()), **cap)
        runs = [_run(problem, flow, theta, target, settings, 0), _run(problem, *start, None, settings, 1)]
    failure = next((run.failure for run in runs if run.failure is not None), None)
    if failure is not None:
        return _nothing(problem, score, _SPENT.format(budget) if problem.n_simulations >= most else failure)
    return _certificate(problem, runs, score)


def _nothing(problem, score, failure):
    """The certificate of particles that did not get there."""
    return uncertified(
        len(problem.constraints), 0, 1, score.round_trip, with_prior=problem.prior is not None, method="particles",
        failure=failure,
    )  # fmt: skip


@dataclass(frozen=True)
class _Run:
    """What one population found at its multipliers ``eta`` (m,), in natural scales: see `Evidence`."""

    failure: str | None
    eta: np.ndarray | None = None
    log_z: float = np.nan
    stderr: float = np.nan
    forward: float | None = None
    backward: float | None = None
    effective: float = 0.0
    optimal: bool = False
    n: int = 0
    shift: float = 0.0  # of log_z, by fresh noise
    covariance: np.ndarray | None = None  # of the violations

    @classmethod
    def of(cls, density, found, end):
        """From the `Evidence` ``found`` and the particles at the ``end``, with what fresh noise takes."""
        shift, shift_stderr = density.noise_shift(end, found.eta, _NOISE_DRAWS, found.repeats)
        if np.isnan(shift):
            return cls("with fresh noise hardly any simulation of the particles works")
        return cls(
            None, found.eta, found.log_z_there + shift, float(np.hypot(found.stderr, shift_stderr)),
            *(None if way is None else way + shift for way in (found.forward, found.backward)),
            found.effective, found.optimal, found.n, shift, np.atleast_2d(np.cov(working(end.violation).T)),
        )  # fmt: skip


def _beside(problem, flow, theta, start, target, settings, number):
    """Set particles against the flow at ``theta``: from its own draws where ``target`` (m,) is given, or annealed."""
    line = plain_flow(flow.support), np.empty(0)
    density, generator = _density(problem, *(start if target is None else line), number)
    if target is None:
        path = anneal(density, problem.constraints.is_mean, settings, generator)
    else:
        point = PathPoint(1.0, problem.constraints.admissible(target), density.region is not None)
        z, _ = flow.sample(theta, generator.standard_normal((settings.particles, flow.dim)))
        path = placed(density, z, point, settings, generator)
    if path.failure is not None:
        return _Run(path.failure)
    found, end = bridge(density, flow, theta, path, settings, generator)
    if not np.isfinite(found.stderr):
        return _Run("particles do not forget where they started, or do not overlap with draws of the flow")
    return _Run.of(density, found, end)


def _density(problem, flow, theta, number):
    """The density of a population, seen from a flow, and its random numbers."""
    region = problem.constraints.region
    inside = None if region is None else region.contains
    density = TemperedDensity(problem, flow, theta, inside, Stream.CERTIFICATE_PARTICLES, number)
    return density, np.random.default_rng(problem.seed(Stream.PARTICLES, 2 + number))


def _run(problem, flow, theta, target, settings, number):
    """Follow particles from the flow at ``theta``, to multipliers ``target`` (m,) first unless that is None."""
    constraints = problem.constraints
    density, generator = _density(problem, flow, theta, number)
    if target is None:
        path = anneal(density, constraints.is_mean, settings, generator)
    else:
        point = PathPoint(1.0, constraints.admissible(target), density.region is not None)
        path = connect(density, point, settings, generator)
        if path.failure is None:
            path = settle(density, path, settings, generator)
    if path.failure is not None:
        return _Run(path.failure)
    found = evidence(density, path, settings, generator)
    if not np.isfinite([found.log_z, found.stderr]).all():
        return _Run("on the way back particles lose their density, or its steps do not overlap")
    return _Run.of(density, found, path.particles)


def _plainest(flow, theta):
    """The flow at its start, or the map to the support where it is no more: a fiftieth of the cost in D = 1000."""
    line = plain_flow(flow.support)
    base = np.random.default_rng(0).standard_normal((_PROBES, flow.dim))
    (z, log_q), (plain, log_plain) = flow.sample(theta, base), line.sample(np.empty(0), base)
    same = np.all(np.abs(z - plain) <= _SAME * plain.std(axis=0)) and np.all(
        np.abs(log_q - log_plain) <= _SAME * flow.dim
    )
    return (line, np.empty(0)) if same else (flow, theta)


def _certificate(problem, runs, score):
    log_z, stderr = np.array([[run.log_z, max(run.stderr, _LEAST_ERROR)] for run in runs]).T
    weights = stderr**-2 / np.sum(stderr**-2)
    apart = float(np.ptp(log_z))
    if apart > _SIGMAS * np.hypot(*stderr):
        # A population that misses a part of p* says too little: the larger one knows more.
        weights = np.eye(2)[np.argmax(log_z)]
    elif log_z[1] > log_z[0]:
        # However sure the flow's population is of what it has, it may have lost what the start finds.
        weights = np.array([0.5, 0.5])
    bound, eta, shift = (
        weights @ np.array(each) for each in (log_z, [run.eta for run in runs], [run.shift for run in runs])
    )
    bound_stderr = np.sqrt(np.sum((weights * stderr) ** 2))
    if log_z[1] > log_z[0] or weights.max() == 1:
        bound_stderr = np.hypot(bound_stderr, 0.5 * apart)
    else:
        # Where they differ by more than their errors say, the errors are too small by as much (Birge 1932).
        bound_stderr *= max(1.0, apart / np.hypot(*stderr))
    multipliers = eta / problem.constraints.scale
    gap = score.constraint - problem.constraints.target
    # The particles' moments are known to Cov / n, so eta to Cov^-1 / n, which matters where q is off the targets.
    effective = sum(run.effective for run in runs)
    # A bound that holds with room has no multiplier to be unsure of.
    free = ~(problem.constraints.is_bound & (eta >= 0))
    far = (gap / problem.constraints.scale)[free]
    eta_variance = float(far @ np.linalg.pinv(runs[0].covariance[np.ix_(free, free)]) @ far) / max(effective, 1.0)
    return Certificate(
        kl=float(bound + score.relative_entropy - multipliers @ gap),
        kl_stderr=float(np.sqrt(bound_stderr**2 + score.stderr_at(multipliers) ** 2 + eta_variance)),
        entropy_bound=float(bound),
        entropy_bound_stderr=float(bound_stderr),
        ess=float(effective),
        pareto_k=-np.inf,
        optimal=all(run.optimal for run in runs),
        multipliers=tuple(multipliers.tolist()),
        n=sum(run.n for run in runs),
        replicates=1,
        round_trip=score.round_trip,
        with_prior=problem.prior is not None,
        method="particles",
        forward=_together(weights, [run.forward for run in runs]),
        backward=_together(weights, [run.backward for run in runs]),
        from_flow=runs[0].log_z,
        from_start=runs[1].log_z,
        from_flow_stderr=runs[0].stderr,
        from_start_stderr=runs[1].stderr,
        noise_shift=float(shift),
    )


def _together(weights, ways):
    """The weighted mean of what two runs found on a way; None where none was gone."""
    return None if None in ways else float(weights @ ways)
