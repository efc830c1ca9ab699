"""A build's generated code, and where everything is in a block's buffer: the program."""

import hashlib
import math
from functools import lru_cache

import numpy as np

from numepi.circuits.dynamics.code import Constants, compiled, phase_lines, source_of
from numepi.circuits.dynamics.layout import first_rows, keeping, layout_of, sizes
from numepi.circuits.dynamics.looped import looped
from numepi.circuits.dynamics.observers.spectrum_summary import summary_of
from numepi.circuits.dynamics.tangents import differentiate
from numepi.simulation.programs import Program, Variant

__all__ = ["assemble", "tables"]

# More lines take more than about ten seconds to compile (4 to 8 ms each: benchmarks/bench_dynamics.py); loops over
# directions take six times as long to run where both are possible (ten states and five parameters, RK4).
_UNROLLED_LINES = 2000
# Wide blocks spread the loops' overhead, but a block's buffer must stay in the first cache beside what else is read:
# V1 (12.5 kB) takes 1.00 of the hand-written circuit's time with 32 lanes and 1.11 with 16; STG's (16.9 kB) differ by
# less than the noise of the measurement, and the hand-written one has 16 (benchmarks/bench_dynamics.py).
_LANES, _BUFFER = (32, 16), 14 * 1024


def _lanes(build):
    widest = _sources(build, True, _LANES[0], Constants())[1].size * _LANES[0] * 8
    return _LANES[0] if widest <= _BUFFER else _LANES[1]


def assemble(build, lanes=None):
    """The program, compiled when it is first called, and the array of its constants.

    ``lanes`` side by side; by default as many as suit the first cache.
    """
    if lanes is None:
        lanes = _lanes(build)
    constants = Constants()
    sources, layouts = {}, {}
    for with_tangents in (False, True):
        sources[with_tangents], layouts[with_tangents] = _sources(build, with_tangents, lanes, constants)
    digest = hashlib.sha256(repr((sources, layouts, sorted(build.kept))).encode()).hexdigest()[:16]
    places, slopes = _kept_signals(build, constants)
    variants = [_variant(sources[t], layouts[t], digest, places, slopes, sizes(build), t) for t in (False, True)]
    program = Program(
        name=f"dynamics_{digest}", n_parameters=len(build.parameter_elements),
        n_statistics=sizes(build)[0],
        n_tasks=max(1, len(build.model.tasks)), n_constants=len(build.task_elements), n_noise=build.n_noise,
        n_drive=build.drive_layout.size, uniform_blocks=build.blocks["uniform"], normal_blocks=build.blocks["normal"],
        lanes=lanes, values=variants[0], tangents=variants[1],
    )  # fmt: skip
    return program, np.array(constants.values)


def _kept_signals(build, constants):
    """Places of the signals that are kept, and of their softmax slopes: see `spectrum_summary`."""
    places, slopes, statistic, row, table = [], [], 0, 0, 0
    for name, shape in build.statistics.items():
        for _ in range(math.prod(shape)):
            if name in build.kept:
                places.append((statistic, row, table))
                slopes.append(constants.place(build.kept[name].slope))
                row += 1
            statistic += 1
        table += 2 * (name in build.kept)
    return tuple(places), tuple(slopes)


def tables(build):
    """Arrays that summaries of kept signals read."""
    return tuple(
        array
        for observer in build.kept.values()
        for array in (observer.tables(build.model), np.array(observer.frequencies))
    )


def _sources(build, with_tangents, lanes, constants):
    """The source of all phases and its layout: unrolled where that is short enough, with loops where not."""
    if build.n_operations <= 2 * _UNROLLED_LINES:  # else there is no need to find out
        text, layout = _unrolled(build, with_tangents, lanes, constants)
        if text.count("\n") <= _UNROLLED_LINES:
            return text, layout
    return looped(build, with_tangents, lanes, constants)


def _unrolled(build, with_tangents, lanes, constants):
    """Scalars alone, one operation a line, with each direction written out where it is not zero by structure."""
    dim = len(build.parameter_elements)
    phases = {phase: build.scalars(phase) for phase in build.graphs}
    differentiated = {}
    patterns = [frozenset()] * build.n_values
    if with_tangents:
        differentiated, patterns = differentiate(phases, build.n_values, dim)
    layout = layout_of(build, sum(map(len, patterns)), with_tangents)
    tangent_row, at = {}, layout.values + build.n_values
    for p in range(dim):
        for place, pattern in enumerate(patterns):
            if p in pattern:
                tangent_row[p, place] = at
                at += 1
    starts = first_rows(layout)

    def row_of(kind, key):
        return tangent_row[key] if kind == "tangent" else starts[kind] + key

    lines = {}
    for phase, (graph, outputs) in phases.items():
        first = layout.results if phase == "finish" else layout.values
        values = [(first + place, node) for place, node in outputs]
        directions = []
        for p, pairs in enumerate(differentiated.get(phase, [])):
            if phase == "finish":
                rows = [(layout.results + len(outputs) + place * dim + p, node) for place, node in pairs]
            else:
                rows = [(tangent_row[p, place], node) for place, node in pairs]
            directions.append(rows)
        lines[phase] = phase_lines(phase, graph, values, directions, constants, row_of, build.drive_layout, lanes)
    lines["observe"] += keeping(build, layout, tangent_row, with_tangents, lanes)
    return source_of(lines, len(build.stages)), layout


@lru_cache(maxsize=256)
def _variant(source, layout, digest, places, slopes, sizes, with_tangents):
    name = f"{digest}_{'tangents' if with_tangents else 'values'}"
    if not places:
        return Variant(layout, compiled(source, name))
    width = 1 + sizes[1] * with_tangents
    places = [(statistic, row * width, table) for statistic, row, table in places]
    workspace, summary = summary_of(places, *sizes, slopes, with_tangents, name)
    return Variant(layout, compiled(source, name), summary, workspace)
