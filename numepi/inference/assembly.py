"""From a solver's run to a `numepi.result.Result`: score, certificate, and the verdict on them."""

from numepi.flow import FlowDistribution
from numepi.inference.assessment.certificate import certify
from numepi.inference.assessment.infeasible import noise_exceeds_target
from numepi.inference.assessment.score import score
from numepi.inference.assessment.services import ASSESSMENT
from numepi.inference.assessment.verdict import constraints_met, verdict
from numepi.inference.noise import replicates_needed
from numepi.inference.problem import Stream
from numepi.result import Result

__all__ = ["assemble"]

_NOISE_CHECK_SIZE = 100
_CERTIFICATE_SIZE = 20_000  # parameters,
_CERTIFICATE_ROWS = 160_000  # and simulations of them, at the most,
_CERTIFICATE_LEAST = 4_000  # unless that left fewer parameters than this


def assemble(solver, outcome, configuration):
    """Score and certify the answer of ``solver``, whose run ended with ``outcome``, and say what came of it."""
    theta, met = solver.answer()
    problem = solver.problem
    constraints = problem.constraints
    account = problem.account
    final = score(problem, solver.flow, theta)
    # By luck: an unbounded problem, say, may meet its constraints on its way out, and a start before any work.
    by_luck = outcome.status == "failed" or account["n_simulations"] == 0
    met = not by_luck and constraints_met(constraints, final, met)
    start = solver.flow.initial_parameters(problem.seed(Stream.INITIAL))
    certificate = _certificate(solver, theta, start, final)
    infeasible = None
    if not met and outcome.status in ("finished", "failed"):
        infeasible = noise_exceeds_target(problem, solver.flow, theta, start, final)
    success, status, message = verdict(met, outcome, account, final, certificate, solver.flow.precision, infeasible)
    return Result(
        distribution=FlowDistribution(solver.flow, theta, problem.circuit.parameter_names),
        property=constraints.prop,
        success=success,
        status=status,
        message=message,
        entropy=final.entropy,
        entropy_stderr=final.entropy_stderr,
        relative_entropy=final.relative_entropy,
        failing_share=final.failing_share,
        failing_interval=final.failing_interval,
        statistic_mean=final.mean,
        statistic_variance=final.variance,
        constraint_names=constraints.names,
        constraint_target=constraints.target,
        constraint_tolerance=constraints.tolerance,
        constraint=final.constraint,
        constraint_stderr=final.constraint_stderr,
        p_values=final.p_values,
        multipliers=solver.multipliers,
        **account,
        elapsed=outcome.elapsed,
        parameter_names=tuple(problem.circuit.parameter_names),
        statistic_names=tuple(problem.circuit.statistic_names),
        configuration=configuration,
        certificate=certificate,
        history=solver.history(),
        circuit=problem.circuit,
        prior=problem.prior,
        services=ASSESSMENT,
    )


def _certificate(solver, theta, start, score):
    problem, flow = solver.problem, solver.flow
    z, _ = flow.sample(theta, problem.normals(Stream.NOISE_CHECK, 1, _NOISE_CHECK_SIZE))
    replicates = replicates_needed(problem, z, Stream.NOISE_CHECK, solver.multipliers)
    if replicates > 1:
        replicates = max(replicates, solver.replicates)
    n = min(_CERTIFICATE_SIZE, max(_CERTIFICATE_LEAST, _CERTIFICATE_ROWS // replicates))
    return certify(problem, flow, theta, start, n, replicates, solver.multipliers, score)
