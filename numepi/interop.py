"""Results for other packages: an xarray tree, as ArviZ reads it."""

from __future__ import annotations

import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from numepi.annotations import Seed
from numepi.random_streams import seed_sequence

if TYPE_CHECKING:
    from numepi.result import Result

__all__ = ["to_datatree"]


def to_datatree(result: Result, n: int = 1000, rng: Seed = 0, corrected: bool = False) -> Any:
    """A result as an `xarray.DataTree` with ArviZ's groups and dimensions; needs the extra ``numepi[arviz]``.

    Parameters
    ----------
    result : Result
    n : int
        Samples to draw, as one chain of independent draws.
    rng : int, SeedSequence or Generator
        Of the samples, and of the noise in their statistics.
    corrected : bool
        Draw from the exact maximum-entropy solution (see `Result.sample`).

    Returns
    -------
    xarray.DataTree
        ``posterior``: ``z`` (chain, draw, parameter).  ``sample_stats``: ``lp``, the distribution's log density.
        ``posterior_predictive``: ``f`` (chain, draw, statistic) with fresh noise, where the result has its circuit.
        ``constraints``: target, achieved value, standard error, tolerance, p-value and multiplier (constraint).
        ``history``: the solver's traces, first axis ``step``; traces of other lengths have a dimension of their own.
        Attributes say how the run ended, its entropy and certificate (nats), and ``configuration`` (JSON).

    Raises
    ------
    ImportError
        If xarray is not installed.
    """
    try:
        xarray = import_module("xarray")
    except ImportError as error:
        raise ImportError("to_datatree needs xarray: python -m pip install 'numepi[arviz]'") from error
    root = seed_sequence(rng)
    sampling, noise = (np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, i)) for i in range(2))
    z = result.sample(n, rng=sampling, corrected=corrected)
    axes = {"chain": [0], "draw": np.arange(n)}
    groups = {
        "posterior": xarray.Dataset(
            {"z": (("chain", "draw", "parameter"), z[None])}, {**axes, "parameter": list(result.parameter_names)}
        ),
        "sample_stats": xarray.Dataset({"lp": (("chain", "draw"), result.distribution.log_prob(z)[None])}, axes),
        "constraints": _constraints(xarray, result),
        "history": _history(xarray, result.history),
    }
    if result.circuit is not None:
        f = result.circuit.statistics(z, rng=noise)
        groups["posterior_predictive"] = xarray.Dataset(
            {"f": (("chain", "draw", "statistic"), f[None])}, {**axes, "statistic": list(result.statistic_names)}
        )
    groups["/"] = xarray.Dataset(attrs=_attributes(result))
    return xarray.DataTree.from_dict(groups)


def _constraints(xarray, result):
    columns = {
        "target": result.constraint_target,
        "achieved": result.constraint,
        "stderr": result.constraint_stderr,
        "tolerance": result.constraint_tolerance,
        "p_value": result.p_values,
        "multiplier": result.multipliers,
    }
    names = {"constraint": list(result.constraint_names)}
    return xarray.Dataset({name: ("constraint", np.asarray(values)) for name, values in columns.items()}, names)


def _history(xarray, history):
    steps = len(history["entropy"])
    out = {}
    for name, values in history.items():
        first = "step" if len(values) == steps else f"{name}_step"
        out[name] = ((first, *(f"{name}_axis_{axis}" for axis in range(1, np.ndim(values)))), values)
    return xarray.Dataset(out, {"step": np.arange(steps)})


def _attributes(result):
    """What a netCDF file can hold: numbers and strings."""
    from numepi import __version__

    names = (
        "status", "message", "entropy", "entropy_stderr", "relative_entropy", "n_simulations", "n_failed", "elapsed",
    )  # fmt: skip
    known = ("kl", "kl_stderr", "entropy_bound", "ess")
    certificate = {f"certificate_{name}": getattr(result.certificate, name, np.nan) for name in known}
    flags = {
        "success": int(result.success),
        "certificate_reliable": int(getattr(result.certificate, "reliable", False)),
    }
    library = {"inference_library": "numepi", "inference_library_version": __version__}
    configuration = {"configuration": json.dumps(result.configuration)}
    return {name: getattr(result, name) for name in names} | certificate | flags | library | configuration
