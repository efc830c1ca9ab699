"""The result of an inference: the distribution, how well it meets the property, and how it was found.

A result is data.  What needs simulations or a solver's mathematics it is handed (`Services`) where it is made and where
it is loaded, so that nothing here depends on how answers are found or judged.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from numepi.annotations import PathLike, Seed
from numepi.archive import check_writable, qualified_name, write_archive
from numepi.arguments import check_choice, check_count, check_flag
from numepi.property import EmergentProperty
from numepi.result_table import as_html, as_text, has_entropy
from numepi.simulations import Simulations

if TYPE_CHECKING:
    from numepi.circuits.base import Circuit
    from numepi.flow.families.distribution import FlowDistribution
    from numepi.inference.assessment.certificate import Certificate
    from numepi.inference.protocols import Prior

__all__ = ["ARRAYS", "SCALARS", "Result", "Services"]

_FEW_PROPOSALS = 0.1  # effective share of those behind corrected samples
_LEAST_SCORED = 1000  # draws: the paper's test takes 200 means
_MANY_FAIL = 0.01  # share of failing draws that is warned of


class Services(Protocol):
    """What a result calls and does not know how to do: `numepi.inference.assessment.services` does it."""

    def corrected_samples(self, result, n, rng):
        """Draws (n, D) from the exact solution, and the effective share of the proposals behind them."""

    def working_samples(self, result, n, rng):
        """Draws (n, D) of the inferred distribution whose simulation works."""

    def assessed(self, result, n, rng, certified, method, budget):
        """The result with a new score on ``n`` draws and, if ``certified``, a new certificate."""

    def report(self, result, path, data, n):
        """Write the result's page to ``path``, with ``n`` fresh simulations beside the measurements ``data``."""


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
        ended without: ``"not converged"``, ``"budget"``, ``"interrupted"``, ``"stopped"``, ``"failed"``;
        or ``"not scored"`` where scoring could not be done: `score` and `certify` catch up.
    message : str
        The same in a sentence, and what to do next.
    ended : dict
        How the run itself ended: ``status``, ``detail``, and whether the solver's own test was ``met`` (None without).
    entropy, entropy_stderr : float
        H(q) in nats on fresh samples, of q restricted to the parameters whose simulation works.
    relative_entropy : float
        KL(q || prior), likewise; -entropy for the uniform prior.
    failing_share : float
        Share of q's draws whose simulation fails, with its 95 % interval ``failing_interval`` (low, high).
    outside_share : float
        Share of q's draws outside of the property's region, where it has one: entropy and scores are of the others.
    statistic_mean, statistic_variance : ndarray (k,)
        On fresh parameters and noise; the variance is about the target mean where there is one.
    constraint, constraint_stderr : ndarray (m,)
        E[T] on fresh draws of parameter and noise, beside ``constraint_target``, ``constraint_tolerance`` with
        ``constraint_tolerance_source`` (`numepi.property.constraints.Constraints.tolerances`) and ``constraint_names``.
    p_values : ndarray (m,)
        Of the paper's test, on up to 200 means of fresh draws.
    multipliers : ndarray (m,)
        eta of p(z) ~ p0(z) exp(eta . T(z)).
    n_simulations, n_failed : int
        Rows that the circuit was asked for in all, and how many were not finite, with up to five ``failed_examples``.
    simulation_counts : dict of int
        Of those: "probes", "fit" (and score and certificate, while a surrogate leads), "score" and "certificate".
    surrogate : float
        R^2 of the surrogate's eta . T over the answer's own fresh rows, net of noise; 0 where none led the fit.
    n_raised : int
        How many of those raised an error, with parameters and traceback of up to five in ``failure_reports``.
    n_not_differentiable : int
        Rows among them that have statistics but no finite derivative: left out where a derivative was due.
    elapsed : float
        Seconds of fitting in the last process.
    history : dict of ndarray
        Traces of the solver.
    simulations : Simulations or None
        The rows of the run, for others: see `simulations_table`.
    configuration : dict
        Everything that defines the run.
    property : EmergentProperty
    parameter_names, statistic_names : tuple of str
    certificate : numepi.inference.assessment.certificate.Certificate or None
        Distance to the exact maximum-entropy solution; None where that was not established (`certify` does).
    circuit, prior : Circuit or None, object or None
        None in a loaded result where it is a user's own and was not given to `numepi.load`.
    services : Services
        What `sample_corrected` calls.
    """

    distribution: FlowDistribution
    property: EmergentProperty
    success: bool
    status: str
    message: str
    ended: dict[str, Any]
    entropy: float
    entropy_stderr: float
    relative_entropy: float
    failing_share: float
    failing_interval: tuple
    outside_share: float
    statistic_mean: np.ndarray
    statistic_variance: np.ndarray
    constraint_names: tuple[str, ...]
    constraint_target: np.ndarray
    constraint_tolerance: np.ndarray
    constraint_tolerance_source: tuple[str, ...]
    constraint: np.ndarray
    constraint_stderr: np.ndarray
    p_values: np.ndarray
    multipliers: np.ndarray
    n_simulations: int
    n_failed: int
    n_not_differentiable: int
    failed_examples: np.ndarray
    n_raised: int
    failure_reports: tuple
    elapsed: float
    parameter_names: tuple[str, ...]
    statistic_names: tuple[str, ...]
    configuration: dict[str, Any]
    certificate: Certificate | None
    simulation_counts: dict[str, int]
    surrogate: float
    history: dict[str, np.ndarray] = field(default_factory=dict)
    simulations: Simulations | None = None
    circuit: Circuit | None = None
    prior: Prior | None = None
    services: Services | None = None

    def sample(self, n: int, rng: Seed = 0, corrected: bool = False, valid_only: bool = False) -> np.ndarray:
        """Draw ``n`` parameters (n, D) from the inferred distribution.

        With ``corrected`` they come from the exact maximum-entropy solution p* ~ p0 exp(eta . T), eta the certificate's
        multipliers, by importance resampling of proposals from the flow, which are simulated, or by particles that move
        from the flow to p*: where the certificate was by particles, and in many dimensions where few proposals count
        and the circuit has a gradient.  `sample_corrected` also says how efficiently; draws that are worth little are
        warned of (UserWarning).

        With ``valid_only`` draws are simulated, and those whose simulation fails or lies outside of the property's
        region are left out (corrected ones always are); without it a share of them above 1 % is warned of
        (UserWarning).

        Raises
        ------
        ValueError
            If ``corrected`` or ``valid_only`` and the result was loaded without its circuit (or prior), or if
            ``valid_only`` and next to no draw works.
        """
        for name, value in (("corrected", corrected), ("valid_only", valid_only)):
            check_flag(name, value)
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
        if valid_only:
            return self._service("draws that work").working_samples(self, n, rng)
        for share, what in (
            (self.failing_share, "are of parameters whose simulation fails"),
            (self.outside_share, "lie outside of the property's region"),
        ):
            if share > _MANY_FAIL:
                warnings.warn(
                    f"{share:.0%} of these draws {what}: valid_only=True leaves them out", UserWarning, stacklevel=2
                )
        return self.distribution.sample(n, rng=rng)

    def sample_corrected(self, n: int, rng: Seed = 0) -> tuple[np.ndarray, float]:
        """Draws (n, D) from p* itself, and the share of proposals that were effective.

        Of particles it is what a draw is worth of an independent one, by the autocorrelation of their moves.

        Raises
        ------
        ValueError
            If the result was loaded without its circuit or its prior.
        """
        n = check_count("n", n, least=0)
        if self.certificate is None:
            raise ValueError("corrected samples need the certificate's multipliers: take them of result.certify()")
        return self._service("corrected samples").corrected_samples(self, n, rng)

    def simulations_table(self) -> Simulations:
        """Parameters, statistics and log density of every row that the fit knew, for ``numepi.infer(simulations=)``.

        The density of rows that were chosen for what those nearby showed is infinite: it is not known.

        Raises
        ------
        ValueError
            If the solver keeps none: only the dual solver does.
        """
        if self.simulations is None:
            raise ValueError("there are no simulations: only solver='dual' keeps those of its fit")
        return self.simulations

    def score(self, n: int = 20_000, rng: Seed = 0) -> Result:
        """A new result, scored on ``n`` fresh draws of parameter and noise; the certificate stays as it is.

        Raises
        ------
        ValueError
            If the result was loaded without its circuit or its prior.
        """
        return self._assessed(n, rng, False)

    def certify(
        self, n: int = 20_000, rng: Seed = 0, method: str = "auto", budget: int | None = None
    ) -> Result:  # fmt: skip
        """A new result, scored on ``n`` fresh draws and certified on others; raises as `score` does.

        Parameters
        ----------
        method : "auto", "weights" or "particles"
            Importance sampling from the flow and its start, or particles that go from each of them to the exact
            solution, and from there back, or stand against draws of the flow: they reach a thousand dimensions
            (`certificate.method` says which it was).  "auto"
            takes particles where weights are not reliable in twenty dimensions and more, the constraints are met, and
            the circuit has a Jacobian.
        budget : int, optional
            Rows that the certificate may simulate; the score's come on top.
        """
        check_choice("method", method, ("auto", "weights", "particles"))
        if budget is not None:
            check_count("budget", budget)
        return self._assessed(n, rng, True, method, budget)

    def _assessed(self, n, rng, certified, method="auto", budget=None):
        check_count("n", n, least=_LEAST_SCORED)
        return self._service("scores and certificates").assessed(self, n, rng, certified, method, budget)

    def _service(self, what: str) -> Services:
        if self.services is None:
            raise ValueError(f"{what} need simulations: take the result from numepi.infer or numepi.load")
        return self.services

    def save(self, path: PathLike) -> None:
        """Write the result to ``path`` (`.npz`), atomically and without pickle; `numepi.load` reads it.

        User functions of the property are stored by name: `numepi.load` takes them again.
        """
        check_writable(path, "path")
        metadata = {name: getattr(self, name) for name in SCALARS} | {
            "property": self.property.description(),
            "flow": self.distribution.flow.description,
            "configuration": self.configuration,
            "certificate": None if self.certificate is None else self.certificate.description(),
            "circuit_class": None if self.circuit is None else qualified_name(type(self.circuit)),
            "circuit_description": getattr(self.circuit, "description", None),  # of circuits that are plain data
        }
        arrays = {name: getattr(self, name) for name in ARRAYS} | {"theta": self.distribution.theta}
        arrays |= {f"history_{name}": value for name, value in self.history.items()}
        if self.simulations is not None:
            arrays |= {f"simulations_{name}": value for name, value in vars(self.simulations).items()}
        write_archive(path, "result", metadata, arrays)

    def report(self, path: PathLike, data: ArrayLike | None = None, n: int = 500) -> None:
        """Write one self-contained HTML page to ``path``, atomically: nothing in it is loaded from elsewhere.

        It holds the verdict, constraints, certificate, figures (for light and dark screens), a predictive check,
        activity at six draws, and the code that repeats the run.

        Parameters
        ----------
        path : path
            Of the page, such as ``"report.html"``; an existing file is replaced.
        data : array (n', k), optional
            Measurements of the statistics, in the circuit's order: drawn beside the predictive check.  By default those
            that the property came from (`numepi.EmergentProperty.from_data`), which files do not hold.
        n : int
            Fresh simulations for that check; a result that was loaded without its circuit has none.

        Raises
        ------
        ValueError
            If the file cannot be written, before anything is simulated, or ``data`` has another shape.
        """
        check_writable(path, "path")
        self._service("reports").report(self, path, data, check_count("n", n))

    def summary(self) -> str:
        """A table for people: constraints with targets, achieved values and standard errors, and the entropy."""
        return as_text(self)

    def __repr__(self):
        entropy = f"{self.entropy:.3f} nats" if has_entropy(self) else "unknown"
        return f"<numepi result: {self.status}, entropy {entropy}, {self.n_simulations:,} simulations>"

    def __str__(self):
        return as_text(self)

    def _repr_html_(self):
        return as_html(self)


# What a file holds of a result under the fields' own names: plain values in its metadata, and arrays.
SCALARS = (
    "success", "status", "message", "ended", "entropy", "entropy_stderr", "relative_entropy", "failing_share",
    "failing_interval", "outside_share", "constraint_names", "constraint_tolerance_source", "n_simulations", "n_failed",
    "n_not_differentiable", "n_raised", "failure_reports", "elapsed", "parameter_names", "statistic_names", "surrogate",
    "simulation_counts",
)  # fmt: skip
ARRAYS = (
    "statistic_mean", "statistic_variance", "constraint_target", "constraint_tolerance", "constraint",
    "constraint_stderr", "p_values", "multipliers", "failed_examples",
)  # fmt: skip
