"""Solvers that find the maximum-entropy distribution with an emergent property."""

from numepi.inference.infer import infer

__all__ = ["infer"]
