"""Fits: the paper's own flow and Algorithm 1, and the dual solver, kept in files so that a figure can be redrawn."""

import numepi as ne

__all__ = ["algorithm_one", "exact"]

_QUICK_ALGORITHM_ONE = {
    "epochs": 2,
    "iterations_per_epoch": 40,
    "batch_size": 60,
    "test_batch_size": 30,
    "n_tests": 5,
}
_QUICK_DUAL = {
    "max_simulations": 1000,
    "surrogate_first_steps": 300,
    "surrogate_steps": 150,
    "fit_steps": 100,
    "landing_steps": 100,
}


def algorithm_one(name, circuit, prop, options, **settings):
    """The paper's flow fitted by its Algorithm 1 with its settings, but for ``settings`` (fewer iterations, say)."""
    if options.quick:
        settings = settings | _QUICK_ALGORITHM_ONE
    settings = circuit.paper_settings() | settings
    return _fit(f"{name}-paper", circuit, prop, options, solver="augmented-lagrangian", **settings)


def exact(name, circuit, prop, options, **settings):
    """The dual solver's answer."""
    if options.quick:
        settings = settings | _QUICK_DUAL
    return _fit(f"{name}-dual", circuit, prop, options, solver="dual", **settings)


def _fit(name, circuit, prop, options, precision="float32", **settings):
    path = options.out / f"{name}{'-quick' if options.quick else ''}-{options.seed}.npz"
    if options.reuse and path.exists():
        result = ne.load(path)
        print(f"{path}: loaded; {result.message}")
        return result
    result = ne.infer(circuit, prop, rng=options.seed, precision=precision, **settings)
    result.save(path)
    print(f"\n{name}, seed {options.seed}\n{result}\n")
    return result
