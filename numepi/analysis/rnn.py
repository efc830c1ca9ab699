"""Rank-2 networks: stable amplification by its definition, and the size of the activity (paper: Figure 2C-D)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from numepi.circuits.base import Trajectories

from numepi.analysis.subjects import samples_of
from numepi.arguments import check_instance
from numepi.circuits.base import Trajectories

__all__ = ["CLASSES", "class_shares", "classify", "norms"]

CLASSES = ("stable amplified", "stable monotonic", "unstable")


def classify(f: ArrayLike) -> np.ndarray:
    """Class (n,) of each network from its statistics ``f`` (n, 2) = (Re lambda_1, lambda_1^s): an index into `CLASSES`.

    Stable: Re lambda_1 < 1.  A stable network amplifies some input if lambda_1^s > 1, else its activity only decays
    (Bondanelli & Ostojic 2020).
    """
    f = samples_of("f", f, 2)
    return np.where(f[:, 0] >= 1, 2, np.where(f[:, 1] > 1, 0, 1))


def class_shares(f: np.ndarray) -> dict[str, float]:
    """Share of the networks in each of `CLASSES`, as a dict."""
    classes = classify(f)
    return dict(zip(CLASSES, (np.bincount(classes, minlength=len(CLASSES)) / len(classes)).tolist()))


def norms(trajectories: Trajectories) -> np.ndarray:
    """|x(t)| (n, T) of `RankTwoRNN.simulate`, which starts from the unit state that grows fastest at first."""
    check_instance("trajectories", trajectories, Trajectories, "give what the circuit's simulate() returns")
    return np.linalg.norm(trajectories.values, axis=-1)
