"""Where everything of a program is in a block's buffer."""

import math

from numepi.simulation.programs import Layout

__all__ = ["PHASES", "first_rows", "keeping", "layout_of", "sizes"]

# The phases of a simulation, and what a program calls them.
PHASES = {"start": "start", "step": "advance", "observe": "observe", "finish": "finish"}


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
                    lines.append(f"        buffer[{row * lanes} + lane] = buffer[{source * lanes} + lane]\n")
                row += 1
    return f"    for lane in range({lanes}):\n" + "".join(lines) if lines else ""


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
