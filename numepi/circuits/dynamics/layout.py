"""Where everything of a program is in a block's buffer."""

import math
from typing import NamedTuple

from numepi.simulation.programs import Layout

__all__ = ["DRIVES", "FUNCTIONS", "PER_STEP", "DriveLayout", "first_rows", "keeping", "layout_of", "sizes"]

# A program's functions, and the phases of a simulation that each runs.
FUNCTIONS = {"start": ("start",), "advance": ("stage", "step"), "observe": ("observe",), "finish": ("finish",)}
# Phases that are run once a step or more often.
PER_STEP = ("stage", "step", "observe")
# Kinds of inputs that all lanes share: of a step, and of each of its stages.
DRIVES = ("drive", "stage")


class DriveLayout(NamedTuple):
    """The numbers of one step: ``step`` for all of it, then ``stage`` for each of ``n_stages``."""

    step: int
    stage: int
    n_stages: int

    @property
    def size(self):
        """Of a row."""
        return self.step + self.stage * self.n_stages

    def text(self, kind, place):
        """How functions read the number at a place (text) of an input ("drive" or "stage")."""
        if kind == "stage":
            return f"drive[t * {self.size} + {self.step} + stage * {self.stage} + {place}]"
        return f"drive[t * {self.size} + {place}]"


def first_rows(layout):
    """Row of the first input of each kind."""
    return {"value": layout.values, "z": layout.parameters, "task": layout.task, "noise": layout.noise}


def sizes(build):
    """Number of statistics of a simulation, and of parameters."""
    return sum(math.prod(shape) for shape in build.statistics.values()), len(build.parameter_elements)


def keeping(build, layout, tangent_row, with_tangents, lanes):
    """Lines of ``observe`` that copy the signals, and their derivatives, to the rows that are kept."""
    lines, row = [], layout.kept
    dim = len(build.parameter_elements) * with_tangents
    for name in build.kept:
        place = build.place[f"o.{name}.sample"]
        for k in range(math.prod(build.statistics[name])):
            sources = [layout.values + place + k, *(tangent_row.get((p, place + k)) for p in range(dim))]
            for source in sources:
                if source is not None:  # rows without derivatives stay zero
                    lines.append(f"    buffer[{row * lanes} + lane] = buffer[{source * lanes} + lane]")
                row += 1
    return [f"for lane in range({lanes}):", *lines] if lines else []


def layout_of(build, n_tangents, with_tangents, n_work=0):
    """Rows of the buffer of a program with so many derivatives, and ``n_work`` more rows, the last."""
    n_constants = len(build.task_elements)
    n_statistics, n_parameters = sizes(build)
    n_random = 4 * max(sum(build.blocks.values()), -(-build.n_noise // 4))
    n_kept = sum(math.prod(build.statistics[name]) for name in build.kept) * (1 + with_tangents * n_parameters)
    task = n_parameters
    row = task + n_constants
    noise = row + 2
    values = noise + n_random
    results = values + build.n_values + n_tangents
    n_results = n_statistics * (1 + with_tangents * n_parameters)
    kept = results + n_results
    return Layout(0, task, row, row + 1, noise, values, results, n_results, kept + n_kept + n_work, kept, n_kept)
