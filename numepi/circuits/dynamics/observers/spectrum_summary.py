"""What becomes of samples that were all kept: softmax frequencies, by the STG's own kernels."""

from numepi.circuits.dynamics.code import named
from numepi.circuits.stg.spectrum import frequency
from numepi.circuits.stg.spectrum import workspace as spectrum_workspace
from numepi.kernels.compile import block_function

__all__ = ["summary_of"]


def summary_of(places, n_statistics, n_parameters, slope_places, with_tangents, name):
    """``workspace`` and ``summary`` of a `numepi.simulation.programs.Variant`.

    Parameters
    ----------
    places : sequence of (int, int, int)
        For each signal: its statistic, the first of its kept rows (value, then derivatives), and the first of its two
        tables (of `numepi.circuits.stg.spectrum`: tables, frequencies) among the job's.
    n_statistics, n_parameters : int
    slope_places : sequence of int
        Where the constants hold each signal's softmax slope.
    with_tangents : bool
    name : str
        That of no other program.
    """
    workspace, summary = _no_workspace, _nothing
    for place, at_slope in zip(places, slope_places):
        workspace, summary = _and_one_more(
            workspace, summary, *place, at_slope, n_statistics, n_parameters * with_tangents, f"{place[0]}_{name}"
        )
    return workspace, summary


@block_function
def _no_workspace(n_observed, lanes, c, tables):
    return ()


@block_function
def _nothing(kept, c, tables, work, results):
    pass


def _and_one_more(workspace_before, summary_before, statistic, row, table, at_slope, n_statistics, n_derivatives, name):
    frequencies = table + 1

    def workspace(n_observed, lanes, c, tables):
        own = spectrum_workspace(min(4, lanes), n_observed, tables[table], tables[frequencies])
        return (own, workspace_before(n_observed, lanes, c, tables))

    def summary(kept, c, tables, work, results):
        summary_before(kept, c, tables, work[1], results)
        samples, halves, moduli = work[0]
        signals = len(samples)
        for first in range(0, results.shape[1], signals):
            for t in range(len(kept)):
                for i in range(signals):
                    samples[i, t] = kept[t, row, first + i]
            omega = results[statistic, first : first + signals]
            frequency(
                samples, tables[table], tables[frequencies], c[at_slope], n_derivatives > 0, halves, moduli, omega
            )
            for d in range(n_derivatives):
                for i in range(signals):
                    total = 0.0
                    for t in range(len(kept)):
                        total += samples[i, t] * kept[t, row + 1 + d, first + i]
                    results[n_statistics + statistic * n_derivatives + d, first + i] = total

    return block_function(named(workspace, name)), block_function(named(summary, name))
