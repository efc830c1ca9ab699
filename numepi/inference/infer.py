"""`numepi.infer`: check everything, choose the solver, run it once per seed, report the best answer."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from numepi.annotations import PathLike, Seed
from numepi.arguments import check_callable, check_choice, check_count, check_flag
from numepi.circuits.base import Circuit
from numepi.circuits.rows_alone import rows_that_mix
from numepi.flow import Flow
from numepi.identity import circuit_class, described, identity
from numepi.inference.assembly import assemble
from numepi.inference.earlier import checked_earlier
from numepi.inference.prior_check import checked_prior
from numepi.inference.problem import COUNTED, Problem
from numepi.inference.protocols import Prior
from numepi.inference.region_check import check_room
from numepi.inference.running.checkpoint import Checkpoint
from numepi.inference.running.progress import Progress
from numepi.inference.running.run import Budget, run
from numepi.inference.running.shards import check_sendable
from numepi.inference.solvers import SOLVERS, automatic, chosen
from numepi.property.emergent_property import EmergentProperty
from numepi.random_streams import seed_sequence
from numepi.simulations import Simulations
from numepi.worker_threads import check_executor, one_blas_thread

if TYPE_CHECKING:
    from numepi.inference.running.run import RunState
    from numepi.result import Result
    from numepi.settings import AugmentedLagrangian, Dual, Particles

__all__ = ["infer"]


def infer(
    circuit: Circuit,
    prop: EmergentProperty,
    rng: Seed = 0,
    solver: str | Dual | Particles | AugmentedLagrangian = "auto",
    flow: Flow | None = None,
    gradient: str = "auto",
    prior: Prior | None = None,
    max_simulations: int | None = None,
    max_time: float | None = None,
    n_seeds: int = 1,
    checkpoint: PathLike | None = None,
    resume: bool = False,
    progress: bool = True,
    callback: Callable[[RunState], object] | None = None,
    precision: str = "float64",
    device: str = "cpu",
    executor: Executor | None = None,
    max_batch: int | None = None,
    simulations: Simulations | None = None,
    start: Result | None = None,
    on_error: str = "report",
    **solver_settings: Any,
) -> Result:
    """Find the maximum-entropy distribution over a circuit's parameters that has an emergent property.

    Parameters
    ----------
    circuit : numepi.circuits.Circuit
        Simulator with D >= 1 parameters.
    prop : EmergentProperty
        Targets for the circuit's statistics.
    rng : int, SeedSequence or Generator
        Names every random number of the run: the same value gives the same bits.
    solver : str, or settings
        ``"auto"`` takes the second of these from a hundred parameters on (some million simulations), where there are a
        gradient, a box or a prior, a million simulations for each seed, no earlier ones and no setting of the first,
        and the first otherwise; a run that is resumed keeps its own:
        ``"dual"`` anneals the multipliers of the convex dual and fits the flow by weighted maximum likelihood;
        ``"particles"`` solves the dual by sequential Monte Carlo, and the flow learns from the particles
        (`numepi.inference.particles.solver`);
        ``"augmented-lagrangian"`` is the paper's Algorithm 1.  An object of `numepi.settings` names the solver and
        holds its settings: ``ne.settings.Dual(kl=0.02)``.
    flow : numepi.flow.Flow, optional
        The variational family; by default, for the dual solver, a ``numepi.SplineFlow``, or a
        ``numepi.DirectionalFlow`` where the circuit's parameters are vectors (``circuit.parameter_vectors``), for the
        particles a ``numepi.LensFlow`` then; for the
        augmented Lagrangian the paper's ``numepi.RealNVP``; for a single parameter a ``numepi.ElementwiseFlow``.
    gradient : "auto", "exact" or "none"
        ``"exact"`` uses the circuit's Jacobian, ``"none"`` does without; ``"auto"`` uses it where there is one, and the
        property has no function with steps.
    prior : Prior, optional
        One of `numepi.priors`, which is taken given that z lies in the support, or any density with ``log_prob(z)``
        (n,) and ``gradient(z)`` (n, D), normalised or not; the entropy is then taken relative to it.  Where it is zero
        (-inf) nothing is simulated.  A ``description`` (JSON-able), where it has one, tells a checkpoint one prior from
        another.
    max_simulations : int, optional
        Rows of z that the circuit may be asked for in all: probes, fit, score and certificate of all ``n_seeds`` runs.
        The dual solver stops earlier where it is within ``kl`` nats (a setting, 0.05 by default) of maximum entropy.
    max_time : float, optional
        Seconds that the call may take, looked at between batches of simulations and fits of a fraction of a second.
    n_seeds : int
        Independent runs; the answer is the one of greatest entropy among those that met the constraints.  Where a
        later one ends with an error, of the callback's say, the answers before are kept, and the message says why.
    checkpoint : path, optional
        File (one per seed) written at regular times, atomically.
    resume : bool
        Continue from ``checkpoint`` where it exists, to the same bits as a run that was never stopped.
    progress : bool
        Report on standard error while working: by a bar on terminals and in notebooks if tqdm is installed (the extra
        "progress"), else by lines.  The logger "numepi" has the same at level INFO in any case, for clusters.
    callback : callable, optional
        Called as ``callback(state)`` after every step with a `numepi.inference.running.run.RunState`; raising
        StopIteration ends the run with what there is.
    precision : "float64" or "float32"
        What the circuit and the default flow compute in.
    device : "cpu" or "cuda"
        Where the circuit is simulated (docs/cuda.md); flow and solver stay on the CPU.
    executor : concurrent.futures.Executor, optional
        Simulates batches in parts, for expensive simulators: docs/cluster.md says from which cost on it pays.
        Any executor gives the same bits, and those of a run without one where noise is a function of seed and row
        (numepi's circuits; a function that draws from ``rng`` gets one for each part).
    max_batch : int, optional
        Rows that the circuit is asked for at once, at the most: 500 by default, 2,048 with an executor.  Between
        batches a run can be stopped; the answer is the same, but for functions that draw from ``rng``.
    simulations : numepi.Simulations, optional
        Rows that were simulated before: the dual solver learns from them, and asks for fewer of its own.  They count
        nowhere, and are neither score nor certificate.
    start : Result, optional
        A result of the same circuit, whose simulations are taken, for another property say.
    on_error : "report" or "raise"
        What happens where a simulation raises an error.  By default its row counts as failed, with parameters and
        traceback in the result's ``failure_reports``; a batch is divided until such rows are known, and an error that
        comes with any parameters is raised before work.  "raise" ends the run with the error.
    **solver_settings
        Of the solver, where it is given by name: see `numepi.settings.Dual`, `numepi.settings.Particles` and
        `numepi.settings.AugmentedLagrangian`.

    Returns
    -------
    Result
        Also when the run did not converge, ran out of budget or was interrupted: ``success``, ``status`` and
        ``message`` say so.

    Raises
    ------
    ValueError, TypeError
        For an argument that cannot work, before anything is simulated.
    """
    for name, value in (("resume", resume), ("progress", progress)):
        check_flag(name, value)
    check_count("n_seeds", n_seeds)
    check_choice("gradient", gradient, ("auto", "exact", "none"))
    check_choice("precision", precision, ("float64", "float32"))
    check_choice("device", device, ("cpu", "cuda"))
    check_choice("on_error", on_error, ("report", "raise"))
    check_executor("executor", executor)
    if callback is not None:
        check_callable("callback", callback, "a function of a state, or None")
    Budget(max_simulations, max_time)
    _check_question(circuit, prop)
    with_gradient = _use_gradient(circuit, prop, gradient)
    if isinstance(solver, str) and solver == "auto":
        given, rows = simulations is not None or start is not None, max_simulations and max_simulations // n_seeds
        solver = (Checkpoint.solver_of(checkpoint, n_seeds) if resume else None) or automatic(
            circuit.support, prior is not None, with_gradient, solver_settings, rows, given
        )
    solver, settings = chosen(solver, solver_settings)
    flow = _check(circuit, prop, solver, flow, prior, precision, with_gradient)
    check_sendable(circuit, executor)
    prior = checked_prior(prior, circuit.support)
    begun = time.perf_counter()
    if max_batch is not None:
        check_count("max_batch", max_batch)
    _check_rows(max_simulations, n_seeds, solver)
    earlier = checked_earlier(simulations, start, circuit, solver)
    root = seed_sequence(rng)
    configuration = {
        "circuit": circuit.name,
        "circuit_class": circuit_class(circuit),
        "circuit_settings": circuit.settings,
        "support": circuit.support,
        "property": prop,
        "functions": {m.name: {"function": m.function, "jacobian": m.jacobian} for m in prop.functions},
        "solver": solver,
        "solver_settings": {f.name: getattr(settings, f.name) for f in fields(settings)},
        "flow": flow,
        "prior": prior if prior is None or hasattr(prior, "description") else identity(prior),
        "precision": precision,
        "device": device,
        "gradient": with_gradient,
        "seed": [root.entropy, list(root.spawn_key)],
        "simulations": None if earlier is None else earlier.digest(),
    }
    configuration = described(configuration)
    stores = [Checkpoint.of(checkpoint, i, n_seeds, configuration | {"run": i}, resume) for i in range(n_seeds)]
    results: list[Result] = []
    for index, store in enumerate(stores):
        seed = np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, index))
        spent = sum(r.n_simulations for r in results)
        limit = None if max_simulations is None else (max_simulations - spent) // (n_seeds - index)
        seconds = None
        if max_time is not None:  # next to none is left where it is up
            seconds = max(1e-9, max_time - (time.perf_counter() - begun)) / (n_seeds - index)
        problem = Problem(
            circuit, prop, seed, prior, precision, with_gradient, device, executor, on_error, limit, max_batch, earlier
        )
        reporter = Progress(progress, f"seed {index + 1}/{n_seeds}" if n_seeds > 1 else circuit.name)
        if index == 0:
            with reporter.announcing_compilation():
                _check_statistics(problem)
                check_room(problem)
            problem.constraints.warn_if_badly_conditioned()
        with reporter.announcing_compilation():
            started = SOLVERS[solver](problem, flow, settings)
        try:
            # The last bits of a matrix product depend on how many threads share it.
            with one_blas_thread(), reporter.announcing_compilation():
                outcome = run(started, Budget(limit, seconds), store, reporter, callback)
                results.append(assemble(started, outcome, configuration))
        except (Exception, KeyboardInterrupt) as error:
            if not results:
                raise
            return _best_before(results, index, n_seeds, error)
        if "interrupted" in (outcome.status, results[-1].ended.get("scoring")):
            break
    counts = {name: sum(r.simulation_counts[name] for r in results) for name in COUNTED}
    return replace(max(results, key=_rank), n_simulations=sum(counts.values()), simulation_counts=counts)


def _check_rows(max_simulations, n_seeds, solver):
    """Refuse a budget that allows nothing."""
    least = n_seeds * SOLVERS[solver].least_simulations
    if max_simulations is not None and max_simulations < least:
        raise ValueError(
            f"max_simulations = {max_simulations}: too few to learn, fit and score anything; give {least} or more "
            f"({SOLVERS[solver].least_simulations} for each seed)"
        )


def _best_before(results, index, n_seeds, error):
    """The best of the seeds before the one that ended with ``error``, which it names: they are not lost with it."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    message = f"seed {index + 1} of {n_seeds} ended with {reason}: this is the best of those before"
    warnings.warn(message, UserWarning, stacklevel=3)
    best = max(results, key=_rank)
    return replace(best, message=f"{best.message}; {message}")


def _rank(result):
    """What results compare by: whether they meet the constraints, then their entropy (unknown: last)."""
    return result.success, -np.nan_to_num(result.relative_entropy, nan=np.inf)


def _check_question(circuit, prop):
    if not isinstance(prop, EmergentProperty):
        raise TypeError(f"prop is a {type(prop).__name__}: expected a numepi.EmergentProperty")
    if isinstance(circuit, type):
        raise TypeError(f"circuit is the class {circuit.__name__}: make one, {circuit.__name__}()")
    if not isinstance(circuit, Circuit):
        raise TypeError(f"circuit is a {type(circuit).__name__}: wrap a function in numepi.circuits.FunctionCircuit")


def _use_gradient(circuit, prop, gradient):
    if gradient == "exact" and not circuit.differentiable:
        raise ValueError(f"gradient = 'exact', but {circuit!r} has no Jacobian: use gradient='auto' or 'none'")
    steps = [moment.name for moment in prop.functions if not moment.differentiable]
    if gradient == "exact" and steps:
        raise ValueError(f"gradient = 'exact', but Moment {steps[0]!r} has steps: use gradient='auto' or 'none'")
    support = circuit.support
    cut = "integers" if support.integer else "a condition (where)" if support.where is not None else None
    if gradient == "exact" and cut:
        raise ValueError(f"gradient = 'exact', but the support has {cut}, where densities jump: use 'auto' or 'none'")
    return circuit.differentiable and not steps and not cut and gradient != "none"


def _check(circuit, prop, solver, flow, prior, precision, with_gradient):
    """Refuse what the solver cannot do; return the flow."""
    if SOLVERS[solver].needs_gradient and not with_gradient:
        raise ValueError(
            f"solver {solver!r} needs gradients: give the circuit a Jacobian, leave out what has steps, or use "
            "solver='dual'"
        )
    dim = len(circuit.parameter_names)
    if prior is not None and _lacking(prior, Prior):
        raise TypeError(f"prior is a {type(prior).__name__}: it needs the methods log_prob(z) and gradient(z)")
    if flow is None:
        flow = SOLVERS[solver].default_flow(circuit, precision, prior)
    elif lacking := _lacking(flow, Flow):
        raise TypeError(
            f"flow is a {type(flow).__name__}: give a flow such as numepi.RealNVP(circuit.support); for one of your "
            f"own it lacks {', '.join(lacking[:3])}{', ...' * (len(lacking) > 3)}: see numepi.flow.Flow"
        )
    elif flow.dim != dim:
        raise ValueError(f"flow has dimension {flow.dim}: the circuit has {dim} parameters")
    elif flow.support != circuit.support:
        raise ValueError("flow has another support than the circuit: build it with circuit.support")
    constraints = prop.constraints(circuit.statistic_names)
    if constraints.is_bound.any() and not SOLVERS[solver].takes_bounds:
        raise ValueError(f"variance_at_most is given, but solver {solver!r} knows equalities only: use solver='dual'")
    return flow


def _lacking(value, protocol):
    """Members of a protocol that an object lacks, sorted (a class lacks all).

    Unlike isinstance, from Python 3.12 on, it sees the members that an object hands on.
    """
    members = {name for name in (*vars(protocol), *protocol.__annotations__) if not name.startswith("_")}
    return sorted(name for name in members if isinstance(value, type) or not hasattr(value, name))


def _check_statistics(problem):
    """Simulate three parameters: what has a wrong shape, type or derivative, or mixes rows, fails before any work."""
    circuit = problem.circuit
    z = circuit.support.probes(3)[[1, 2, 0]]  # in no order: what sorts rows must change them
    k, dim = len(circuit.statistic_names), len(circuit.parameter_names)
    answer, n = _probe(circuit.statistics_and_jacobian if problem.with_gradient else circuit.statistics, z, problem)
    f, jacobian = answer if problem.with_gradient else (answer, np.zeros((n, k, dim)))
    for name, value, shape in (("statistics", f, (n, k)), ("their Jacobian", jacobian, (n, k, dim))):
        if np.shape(value) != shape:
            raise ValueError(f"{circuit!r} returned {name} of shape {np.shape(value)}: expected {shape}")
    mixing = rows_that_mix(circuit, z, precision=problem.precision, device=problem.device) if n == len(z) else None
    problem.counts["probes"] += 2 * len(z) if n == len(z) else 0  # once more together, and each alone
    if mixing is not None:
        raise ValueError(f"{circuit!r}: {mixing}")
    finite = f[np.isfinite(f).all(axis=1)]
    with np.errstate(all="ignore"):
        problem.constraints.sufficient_statistics(finite)
        if problem.with_gradient:
            problem.constraints.derivative(finite)


def _probe(call, z, problem):
    """What ``call`` returns for ``z``, or else for the first of its rows that does not raise, and for how many rows."""
    how = {"rng": 0, "precision": problem.precision, "device": problem.device}
    try:
        problem.counts["probes"] += len(z)
        return call(z, **how), len(z)
    except Exception:
        if problem.on_error == "report":
            for row in z:
                with suppress(Exception):  # what all rows raise is a mistake of the circuit's, raised below
                    return call(row[None], **how), 1
        raise
