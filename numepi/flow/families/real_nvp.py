"""Real NVP: the flow of the paper, affine couplings with fixed permutations between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from numepi.flow.couplings.affine.coupling import AffineCoupling
from numepi.flow.families.coupling import CouplingFlow

if TYPE_CHECKING:
    from numepi.support import Support

__all__ = ["RealNVP"]


class RealNVP(CouplingFlow):
    """Affine couplings, random permutations between them, and the support map (Dinh et al. 2017; science: section 3).

    Parameters
    ----------
    support : Support
        Where the samples live.
    stages : int
        Number of affine couplings.
    hidden : tuple of int
        Units of each hidden layer of a coupling's network.
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
        stages: int = 3,
        hidden: Sequence[int] = (50, 50),
        post_affine: bool = False,
        box_map: str = "gaussian-cdf",
        seed: int = 0,
        precision: str = "float64",
    ) -> None:
        settings = self.check_settings(support, stages, hidden, post_affine, box_map, seed, precision)
        super().__init__(support, settings, lambda: AffineCoupling(support.dim, settings["hidden"], precision))
