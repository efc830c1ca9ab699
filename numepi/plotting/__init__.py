"""Figures of results: samples in pairs, traces of the optimisation, sensitivity, perturbation, circuits' own figures.

Every plot draws with matplotlib, takes ``ax`` and returns the Axes it drew on: one, or an array of several panels.
None makes new ones on a figure of their own (``ax.figure``); for several panels ``ax`` may also be one Axes, whose
place they take.  `animate_fit` writes a file instead.  `style` sets matplotlib for print and for dark screens.
"""

from numepi.plotting.activity import activity
from numepi.plotting.animation import FitRecorder, animate_fit
from numepi.plotting.comparisons import coupling_bars, histograms, statistic_clouds, trend_matrix
from numepi.plotting.curves import (
    contrast_curves,
    norm_curves,
    perturbation_curves,
    silencing_curves,
    task_flip_points,
)
from numepi.plotting.lds import lds_contours
from numepi.plotting.marginals import marginals
from numepi.plotting.pairs import pairs, strongest_pairs
from numepi.plotting.planes import arrows, frequency_contours, mode_points, plane
from numepi.plotting.predictive import predictive_check
from numepi.plotting.style import COLOURS, style, tidy
from numepi.plotting.traces import traces

__all__ = [
    "COLOURS", "FitRecorder", "activity", "animate_fit", "arrows", "contrast_curves", "coupling_bars",
    "frequency_contours", "histograms", "lds_contours", "marginals", "mode_points", "norm_curves", "pairs",
    "perturbation_curves", "plane", "predictive_check", "silencing_curves", "statistic_clouds", "strongest_pairs",
    "style", "task_flip_points", "tidy", "traces", "trend_matrix",
]  # fmt: skip
