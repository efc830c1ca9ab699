"""Checks of what was simulated before a run: `numepi.infer(simulations=, start=)`."""

from numepi.arguments import check_instance
from numepi.result import Result
from numepi.simulations import Simulations

__all__ = ["checked_earlier"]


def checked_earlier(simulations, start, circuit, solver):
    """The `Simulations` that a run begins with, or None; an error names what is wrong with them."""
    if start is not None:
        check_instance("start", start, Result, "give a result of numepi.infer or numepi.load")
        if simulations is not None:
            raise ValueError("start and simulations are both given: give one")
        described = start.configuration["circuit"], start.configuration["circuit_settings"]
        same = described == (circuit.name, circuit.settings) and start.parameter_names == tuple(circuit.parameter_names)
        if not same or start.statistic_names != tuple(circuit.statistic_names):
            raise ValueError(f"start is of {described[0]} with {described[1]}: its simulations are not of {circuit!r}")
        simulations = start.simulations_table()
    if simulations is None:
        return None
    check_instance("simulations", simulations, Simulations, "make them numepi.Simulations(z, statistics, log_density)")
    if solver != "dual":
        raise ValueError(f"simulations are given, but solver {solver!r} learns from none: use solver='dual'")
    shape = simulations.z.shape[1], simulations.statistics.shape[1]
    wanted = len(circuit.parameter_names), len(circuit.statistic_names)
    if shape != wanted:
        raise ValueError(
            f"simulations have {shape[0]} parameters and {shape[1]} statistics: the circuit has {wanted[0]} "
            f"and {wanted[1]}"
        )
    outside = ~circuit.support.within_bounds(simulations.z)
    if outside.any():
        raise ValueError(f"simulations.z has {outside.sum()} rows outside of the support's bounds: leave them out")
    return simulations
