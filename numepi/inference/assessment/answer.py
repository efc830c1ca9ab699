"""Scoring and certifying an answer: at the end of a run, or later, when its result is asked to."""

from dataclasses import replace

import numpy as np

from numepi.inference.assessment.certificate import uncertified
from numepi.inference.assessment.infeasible import noise_exceeds_target, noise_in_doubt
from numepi.inference.assessment.outside import weight_outside
from numepi.inference.assessment.particle_certificate import certify_by_particles
from numepi.inference.assessment.reserve import sizes
from numepi.inference.assessment.score import score
from numepi.inference.assessment.verdict import beyond_what_was_seen, constraints_met, verdict
from numepi.inference.assessment.weights import certify
from numepi.inference.noise import replicates_needed
from numepi.inference.problem import Stream
from numepi.inference.running.run import Outcome

__all__ = ["NOT_SCORED", "SCORE_SIZE", "assess"]

NOT_SCORED = "not scored"
SCORE_SIZE = 20_000  # draws of a score
_COUNTS = ("n_simulations", "n_failed", "n_raised", "n_not_differentiable")
_REGION_DRAWS = 8  # at the most: a third of the noise's deviation is left in where a parameter lies
_CERTIFICATE_SIZE = 20_000  # parameters,
_CERTIFICATE_ROWS = 160_000  # and simulations of them, at the most,
_CERTIFICATE_LEAST = 4_000  # unless that left fewer parameters than this
_MANY_DIMENSIONS = 20  # from where weights can miss what particles reach; a few hundred thousand rows are worth it


def assess(
    result, problem, n=SCORE_SIZE, certified=True, replicates=1, own=None, method="auto", budget=None, anew=False
):
    """The result with a score on ``n`` fresh draws and, unless ``certified`` is False, a new certificate.

    Parameters
    ----------
    result : Result
    problem : Problem
        Names the random numbers, and counts what is simulated.
    replicates : int
        Simulations of each parameter in the certificate of a noisy circuit, at the least.
    own : (Score, Certificate), optional
        From the run's own rows: then none are simulated here.
    method : "auto", "weights" or "particles"
        Of the certificate; "auto" takes particles where weights are not reliable, in many dimensions, with a gradient,
        without a limit of simulations, and the constraints are met.
    budget : int, optional
        Rows that the certificate may simulate.
    anew : bool
        Whether the problem counts what is simulated here only, and not what the run has.
    """
    flow, theta = result.distribution.flow, result.distribution.theta
    constraints, ended = problem.constraints, result.ended
    left = None if problem.limit is None else problem.left(problem.limit)
    rows = sizes(left, result.ended["status"] == "failed", n)
    replicates_found = None  # from probes that are simulated once, for score and certificate
    if own is None:
        if constraints.region is not None:
            replicates_found = _probed(problem, flow, theta, result.multipliers, rows.probes)
        draws = min(_REGION_DRAWS, replicates_found or 1)
        final = score(problem, flow, theta, max(1, rows.score // draws), draws)
    else:
        final = own[0]
    tolerance, tolerance_source = constraints.tolerances(final.constraint_spread)
    # By luck: an unbounded problem, say, may meet its constraints on its way out, and a start before any work.
    by_luck = ended["status"] == "failed" or result.simulation_counts["fit"] == 0
    met = not by_luck and constraints_met(constraints, final, ended["met"])
    start = flow.initial_parameters(problem.seed(Stream.INITIAL))
    certificate = result.certificate
    if certified or own is not None:
        certificate = None if own is None else own[1]
        if own is None and method != "particles":
            certificate = _by_weights(
                problem, flow, theta, start, final, result.multipliers, replicates, rows, budget, replicates_found
            )
        many = method == "auto" and met and problem.with_gradient and flow.dim >= _MANY_DIMENSIONS and left is None
        if certificate is None or (many and certificate.invertible and not certificate.reliable):
            certificate = certify_by_particles(problem, flow, theta, start, result.multipliers, final, budget)
    infeasible = unseen = remark = None
    if not met:
        unseen = beyond_what_was_seen(constraints, problem.seen, problem.n_simulations - problem.n_failed)
    at_its_end = ended["status"] in ("finished", "failed", "budget")
    if not met and at_its_end:
        infeasible = noise_exceeds_target(problem, flow, theta, start, final)
        remark = noise_in_doubt(problem, flow, theta, final)
    outcome = Outcome(ended["status"], ended["detail"], result.elapsed)
    far = None
    if met or (at_its_end and unseen is None and infeasible is None):
        multipliers, log_z = result.multipliers, np.nan
        if certificate is not None and certificate.bounds:
            multipliers, log_z = np.array(certificate.multipliers), certificate.entropy_bound
        far = weight_outside(problem, flow, start, multipliers, log_z, result.simulations, met)
    remark = "; ".join(part for part in (remark, far, _dropped(result)) if part) or None
    account = {name: getattr(result, name) for name in _COUNTS}
    if anew:
        account = {name: count + problem.account[name] for name, count in account.items()}
        counts = {name: count + problem.counts.get(name, 0) for name, count in result.simulation_counts.items()}
        result = replace(result, **account, simulation_counts=counts)
    else:
        account["n_simulations"] = problem.n_simulations
    success, status, message = verdict(
        met, outcome, account, final, certificate, flow.precision, infeasible, unseen, remark
    )
    return replace(
        result,
        success=success,
        status=status,
        message=message,
        entropy=final.entropy,
        entropy_stderr=final.entropy_stderr,
        relative_entropy=final.relative_entropy,
        failing_share=final.failing_share,
        failing_interval=final.failing_interval,
        outside_share=final.outside_share,
        statistic_mean=final.mean,
        statistic_variance=final.variance,
        constraint=final.constraint,
        constraint_stderr=final.constraint_stderr,
        constraint_tolerance=tolerance,
        constraint_tolerance_source=tolerance_source,
        p_values=final.p_values,
        certificate=certificate,
    )


def _dropped(result):
    """What is said of a surrogate that did not lead to the end; None where it did, or none was ever judged."""
    explained = result.history.get("explained", np.empty(0))
    judged = explained[np.isfinite(explained)]
    if result.surrogate != 0 or not len(judged):
        return None
    return (
        f"the surrogate of the statistics, which explained {max(judged[-1], 0):.0%} of what its last fresh simulations "
        "showed, was dropped: the flow was fitted to simulations alone"
    )


def _probed(problem, flow, theta, multipliers, n_probes):
    """Simulations of each parameter that the noise in the statistics asks for; 1 without noise."""
    z, _ = flow.sample(theta, problem.normals(Stream.NOISE_CHECK, 1, n_probes))
    return replicates_needed(problem, z, Stream.NOISE_CHECK, multipliers)


def _by_weights(problem, flow, theta, start, score, multipliers, least_replicates, rows, budget, replicates):
    if score.n_failed == score.n:
        return uncertified(len(problem.constraints), 0, least_replicates, score.round_trip)
    if replicates is None:
        replicates = _probed(problem, flow, theta, multipliers, rows.probes)
    if replicates > 1:
        replicates = max(replicates, least_replicates)
    n = min(_CERTIFICATE_SIZE, max(_CERTIFICATE_LEAST, _CERTIFICATE_ROWS // replicates), rows.certificate // replicates)
    if budget is not None:
        n = min(n, max(1, budget // replicates))
    return certify(problem, flow, theta, start, n, replicates, multipliers, score)
