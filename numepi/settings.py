"""Settings of the solvers as objects, which editors complete: ``ne.infer(..., solver=ne.settings.Dual(kl=0.02))``.

They are what `numepi.infer` takes as keywords otherwise.
"""

from numepi.inference.augmented_lagrangian.solver import Settings as AugmentedLagrangian
from numepi.inference.dual.settings import Settings as Dual
from numepi.inference.particles.settings import Settings as Particles

__all__ = ["AugmentedLagrangian", "Dual", "Particles"]
