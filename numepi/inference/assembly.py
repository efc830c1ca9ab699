"""From a solver's run to a `numepi.result.Result`: whatever comes of scoring it, the fit is not lost."""

import warnings
from dataclasses import replace

import numpy as np

from numepi.flow import FlowDistribution
from numepi.inference.assessment.answer import NOT_SCORED, assess
from numepi.inference.assessment.services import ASSESSMENT
from numepi.result import Result

__all__ = ["assemble"]


def assemble(solver, outcome, configuration):
    """The scored and certified answer of ``solver``, whose run ended with ``outcome``.

    Where scoring raises an error or is stopped by Ctrl-C, the answer is returned as it was: "not scored", with the
    reason in its message (and, after Ctrl-C, ``ended["scoring"]`` "interrupted").
    """
    result = _unscored(solver, outcome, configuration)
    try:
        scored = assess(result, solver.problem, replicates=solver.replicates, own=solver.assessment())
        account = solver.problem.account
        return replace(scored, n_simulations=account["n_simulations"], simulation_counts=account["simulation_counts"])
    except KeyboardInterrupt:
        reason, how = "it was stopped by Ctrl-C", "interrupted"
    except Exception as error:  # a circuit on an executor that breaks, a disk, memory: whatever it was, the fit stays
        reason, how = f"{type(error).__name__}: {' '.join(str(error).split())}", "failed"
    message = f"the fit was not scored ({reason}): save() keeps it, score() and certify() catch up"
    warnings.warn(message, UserWarning, stacklevel=3)
    return replace(result, message=message, ended=result.ended | {"scoring": how})


def _unscored(solver, outcome, configuration):
    """The result before its score: what only a score can tell is NaN."""
    theta, met = solver.answer()
    problem = solver.problem
    constraints = problem.constraints
    statistics = np.full(len(problem.circuit.statistic_names), np.nan)
    moments = np.full(len(constraints), np.nan)
    tolerance, tolerance_source = constraints.tolerances(moments)
    return Result(
        distribution=FlowDistribution(solver.flow, theta, problem.circuit.parameter_names),
        property=constraints.prop,
        success=False,
        status=NOT_SCORED,
        message="",
        ended={"status": outcome.status, "detail": outcome.detail, "met": None if met is None else bool(met)},
        entropy=np.nan,
        entropy_stderr=np.nan,
        relative_entropy=np.nan,
        failing_share=np.nan,
        failing_interval=(np.nan, np.nan),
        outside_share=np.nan,
        statistic_mean=statistics,
        statistic_variance=statistics,
        constraint_names=constraints.names,
        constraint_target=constraints.target,
        constraint_tolerance=tolerance,
        constraint_tolerance_source=tolerance_source,
        constraint=moments,
        constraint_stderr=moments,
        p_values=moments,
        multipliers=solver.multipliers,
        **problem.account,
        elapsed=outcome.elapsed,
        parameter_names=tuple(problem.circuit.parameter_names),
        statistic_names=tuple(problem.circuit.statistic_names),
        configuration=configuration,
        certificate=None,
        surrogate=solver.surrogate_share,
        history=solver.history(),
        simulations=solver.table(),
        circuit=problem.circuit,
        prior=problem.prior,
        services=ASSESSMENT,
    )
