"""What is said of an answer: whether the property is met, the status, and the message that says what to do next."""

import numpy as np

__all__ = ["NOT_REACHED", "beyond_what_was_seen", "constraints_met", "not_reached", "verdict"]

_NEAR = 0.3  # nats from the exact solution
_SIGMAS = 3.0  # standard errors by which an achieved moment may miss more than it seems to, or less
_ROUNDING = 1e-6  # of the tolerance: a statistic that is its target everywhere is so but for rounding
_MANY_FAILED = 0.01  # share of failed draws that the message mentions
_ELSE_TRY = (
    "try more draws (round_size, or particles), a narrower support or prior, the logarithm of a statistic that spans "
    "decades, or another target"
)
_ELSE_SEE = (
    "more draws (round_size, or particles), a support or prior with more of the parameters that come near, or another "
    "target"
)
NOT_REACHED = "the property was not reached: "
_REMEDIES = {
    "finished": "give the solver a larger budget (more or longer rounds, learn_steps), another seed, or another flow",
    "budget": "give a larger budget, or resume from a checkpoint",
    "interrupted": "resume from a checkpoint to go on",
    "stopped": "resume from a checkpoint to go on",
}


def constraints_met(constraints, score, by_the_solver=None):
    """Whether the scored draws let the constraints count as met.

    Every error must lie within its tolerance but for three of its standard errors, and none beyond the tolerance may
    be as certain as the paper's test can tell (p = 0).  And the draws must lie on both sides of each target: what all
    of them miss on the same side has no such mean, however wide the tolerance.

    Parameters
    ----------
    constraints : Constraints
    score : numepi.inference.assessment.score.Score
    by_the_solver : bool, optional
        The verdict of a solver with a test of its own (Algorithm 1), which counts besides; without one every error
        must lie within its tolerance.
    """
    error = constraints.miss(score.constraint)
    tolerance, _ = constraints.tolerances(score.constraint_spread)
    within = error <= tolerance
    met = np.all(within) if by_the_solver is None else by_the_solver
    clear = error - _SIGMAS * score.constraint_stderr <= tolerance
    rounding = _ROUNDING * tolerance
    above = constraints.is_bound | (constraints.target <= score.greatest + rounding)
    between = (score.least - rounding <= constraints.target) & above
    return bool(met and np.all(clear & between & (within | (score.p_values > 0))))


def beyond_what_was_seen(constraints, seen, n):
    """Why no average of the simulations so far has the property, or None where each target lies within their range.

    Parameters
    ----------
    seen : ndarray (2, m)
        Least and greatest T of ``n`` simulations.
    """
    target, tolerance = constraints.target, constraints.tolerance
    above = np.where(constraints.is_bound, -np.inf, target - seen[1])
    short = np.maximum(seen[0] - target, above) - _ROUNDING * tolerance
    i = int(np.argmax(short > 0))  # means come first: where one is out of reach, so are moments about it
    if n == 0 or short[i] <= 0:
        return None
    low, high = seen[:, i]
    return (
        f"{NOT_REACHED}all {n:,} simulations (those of score and certificate among them) have "
        f"{constraints.names[i]!r} between {low:.6g} and {high:.6g}, and its target {target[i]:.6g} lies "
        f"{short[i]:.2g} beyond; try {_ELSE_SEE}"
    )


def not_reached(constraints, achieved):
    """Why a solver gives up whose moments E[T] come no nearer to the targets than ``achieved`` (m,)."""
    miss = constraints.miss(achieved) / constraints.tolerance
    i = int(np.argmax(np.nan_to_num(miss, nan=np.inf)))
    return (
        f"{NOT_REACHED}the constraint {constraints.names[i]!r} came no closer than {achieved[i]:.4g} "
        f"to its target {constraints.target[i]:.4g}; {_ELSE_TRY}"
    )


def verdict(
    met, outcome, account, score, certificate, precision, infeasible=None, unseen=None, remark=None
):  # fmt: skip
    """The result's ``success``, ``status`` and ``message``.

    Parameters
    ----------
    met : bool
        Whether the constraints are.
    outcome : numepi.inference.running.run.Outcome
        How the run ended.
    account : dict
        Of `numepi.inference.problem.Problem`.
    score : Score
    certificate : Certificate or None
    precision : str
        What the flow computes in.
    infeasible : str, optional
        Why no distribution has the property.
    unseen : str, optional
        Why none over what was simulated has it (`beyond_what_was_seen`).
    remark : str, optional
        What else is to be known: what is far from the targets, where it matters, or noise that may exceed one.
    """
    failure = outcome.detail if outcome.status == "failed" else None
    if failure is not None and unseen is not None and failure.startswith(NOT_REACHED):
        failure = unseen  # says more: by how much every simulation misses
    if certificate is not None and not certificate.invertible:
        failure = _not_invertible(certificate, precision)
    elif infeasible is not None:
        failure = infeasible
    if failure is not None:
        success, status, text = False, "failed", failure
    elif met:
        success, status = True, "constraints met"
        if certificate is not None and certificate.reliable and certificate.kl < _NEAR:
            status = "near the optimum"
        text = _distance(status, certificate)
        if outcome.status != "finished":
            text += f"; the run ended early: {outcome.detail}"
    else:
        success, status = False, {"finished": "not converged"}.get(outcome.status, outcome.status)
        remedy = _REMEDIES[outcome.status]
        if unseen is not None:
            remedy = unseen if outcome.status == "finished" else f"{unseen}; a longer run may see more"
        text = "; ".join(part for part in (outcome.detail, remedy) if part)
    if remark is not None:
        text += f"; {remark}"
    return success, status, text + _counts(account, outcome, score)


def _not_invertible(certificate, precision):
    return (
        f"the flow is no longer invertible in {precision}: its two passes give its own draws log densities "
        f"{certificate.round_trip:.2g} nats apart on average, so that its entropy is unknown; lower the "
        "learning rate (learning_rate; replay_rate where no surrogate leads), or use another seed"
    )


def _distance(status, certificate):
    text = "the constraints are met"
    if status == "near the optimum":
        return f"{text} and the distribution is within {_NEAR} nats of maximum entropy"
    if certificate is None:
        return f"{text}; certify() tells the distance to maximum entropy"
    if certificate.reliable:
        return f"{text}, but {certificate.kl:.2f} nats short of maximum entropy: a richer flow or more rounds may help"
    reasons = "; ".join((*certificate.failures, *certificate.doubts))
    return f"{text}; the distance to maximum entropy could not be established ({reasons})"


def _counts(account, outcome, score):
    text = f" [{account['n_simulations']:,} simulations, {outcome.elapsed:.1f} s]"
    not_finite = account["n_failed"] - account["n_raised"]
    if not_finite:
        text += f"; {not_finite:,} simulations were not finite and were left out (see failed_examples)"
    if account["n_raised"]:
        text += f"; {account['n_raised']:,} simulations raised an error and were left out (see failure_reports)"
    if account["n_not_differentiable"]:
        text += f"; {account['n_not_differentiable']:,} had statistics but no finite derivative and were left out"
    if score.outside_share > _MANY_FAILED:
        text += (
            f"; {score.outside_share:.0%} of the distribution's own draws lie outside of the property's region: what is"
            " scored are the others"
        )
    if score.failing_share == 1:
        text += f"; all of {score.n:,} draws of the distribution fail: there is nothing to score"
    elif score.failing_share > _MANY_FAILED:
        text += f"; {score.failing_share:.0%} of the distribution's own draws fail: what is scored are the others"
    return text
