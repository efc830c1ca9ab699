"""Algorithm 1 of the paper: maximise entropy under the constraints by an augmented Lagrangian (science: section 2).

    L(theta; eta, c) = -H(q) + eta . R + c/2 ||R||^2,    R(theta) = E_q[T(z) - mu_opt]

Three choices are ours, each a setting: constraints are measured in their natural scales (``scaled``), so that the
penalty means the same for every circuit; the learning rate decays within an epoch (``learning_rate_decay``); and the
penalty's gradient uses both pairings of the half batches (``both_pairings``).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from numepi.arguments import check_count, check_flag, check_number
from numepi.flow.families.elementwise import ElementwiseFlow
from numepi.flow.families.real_nvp import RealNVP
from numepi.inference.assessment.convergence import null_accepted, null_p_values, penalty_grows
from numepi.inference.assessment.reserve import reserve
from numepi.inference.augmented_lagrangian.start import check_initial, start
from numepi.inference.optimiser import Adam
from numepi.inference.problem import Stream

__all__ = ["AugmentedLagrangian", "Settings", "penalty_weights"]


@dataclass(frozen=True)
class Settings:
    """Settings of Algorithm 1, in the order of the paper's description.

    Parameters
    ----------
    initial : "gaussian", "uniform", array (n, D) of samples, or (mean (D,), covariance (D, D))
        Start from a Gaussian at the centre of the support, of a quarter of its width; from the identity flow, which
        is uniform on a box under the Gaussian-CDF map; or from a Gaussian of any covariance, given or that of samples
        (of a rejection search, say: the paper's STG).
    epochs : int
        k_max, at least 5 in the paper.
    iterations_per_epoch : int
        i_max.
    batch_size : int
        n, even: the penalty's gradient needs two halves.
    learning_rate : float
        Adam's, at the start of an epoch.
    learning_rate_decay : float
        Factor by which the learning rate has fallen at the end of an epoch (1: constant, as in the paper).
    penalty, penalty_growth : float
        c_0 and beta.
    norm_reduction : float
        gamma: the fall in ||R|| expected of an epoch.
    scaled : bool
        Divide each constraint by its natural scale; False is the paper's raw R, for which ``penalty`` must be tuned.
    both_pairings : bool
        Average the penalty's gradient over both ways to pair the half batches; False is the paper's, which takes
        gradients of the first half and violations of the second.
    test_batch_size : int
        N_test of the convergence test.
    n_tests : int
        M: means drawn for the convergence test and for the penalty's.
    significance : float
        alpha of the convergence test.
    max_failed_fraction : float
        Stop when more of a batch's simulations fail.
    """

    initial: str | ArrayLike | tuple[ArrayLike, ArrayLike] = "gaussian"
    epochs: int = 12
    iterations_per_epoch: int = 500
    batch_size: int = 500
    learning_rate: float = 2e-3
    learning_rate_decay: float = 0.1
    penalty: float = 0.05
    penalty_growth: float = 2.0
    norm_reduction: float = 0.25
    scaled: bool = True
    both_pairings: bool = True
    test_batch_size: int = 500
    n_tests: int = 200
    significance: float = 0.05
    max_failed_fraction: float = 0.5

    def __post_init__(self):
        object.__setattr__(self, "initial", check_initial(self.initial))
        for name in ("batch_size", "epochs", "iterations_per_epoch", "test_batch_size"):
            check_count(name, getattr(self, name))
        if self.batch_size % 2:
            raise ValueError(
                f"batch_size = {self.batch_size}: it must be even (the penalty's gradient needs two halves)"
            )
        check_count("n_tests", self.n_tests, least=2)
        for name in ("learning_rate", "learning_rate_decay", "penalty", "norm_reduction"):
            check_number(name, getattr(self, name), above=0)
        check_number("significance", self.significance, above=0, below=1)
        check_number("penalty_growth", self.penalty_growth, least=1)
        check_number("max_failed_fraction", self.max_failed_fraction, least=0, below=1)
        for name in ("scaled", "both_pairings"):
            check_flag(name, getattr(self, name))


def penalty_weights(violation, valid_halves, c, both_pairings=True):
    """Per-sample weights w (n, m) with which sum_j w_j . grad T_j estimates grad (c/2) ||R||^2 without bias.

    Each half of the batch is weighted by the mean violation of the *other* half, which is independent of it.  The
    paper weights the first half only.  Averaging both pairings, whose correlation be r, leaves (1 + r) / 2 of that
    variance: half where they are uncorrelated, all of it where T has one component proportional to theta.

    Parameters
    ----------
    violation : ndarray (n, m)
        T(z_j) - mu_opt.
    valid_halves : ndarray (n,), bool
        True for samples of the first half of the batch.
    c : float
    both_pairings : bool
    """
    first = valid_halves.astype(float)
    second = 1.0 - first
    pairs = first.sum() * second.sum()
    if not pairs:
        return np.zeros_like(violation)
    factor = (0.5 if both_pairings else 1.0) * c / pairs
    in_second = factor * (first @ violation) if both_pairings else 0.0
    return np.where(valid_halves[:, None], factor * (second @ violation), in_second)


class AugmentedLagrangian:
    """One run of Algorithm 1, advanced by `step`; its whole state is what `state` returns."""

    settings_type = Settings
    needs_gradient = True
    takes_bounds = False
    surrogate_share = 0.0  # there is none
    replicates = 1  # simulations of each parameter
    least_simulations = 100  # of a run, its score and certificate

    def __init__(self, problem, flow, settings):
        self.problem = problem
        self.flow = flow
        self.settings = settings
        constraints = problem.constraints
        self.scale = constraints.scale if settings.scaled else np.ones(len(constraints))
        self.optimiser = Adam(flow.n_parameters)
        self.theta = None
        self.epoch = 0
        self.iteration = 0  # within the epoch
        self.eta = np.zeros(len(constraints))  # of the scaled constraints, Algorithm 1's sign
        self.c = settings.penalty
        self.norms = None
        self.best_theta = None
        self.best_entropy = -np.inf
        self.failure = None
        self._last = None  # violations of the last batch, until somebody asks for their spread
        self._last_spread = np.full(len(constraints), np.nan)
        self._first_half = np.arange(settings.batch_size) < settings.batch_size // 2
        self.trace = {"entropy": [], "violation": []}
        self.epochs = {"entropy": [], "multipliers": [], "penalty": [], "p_values": [], "violation": []}

    @staticmethod
    def default_flow(circuit, precision, prior):
        """The paper's, which needs two parameters to couple; one alone goes through splines."""
        family = RealNVP if circuit.support.dim > 1 else ElementwiseFlow
        return family(circuit.support, precision=precision)

    def initialise(self):
        """Algorithm 1, step 1."""
        self.theta = start(self.flow, self.settings.initial, self.problem)

    @property
    def finished(self):
        """Whether all epochs are done, or the run cannot go on."""
        return self.failure is not None or self.epoch >= self.settings.epochs

    @property
    def n_steps(self):
        """Number of steps of a full run, for the time left."""
        return self.settings.epochs * (self.settings.iterations_per_epoch + 1)

    @property
    def steps_done(self):
        """Number of steps taken."""
        return self.epoch * (self.settings.iterations_per_epoch + 1) + self.iteration

    @property
    def simulations_per_step(self):
        """Simulations that the next step makes at the most."""
        if self.iteration < self.settings.iterations_per_epoch:
            return self.settings.batch_size
        return (self.settings.n_tests + 1) * self._test_size

    @property
    def reserve(self):
        """Rows to be kept back for score and certificate."""
        return reserve(self.problem.limit)

    def table(self):
        """None: densities of its rows are not kept."""

    def assessment(self):
        """Score and certificate from the run's own rows: there are none."""
        return None

    @property
    def _test_size(self):
        return max(self.settings.batch_size, self.settings.test_batch_size)

    def step(self):
        """One Adam iteration, or the end of an epoch when its iterations are done."""
        if self.iteration < self.settings.iterations_per_epoch:
            self._iterate()
        else:
            self._end_epoch()

    def _iterate(self):
        settings, problem = self.settings, self.problem
        counter = self.epoch * settings.iterations_per_epoch + self.iteration
        base = problem.normals(Stream.BASE, counter, settings.batch_size)
        z, log_q, pullback = self.flow.sample_with_pullback(self.theta, base)
        batch = problem.simulate(z, Stream.NOISE, counter, with_jacobian=True)
        valid, n = batch.valid, len(batch.T)
        if n < settings.batch_size and self._fails(valid, z):
            return
        whole = n == settings.batch_size
        violation = (batch.T - problem.constraints.target) / self.scale
        half = self._first_half if whole else self._first_half[valid]
        weights = penalty_weights(violation, half, self.c, settings.both_pairings)
        weights += self.eta / n
        grad_z = problem.constraints.pullback(batch.f, batch.jacobian, weights / self.scale)
        if problem.prior is not None:
            grad_z -= problem.log_prior_gradient(z[valid]) / n
        if not whole:
            of_valid, grad_z = grad_z, np.zeros_like(z)
            grad_z[valid] = of_valid
        gradient = pullback(grad_z, valid / n)
        with np.errstate(over="ignore"):
            length = gradient @ gradient  # the optimiser squares it
        if not np.isfinite(length):
            self.failure = "the gradient is not finite: lower learning_rate or penalty, or use precision='float64'"
            return
        progress = self.iteration / settings.iterations_per_epoch
        rate = settings.learning_rate * settings.learning_rate_decay**progress
        self.theta = self.optimiser.step(self.theta, gradient, rate)
        self.trace["entropy"].append(float((problem.log_prior(z) - log_q)[valid].mean()))
        self.trace["violation"].append(violation.sum(axis=0) / n)
        self._last = violation
        self.iteration += 1

    def _end_epoch(self):
        settings, problem = self.settings, self.problem
        target = problem.constraints.target
        entropies, means, norms = [], [], []
        for draw in range(settings.n_tests + 1):
            counter = self.epoch * (settings.n_tests + 1) + draw
            base = problem.normals(Stream.EPOCH_BASE, counter, self._test_size)
            z, log_q = self.flow.sample(self.theta, base)
            batch = problem.simulate(z, Stream.EPOCH_NOISE, counter)
            if self._fails(batch.valid, z):
                return
            violation = (batch.T - target) / self.scale
            means.append(violation[: settings.test_batch_size].mean(axis=0))
            norms.append(np.linalg.norm(violation[: settings.batch_size].mean(axis=0)))
            entropies.append(np.mean(problem.log_prior(z) - log_q))
            if draw == 0:  # the multiplier's batch is not part of the tests
                self.eta = self.eta + self.c * violation[: settings.batch_size].mean(axis=0)
        p_values = null_p_values(np.array(means[1:]))
        entropy = float(np.mean(entropies[1:]))
        self._record(entropy, p_values, np.mean(means[1:], axis=0))
        if null_accepted(p_values, settings.significance) and entropy > self.best_entropy:
            self.best_entropy, self.best_theta = entropy, self.theta.copy()
        norms = np.array(norms[1:])
        uniform = np.random.default_rng(problem.seed(Stream.PENALTY, self.epoch)).random()
        if self.norms is not None and penalty_grows(norms, self.norms, uniform, settings.norm_reduction):
            self.c *= settings.penalty_growth
        self.norms = norms
        self.optimiser.reset()
        self.iteration = 0
        self.epoch += 1

    def _record(self, entropy, p_values, violation):
        self.epochs["entropy"].append(entropy)
        self.epochs["multipliers"].append(self.multipliers)
        self.epochs["penalty"].append(self.c)
        self.epochs["p_values"].append(p_values)
        self.epochs["violation"].append(violation * self.scale)

    def _fails(self, valid, z):
        self.failure = self.problem.too_many_failures(valid, z, self.settings.max_failed_fraction)
        return self.failure is not None

    @property
    def multipliers(self):
        """Natural parameters of p ~ exp(eta . T): minus Algorithm 1's, in the constraints' own units."""
        return -self.eta / self.scale

    @property
    def violation_in_stderr(self):
        """|R_i| of the last batch in its standard errors (m,)."""
        if not self.trace["violation"]:
            return np.full(len(self.scale), np.nan)
        return np.abs(self.trace["violation"][-1]) / np.maximum(self._spread, np.finfo(float).tiny)

    @property
    def _spread(self):
        """Standard errors of the last batch's mean violation (m,)."""
        if self._last is not None:
            n = len(self._last)
            centred = self._last - self._last.sum(axis=0) / n
            self._last, self._last_spread = None, np.sqrt(np.einsum("nm,nm->m", centred, centred)) / n
        return self._last_spread

    def answer(self):
        """Flow parameters and whether they passed the test: the converged epoch of greatest entropy, else the last."""
        if self.best_theta is not None:
            return self.best_theta, True
        return self.theta, False

    def history(self):
        """Traces: ``entropy`` and ``violation`` (own units) per iteration, ``epoch_*`` at the end of each epoch."""
        m = len(self.scale)
        shapes = {"multipliers": (-1, m), "p_values": (-1, m), "violation": (-1, m)}
        out = {
            "entropy": np.array(self.trace["entropy"], float),
            "violation": np.array(self.trace["violation"], float).reshape(-1, m) * self.scale,
        }
        for name, values in self.epochs.items():
            out[f"epoch_{name}"] = np.array(values, float).reshape(shapes.get(name, (-1,)))
        return out

    def state(self):
        """Everything that `restore` needs to continue to the same bits, as arrays."""
        arrays = {"theta": self.theta, "eta": self.eta, "last_spread": self._spread}
        arrays |= {"counters": np.array([self.epoch, self.iteration]), "failure": np.array(self.failure or "")}
        arrays["c"] = np.array([self.c, self.best_entropy])
        arrays |= {f"adam_{k}": np.asarray(v) for k, v in self.optimiser.state().items()}
        arrays |= {f"trace_{k}": np.array(v, float) for k, v in self.trace.items()}
        arrays |= {f"epochs_{k}": np.array(v, float) for k, v in self.epochs.items()}
        optional = {"norms": self.norms, "best_theta": self.best_theta}
        return arrays | {k: v for k, v in optional.items() if v is not None}

    def restore(self, arrays):
        """Continue from what `state` returned."""
        self.theta, self.eta = arrays["theta"], arrays["eta"]
        self.epoch, self.iteration = (int(v) for v in arrays["counters"])
        self.c, self.best_entropy = (float(v) for v in arrays["c"])
        self.optimiser.restore({k: arrays[f"adam_{k}"] for k in self.optimiser.state()})
        self.trace = {k: list(arrays[f"trace_{k}"]) for k in self.trace}
        self.epochs = {k: list(arrays[f"epochs_{k}"]) for k in self.epochs}
        self.norms, self.best_theta = arrays.get("norms"), arrays.get("best_theta")
        self._last, self._last_spread = None, arrays["last_spread"]
        self.failure = str(arrays["failure"]) or None
