"""Drivers that run a circuit's equations for many parameters at once: in lanes, row by row, on a GPU.

Knows kernels and the records that describe equations (`lanes.Simulator`, `rows.RowStatistics`), no circuit.
"""
