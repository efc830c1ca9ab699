"""What makes a class a circuit, checked when one has been constructed: a line that says what is wrong and where."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

from numepi.arguments import check_count, check_indices, shown

__all__ = ["Checked", "check", "check_vectors", "constructor_arguments"]


class Checked(type):
    """Class of circuits' classes: checks each circuit once the outermost constructor is through."""

    def __call__(cls, *arguments, **keywords):
        """Construct a circuit and check it."""
        circuit = super().__call__(*arguments, **keywords)
        check(circuit)
        return circuit

    @property
    def __signature__(cls):
        """The constructor's, for `help` and `inspect.signature`."""
        if cls.__init__ is object.__init__:
            return inspect.Signature()
        signature = inspect.signature(cls.__init__)
        return signature.replace(parameters=list(signature.parameters.values())[1:])


def constructor_arguments(circuit_class: Any) -> dict[str, inspect.Parameter]:
    """The arguments of a class's constructor: a dict of `inspect.Parameter`; empty without a constructor.

    Raises
    ------
    TypeError
        For ``*args`` and ``**kwargs``, which do not say what defines a circuit.
    """
    if circuit_class.__init__ is object.__init__:
        return {}
    _, *arguments = inspect.signature(circuit_class.__init__).parameters.values()
    for argument in arguments:
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            raise TypeError(f"{circuit_class.__name__} takes {argument}: name each argument of a circuit's constructor")
    return {argument.name: argument for argument in arguments}


def check(circuit: Any) -> None:
    """Raise TypeError or ValueError where names, support, arguments and simulation do not make a circuit."""
    where = type(circuit).__name__
    if not isinstance(getattr(circuit, "name", None), str):
        raise TypeError(f"{where} has no name: give the class a short string")
    parameters, statistics = (_names(where, circuit, kind) for kind in ("parameter_names", "statistic_names"))
    support = getattr(circuit, "support", None)
    dim = getattr(support, "dim", None)
    if dim != len(parameters):
        has = "no support" if support is None else f"the support {support!r}"
        few = ", ".join(parameters[:6])
        raise ValueError(f"{where} has {len(parameters)} parameters ({few}) and {has}: give it as many dimensions")
    _check_structure(where, circuit, dim)
    circuit.settings  # noqa: B018 raises for an argument that was not kept
    base = _base(type(circuit))
    if type(circuit)._evaluate is not base._evaluate:
        return
    if type(circuit)._job is base._job:
        raise TypeError(f"{where} must define _job(noise), or _evaluate in its place")
    job = circuit._job(None)
    if not callable(getattr(job, "statistics", None)):
        raise TypeError(f"{where}._job(None) returned {job!r}: expected a numepi.simulation.lanes.Job")
    for kind, names in (("parameters", parameters), ("statistics", statistics)):
        simulated = getattr(job, f"n_{kind}", None)
        if simulated not in (None, len(names)):
            raise ValueError(
                f"{where} names {len(names)} {kind} ({', '.join(names[:6])}), its simulator has {simulated}: name each"
            )
    if not getattr(job, "differentiable", True):
        circuit.differentiable = False


def _check_structure(where, circuit, dim):
    """What a circuit says of how its parameters hang together."""
    check_vectors(f"{where}.parameter_vectors", circuit.parameter_vectors, dim)
    sets, name = circuit.sign_symmetries, f"{where}.sign_symmetries"
    wanted = f"give sets of indices of the {dim} parameters, such as ((0,),)"
    if isinstance(sets, str) or not isinstance(sets, Iterable):
        raise TypeError(f"{name} = {shown(sets)}: {wanted}")
    for number, each in enumerate(sets):
        if isinstance(each, str) or not isinstance(each, Iterable):
            raise TypeError(f"{name}[{number}] = {shown(each)}: {wanted}")
        check_indices(f"{name}[{number}]", tuple(each), range(dim))


def check_vectors(name: str, value: Any, dim: int) -> int:
    """Return how many vectors of one length the ``dim`` parameters join, or raise TypeError or ValueError."""
    vectors = check_count(name, value)
    if dim % vectors:
        raise ValueError(f"{name} = {vectors}: choose a divisor of the {dim} parameters")
    return vectors


def _base(circuit_class):
    """`Circuit`: the root of the classes that are checked."""
    return [each for each in circuit_class.__mro__ if isinstance(each, Checked)][-1]


def _names(where, circuit, kind):
    names = getattr(circuit, kind, None)
    if not isinstance(names, (tuple, list)) or not names or not all(isinstance(name, str) for name in names):
        remedy = f"; one name is written ({names!r},)" if isinstance(names, str) else ""
        raise TypeError(f"{where}.{kind} = {names!r}: expected a tuple of strings{remedy}")
    if len(set(names)) < len(names):
        raise ValueError(f"{where}.{kind} = {names!r}: names must differ")
    return names
