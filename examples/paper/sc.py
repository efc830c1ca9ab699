"""The fit of the superior colliculus that Figures 4 and 5 read, and the mode path over sW."""

import numpy as np

import numepi as ne
from numepi import analysis
from paper.fits import exact

__all__ = ["VALUES", "LongerDelay", "circuits", "fit", "mode_path", "responses"]

VALUES = np.arange(1.0, -1.01, -0.25)  # of sW


class LongerDelay(ne.circuits.SC):
    """The circuit with one more step of the delay silenced: sample 50, at 1.2 s, the last before the choice.

    The paper's words, 0.8 s < t < 1.2 s, leave it out; an implementation that silences the activity that a step ends
    with, or counts 1.2 s in, has it.
    """

    def _schedule(self):
        drive = super()._schedule()
        last = np.flatnonzero(drive[:, 6] < 1)
        if self.window == "delay" and len(last):
            drive[last[-1] + 1, 6] = 1 - self.silencing
            drive[last[-1] + 2, 5] = 1 - self.silencing
        return drive


def fit(circuit, options):
    """The dual solver with its default flow: it holds both regimes."""
    return exact("sc", circuit, circuit.emergent_property(), options, precision="float64")


def circuits(result, quick):
    """Distinct circuits (n, 4) of the exact solution, by importance resampling of the fit's samples."""
    n = 40 if quick else 1000
    return np.unique(result.sample(n, rng=5, corrected=not quick), axis=0)


def responses(circuit, z):
    """What Anti accuracy does within 0.25 of each circuit along the direction in which the simulator's accuracies
    change most (hW < 0), and what it gains from more lambda_diag: an index (n,) into `sc.RESPONSES`, and (n,).

    The direction is the first eigenvector of the simulator's metric: no fit enters.
    """  # fmt: skip
    metric = analysis.simulator_metric(circuit, z, circuit.emergent_property(), draws=2, sign={"hW": -1})
    directions = {"v1": metric.vectors[:, 0], "diag": analysis.sc.eigenmode_directions()["diag"]}
    moved = analysis.perturb(circuit, z, directions, [-0.25, 0, 0.25], rng=6)
    diag = moved.along("diag")[:, :, 1]
    return analysis.sc.anti_response(moved, "v1"), diag[:, 2] - diag[:, 1]


def mode_path(q):
    """Modes z*(sW) as the paper finds them, their Hessians' eigenpairs with hW < 0 in v1, and what it did not ask for.

    The paper follows a mode from sW = 1 to -1 with all other weights free.  The third value are the densest points of
    each slice (9, 4) by themselves: the density is nearly flat there, and they hop between ridges.
    """
    path = analysis.mode_path(q, "sW", VALUES, method="ascent")
    densest = np.array([analysis.mode(q, {"sW": value}, n_starts=6).z for value in VALUES])
    return path, analysis.sensitivity(q, path.z, sign={"hW": -1}), densest
