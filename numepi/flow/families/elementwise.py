"""Flow of coordinates that do not depend on each other: the family for one parameter."""

from __future__ import annotations

from typing import Any

from numepi.flow.couplings.spline.elementwise import ElementwiseSpline
from numepi.flow.elementwise.support import SupportMap
from numepi.flow.families.composition import ComposedFlow
from numepi.support import Support

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
        if not isinstance(support, Support):
            raise TypeError(f"support must be a numepi.Support, got {type(support).__name__}")
        if stages != int(stages) or stages < 1:
            raise ValueError(f"stages = {stages}: a flow needs at least one spline")
        if bins != int(bins) or not 2 <= bins <= 100:
            raise ValueError(f"bins = {bins}: choose from 2 to 100")
        if precision not in ("float64", "float32"):
            raise ValueError(f"precision = {precision!r}: choose 'float64' or 'float32'")
        self.settings = {"stages": int(stages), "bins": int(bins), "box_map": box_map, "precision": precision}
        splines = [ElementwiseSpline(support.dim, int(bins), precision) for _ in range(int(stages))]
        super().__init__(support, [*splines, SupportMap(support, box_map, precision)], precision)

    @property
    def description(self) -> dict[str, Any]:
        """A JSON-able dict that `numepi.flow.flow_from_description` takes."""
        return {"family": type(self).__name__, "support": self.support.description, **self.settings}

    def __repr__(self):
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"ElementwiseFlow({self.support!r}, {settings})"
