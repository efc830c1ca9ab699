"""Interrogate an answer: modes, sensitivity, perturbation, identifiability, trends, and each circuit's own analyses."""

from numepi.analysis import lds, rnn, sc, stg, v1, v1_linear
from numepi.analysis.conditional import ConditionalMean, conditional_mean
from numepi.analysis.groups import Groups, group_by_mode
from numepi.analysis.metric import SimulatorMetric, alignment, simulator_metric
from numepi.analysis.modes import Mode, mode
from numepi.analysis.paths import ModePath, mode_path
from numepi.analysis.perturbation import Perturbation, perturb
from numepi.analysis.rejection import BruteForce, brute_force
from numepi.analysis.ridge import RidgePath, ridge_path
from numepi.analysis.sensitivity import Sensitivity, sensitivity
from numepi.analysis.summary import Summary, summarise
from numepi.analysis.trends import LinearTrends, linear_trends

__all__ = [
    "BruteForce", "ConditionalMean", "Groups", "LinearTrends", "Mode", "ModePath", "Perturbation", "RidgePath",
    "Sensitivity", "SimulatorMetric", "Summary", "alignment", "brute_force", "conditional_mean", "group_by_mode", "lds",
    "linear_trends", "mode", "mode_path", "perturb", "ridge_path", "rnn", "sc", "sensitivity", "simulator_metric",
    "stg", "summarise", "v1", "v1_linear",
]  # fmt: skip
