"""The two fits of the superior colliculus that Figures 4 and 5 read, and the mode path over sW."""

import numpy as np

import numepi as ne
from numepi import analysis
from paper.fits import algorithm_one, exact

__all__ = ["VALUES", "fit", "fit_by_algorithm_one", "mode_path"]

VALUES = np.arange(1.0, -1.01, -0.25)  # of sW


def fit(circuit, options):
    """A real NVP of six couplings fitted by the dual solver: it holds both regimes, and its Hessians are smooth."""
    return exact("sc", circuit, circuit.emergent_property(), options, flow=ne.RealNVP(circuit.support, stages=6))


def fit_by_algorithm_one(circuit, options):
    """The paper's flow fitted by its Algorithm 1: 8 epochs, one seed (the paper: the best of five)."""
    return algorithm_one("sc", circuit, circuit.emergent_property(), options, epochs=8)


def mode_path(q, quick):
    """Modes z*(sW), their Hessians' eigenpairs with hW < 0 in v1."""
    path = analysis.mode_path(q, "sW", VALUES[::4] if quick else VALUES)
    return path, analysis.sensitivity(q, path.z, sign={"hW": -1})
