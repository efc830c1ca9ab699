"""Families of flows: what is common to them (`composition`, `coupling`), and one module for each.

Built from couplings and element-wise maps; `distribution` fixes a flow's parameters, `gaussian` chooses them.
"""
