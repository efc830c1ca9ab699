"""Random initial values: ``ne.initial.uniform(a, b)``, ``ne.initial.normal(mean, sd, of=...)``."""

from numepi.circuits.dynamics.initial import normal, uniform

__all__ = ["normal", "uniform"]
