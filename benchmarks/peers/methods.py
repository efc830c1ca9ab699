"""numepi's three solvers and brute force, each a function of (problem, seed, referee).

Each returns a dict: ``draw(n)``, ``simulations``, ``log_prob(z)`` where there is a density, and what else it knows.
"""

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

import numepi as ne
from benchmarks.bench_scale import fit_settings

__all__ = ["augmented_lagrangian", "dual", "particles", "prior", "rejection", "reweighting"]

_WARM_UP = {
    "dual": {
        "max_simulations": 200,
        "surrogate_first_steps": 2,
        "surrogate_steps": 2,
        "fit_steps": 2,
        "landing_steps": 2,
    },
    "augmented-lagrangian": {"epochs": 1, "iterations_per_epoch": 2, "n_tests": 5},
    "particles": {"particles": 60, "moves": 1, "most_moves": 1, "settle": 1, "learn_steps": 4, "batch_size": 20},
}
_BATCH = 20_000


def dual(problem, seed, referee):
    """The default solver with its default flow."""
    return _infer(problem, seed, referee, "dual", {})


def augmented_lagrangian(problem, seed, referee):
    """Algorithm 1 with the paper's flow and settings."""
    return _infer(problem, seed, referee, "augmented-lagrangian", problem.circuit.paper_settings())


def particles(problem, seed, referee):
    """The solver by particles with its default flow, and the settings of the table of three seeds."""
    return _infer(problem, seed, referee, "particles", fit_settings(len(problem.box[0]) // 4))


def _infer(problem, seed, referee, solver, settings):
    def callback(state):
        if referee.due:
            referee.look(lambda n: state.distribution.sample(n, rng=1), state.n_simulations)
        if referee.expired:
            raise StopIteration("out of CPU seconds")

    how = {"solver": solver, "progress": False, "rng": seed}
    ne.infer(problem.circuit, problem.prop, **how, **(settings | _WARM_UP[solver]))  # loads or compiles the kernels
    referee.start()
    result = ne.infer(problem.circuit, problem.prop, callback=callback, **how, **settings)
    q, certificate = result.distribution, result.certificate
    return {
        "draw": lambda n: q.sample(n, rng=2),
        "log_prob": q.log_prob,
        "simulations": result.n_simulations,
        "status": result.status,
        "certificate": [certificate.kl, certificate.kl_stderr, bool(certificate.reliable)],
        "bound": [certificate.entropy_bound, certificate.entropy_bound_stderr, *certificate.multipliers],
    }


def prior(problem, seed, referee):
    """Nothing done: the uniform distribution on the box."""
    rng = np.random.default_rng(seed)
    return {
        "draw": lambda n: problem.uniform(n, rng),
        "log_prob": lambda z: np.full(len(z), -_log_volume(problem)),
        "simulations": 0,
        "status": "",
    }


def rejection(problem, seed, referee):
    """Uniform draws, kept when |f - mu| < 0.5 (the ball of the paper's SMC-ABC), until 1000 are kept."""
    rng = np.random.default_rng(seed)
    kept, drawn = np.empty((0, len(problem.box[0]))), 0
    while len(kept) < 1000 and not referee.expired:
        z = problem.uniform(_BATCH, rng)
        f = problem.circuit.statistics(z, rng=int(rng.integers(2**31)))
        drawn += len(z)
        kept = np.concatenate([kept, z[np.linalg.norm(f - problem.mu, axis=1) < 0.5]])
        if len(kept) and (referee.due or len(kept) >= 1000):
            referee.look(_picker(kept, None, rng), drawn)
    status = f"{len(kept):,} of {drawn:,} kept"
    draw = _picker(kept, None, rng) if len(kept) else None
    return {"draw": draw, "simulations": drawn, "status": status}


def reweighting(problem, seed, referee):
    """Uniform draws weighted with exp(eta . T): the exact solution without a density, while the weights last."""
    rng = np.random.default_rng(seed)
    z, violation = np.empty((0, len(problem.box[0]))), np.empty((0, 2 * len(problem.mu)))
    eta, met = np.zeros(violation.shape[1]), False
    while not referee.expired and not met:
        new = problem.uniform(_BATCH, rng)
        f = (problem.circuit.statistics(new, rng=int(rng.integers(2**31))) - problem.mu) / problem.sigma
        z, violation = np.concatenate([z, new]), np.concatenate([violation, np.column_stack([f, f**2 - 1])])
        if np.log2(len(z) / _BATCH) % 1:
            continue  # solve when the number of draws has doubled
        eta = minimize(_dual_objective, eta, args=(violation,), jac=True, method="L-BFGS-B").x
        weights = _softmax(violation @ eta)
        referee.look(_picker(z, weights, rng), len(z))
        met = referee.trace[-1]["fair"] and 1 / (weights**2).sum() > 400
    log_mean = logsumexp(violation[: len(weights)] @ eta) - np.log(len(weights))
    ess = 1 / (weights**2).sum()
    return {
        "draw": _picker(z[: len(weights)], weights, rng),
        "simulations": len(z),
        "status": f"{ess:,.0f} effective draws",
        "bound": [_log_volume(problem) + log_mean, 1 / np.sqrt(ess), *eta / _scales(problem)],
        "ess": float(ess),
    }


def _picker(z, weights, rng):
    return lambda n: z[rng.choice(len(z), size=n, p=weights)]


def _scales(problem):
    return np.concatenate([problem.sigma, problem.sigma**2])


def _dual_objective(eta, violation):
    return logsumexp(violation @ eta), _softmax(violation @ eta) @ violation


def _softmax(x):
    return np.exp(x - logsumexp(x))


def _log_volume(problem):
    lower, upper = problem.box
    return float(np.sum(np.log(upper - lower)))
