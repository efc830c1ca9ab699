"""Couplings: transforms that move some coordinates by what the others are, one room for each kind.

Each has a readable definition in autograd and compiled passes beside it.
"""
