"""What flows made of couplings share: stages with permutations between them, then the map to the support."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from numepi.flow.elementwise.affine import ElementwiseAffine
from numepi.flow.elementwise.permutation import balanced_permutations
from numepi.flow.elementwise.support import SupportMap
from numepi.flow.families.composition import ComposedFlow
from numepi.random_streams import seed_sequence
from numepi.support import Support

__all__ = ["CouplingFlow"]


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
        if not isinstance(support, Support):
            raise TypeError(f"support must be a numepi.Support, got {type(support).__name__}")
        if support.dim < 2:
            raise ValueError(
                "support has 1 dimension: a coupling needs two, one moves given the other; use ElementwiseFlow"
            )
        if stages != int(stages) or stages < 1:
            raise ValueError(f"stages = {stages}: a flow needs at least one coupling")
        hidden = tuple(np.atleast_1d(hidden).tolist())
        if not hidden or any(h != int(h) or h < 1 for h in hidden):
            raise ValueError(f"hidden = {hidden}: give the number of units of one or more hidden layers")
        if precision not in ("float64", "float32"):
            raise ValueError(f"precision = {precision!r}: choose 'float64' or 'float32'")
        return {
            "stages": int(stages),
            "hidden": [int(h) for h in hidden],
            "post_affine": bool(post_affine),
            "box_map": box_map,
            "seed": int(seed),
            "precision": precision,
        }

    @property
    def description(self) -> dict[str, Any]:
        """A JSON-able dict that `numepi.flow.flow_from_description` takes."""
        return {"family": type(self).__name__, "support": self.support.description, **self.settings}

    def __repr__(self):
        settings = ", ".join(f"{name}={value!r}" for name, value in self.settings.items())
        return f"{type(self).__name__}({self.support!r}, {settings})"
