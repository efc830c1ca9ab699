"""From a solver's run to a `numepi.result.Result`: score, certificate, status and the message that says what to do."""

import numpy as np

from numepi.flow import FlowDistribution
from numepi.inference.assessment.certificate import certify
from numepi.inference.assessment.score import score
from numepi.inference.assessment.services import ASSESSMENT
from numepi.inference.noise import is_noisy
from numepi.inference.problem import Stream
from numepi.result import Result

__all__ = ["assemble"]

_NOISE_CHECK_SIZE = 100
_NOISY_REPLICATES = 4  # simulations of each parameter in the certificate of a noisy circuit, at the least
_NEAR = 0.3  # nats from the exact solution
_MANY_FAILED = 0.01  # share of failed draws that the message mentions
_REMEDIES = {
    "finished": "the constraints are not met: give the solver a larger budget (more or longer rounds), or another seed",
    "budget": "give a larger budget, or resume from a checkpoint",
    "interrupted": "resume from a checkpoint to go on",
    "stopped": "resume from a checkpoint to go on",
}


def assemble(solver, outcome, configuration):
    """Score and certify the answer of ``solver``, whose run ended with ``outcome``, and say what came of it."""
    theta, met = solver.answer()
    problem = solver.problem
    constraints = problem.constraints
    account = problem.account
    final = score(problem, solver.flow, theta)
    if met is None:
        met = bool(np.all(np.abs(final.constraint - constraints.target) <= constraints.tolerance))
    met = met and outcome.status != "failed"  # by luck: an unbounded problem, say, may meet them on its way out
    certificate = _certificate(solver, theta)
    if met:
        status = "near the optimum" if certificate.reliable and certificate.kl < _NEAR else "constraints met"
    else:
        status = {"finished": "not converged"}.get(outcome.status, outcome.status)
    return Result(
        distribution=FlowDistribution(solver.flow, theta, problem.circuit.parameter_names),
        property=constraints.prop,
        success=bool(met),
        status=status,
        message=_message(status, met, outcome, account, final, certificate),
        entropy=final.entropy,
        entropy_stderr=final.entropy_stderr,
        relative_entropy=final.relative_entropy,
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


def _certificate(solver, theta):
    problem, flow = solver.problem, solver.flow
    start = flow.initial_parameters(problem.seed(Stream.INITIAL))
    z, _ = flow.sample(theta, problem.normals(Stream.NOISE_CHECK, 1, _NOISE_CHECK_SIZE))
    replicates = max(_NOISY_REPLICATES, solver.replicates) if is_noisy(problem, z, Stream.NOISE_CHECK) else 1
    return certify(problem, flow, theta, start, replicates=replicates, multipliers=solver.multipliers)


def _message(status, met, outcome, account, score, certificate):
    if met:
        text = "the constraints are met"
        if status == "near the optimum":
            text += f" and the distribution is within {_NEAR} nats of maximum entropy"
        elif certificate.reliable:
            text += f", but {certificate.kl:.2f} nats short of maximum entropy: a richer flow or more rounds may help"
        else:
            text += "; the distance to maximum entropy could not be established"
        if outcome.status != "finished":
            text += f"; the run ended early: {outcome.detail}"
    elif outcome.status == "finished":
        text = _REMEDIES["finished"]
    else:
        text = f"{outcome.detail}; {_REMEDIES[outcome.status]}" if outcome.status != "failed" else outcome.detail
    text += f" [{account['n_simulations']:,} simulations, {outcome.elapsed:.1f} s]"
    if account["n_failed"]:
        text += f"; {account['n_failed']:,} simulations were not finite and were left out (see failed_examples)"
    if score.n_failed > _MANY_FAILED * score.n:
        text += f"; {score.n_failed / score.n:.0%} of the distribution's own draws fail: what is scored are the others"
    return text
