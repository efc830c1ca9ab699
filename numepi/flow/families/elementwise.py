"""Flow of coordinates that do not depend on each other: the family for one parameter."""

from __future__ import annotations

from typing import Any

from numepi.arguments import check_choice, check_count, check_instance
from numepi.flow.couplings.spline.elementwise import ElementwiseSpline
from numepi.flow.elementwise.support import SupportMap
from numepi.flow.families.composition import ComposedFlow
from numepi.flow.families.coupling import MOST_STAGES, PRECISIONS
from numepi.support import BOX_MAPS, Support

__all__ = ["ElementwiseFlow"]


class ElementwiseFlow(ComposedFlow):
    """Monotone splines, scales and shifts of each coordinate alone, then the support map.

    The default for one parameter, where a coupling has nothing to be coupled to.  With more parameters it is the
    *mean-field* family, of independent coordinates, which no property that ties parameters to each other has.

    Parameters
    ----------
    support : Support
        Where the samples live.
    stages : int
        Number of splines, one after the other.
    bins : int
        Number of bins of each spline, at least 2.
    box_map : "gaussian-cdf" or "sigmoid"
        Map to sides bounded below and above.  With the Gaussian CDF the initial flow is exactly uniform on a box.
    precision : "float64" or "float32"
        What the splines compute in.

    Raises
    ------
    TypeError
        If ``support`` is not a `Support`.
    ValueError
        If a number is out of its range or a name is unknown.
    """

    def __init__(
        self,
        support: Support,
        stages: int = 2,
        bins: int = 16,
        box_map: str = "gaussian-cdf",
        precision: str = "float64",
    ) -> None:
        check_instance("support", support, Support, "give a numepi.Support")
        self.settings = {
            "stages": check_count("stages", stages, most=MOST_STAGES),
            "bins": check_count("bins", bins, least=2, most=100),
            "box_map": check_choice("box_map", box_map, tuple(BOX_MAPS)),
            "precision": check_choice("precision", precision, PRECISIONS),
        }
        splines = [ElementwiseSpline(support.dim, self.settings["bins"], precision) for _ in range(stages)]
        super().__init__(support, [*splines, SupportMap(support, box_map, precision)], precision)

    @property
    def description(self) -> dict[str, Any]:
        """A JSON-able dict that `numepi.flow.flow_from_description` takes."""
        return {"family": type(self).__name__, "support": self.support.description, **self.settings}

    def __repr__(self):
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"ElementwiseFlow({self.support!r}, {settings})"
