"""The variational family: normalizing flows with a readable definition and compiled passes beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numepi.flow.families.directional import DirectionalFlow
from numepi.flow.families.distribution import FlowDistribution
from numepi.flow.families.elementwise import ElementwiseFlow
from numepi.flow.families.gram import GramFlow
from numepi.flow.families.lens import LensFlow
from numepi.flow.families.real_nvp import RealNVP
from numepi.flow.families.spline import SplineFlow
from numepi.flow.families.symmetric import SymmetricFlow
from numepi.flow.protocol import Flow
from numepi.support import Support

__all__ = [
    "DirectionalFlow",
    "ElementwiseFlow",
    "Flow",
    "FlowDistribution",
    "GramFlow",
    "LensFlow",
    "RealNVP",
    "SplineFlow",
    "SymmetricFlow",
    "flow_from_description",
]

_FAMILIES = {
    f.__name__: f for f in (DirectionalFlow, ElementwiseFlow, GramFlow, LensFlow, RealNVP, SplineFlow, SymmetricFlow)
}


def flow_from_description(description: dict[str, Any], where: Callable[..., Any] | None = None) -> Flow:
    """The flow that has this ``description`` (a dict, as a flow's attribute of that name gives it).

    ``where`` is the condition of its support, which a description holds by name only.

    Raises
    ------
    ValueError
        For a family that this version does not know.
    """
    settings = dict(description)
    family = settings.pop("family", None)
    if family not in _FAMILIES:
        raise ValueError(
            f"flow family {family!r} is unknown: this version has {sorted(_FAMILIES)}; give one of your own as flow="
        )
    return _FAMILIES[family](Support.from_description(settings.pop("support"), where), **settings)
