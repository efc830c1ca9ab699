"""Real NVP: the flow of the paper, affine couplings with fixed permutations between them."""

import numpy as np

from numepi.flow.composition import Flow
from numepi.flow.coupling import AffineCoupling
from numepi.flow.elementwise import ElementwiseAffine
from numepi.flow.permutation import Permutation, balanced_permutations
from numepi.flow.support_map import SupportMap
from numepi.random_streams import seed_sequence
from numepi.support import Support

__all__ = ["RealNVP"]


class RealNVP(Flow):
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
        support,
        stages=3,
        hidden=(50, 50),
        post_affine=False,
        box_map="gaussian-cdf",
        seed=0,
        precision="float64",
    ):
        if not isinstance(support, Support):
            raise TypeError(f"support must be a numepi.Support, got {type(support).__name__}")
        if stages != int(stages) or stages < 1:
            raise ValueError(f"stages = {stages}: a flow needs at least one coupling")
        hidden = tuple(np.atleast_1d(hidden).tolist())
        if not hidden or any(h != int(h) or h < 1 for h in hidden):
            raise ValueError(f"hidden = {hidden}: give the number of units of one or more hidden layers")
        if precision not in ("float64", "float32"):
            raise ValueError(f"precision = {precision!r}: choose 'float64' or 'float32'")
        self.settings = {
            "stages": int(stages),
            "hidden": [int(h) for h in hidden],
            "post_affine": bool(post_affine),
            "box_map": box_map,
            "seed": int(seed),
            "precision": precision,
        }
        orders = balanced_permutations(support.dim, int(stages), np.random.default_rng(seed_sequence(int(seed))))
        transforms = [AffineCoupling(support.dim, self.settings["hidden"], precision)]
        for order in orders:
            transforms += [Permutation(order), AffineCoupling(support.dim, self.settings["hidden"], precision)]
        if post_affine:
            transforms.append(ElementwiseAffine(support.dim, precision))
        transforms.append(SupportMap(support, box_map, precision))
        super().__init__(support, transforms, precision)

    @property
    def description(self):
        """A JSON-able dict that `numepi.flow.flow_from_description` takes."""
        return {"family": "RealNVP", "support": self.support.description, **self.settings}

    def __repr__(self):
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"RealNVP({self.support!r}, {settings})"
