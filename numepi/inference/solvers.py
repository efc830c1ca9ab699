"""The solvers by name, and their settings, given as keywords or as one object of `numepi.settings`."""

from __future__ import annotations

from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from numepi.arguments import check_choice
from numepi.inference.augmented_lagrangian.solver import AugmentedLagrangian
from numepi.inference.dual.solver import Dual
from numepi.inference.particles.solver import ParticleSolver

__all__ = ["MANY", "SOLVERS", "automatic", "chosen"]

_NAMED = 8  # settings that a message lists, the likeliest first
SOLVERS: dict[str, Any] = {"dual": Dual, "particles": ParticleSolver, "augmented-lagrangian": AugmentedLagrangian}

# Parameters from which on particles lead where there is a gradient.  Rank-2 networks: of 25 neurons, D = 100, entropies
# are 44.0 by the dual solver and 44.4 by particles; of 100 the dual solver ends at the prior (benchmarks.bench_scale).
MANY = 100
_ENOUGH = 1_000_000  # rows of a budget: a path takes 100,000 to 2 million, and the learning as many


def automatic(support, proper, with_gradient, keywords, rows, earlier):
    """The solver's name where none is given: particles in many dimensions, where they can do their work.

    Parameters
    ----------
    support : numepi.support.Support
    proper : bool
        Whether there is a prior: on an open support particles have nowhere to start without one.
    with_gradient : bool
    keywords : dict
        Settings that are given: those of the dual solver alone ask for it.
    rows : int, optional
        Simulations that each of the runs may take.
    earlier : bool
        Whether there are simulations to learn from, which particles do not.
    """
    able = with_gradient and not earlier and (proper or support.is_box) and (rows is None or rows >= _ENOUGH)
    meant = set(keywords) <= _settings_of(ParticleSolver)
    return "particles" if support.dim >= MANY and able and meant else "dual"


def _settings_of(solver_type):
    return {f.name for f in fields(solver_type.settings_type)}


def chosen(solver, keywords):
    """The solver's name and its settings.

    Parameters
    ----------
    solver : str, or a solver's settings
        Settings name their solver; of "auto" `automatic` has made a name.
    keywords : dict
        Settings, where ``solver`` is a name.

    Raises
    ------
    ValueError, TypeError
        For a solver or a setting that is unknown, or settings given twice.
    """
    for name, cls in SOLVERS.items():
        if isinstance(solver, cls.settings_type):
            if keywords:
                raise TypeError(f"settings {sorted(keywords)} beside an object of settings: put them in it")
            return name, solver
    check_choice("solver", solver, ("auto", *SOLVERS))
    settings_type = SOLVERS[solver].settings_type
    known = [f.name for f in fields(settings_type)]
    unknown = sorted(set(keywords) - set(known))
    if unknown:
        takers = [name for name, each in SOLVERS.items() if set(keywords) <= _settings_of(each)]
        if takers:
            raise TypeError(
                f"settings {unknown} are not of solver {solver!r}: give solver={takers[0]!r}, which takes them"
            )
        near = get_close_matches(unknown[0], known, n=_NAMED) + known
        named = ", ".join(list(dict.fromkeys(near))[:_NAMED])
        raise TypeError(
            f"unknown settings {unknown} for solver {solver!r}: choose from {named}, ... (see its Settings)"
        )
    return solver, settings_type(**keywords)
