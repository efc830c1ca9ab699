"""Neural spline flow: couplings of monotone rational-quadratic splines, with fixed permutations between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from numepi.arguments import check_count
from numepi.flow.couplings.spline.coupling import SplineCoupling
from numepi.flow.families.coupling import CouplingFlow

if TYPE_CHECKING:
    from numepi.support import Support

__all__ = ["SplineFlow"]


class SplineFlow(CouplingFlow):
    """Spline couplings, random permutations between them, and the support map (Durkan et al. 2019; science: section 3).

    Parameters
    ----------
    support : Support
        Where the samples live.
    stages : int
        Number of couplings.
    hidden : tuple of int
        Units of each hidden layer of a coupling's network.
    bins : int
        Number of bins of each spline, at least 2.
    moved : int, optional
        Number of coordinates that a coupling transforms given the others; default D - floor(D/2).
    post_affine : bool
        Whether an element-wise scale and shift comes before the support map.
    box_map : "gaussian-cdf" or "sigmoid"
        Map to sides bounded below and above.  With the Gaussian CDF the initial flow is exactly uniform on a box.
    seed : int
        Of the permutations.
    precision : "float64" or "float32"
        What the couplings compute in.

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
        stages: int = 6,
        hidden: Sequence[int] = (32, 32),
        bins: int = 8,
        moved: int | None = None,
        post_affine: bool = False,
        box_map: str = "gaussian-cdf",
        seed: int = 0,
        precision: str = "float64",
    ) -> None:
        settings = self.check_settings(support, stages, hidden, post_affine, box_map, seed, precision)
        moved = support.dim - support.dim // 2 if moved is None else moved
        settings["bins"] = check_count("bins", bins, least=2, most=100)
        settings["moved"] = check_count("moved", moved, most=support.dim - 1)
        super().__init__(
            support,
            settings,
            lambda: SplineCoupling(support.dim, settings["hidden"], precision, settings["moved"], settings["bins"]),
        )
