"""The result of an inference: the distribution, how well it meets the property, and how it was found."""

import warnings
from dataclasses import dataclass, field

import numpy as np

from numepi.property.emergent_property import EmergentProperty
from numepi.random_streams import seed_sequence
from numepi.storage import check_writable, qualified_name, read_archive, write_archive

__all__ = ["Result", "load"]

_FEW_PROPOSALS = 0.1  # effective share of those behind corrected samples
_NEAR = 0.3  # nats from the exact solution
_MANY_FAILED = 0.01  # share of failed draws that the message mentions

_REMEDIES = {
    "finished": "the constraints are not met: give the solver a larger budget (more or longer rounds), or another seed",
    "budget": "give a larger budget, or resume from a checkpoint",
    "interrupted": "resume from a checkpoint to go on",
    "stopped": "resume from a checkpoint to go on",
}


@dataclass(frozen=True, repr=False, eq=False)
class Result:
    """What `numepi.infer` found.

    Attributes
    ----------
    distribution : numepi.flow.FlowDistribution
        The inferred distribution q(z): ``sample``, ``log_prob``, ``gradient``, ``hessian``.
    success : bool
        Whether the constraints are met: by Algorithm 1's own test, or, for the dual solver, within
        ``constraint_tolerance`` on the final score.
    status : str
        ``"near the optimum"`` (constraints met, and the certificate says so), ``"constraints met"``, or why the run
        ended without: ``"not converged"``, ``"budget"``, ``"interrupted"``, ``"stopped"``, ``"failed"``.
    message : str
        The same in a sentence, and what to do next.
    entropy, entropy_stderr : float
        H(q) in nats on fresh samples.
    relative_entropy : float
        KL(q || prior), -entropy for the uniform prior.
    statistic_mean, statistic_variance : ndarray (k,)
        On fresh parameters and noise; the variance is about the target mean where there is one.
    constraint, constraint_stderr : ndarray (m,)
        E[T] on 20,000 fresh draws of parameter and noise, beside ``constraint_target``, ``constraint_tolerance`` (0.1
        sigma for a mean, 10 % for a variance) and ``constraint_names``.
    p_values : ndarray (m,)
        Of the paper's test, on 200 means of 100 fresh draws.
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
    certificate : numepi.inference.assessment.certificate.Certificate
        Distance to the exact maximum-entropy solution.
    circuit : Circuit or None
        None in a loaded result whose circuit is a user's own and was not given to `numepi.load`.
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
    constraint_tolerance: np.ndarray
    constraint: np.ndarray
    constraint_stderr: np.ndarray
    p_values: np.ndarray
    multipliers: np.ndarray
    n_simulations: int
    n_failed: int
    failed_examples: np.ndarray
    elapsed: float
    parameter_names: tuple
    statistic_names: tuple
    configuration: dict
    certificate: object
    history: dict = field(default_factory=dict)
    circuit: object = None
    prior: object = None

    @classmethod
    def of_run(cls, solver, theta, met, outcome, score, certificate, account, configuration):
        """Assemble the result of a solver's run; ``account`` is `Problem.account` at the end of the fit."""
        from numepi.flow import FlowDistribution

        problem = solver.problem
        met = met and outcome.status != "failed"  # by luck: an unbounded problem, say, may meet them on its way out
        if met:
            status = "near the optimum" if certificate.reliable and certificate.kl < _NEAR else "constraints met"
        else:
            status = {"finished": "not converged"}.get(outcome.status, outcome.status)
        return cls(
            distribution=FlowDistribution(solver.flow, theta, problem.circuit.parameter_names),
            property=problem.constraints.prop,
            success=bool(met),
            status=status,
            message=_message(status, met, outcome, account, score, certificate),
            entropy=score.entropy,
            entropy_stderr=score.entropy_stderr,
            relative_entropy=score.relative_entropy,
            statistic_mean=score.mean,
            statistic_variance=score.variance,
            constraint_names=problem.constraints.names,
            constraint_target=problem.constraints.target,
            constraint_tolerance=problem.constraints.tolerance,
            constraint=score.constraint,
            constraint_stderr=score.constraint_stderr,
            p_values=score.p_values,
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
        )

    def sample(self, n, rng=0, corrected=False):
        """Draw ``n`` parameters (n, D) from the inferred distribution.

        With ``corrected`` they come from the exact maximum-entropy solution p* ~ p0 exp(eta . T), eta the certificate's
        multipliers, by importance resampling of proposals from the flow, which are simulated; `sample_corrected` also
        says how efficiently.  Draws that rest on few proposals are warned of (UserWarning).
        """
        if corrected:
            z, efficiency = self.sample_corrected(n, rng=rng)
            if efficiency < _FEW_PROPOSALS:
                warnings.warn(
                    f"only {efficiency:.1%} of the proposals behind the corrected samples are effective: modes that "
                    "the fit lost do not come back with their full share; fit again with more rounds or another seed",
                    UserWarning,
                    stacklevel=2,
                )
            return z
        return self.distribution.sample(n, rng=rng)

    def sample_corrected(self, n, rng=0):
        """Draws (n, D) from p* itself, and the share of proposals that were effective.

        Raises
        ------
        ValueError
            If the result was loaded without its circuit or its prior.
        """
        from numepi.inference.assessment.correction import corrected_sample
        from numepi.inference.problem import Problem

        if self.circuit is None:
            raise ValueError("corrected samples need simulations: load the result with circuit=...")
        if self.prior is None and self.configuration["prior"] is not None:
            raise ValueError("corrected samples need the prior's density: load the result with prior=...")
        problem = Problem(self.circuit, self.property, seed_sequence(rng), self.prior)
        flow, theta = self.distribution.flow, self.distribution.theta
        start = flow.initial_parameters(0)
        eta = np.array(self.certificate.multipliers)
        replicates = self.certificate.replicates
        return corrected_sample(problem, flow, theta, start, eta, n, replicates)

    def save(self, path):
        """Write the result to ``path`` (`.npz`), atomically and without pickle; `numepi.load` reads it.

        User functions of the property are stored by name: `numepi.load` takes them again.
        """
        check_writable(path, "path")
        metadata = {name: getattr(self, name) for name in _SCALARS} | {
            "property": self.property.description(),
            "flow": self.distribution.flow.description,
            "configuration": self.configuration,
            "certificate": self.certificate.description(),
            "circuit_class": None if self.circuit is None else qualified_name(type(self.circuit)),
        }
        arrays = {name: getattr(self, name) for name in _ARRAYS} | {"theta": self.distribution.theta}
        arrays |= {f"history_{name}": value for name, value in self.history.items()}
        write_archive(path, "result", metadata, arrays)

    def summary(self):
        """A table for people: constraints with targets, achieved values and standard errors, and the entropy."""
        width = max(len(name) for name in self.constraint_names)
        lines = [f"{'constraint':<{width}}  {'target':>10}  {'achieved':>10}  {'std. error':>10}  {'tolerance':>10}"]
        columns = (self.constraint_target, self.constraint, self.constraint_stderr, self.constraint_tolerance)
        for name, target, achieved, stderr, tolerance in zip(self.constraint_names, *columns):
            lines.append(f"{name:<{width}}  {target:>10.4g}  {achieved:>10.4g}  {stderr:>10.2g}  {tolerance:>10.2g}")
        lines.append(f"entropy {self.entropy:.3f} +- {self.entropy_stderr:.3f} nats")
        if self.configuration["prior"] is not None:
            lines.append(f"entropy relative to the prior {-self.relative_entropy:.3f} nats")
        lines.append(str(self.certificate))
        alpha = 0.05 / len(self.p_values)
        lines.append(f"the paper's test: least p = {self.p_values.min():.3f} (accepted above {alpha:.3f})")
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
    "statistic_mean", "statistic_variance", "constraint_target", "constraint_tolerance", "constraint",
    "constraint_stderr", "p_values", "multipliers", "failed_examples",
)  # fmt: skip


