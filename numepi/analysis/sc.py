"""Superior colliculus: eigenmode directions, silencing, and the task-flip hypothesis (paper: Figures 4 and 5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from numepi.analysis.directions import unit
from numepi.analysis.perturbation import Perturbation
from numepi.analysis.subjects import circuit_of, samples_of
from numepi.analysis.trends import linear_trends
from numepi.analysis.variants import variant
from numepi.annotations import Seed
from numepi.arguments import check_array, check_choice, check_instance, check_number, check_points, shown
from numepi.circuits.sc.circuit import SC
from numepi.circuits.sc.connectivity import EIGENMODE_NAMES, eigenvalues, weights
from numepi.random_streams import seed_sequence

if TYPE_CHECKING:
    from numepi.analysis.perturbation import Perturbation
    from numepi.analysis.trends import LinearTrends
    from numepi.circuits.base import Circuit

__all__ = [
    "RESPONSES", "Silencing", "TaskFlip", "anti_response", "eigenmode_directions", "eigenvalue_trends", "silence",
    "task_flip",
]  # fmt: skip

RESPONSES = ("falls both ways", "rises with Pro", "falls as Pro rises", "rises both ways")
_SATURATED = 0.95
_TASKS = {"pro": 0, "anti": 1}


def eigenmode_directions() -> dict[str, np.ndarray]:
    """Unit vectors (4,) in z that raise one eigenvalue of the connectivity alone: all, side, task, diag."""
    return {name: unit(row) for name, row in zip(EIGENMODE_NAMES, weights(np.eye(4)))}


def anti_response(moved: Perturbation, direction: str, threshold: float = 0.03) -> Any:
    """What Anti accuracy does on both sides of each circuit along a direction: an index (n,) into `RESPONSES`.

    Parameters
    ----------
    moved : Perturbation
        Of an `SC` circuit at n points, with deltas from a negative to a positive one and 0 between them.
    direction : str
    threshold : float
        It falls (rises) both ways where both changes are beyond it; else it follows Pro accuracy or opposes it.
    """
    check_instance("moved", moved, Perturbation, "give what perturb() returns")
    check_number("threshold", threshold, least=0)
    if moved.statistics.shape[-1] != 2 or len(moved.deltas) < 3:
        raise ValueError(
            f"moved has statistics of shape {moved.statistics.shape}: three deltas or more, of an SC circuit"
        )
    accuracy = moved.along(direction)[:, [0, len(moved.deltas) // 2, -1]]
    down, up = (accuracy[:, side, 1] - accuracy[:, 1, 1] for side in (0, 2))
    with_pro = (up - down) * (accuracy[:, 2, 0] - accuracy[:, 0, 0]) > 0
    kind = np.where(with_pro, 1, 2)
    kind[(down < -threshold) & (up < -threshold)] = 0
    kind[(down > threshold) & (up > threshold)] = 3
    return kind


@dataclass(frozen=True)
class Silencing:
    """Accuracy under silencing of rising strength.

    Attributes
    ----------
    gammas : ndarray (m,)
        Optogenetic strengths.
    window : str
    baseline : ndarray (n, 2)
        Accuracy in the Pro and the Anti task without silencing.
    accuracy : ndarray (m, n, 2)
    """

    gammas: np.ndarray
    window: str
    baseline: np.ndarray
    accuracy: np.ndarray

    @property
    def rise(self) -> np.ndarray:
        """Increase of the error (m, n, 2) over the circuit's own without silencing."""
        return self.baseline - self.accuracy

    @property
    def mean_rise(self) -> np.ndarray:
        """Mean increase of the error (m, 2) over the n circuits."""
        return self.rise.mean(axis=1)

    def gamma_at(self, level: float = 0.07, task: str = "anti") -> float:
        """Least strength at which the mean error has risen by ``level``, by linear interpolation; NaN if it never does.

        The experiment's rise in Anti error is 7 % (Duan et al. 2021).
        """
        check_number("level", level)
        rise = self.mean_rise[:, _TASKS[check_choice("task", task, tuple(_TASKS))]]
        above = np.flatnonzero(rise >= level)
        if len(above) == 0 or above[0] == 0:
            return float("nan") if len(above) == 0 else float(self.gammas[0])
        i = above[0]
        share = (level - rise[i - 1]) / (rise[i] - rise[i - 1])
        return float(self.gammas[i - 1] + share * (self.gammas[i] - self.gammas[i - 1]))

    def saturation(self, task: str = "anti") -> float:
        """Least strength whose mean rise is 95 % of the greatest one."""
        rise = self.mean_rise[:, _TASKS[check_choice("task", task, tuple(_TASKS))]]
        return self.gamma_at(_SATURATED * rise.max(), task)


