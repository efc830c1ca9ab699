"""numepi: emergent property inference in NumPy and Numba.

Given a circuit simulator and an *emergent property* (means and variances of statistics of its activity), find the
maximum-entropy distribution over the circuit's parameters that has it, as a normalizing flow.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what `__getattr__` below loads, for those who read types
    from numepi import analysis, circuits, flow, inference, initial, observe, plotting, priors, settings, storage
    from numepi.circuits import Circuit, FunctionCircuit, Trajectories
    from numepi.circuits.check import JacobianCheck, check_jacobian
    from numepi.circuits.dynamics.circuit import Dynamics
    from numepi.circuits.dynamics.events import Event
    from numepi.circuits.dynamics.time_expressions import Table
    from numepi.flow import (
        DirectionalFlow,
        ElementwiseFlow,
        FlowDistribution,
        GramFlow,
        LensFlow,
        RealNVP,
        SplineFlow,
        SymmetricFlow,
    )
    from numepi.inference import infer
    from numepi.inference.assessment.certificate import Certificate
    from numepi.inference.running.run import RunState
    from numepi.interop import to_datatree
    from numepi.property import EmergentProperty, Moment
    from numepi.result import Result
    from numepi.simulations import Simulations
    from numepi.storage import load
    from numepi.support import Support
    from numepi.sweeps import SweepIndex, Task, load_sweep, sweep

__version__ = "0.1.0"

# Loaded at first use: `import numepi` compiles nothing and stays fast.
_NAMES = {
    "EmergentProperty": "property",
    "Moment": "property",
    "Support": "support",
    "DirectionalFlow": "flow",
    "ElementwiseFlow": "flow",
    "GramFlow": "flow",
    "LensFlow": "flow",
    "RealNVP": "flow",
    "SplineFlow": "flow",
    "SymmetricFlow": "flow",
    "infer": "inference",
    "load": "storage",
    "Task": "sweeps",
    "sweep": "sweeps",
    "load_sweep": "sweeps",
    "to_datatree": "interop",
    "check_jacobian": "circuits.check",
    "Certificate": "inference.assessment.certificate",
    "Circuit": "circuits",
    "FlowDistribution": "flow",
    "FunctionCircuit": "circuits",
    "JacobianCheck": "circuits.check",
    "Result": "result",
    "RunState": "inference.running.run",
    "SweepIndex": "sweeps",
    "Trajectories": "circuits",
    "Dynamics": "circuits.dynamics.circuit",
    "Event": "circuits.dynamics.events",
    "Simulations": "simulations",
    "Table": "circuits.dynamics.time_expressions",
}
_MODULES = (
    "analysis",
    "circuits",
    "flow",
    "inference",
    "initial",
    "observe",
    "plotting",
    "priors",
    "settings",
    "storage",
)
__all__ = [
    "Certificate", "Circuit", "DirectionalFlow", "Dynamics", "ElementwiseFlow", "EmergentProperty", "Event",
    "FlowDistribution", "FunctionCircuit", "GramFlow", "JacobianCheck", "LensFlow", "Moment", "RealNVP", "Result",
    "RunState", "Simulations", "SplineFlow", "Support", "SweepIndex", "SymmetricFlow", "Table", "Task",
    "Trajectories", "analysis", "check_jacobian", "circuits", "flow", "infer", "inference", "initial", "load",
    "load_sweep", "observe", "plotting", "priors", "settings", "storage", "sweep", "to_datatree",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(import_module(f"numepi.{_NAMES[name]}"), name)
    if name in _MODULES:
        return import_module(f"numepi.{name}")
    raise AttributeError(f"module 'numepi' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
