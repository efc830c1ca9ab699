"""The problem a solver sees: simulate parameters, get sufficient statistics, count what fails."""

import warnings
from dataclasses import dataclass

import numpy as np

from numepi.inference.running.failures import Reports
from numepi.inference.running.shards import simulate
from numepi.property.constraints import Constraints

__all__ = ["COUNTED", "Batch", "Problem", "Stream"]

_MAX_EXAMPLES = 5
_BATCH = 500  # rows: half a second of SC, the slowest circuit here; between batches a run can be stopped
_BATCH_ON_EXECUTOR = 2048  # rows: 128 parts of 16
COUNTED = ("probes", "fit", "score", "certificate")  # what rows are simulated for


class Stream:
    """The purposes of random numbers within a run; with an iteration they name a stream (see `Problem.seed`)."""

    BASE, NOISE, EPOCH_BASE, EPOCH_NOISE, PENALTY, SCORE_BASE, SCORE_NOISE, INITIAL, FIT, REFINE = range(10)
    CERTIFICATE_BASE, CERTIFICATE_NOISE, CORRECTION, NOISE_CHECK, PARTICLES, SURROGATE, POOL, REPORT = range(10, 18)
    CERTIFICATE_PARTICLES = 18


_COUNTED_AS = {
    Stream.SCORE_NOISE: "score", Stream.CERTIFICATE_NOISE: "certificate", Stream.CERTIFICATE_PARTICLES: "certificate",
    Stream.NOISE_CHECK: "probes",
}  # fmt: skip


@dataclass(frozen=True)
class Batch:
    """Simulated parameters whose statistics, and their powers and functions in T, are finite.

    Attributes
    ----------
    valid : ndarray (n,), bool
        Rows of the request that have prior density and whose simulation succeeded; the arrays below hold only those
        (n_valid).
    f : ndarray (n_valid, k)
    T : ndarray (n_valid, m)
    jacobian : ndarray (n_valid, k, D) or None
    """

    valid: np.ndarray
    f: np.ndarray
    T: np.ndarray
    jacobian: np.ndarray | None = None


