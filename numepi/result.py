"""The result of an inference: the distribution, how well it meets the property, and how it was found."""

from dataclasses import dataclass, field

import numpy as np

from numepi.emergent_property import EmergentProperty
from numepi.storage import check_writable, read_archive, write_archive

__all__ = ["Result", "load"]

_REMEDIES = {
    "finished": "the constraints are not met: give more epochs or iterations_per_epoch, or another seed",
    "budget": "give a larger budget, or resume from a checkpoint",
    "interrupted": "resume from a checkpoint to go on",
    "stopped": "the callback ended the run",
    "failed": "see above",
}


@dataclass(frozen=True, repr=False)
class Result:
    """What `numepi.infer` found.

    Attributes
    ----------
    distribution : numepi.flow.FlowDistribution
        The inferred distribution q(z): ``sample``, ``log_prob``, ``gradient``, ``hessian``.
    success : bool
        Whether the constraints are met by the solver's own test.
    status : str
        ``"converged"``, or why the run ended without: ``"not converged"``, ``"budget"``, ``"interrupted"``,
        ``"stopped"``, ``"failed"``.
    message : str
        The same in a sentence, and what to do next.
    entropy, entropy_stderr : float
        H(q) in nats on fresh samples.
    relative_entropy : float
        KL(q || prior), -entropy for the uniform prior.
    statistic_mean, statistic_variance : ndarray (k,)
        On fresh parameters and noise; the variance is about the target mean where there is one.
    constraint, constraint_stderr : ndarray (m,)
        E[T] on fresh draws, beside ``constraint_target`` under ``constraint_names``.
    multipliers : ndarray (m,)
        eta of p(z) ~ p0(z) exp(eta . T(z)).
    n_simulations, n_failed : int
        Rows simulated for the fit, and how many of them were not finite, with up to five ``failed_examples``.
    elapsed : float
        Seconds of fitting in the last process.
    history : dict of ndarray
        Traces of the solver.
    configuration : dict
        Everything that defines the run.
    property : EmergentProperty
    parameter_names, statistic_names : tuple of str
    certificate : object or None
        Distance to the exact maximum-entropy solution, where it was computed.
    """

    distribution: object
    property: EmergentProperty
    success: bool
    status: str
    message: str
    entropy: float
    entropy_stderr: float
    relative_entropy: float
    statistic_mean: np.ndarray
    statistic_variance: np.ndarray
    constraint_names: tuple
    constraint_target: np.ndarray
    constraint: np.ndarray
    constraint_stderr: np.ndarray
    multipliers: np.ndarray
    n_simulations: int
    n_failed: int
    failed_examples: np.ndarray
    elapsed: float
    parameter_names: tuple
    statistic_names: tuple
    configuration: dict
    history: dict = field(default_factory=dict)
    certificate: object = None

    @classmethod
    def of_run(cls, engine, theta, met, outcome, score, n_simulations, configuration):
        """Assemble the result of a solver's run."""
        from numepi.flow import FlowDistribution

        problem = engine.problem
        status = "converged" if met else {"finished": "not converged"}.get(outcome.status, outcome.status)
        return cls(
            distribution=FlowDistribution(engine.flow, theta),
            property=problem.constraints.prop,
            success=bool(met),
            status=status,
            message=_message(met, outcome, problem, n_simulations),
            entropy=score.entropy,
            entropy_stderr=score.entropy_stderr,
            relative_entropy=score.relative_entropy,
            statistic_mean=score.mean,
            statistic_variance=score.variance,
            constraint_names=problem.constraints.names,
            constraint_target=problem.constraints.target,
            constraint=score.constraint,
            constraint_stderr=score.constraint_stderr,
            multipliers=engine.multipliers,
            n_simulations=n_simulations,
            n_failed=problem.n_failed,
            failed_examples=problem.failed_examples,
            elapsed=outcome.elapsed,
            parameter_names=tuple(problem.circuit.parameter_names),
            statistic_names=tuple(problem.circuit.statistic_names),
            configuration=configuration,
            history=engine.history(),
        )

    def sample(self, n, rng=0):
        """Draw ``n`` parameters (n, D) from the inferred distribution."""
        return self.distribution.sample(n, rng=rng)

    def save(self, path):
        """Write the result to ``path`` (`.npz`), atomically and without pickle; `numepi.load` reads it.

        User functions of the property are stored by name: `numepi.load` takes them again.
        """
        check_writable(path, "path")
        metadata = {name: getattr(self, name) for name in _SCALARS} | {
            "property": self.property.description(),
            "flow": self.distribution.flow.description,
            "configuration": self.configuration,
        }
        arrays = {name: getattr(self, name) for name in _ARRAYS} | {"theta": self.distribution.theta}
        arrays |= {f"history_{name}": value for name, value in self.history.items()}
        write_archive(path, "result", metadata, arrays)

    def summary(self):
        """A table for people: constraints with targets, achieved values and standard errors, and the entropy."""
        width = max(len(name) for name in self.constraint_names)
        lines = [f"{'constraint':<{width}}  {'target':>12}  {'achieved':>12}  {'std. error':>12}"]
        rows = zip(self.constraint_names, self.constraint_target, self.constraint, self.constraint_stderr)
        lines += [f"{name:<{width}}  {t:>12.5g}  {a:>12.5g}  {e:>12.2g}" for name, t, a, e in rows]
        lines.append(f"entropy {self.entropy:.3f} +- {self.entropy_stderr:.3f} nats")
        lines.append(self.message)
        return "\n".join(lines)

    def __repr__(self):
        return f"<numepi result: {self.status}, entropy {self.entropy:.3f} nats, {self.n_simulations:,} simulations>"

    __str__ = summary