def silence(circuit: Circuit, z: ArrayLike, gammas: ArrayLike, window: str = "delay", rng: Seed = 0) -> Silencing:
    """Accuracies of the circuits ``z`` (n, 4) under silencing of each strength in ``gammas`` (m,).

    All strengths, and the unsilenced baseline, see the same noise.

    Parameters
    ----------
    circuit : numepi.circuits.SC
        Sets trials and all constants but ``silencing`` and ``window``.
    z : array (n, 4)
    gammas : array (m,)
        In [0, 1].
    window : "delay", "choice" or "total"
    rng : int, SeedSequence or Generator

    Returns
    -------
    Silencing
    """
    circuit_of(circuit, SC)
    z, _ = check_points("z", z, 4)
    gammas = check_array("gammas", np.atleast_1d(gammas), ("m",))
    if len(gammas) == 0 or not ((gammas >= 0) & (gammas <= 1)).all():
        raise ValueError(f"gammas = {shown(gammas)}: give one or more strengths in [0, 1]")
    circuits = [variant(circuit, silencing=float(gamma), window=window) for gamma in gammas]
    rng = seed_sequence(rng)
    baseline = variant(circuit, silencing=0.0).statistics(z, rng=rng)
    return Silencing(gammas, window, baseline, np.array([each.statistics(z, rng=rng) for each in circuits]))


def eigenvalue_trends(z: ArrayLike, error: ArrayLike) -> LinearTrends:
    """Trends of an error (n,) against the connectivity's eigenvalues at ``z`` (n, 4), as `LinearTrends`."""
    z = samples_of("z", z, 4)
    error = check_array("error", error, (len(z),), finite=False)
    return linear_trends(eigenvalues(z), error[:, None], EIGENMODE_NAMES, ("error",))


@dataclass(frozen=True)
class TaskFlip:
    """How well p_A,opto = 1 - p_P describes Anti accuracy under silencing: the circuit then does the other task.

    Attributes
    ----------
    correlation : float
        Of p_A,opto with p_P over circuits; -1 if the hypothesis holds exactly, 0 if accuracy is plain guessing.
    slope : float
        Of p_A,opto against p_P; -1 under the hypothesis.
    mean_anti, mean_flipped : float
        Means of p_A,opto and of 1 - p_P.
    rms : float
        Root mean square of p_A,opto - (1 - p_P).
    rms_guessing : float
        Of p_A,opto - 1/2: what the rival hypothesis leaves.
    """

    correlation: float
    slope: float
    mean_anti: float
    mean_flipped: float
    rms: float
    rms_guessing: float


def task_flip(pro: ArrayLike, anti_silenced: ArrayLike) -> TaskFlip:
    """Test the hypothesis that silencing flips the task.

    Parameters
    ----------
    pro : array (n,)
        p_P of each circuit without silencing.
    anti_silenced : array (n,)
        p_A of the same circuits under silencing.

    Returns
    -------
    TaskFlip
    """
    pro = check_array("pro", pro, ("n",))
    anti = check_array("anti_silenced", anti_silenced, pro.shape)
    if len(pro) < 2 or np.ptp(pro) == 0:
        raise ValueError(f"pro = {shown(pro)}: a correlation needs two circuits or more, of different accuracy")
    covariance = np.cov(pro, anti)
    return TaskFlip(
        correlation=float(np.corrcoef(pro, anti)[0, 1]),
        slope=float(covariance[0, 1] / covariance[0, 0]),
        mean_anti=float(anti.mean()),
        mean_flipped=float(np.mean(1 - pro)),
        rms=float(np.sqrt(np.mean((anti - (1 - pro)) ** 2))),
        rms_guessing=float(np.sqrt(np.mean((anti - 0.5) ** 2))),
    )
