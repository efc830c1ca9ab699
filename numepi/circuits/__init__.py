"""Neural circuit models: each maps parameters to statistics of its activity, with the Jacobian."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what `__getattr__` below loads, for those who read types
    from numepi.circuits.base import Circuit, Trajectories
    from numepi.circuits.function import FunctionCircuit
    from numepi.circuits.lds import LDS
    from numepi.circuits.pyloric.circuit import Pyloric
    from numepi.circuits.rank_two_rnn import RankTwoRNN
    from numepi.circuits.sc.circuit import SC
    from numepi.circuits.stg.circuit import STG
    from numepi.circuits.v1.circuit import V1

_MODULES = {
    "LDS": "lds", "STG": "stg.circuit", "RankTwoRNN": "rank_two_rnn", "V1": "v1.circuit", "SC": "sc.circuit",
    "Pyloric": "pyloric.circuit", "Circuit": "base", "Trajectories": "base", "FunctionCircuit": "function",
}  # fmt: skip
MODELS = ("LDS", "STG", "RankTwoRNN", "V1", "SC")  # the models of the paper
BUILT_IN = (*MODELS, "Pyloric")
__all__ = ["LDS", "SC", "STG", "V1", "Circuit", "FunctionCircuit", "Pyloric", "RankTwoRNN", "Trajectories"]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return getattr(import_module(f"numepi.circuits.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'numepi.circuits' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
