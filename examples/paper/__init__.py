"""What the scripts of the paper's figures share: options, fits by the paper's algorithm, and the table of findings."""

from paper.fits import algorithm_one, best, by_particles, exact
from paper.options import read_options
from paper.table import Findings

__all__ = ["Findings", "algorithm_one", "best", "by_particles", "exact", "read_options"]
