"""The solvers by name, and their settings, given as keywords or as one object of `numepi.settings`."""

from __future__ import annotations

from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from numepi.arguments import check_choice
from numepi.inference.augmented_lagrangian.solver import AugmentedLagrangian
from numepi.inference.dual.solver import Dual
from numepi.inference.particles.solver import ParticleSolver

__all__ = ["SOLVERS", "chosen"]

_NAMED = 8  # settings that a message lists, the likeliest first
SOLVERS: dict[str, Any] = {"dual": Dual, "particles": ParticleSolver, "augmented-lagrangian": AugmentedLagrangian}


def chosen(solver, keywords):
    """The solver's name and its settings.

    Parameters
    ----------
    solver : str, or a solver's settings
        Settings name their solver.
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
    check_choice("solver", solver, tuple(SOLVERS))
    settings_type = SOLVERS[solver].settings_type
    known = [f.name for f in fields(settings_type)]
    unknown = sorted(set(keywords) - set(known))
    if unknown:
        near = get_close_matches(unknown[0], known, n=_NAMED) + known
        named = ", ".join(list(dict.fromkeys(near))[:_NAMED])
        raise TypeError(
            f"unknown settings {unknown} for solver {solver!r}: choose from {named}, ... (see its Settings)"
        )
    return solver, settings_type(**keywords)
