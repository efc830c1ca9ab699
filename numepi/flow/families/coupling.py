"""What flows made of couplings share: stages with permutations between them, then the map to the support."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numepi.arguments import check_choice, check_count, check_counts, check_flag, check_instance
from numepi.flow.elementwise.affine import ElementwiseAffine
from numepi.flow.elementwise.permutation import balanced_permutations
from numepi.flow.elementwise.support import SupportMap
from numepi.flow.families.composition import ComposedFlow
from numepi.random_streams import seed_sequence
from numepi.support import BOX_MAPS, Support

__all__ = ["MOST_STAGES", "PRECISIONS", "CouplingFlow"]

PRECISIONS = ("float64", "float32")
# More than anybody fits, and few enough that a damaged file cannot ask for a flow that fills the memory.
MOST_STAGES, _MOST_UNITS = 1000, 10_000


class CouplingFlow(ComposedFlow):
    """Couplings, random permutations between them, and the support map (science: section 3).

    Parameters
    ----------
    support : Support
    settings : dict
        The family's own settings, and those that all families have: stages, hidden, post_affine, box_map, seed,
        precision (`numepi.flow.RealNVP` describes them).
    make_coupling : callable
        ``make_coupling()`` gives what every stage is, with parameters of its own: a
        `numepi.flow.couplings.coupling.Coupling`, or what else has ``n_kept`` and ``stages(orders)``.

    Raises
    ------
    ValueError
        If a number is out of its range or a name is unknown.
    """

    def __init__(self, support: Support, settings: dict[str, Any], make_coupling: Callable[..., Any]) -> None:
        self.settings = settings
        stages, precision = settings["stages"], settings["precision"]
        coupling = make_coupling()
        generator = np.random.default_rng(seed_sequence(settings["seed"]))
        transforms = coupling.stages(balanced_permutations(support.dim, stages, generator, coupling.n_kept))
        if settings["post_affine"]:
            transforms.append(ElementwiseAffine(support.dim, precision))
        transforms.append(SupportMap(support, settings["box_map"], precision))
        super().__init__(support, transforms, precision)

    @staticmethod
    def check_settings(support, stages, hidden, post_affine, box_map, seed, precision):
        """The settings that all families have, checked, as a JSON-able dict."""
        check_instance("support", support, Support, "give a numepi.Support")
        if support.dim < 2:
            raise ValueError(
                "support has 1 dimension: a coupling needs two, one moves given the other; use ElementwiseFlow"
            )
        return {
            "stages": check_count("stages", stages, most=MOST_STAGES),
            "hidden": list(check_counts("hidden", hidden, most=_MOST_UNITS)),
            "post_affine": check_flag("post_affine", post_affine),
            "box_map": check_choice("box_map", box_map, tuple(BOX_MAPS)),
            "seed": check_count("seed", seed, least=0, most=2**128 - 1),  # NumPy draws seeds of 128 bits
            "precision": check_choice("precision", precision, PRECISIONS),
        }

    @property
    def description(self) -> dict[str, Any]:
        """A JSON-able dict that `numepi.flow.flow_from_description` takes."""
        return {"family": type(self).__name__, "support": self.support.description, **self.settings}

    def __repr__(self):
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"{type(self).__name__}({self.support!r}, {settings})"
