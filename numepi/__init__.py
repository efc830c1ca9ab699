"""numepi: emergent property inference in NumPy and Numba.

Given a circuit simulator and an *emergent property* (means and variances of statistics of its activity), find the
maximum-entropy distribution over the circuit's parameters that has it, as a normalizing flow.
"""

from importlib import import_module

__version__ = "0.1.0"

# Loaded at first use: `import numepi` compiles nothing and stays fast.
_NAMES = {
    "EmergentProperty": "property",
    "Moment": "property",
    "Support": "support",
    "DirectionalFlow": "flow",
    "ElementwiseFlow": "flow",
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
}
_MODULES = ("analysis", "circuits", "flow", "inference", "plotting", "priors", "storage")
__all__ = sorted([*_NAMES, *_MODULES])


def __getattr__(name):
    if name in _NAMES:
        return getattr(import_module(f"numepi.{_NAMES[name]}"), name)
    if name in _MODULES:
        return import_module(f"numepi.{name}")
    raise AttributeError(f"module 'numepi' has no attribute {name!r}")


def __dir__():
    return [*__all__, "__version__"]
