"""Directional flow: for parameters that are a few vectors over the same units, as in low-rank networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from numepi.arguments import check_count
from numepi.flow.couplings.directional.stack import DirectionStack
from numepi.flow.elementwise.sinh_arcsinh import SinhArcsinh
from numepi.flow.elementwise.support import SupportMap
from numepi.flow.families.composition import ComposedFlow
from numepi.flow.families.coupling import CouplingFlow

if TYPE_CHECKING:
    from numepi.support import Support

__all__ = ["DirectionalFlow"]


class DirectionalFlow(CouplingFlow):
    """Couplings that act along few directions, an element-wise scale, shift and weight of tails, and the support map.

    For parameters that are ``vectors`` vectors of equal length, joined, whose statistics depend on norms and overlaps:
    the connectivity U V^T of a low-rank network.  An affine coupling shrinks the overlap of two vectors only by
    shrinking components one by one; here a vector is scaled along the directions of the others
    (`numepi.flow.couplings.directional.stack.DirectionStack`).  The couplings have as many parameters for vectors of
    length 100 as of length 10.  Without anchors they treat all units alike: rotations of the base commute with them.
    The element-wise map is `numepi.flow.elementwise.sinh_arcsinh.SinhArcsinh`.

    Parameters
    ----------
    support : Support
        Where the samples live; D is a multiple of ``vectors``.
    vectors : int
        At least 2.  Vector k takes the coordinates k N ... (k + 1) N - 1, N = D / vectors.
    stages : int
        Number of couplings: each moves one vector, the last first.
    hidden : tuple of int
        Units of each hidden layer of a coupling's network.
    anchors : int
        Number of learned constant vectors that serve as directions beside the others: they tell units apart.
    box_map : "gaussian-cdf" or "sigmoid"
        Map to sides bounded below and above.  With the Gaussian CDF the initial flow is exactly uniform on a box.
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
        vectors: int,
        stages: int = 8,
        hidden: Sequence[int] = (32, 32),
        anchors: int = 0,
        box_map: str = "gaussian-cdf",
        precision: str = "float64",
    ) -> None:
        settings = self.check_settings(support, stages, hidden, True, box_map, 0, precision)
        del settings["seed"], settings["post_affine"]  # no permutations, and always
        if support.dim % check_count("vectors", vectors, least=2):
            raise ValueError(
                f"vectors = {vectors}: choose a divisor, two or more, of the {support.dim} parameters, which are split "
                "into that many vectors of equal length"
            )
        settings |= {"vectors": int(vectors), "anchors": check_count("anchors", anchors, least=0)}
        self.settings = settings
        stack = DirectionStack(
            settings["vectors"], support.dim // settings["vectors"], settings["stages"], settings["hidden"],
            settings["anchors"], precision,
        )  # fmt: skip
        tails = SinhArcsinh(support.dim, precision)
        ComposedFlow.__init__(self, support, [stack, tails, SupportMap(support, box_map, precision)], precision)
