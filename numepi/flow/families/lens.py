"""Lens flow: for parameters in a box that are a few vectors over the same units, as in low-rank networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from numepi.arguments import check_count
from numepi.flow.couplings.lens.stack import LensStack
from numepi.flow.elementwise.support import SupportMap
from numepi.flow.families.composition import ComposedFlow
from numepi.flow.families.coupling import CouplingFlow

if TYPE_CHECKING:
    from numepi.support import Support

__all__ = ["LensFlow"]


class LensFlow(CouplingFlow):
    """Couplings that move a vector along the others as a truncated normal would, and the support map.

    For parameters that are ``vectors`` vectors of equal length in a box, joined, whose statistics depend on norms and
    overlaps: the connectivity U V^T of a low-rank network.  In many dimensions such statistics ask for long vectors
    that are aligned.  Next to a bound of the box a component has less room to be off the others than in the middle,
    and that an affine map before the Gaussian-CDF map cannot say (`numepi.DirectionalFlow` learns it component by
    component); here each vector moves between two maps that make normals truncated to the box standard
    (`numepi.flow.couplings.lens.stack.LensStack`).  A flow has as many parameters for vectors of length 250 as of
    length 10, and treats all units alike.  The initial flow is uniform.

    Parameters
    ----------
    support : Support
        Where the samples live, a box; D is a multiple of ``vectors``.
    vectors : int
        At least 2, and fewer than each has components.  Vector k takes the coordinates k N ... (k + 1) N - 1,
        N = D / vectors.
    stages : int
        Number of couplings: each moves one vector, the last first.  In half as many the rank-2 network of 50 neurons is
        learnt in more steps only (docs/variance_and_dimension.md).
    hidden : tuple of int
        Units of each hidden layer of a coupling's network.
    precision : "float64" or "float32"
        What the couplings' networks compute in.

    Raises
    ------
    TypeError
        If ``support`` is not a `Support`.
    ValueError
        If a number is out of its range, or the support is not bounded on all sides.
    """

    def __init__(
        self,
        support: Support,
        vectors: int,
        stages: int = 16,
        hidden: Sequence[int] = (32, 32),
        precision: str = "float64",
    ) -> None:
        settings = self.check_settings(support, stages, hidden, False, "gaussian-cdf", 0, precision)
        for name in ("seed", "post_affine", "box_map"):  # no permutations, and always
            del settings[name]
        length = support.dim // check_count("vectors", vectors, least=2)
        if support.dim % vectors or vectors > length:
            raise ValueError(
                f"vectors = {vectors}: choose a divisor, two or more, of the {support.dim} parameters, which are split "
                "into that many vectors, each at least as long as their number"
            )
        if not support.is_box:
            raise ValueError(f"{support!r} has an open side: a lens flow lives in a box; use DirectionalFlow")
        settings["vectors"] = int(vectors)
        self.settings = settings
        stack = LensStack(settings["vectors"], length, settings["stages"], settings["hidden"], precision)
        ComposedFlow.__init__(self, support, [stack, SupportMap(support, "gaussian-cdf", "float64")], precision)
