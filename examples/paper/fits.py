"""Fits: the paper's own flow and Algorithm 1, and the dual solver.

Those that take minutes are stored with the documentation, so that a figure can be drawn again.  ``--refit`` leaves
those aside: a fit that ``--out`` holds is taken, one that was begun there goes on from its checkpoint.
"""

import dataclasses
import time
from pathlib import Path

import numepi as ne

__all__ = ["algorithm_one", "best", "by_particles", "exact"]

_STORED = Path(__file__).parents[2] / "docs" / "findings" / "fits"
_BLOCK = 20  # iterations of a trace that are stored as their mean
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


def algorithm_one(name, circuit, prop, options, n_seeds=1, **settings):
    """The paper's flow fitted by its Algorithm 1 with its settings, but for ``settings``: a list, one for each seed.

    Seeds count from ``options.seed``; `best` chooses as the paper does.
    """
    if options.quick:
        settings = settings | _QUICK_ALGORITHM_ONE
    settings = circuit.paper_settings() | settings
    return [
        _fit(f"{name}-paper", circuit, prop, options, seed, solver="augmented-lagrangian", **settings)
        for seed in range(options.seed, options.seed + n_seeds)
    ]


def best(results):
    """The answer of greatest entropy among those that met the constraints by the paper's test (of all, if none did).

    That test is the run's own; ``result.success`` asks for more, a score on many fresh draws.
    """
    return max(results, key=lambda result: (bool(result.ended["met"]), result.entropy))


def exact(name, circuit, prop, options, **settings):
    """The dual solver's answer."""
    if options.quick:
        settings = settings | _QUICK_DUAL
    return _fit(f"{name}-dual", circuit, prop, options, options.seed, solver="dual", **settings)


def by_particles(name, circuit, prop, options, **settings):
    """The particle solver's answer, for circuits of a hundred parameters and more."""
    return _fit(f"{name}-particles", circuit, prop, options, options.seed, solver="particles", **settings)


def _fit(name, circuit, prop, options, seed, precision="float32", **settings):
    stem = f"{name}{'-quick' if options.quick else ''}-{seed}"
    kept = options.out / f"{stem}.npz"
    for path in (kept,) if options.refit else (kept, _STORED / f"{name}-{seed}.npz"):
        if path.exists():
            result = ne.load(path)
            if not options.quick:
                _check_settings(result, settings, path)
            print(f"{path}: loaded; {result.message}")
            return result
    if callable(settings.get("initial")):  # a search that only a fit needs
        settings["initial"] = settings["initial"](seed)
    checkpoint = {} if options.quick else {"checkpoint": options.out / f"{stem}.checkpoint", "resume": True}
    begun = time.process_time()
    result = _thinned(ne.infer(circuit, prop, rng=seed, precision=precision, **checkpoint, **settings))
    result.save(kept)
    print(f"\n{name}, seed {seed}, {time.process_time() - begun:.0f} CPU seconds in this process\n{result}\n")
    return result


def _check_settings(result, settings, path):
    """Refuse a kept fit of other settings than are asked for now: a figure would show what it does not say."""
    made = result.configuration["solver_settings"]
    other = [
        f"{key} = {made[key]}, not {value}"
        for key, value in settings.items()
        if key in made and not callable(value) and made[key] != value
    ]
    if other:
        raise SystemExit(f"{path} was made with {'; '.join(other)}: remove it, or fit anew with --refit")


def _thinned(result):
    """The result without its simulations, its traces as means of blocks: a stored fit is small."""
    history = dict(result.history)
    for key in ("entropy", "violation"):
        values = history.get(key)
        if values is not None and len(values) > 10 * _BLOCK:
            n = len(values) // _BLOCK
            history[key] = values[: n * _BLOCK].reshape(n, _BLOCK, *values.shape[1:]).mean(axis=1)
    return dataclasses.replace(result, history=history, simulations=None)
