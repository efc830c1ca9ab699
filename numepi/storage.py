"""Reading results: puts back together what `Result.save` took apart, with what it needs from the caller."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from numepi import circuits
from numepi.annotations import PathLike
from numepi.archive import plain, read_archive
from numepi.arguments import check_instance, shown
from numepi.circuits.base import Circuit
from numepi.circuits.dynamics.circuit import Dynamics
from numepi.flow import FlowDistribution, flow_from_description
from numepi.identity import CANNOT_TELL, circuit_class, described, differences, identity
from numepi.inference.assessment.certificate import Certificate
from numepi.inference.assessment.services import ASSESSMENT
from numepi.property import EmergentProperty, Moment
from numepi.result import ARRAYS, SCALARS, Result
from numepi.simulations import Simulations

if TYPE_CHECKING:
    from numepi.flow.protocol import Flow
    from numepi.inference.protocols import Prior

__all__ = ["load"]

_NUMBERS = (
    "entropy", "entropy_stderr", "relative_entropy", "failing_share", "outside_share", "n_simulations", "n_failed",
    "n_not_differentiable", "n_raised", "elapsed",
)  # fmt: skip

_METADATA = (*SCALARS, "property", "flow", "configuration", "certificate", "circuit_class")
_ENDED = {"status", "detail", "met"}
_ENDS = ("finished", "budget", "interrupted", "stopped", "failed")  # `numepi.inference.running.run.Outcome.status`


def load(
    path: PathLike,
    functions: Sequence[Moment] = (),
    circuit: Circuit | None = None,
    prior: Prior | None = None,
    flow: Flow | None = None,
) -> Result:
    """Read a result that `Result.save` wrote.

    Parameters
    ----------
    path : path
    functions : sequence of Moment
        The user functions of the property, which files hold by name only.
    circuit, prior : object, optional
        A user's own circuit or prior, for corrected samples; numepi's circuits are built again from their settings.
    flow : Flow, optional
        A user's own flow, with the `description` it had when the result was saved; numepi's families are built again
        from theirs.

    Raises
    ------
    FileNotFoundError
    ValueError
        If the file is truncated, is not a numepi result, needs ``functions`` or a ``flow`` that are not given, or is
        of another circuit, prior, function or flow than the one given: the difference is named.

    Warns
    -----
    UserWarning
        Where what is given cannot be told from another.
    """
    if circuit is not None:
        check_instance("circuit", circuit, Circuit, "give the circuit of the result")
    if isinstance(functions, (Moment, str)) or not isinstance(functions, Iterable):
        raise TypeError(f"functions = {shown(functions)}: give a sequence of numepi.Moment")
    functions = tuple(functions)
    for i, each in enumerate(functions):
        check_instance(f"functions[{i}]", each, Moment, "give a numepi.Moment")
    metadata, arrays = read_archive(path, "result")
    try:
        return _rebuilt(metadata, arrays, functions, circuit, prior, flow)
    except ValueError as error:  # what does not fit together, of the file or of the arguments: it says so itself
        raise ValueError(f"{path}: {' '.join(str(error).split())[:500]}") from error
    except (LookupError, TypeError, AttributeError, ArithmeticError, MemoryError, RecursionError) as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(f"{path} is damaged, or not as numepi wrote it ({reason[:200]})") from error


def _rebuilt(metadata, arrays, functions, circuit, prior, flow):
    lacking = [name for name in _METADATA if name not in metadata]
    lacking += [name for name in (*ARRAYS, "theta") if name not in arrays]
    if lacking:
        raise ValueError(
            f"it lacks {', '.join(lacking[:5])}{', ...' * (len(lacking) > 5)}: the file is damaged, or of another "
            "version of numepi, which is then the one to load it with"
        )
    values = {name: metadata[name] for name in SCALARS} | {name: arrays[name] for name in ARRAYS}
    for name in (
        "constraint_names", "constraint_tolerance_source", "parameter_names", "statistic_names", "failing_interval",
        "failure_reports",
    ):  # fmt: skip
        values[name] = tuple(values[name])
    _check_values(values)
    for name in ("property", "flow", "configuration"):
        if not isinstance(metadata[name], dict):
            raise TypeError(f"{name} is a {type(metadata[name]).__name__}")
    _check_configuration(metadata["configuration"])
    if circuit is None:
        circuit = _circuit(metadata)
    for name in ("parameter_names", "statistic_names"):
        if circuit is not None and tuple(getattr(circuit, name)) != values[name]:
            raise ValueError(
                f"circuit has {name} {getattr(circuit, name)}, the stored one {values[name]}: give that one"
            )
    prop = EmergentProperty.from_description(metadata["property"], functions)
    _check_constraints(prop.constraints(values["statistic_names"]), values)
    _compare(metadata["configuration"], circuit, prior, functions)
    return Result(
        distribution=FlowDistribution(
            _flow(metadata["flow"], flow, circuit), arrays["theta"], values["parameter_names"]
        ),
        property=prop,
        configuration=metadata["configuration"],
        certificate=_certificate(metadata["certificate"]),
        circuit=circuit,
        prior=prior,
        history=_named("history_", arrays),
        simulations=Simulations(**kept) if (kept := _named("simulations_", arrays)) else None,
        services=ASSESSMENT,
        **values,
    )


def _named(prefix, arrays):
    """The arrays whose names begin so, by the rest of their names."""
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _check_values(values):
    """Raise TypeError where what a file holds is not of the type, or array of the length, that `Result.save` wrote."""
    for name in _NUMBERS:
        if isinstance(values[name], bool) or not isinstance(values[name], (int, float)):
            raise TypeError(f"{name} = {shown(values[name])} is no number")
        float(values[name])  # an int may be too large
    for name, kind in (("success", bool), ("status", str), ("message", str), ("ended", dict)):
        if not isinstance(values[name], kind):
            raise TypeError(f"{name} = {shown(values[name])} is no {kind.__name__}")
    ended = values["ended"]
    whole = set(ended) >= _ENDED and isinstance(ended["detail"], str) and ended["met"] in (None, True, False)
    if not whole or ended["status"] not in _ENDS:
        raise TypeError(f"ended = {shown(ended)} does not say how the run ended")
    names = ("constraint_names", "constraint_tolerance_source", "failure_reports", "parameter_names", "statistic_names")
    for name in names:
        if not all(isinstance(each, str) for each in values[name]):
            raise TypeError(f"{name} = {shown(values[name])} holds what is no string")
    if len(values["constraint_tolerance_source"]) != len(values["constraint_names"]):
        raise TypeError("constraint_tolerance_source has not one entry for each constraint")
    if len(values["failing_interval"]) != 2 or not _are(values["failing_interval"], (int, float)):
        raise TypeError(f"failing_interval = {shown(values['failing_interval'])} is no pair of numbers")
    statistics, moments = len(values["statistic_names"]), len(values["constraint_names"])
    for name in ARRAYS:
        array = values[name]
        if name == "failed_examples":
            good = array.ndim == 2 and array.shape[1] == len(values["parameter_names"])
        else:
            good = array.shape == (statistics if name.startswith("statistic_") else moments,)
        if not good or array.dtype.kind not in "fi":
            raise TypeError(f"{name} is an array of {array.dtype} of shape {array.shape}")


def _check_configuration(configuration):
    """Raise TypeError where it lacks what loading, scoring and printing a result need of it."""
    for name, kind in (("circuit_settings", dict), ("functions", dict), ("precision", str), ("device", str)):
        if not isinstance(configuration.get(name), kind):
            raise TypeError(f"configuration: {name} = {shown(configuration.get(name))} is no {kind.__name__}")
    for name in ("prior", "circuit_class", "support"):
        if name not in configuration:
            raise TypeError(f"configuration lacks {name}")


def _check_constraints(constraints, values):
    """Raise TypeError where the property has other constraints than those whose values are stored."""
    if constraints.names != values["constraint_names"]:
        raise TypeError(f"constraint_names = {shown(values['constraint_names'])} are not the property's")
    if not np.allclose(constraints.target, values["constraint_target"], rtol=1e-12, atol=0):
        raise TypeError(f"constraint_target = {shown(values['constraint_target'])} is not the property's")


def _are(values, kind):
    return all(isinstance(v, kind) and (kind is bool or not isinstance(v, bool)) for v in values)


def _certificate(description):
    """The stored certificate, or None; TypeError where it holds what is no number."""
    if description is None:
        return None
    for name, value in description.items():
        kind = {"optimal": bool, "with_prior": bool, "method": str, "failure": str}.get(name, (int, float))
        if value is None and name in ("forward", "backward", "from_flow", "from_start"):
            continue  # of a certificate by weights
        if not _are(value if name == "multipliers" else (value,), kind):
            raise TypeError(f"the certificate's {name} is {shown(value)}")
        if kind is not str:
            np.array(value, float)  # an int may be too large
    return Certificate.from_description(description)


def _compare(configuration, circuit, prior, functions):
    """Raise where what is given is not what the stored run was made with, and warn where that cannot be told."""
    given = {}
    if circuit is not None:
        given |= {"circuit_class": circuit_class(circuit), "circuit_settings": circuit.settings}
        given["support"] = circuit.support
    if prior is not None:
        given["prior"] = prior if hasattr(prior, "description") else identity(prior)
    names = configuration["functions"]
    given["functions"] = {
        m.name: {"function": m.function, "jacobian": m.jacobian} for m in functions if m.name in names
    }
    given = described(given)
    found = differences({name: configuration[name] for name in given}, given, "in the file")
    unclear = [each for each in found if f"which {CANNOT_TELL}" in each]
    if len(found) > len(unclear):
        raise ValueError(f"not what the result was made with: {'; '.join(e for e in found if e not in unclear)}")
    if unclear:
        warnings.warn("; ".join(unclear), UserWarning, stacklevel=4)


def _circuit(metadata):
    """numepi's own circuit with the stored settings, a model that is plain data, or None for a user's."""
    if metadata.get("circuit_description") is not None:
        return Dynamics.from_description(metadata["circuit_description"])
    module, _, name = metadata["circuit_class"].rpartition(".") if metadata["circuit_class"] else ("", "", "")
    if not module.startswith("numepi.circuits.") or name not in circuits.BUILT_IN:
        return None
    return getattr(circuits, name)(**metadata["configuration"]["circuit_settings"])


def _flow(description, flow, circuit):
    """The stored flow: the caller's, if it is the same, else one of numepi's families, on the circuit's support."""
    if flow is None:
        flow = flow_from_description(description)
        if circuit is None or flow.support.where is None:
            return flow
        if flow.support != circuit.support:
            raise ValueError(f"circuit has the support {circuit.support}, the stored one {flow.support}: give that one")
        return flow_from_description(description, circuit.support.where)
    if plain(flow.description) != description:
        raise ValueError(f"flow is {plain(flow.description)}, the stored one {description}: give that one")
    return flow