def load(path, functions=(), circuit=None, prior=None):
    """Read a result that `Result.save` wrote.

    Parameters
    ----------
    path : path
    functions : sequence of Moment
        The user functions of the property, which files hold by name only.
    circuit, prior : object, optional
        A user's own circuit or prior, for corrected samples; numepi's circuits are built again from their settings.

    Raises
    ------
    FileNotFoundError
    ValueError
        If the file is truncated, is not a numepi result, needs ``functions`` that are not given, or is of another
        circuit than the one given.
    """
    from numepi.flow import FlowDistribution, flow_from_description
    from numepi.inference.assessment.certificate import Certificate

    metadata, arrays = read_archive(path, "result")
    values = {name: metadata[name] for name in _SCALARS} | {name: arrays[name] for name in _ARRAYS}
    for name in ("constraint_names", "parameter_names", "statistic_names"):
        values[name] = tuple(values[name])
    if circuit is None:
        circuit = _circuit(metadata)
    for name in ("parameter_names", "statistic_names"):
        if circuit is not None and tuple(getattr(circuit, name)) != values[name]:
            raise ValueError(
                f"circuit has {name} {getattr(circuit, name)}, the stored one {values[name]}: give that one"
            )
    return Result(
        distribution=FlowDistribution(
            flow_from_description(metadata["flow"]), arrays["theta"], values["parameter_names"]
        ),
        property=EmergentProperty.from_description(metadata["property"], functions),
        configuration=metadata["configuration"],
        certificate=Certificate.from_description(metadata["certificate"]),
        circuit=circuit,
        prior=prior,
        history={k.removeprefix("history_"): v for k, v in arrays.items() if k.startswith("history_")},
        **values,
    )


def _circuit(metadata):
    """numepi's own circuit with the stored settings, or None for a user's."""
    from numepi import circuits

    own = {qualified_name(getattr(circuits, name)): getattr(circuits, name) for name in circuits.MODELS}
    model = own.get(metadata["circuit_class"])
    return None if model is None else model(**metadata["configuration"]["circuit_settings"])


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
