"""Neural circuit models: each maps parameters to statistics of its activity, with the Jacobian."""

from importlib import import_module

_MODULES = {
    "LDS": "lds", "STG": "stg.circuit", "RankTwoRNN": "rank_two_rnn", "V1": "v1.circuit", "SC": "sc.circuit",
    "Circuit": "base", "Trajectories": "base", "FunctionCircuit": "function",
}  # fmt: skip
MODELS = ("LDS", "STG", "RankTwoRNN", "V1", "SC")  # the models of the paper
__all__ = sorted(_MODULES)


def __getattr__(name):
    if name in _MODULES:
        return getattr(import_module(f"numepi.circuits.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'numepi.circuits' has no attribute {name!r}")


def __dir__():
    return __all__
