"""What is asked for: emergent properties, their moments and targets, and the constraints that a solver sees.

Knows statistics by name and shape only, no circuit and no solver.
"""

from numepi.property.emergent_property import EmergentProperty
from numepi.property.moments import Moment

__all__ = ["EmergentProperty", "Moment"]
