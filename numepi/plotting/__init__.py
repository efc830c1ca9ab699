"""Figures of results: samples in pairs, traces of the optimisation, a circuit's own contours and activity.

Every function draws with matplotlib, takes the axes or figure to draw on, and returns what it drew on.
"""

from numepi.plotting.activity import activity
from numepi.plotting.lds import lds_contours
from numepi.plotting.pairs import pairs
from numepi.plotting.traces import traces

__all__ = ["activity", "lds_contours", "pairs", "traces"]