_SCALARS = (
    "success", "status", "message", "entropy", "entropy_stderr", "relative_entropy", "constraint_names",
    "n_simulations", "n_failed", "elapsed", "parameter_names", "statistic_names",
)  # fmt: skip
_ARRAYS = (
    "statistic_mean", "statistic_variance", "constraint_target", "constraint", "constraint_stderr", "multipliers",
    "failed_examples",
)  # fmt: skip


def load(path, functions=()):
    """Read a result that `Result.save` wrote.

    Parameters
    ----------
    path : path
    functions : sequence of Moment
        The user functions of the property, which files hold by name only.

    Raises
    ------
    FileNotFoundError
    ValueError
        If the file is truncated, is not a numepi result, or needs ``functions`` that are not given.
    """
    from numepi.flow import FlowDistribution, flow_from_description

    metadata, arrays = read_archive(path, "result")
    values = {name: metadata[name] for name in _SCALARS} | {name: arrays[name] for name in _ARRAYS}
    for name in ("constraint_names", "parameter_names", "statistic_names"):
        values[name] = tuple(values[name])
    return Result(
        distribution=FlowDistribution(flow_from_description(metadata["flow"]), arrays["theta"]),
        property=EmergentProperty.from_description(metadata["property"], functions),
        configuration=metadata["configuration"],
        history={k.removeprefix("history_"): v for k, v in arrays.items() if k.startswith("history_")},
        **values,
    )


def _message(met, outcome, problem, n_simulations):
    if met:
        text = "the constraints are met (the solver's convergence test)"
        if outcome.status != "finished":
            text += f"; the run ended early: {outcome.detail}"
    elif outcome.status == "finished":
        text = _REMEDIES["finished"]
    else:
        text = f"{outcome.detail}; {_REMEDIES[outcome.status]}" if outcome.status != "failed" else outcome.detail
    text += f" [{n_simulations:,} simulations, {outcome.elapsed:.1f} s]"
    if problem.n_failed:
        text += f"; {problem.n_failed:,} simulations were not finite and were left out (see failed_examples)"
    return text