class Problem:
    """Circuit, constraints and prior, with the random streams and the account of one run.

    Parameters
    ----------
    circuit : numepi.circuits.Circuit
    prop : EmergentProperty
    seed : numpy.random.SeedSequence
        Of this run.
    prior : object, optional
        Has ``log_prob(z)`` (n,) and ``gradient(z)`` (n, D); None is the uniform (Lebesgue) prior.
    precision : str
        What the circuit computes in.
    with_gradient : bool
        Whether the solver may use the circuit's Jacobian.
    device : str
        Where the circuit is simulated.
    executor : concurrent.futures.Executor, optional
        Simulates batches in parts.
    on_error : "report" or "raise"
        What a row whose simulation raises is: a failed row, reported, or the end of the run.
    limit : int, optional
        Rows that the run may ask the circuit for.
    max_batch : int, optional
        Rows that the circuit is asked for at once, at the most.
    earlier : numepi.simulations.Simulations, optional
        What was simulated before the run.
    """

    def __init__(
        self, circuit, prop, seed, prior=None, precision="float64", with_gradient=True, device="cpu", executor=None,
        on_error="report", limit=None, max_batch=None, earlier=None,
    ):  # fmt: skip
        self.circuit = circuit
        self.constraints = Constraints(prop, tuple(circuit.statistic_names))
        self.prior = prior
        self.precision = precision
        self.with_gradient = with_gradient
        self.device = device
        self.executor = executor
        self.on_error = on_error
        self.limit = limit
        self.batch_rows = max_batch or (_BATCH if executor is None else _BATCH_ON_EXECUTOR)
        self.run_seed = seed
        self.earlier = earlier
        self.counts = dict.fromkeys(COUNTED, 0)
        self.n_failed = 0
        self.n_not_differentiable = self.last_not_differentiable = 0  # rows with statistics but no derivative
        self.derivative_example = ""
        self.failed_examples = np.empty((0, len(circuit.parameter_names)))
        self.reports = Reports()
        self.last_raised = self.last_overflowed = 0  # rows of the last batch that raised, or have f and no finite T
        self.overflow_example = ""
        m = len(self.constraints)
        self.seen = np.array([np.full(m, np.inf), np.full(m, -np.inf)])  # least and greatest T of all simulations

    def seed(self, purpose, iteration=0):
        """The seed of one stream of the run: a pure function of (run, purpose, iteration)."""
        root = self.run_seed
        return np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, purpose, iteration))

    @property
    def n_simulations(self):
        """Rows that the circuit was asked for."""
        return sum(self.counts.values())

    def left(self, limit):
        """Rows that may still be simulated of ``limit``."""
        return max(0, limit - self.n_simulations)

    def normals(self, purpose, iteration, n):
        """Standard normals (n, D) of a stream."""
        generator = np.random.Generator(np.random.Philox(self.seed(purpose, iteration)))
        return generator.standard_normal((n, len(self.circuit.parameter_names)))

    def simulate(self, z, purpose, iteration, first_index=0, with_jacobian=False):
        """Statistics at the rows of ``z``, as a `Batch` without the rows that failed."""
        f, T, jacobian, valid = self._simulate(z, purpose, iteration, first_index, with_jacobian)
        if valid.all():
            return Batch(valid, f, T, jacobian)
        return Batch(valid, f[valid], T[valid], jacobian[valid] if with_jacobian else None)

    def simulate_rows(self, z, purpose, iteration, first_index=0):
        """Statistics f (n, k) and T (n, m) at all rows of ``z``; T is NaN where they failed or have no prior density.

        Of a failed row f holds the statistics that exist.
        """
        f, T, _, valid = self._simulate(z, purpose, iteration, first_index, False)
        T[~valid] = np.nan
        return f, T

    def _simulate(self, z, purpose, iteration, first_index, with_jacobian):
        call = self.circuit.statistics_and_jacobian if with_jacobian else self.circuit.statistics
        inside = self.inside(z)
        everywhere = inside.all()
        asked = z if everywhere else z[inside]
        answer, reports = simulate(
            call, asked, self.seed(purpose, iteration), first_index, len(self.circuit.statistic_names), self.executor,
            self.on_error, precision=self.precision, device=self.device,
        )  # fmt: skip
        self._report(reports)
        f, jacobian = answer if with_jacobian else (answer, None)
        T, good = self._sufficient(f)
        self._note_overflow(asked, good, f)
        self._account(asked, good, purpose)
        self.last_not_differentiable = 0
        if with_jacobian:
            good &= self._differentiable(asked, good, jacobian)
        if everywhere:
            return f, T, jacobian, good
        valid = np.zeros(len(z), bool)
        valid[inside] = good
        every = [np.full((len(z), *part.shape[1:]), np.nan) for part in (f, T)]
        for whole, part in zip(every, (f, T)):
            whole[inside] = part
        if with_jacobian:
            whole = np.full((len(z), *jacobian.shape[1:]), np.nan)
            whole[inside] = jacobian
            jacobian = whole
        return *every, jacobian, valid

    def known_rows(self, z, f):
        """f (n, k) and T (n, m) of rows simulated elsewhere; T is NaN where they failed or have no prior density."""
        inside = self.inside(z)
        f = np.where(inside[:, None], f, np.nan)
        T, good = self._sufficient(f)
        T[~good] = np.nan
        return f, T

    def _sufficient(self, f):
        """T (n, m) of statistics, and where both are finite; what was seen of T is kept."""
        good = _finite_rows(f)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            if good.all():
                T = self.constraints.sufficient_statistics(f)
            else:
                T = np.full((len(f), len(self.constraints)), np.nan)
                T[good] = self.constraints.sufficient_statistics(f[good])
        good &= _finite_rows(T)
        if good.any():
            each = np.ascontiguousarray((T if good.all() else T[good]).T)  # along memory: a quarter of the time
            low, high = each.min(axis=1), each.max(axis=1)
            self.seen = np.array([np.minimum(self.seen[0], low), np.maximum(self.seen[1], high)])
        return T, good

    def too_many_failures(self, valid, z, max_failed_fraction):
        """Why a run must stop when only the ``valid`` rows of ``z`` are left, or None if it need not.

        ``max_failed_fraction`` None is no guard.
        """
        n_valid, n = int(valid.sum()), int(self.inside(z).sum())
        if max_failed_fraction is None or n_valid >= max(2, (1 - max_failed_fraction) * n):
            return None
        if n_valid == n:
            return (
                f"{n} of {len(z)} draws have any prior density: narrow the bounds around the support's condition, or "
                "around the prior"
            )
        if self.last_not_differentiable >= 0.5 * (n - n_valid):
            return (
                f"{self.last_not_differentiable} of {n} simulations have statistics but no finite derivative: "
                f"{self.derivative_example}; mend it (ne.check_jacobian compares derivatives with differences; a "
                "branch that `where` does not take may be the cause), or use gradient='none'"
            )
        if self.last_raised >= 0.5 * (n - n_valid):
            return (
                f"{self.last_raised} of {n} simulations raised an error (see failure_reports): mend the simulator, "
                "narrow the support, or raise max_failed_fraction; on_error='raise' stops at the first"
            )
        if self.last_overflowed >= 0.5 * (n - n_valid):
            return (
                f"{self.last_overflowed} of {n} simulations have finite statistics whose powers or functions are not, "
                f"{self.overflow_example}: change their unit, take logarithms, or mend the Moment's function"
            )
        example = np.array2string(self.failed_examples[-1], precision=4)
        return (
            f"{n - n_valid} of {n} simulations failed (not finite), for example at z = {example}: "
            "narrow the support, or raise max_failed_fraction"
        )

    @property
    def has_density_everywhere(self):
        """Whether the prior is the uniform one on the support's bounds, without a condition."""
        return self.prior is None and self.circuit.support.where is None

    def inside(self, z):
        """Rows of ``z`` (n, D) with prior density (n,): the others are never simulated, and count nowhere."""
        if self.has_density_everywhere:
            return np.ones(len(z), bool)
        return self.log_prior(z) > -np.inf

    def log_prior(self, z):
        """log p0 (n,): zero for the uniform prior, -inf where the support's condition does not hold.

        A prior that is NaN or inf somewhere is taken to have no density there; `infer` has looked for that before.
        """
        support = self.circuit.support
        if self.prior is None:
            log_p = np.zeros(len(z))
        else:
            log_p = np.array(self.prior.log_prob(support.rounded(z).copy()), float)
            log_p[~(log_p < np.inf)] = -np.inf
        if support.where is not None:
            log_p[~support.contains(z)] = -np.inf
        return log_p

    def log_prior_gradient(self, z):
        """Gradient of log p0 in z (n, D)."""
        if self.prior is None:
            return np.zeros_like(z)
        gradient = np.array(self.prior.gradient(self.circuit.support.rounded(z).copy()), float)
        gradient[:, list(self.circuit.support.integer)] = 0.0  # constant in a unit cell
        return gradient

    def _report(self, reports):
        if reports.n_raised and not self.reports.n_raised:
            warnings.warn(
                f"a simulation raised an error, and counts as failed (on_error='raise' stops), {reports.texts[0]}",
                UserWarning,
                stacklevel=3,
            )
        self.reports += reports
        self.last_raised = reports.n_raised

    def _note_overflow(self, z, good, f):
        """Count rows that have statistics, and no finite T."""
        lost = np.zeros(0, bool) if good.all() else _finite_rows(f) & ~good
        self.last_overflowed = int(lost.sum())
        if self.last_overflowed:
            row = np.flatnonzero(lost)[0]
            self.overflow_example = (
                f"for example {np.array2string(f[row], precision=4)} at z = {np.array2string(z[row], precision=4)}"
            )

    def _differentiable(self, z, valid, jacobian):
        """Rows with a finite Jacobian; counts those that work and have none, which are no failed simulations."""
        finite = _finite_rows(jacobian)
        lost = np.flatnonzero(valid & ~finite)
        self.last_not_differentiable = len(lost)
        self.n_not_differentiable += len(lost)
        if len(lost):
            row = lost[0]
            statistic, parameter = np.argwhere(~np.isfinite(jacobian[row]))[0]
            self.derivative_example = (
                f"d({self.circuit.statistic_names[statistic]})/d({self.circuit.parameter_names[parameter]}) = "
                f"{jacobian[row, statistic, parameter]} at z = {np.array2string(z[row], precision=4)}"
            )
        return finite

    def _account(self, z, valid, purpose):
        self.counts[_COUNTED_AS.get(purpose, "fit")] += len(z)
        failed = len(z) - int(valid.sum())
        if failed:
            self.n_failed += failed
            room = _MAX_EXAMPLES - len(self.failed_examples)
            self.failed_examples = np.concatenate([self.failed_examples, z[~valid][:room]])

    @property
    def account(self):
        """What was simulated so far, and what of it failed."""
        return {
            "n_simulations": self.n_simulations,
            "simulation_counts": dict(self.counts),
            "n_failed": self.n_failed,
            "n_not_differentiable": self.n_not_differentiable,
            "failed_examples": self.failed_examples,
            "n_raised": self.reports.n_raised,
            "failure_reports": self.reports.texts,
        }

    def state(self):
        """The account, for checkpoints."""
        return {
            "account": np.array(
                [*self.counts.values(), self.n_failed, self.n_not_differentiable, self.reports.n_raised]
            ),
            "failed_examples": self.failed_examples,
            "failure_reports": np.array(self.reports.texts, str),
            "seen": self.seen,
        }

    def restore(self, state):
        """Continue the account that `state` returned."""
        *counts, self.n_failed, self.n_not_differentiable, n_raised = (int(v) for v in state["account"])
        self.counts = dict(zip(COUNTED, counts))
        self.reports = Reports(n_raised, tuple(str(text) for text in state["failure_reports"]))
        self.failed_examples = np.array(state["failed_examples"])
        self.seen = np.array(state["seen"])


def _finite_rows(x):
    """Rows of ``x`` (n, ...) that are finite throughout (n,): mostly all, which one look at the whole tells soonest."""
    finite = np.isfinite(x)
    return np.ones(len(x), bool) if finite.all() else finite.reshape(len(x), -1).all(axis=1)
