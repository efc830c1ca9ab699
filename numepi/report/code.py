"""The code that repeats a run, from its configuration."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from numepi.archive import plain
from numepi.circuits import BUILT_IN
from numepi.inference.solvers import MANY, SOLVERS

if TYPE_CHECKING:
    from numepi.result import Result

__all__ = ["code", "settings_given"]


def code(result: Result) -> str:
    """Python that makes the same run again, as far as a file knows it: what it cannot know it says in a comment."""
    configuration = result.configuration
    lines = ["import numpy as np", "import numepi as ne", "", *_circuit(configuration)]
    lines += [*_unknown(result), f"prop = {_property(configuration['property'])}"]
    given = [f"rng={_seed(configuration['seed'])}"]
    if configuration["solver"] != "dual" or len(result.parameter_names) >= MANY:
        given.append(f'solver="{configuration["solver"]}"')
    if not configuration["gradient"]:
        given.append('gradient="none"')
    given += [f'{n}="{configuration[n]}"' for n, default in _HOW.items() if configuration[n] != default]
    given += [name for name, used in (("prior=prior", "prior"), ("flow=flow", "flow")) if _is_own(result, used)]
    given += [f"{name}={value!r}" for name, value in settings_given(configuration).items()]
    lines += [f"result = ne.infer(circuit, prop, {', '.join(given)})", "print(result)"]
    return "\n".join(lines if "np." in "".join(lines[2:]) else lines[1:])


_HOW = {"precision": "float64", "device": "cpu"}


def settings_given(configuration: dict[str, Any]) -> dict[str, Any]:
    """The solver's settings that are not its defaults."""
    defaults = plain(asdict(SOLVERS[configuration["solver"]].settings_type()))
    return {n: v for n, v in configuration["solver_settings"].items() if v != defaults[n]}


def _circuit(configuration):
    name = configuration["circuit_class"]["name"]
    module, _, cls = name.rpartition(":")
    settings = ", ".join(f"{key}={value!r}" for key, value in configuration["circuit_settings"].items())
    if module.startswith("numepi.circuits.") and cls in BUILT_IN:
        return [f"circuit = ne.circuits.{cls}({settings})"]
    return [f"# circuit = ...: your own, a {cls}, with the settings ({settings})"]


def _property(description):
    """The call that makes the property, without what is left free."""
    shown = []
    for name in ("mean", "variance", "variance_at_most"):
        if any(value is not None for value in description[name]):
            shown.append(f"{name}={description[name]}")
    if description["covariance"]:
        shown.append(f"covariance={ {(a, b): value for a, b, value in description['covariance']} }")
    if description["moments"]:
        shown.append(f"moments={ {(name, power): value for name, power, value in description['moments']} }")
    if description["functions"]:
        shown.append("functions=functions")
    for name in ("tolerance", "standard_error", "statistics", "within"):
        if description[name]:
            shown.append(f"{name}={description[name]}")
    return f"ne.EmergentProperty({', '.join(shown)})"


def _seed(seed):
    entropy, spawn_key = seed
    return f"np.random.SeedSequence({entropy}, spawn_key={tuple(spawn_key)})" if spawn_key else f"{entropy}"


def _is_own(result, used):
    """Whether a prior was given, or a flow that is not the default one; without the circuit it may be."""
    if used == "prior":
        return result.configuration["prior"] is not None
    if result.circuit is None:
        return True
    solver = SOLVERS[result.configuration["solver"]]
    default = solver.default_flow(result.circuit, result.configuration["precision"], result.prior)
    return plain(default.description) != plain(result.distribution.flow.description)


def _unknown(result):
    """Comments: what the run was given that its file does not hold."""
    found = []
    names = [each["name"] for each in result.configuration["property"]["functions"]]
    if names:
        found.append(f"# functions = [...]: the ne.Moment objects {', '.join(names)}")
    if _is_own(result, "prior"):
        found.append(f"# prior = ...: {result.configuration['prior']}")
    if _is_own(result, "flow"):
        description = {k: v for k, v in result.configuration["flow"].items() if k != "support"}
        found.append(f"# flow = ...: {description}")
    if result.ended["status"] in ("budget", "interrupted", "stopped"):
        found.append(f"# the run ended early ({result.ended['status']}): give it the same budget, or more")
    return found
