"""What every analysis does when nothing is said."""

import importlib
import inspect
import pkgutil

import numepi.analysis


def test_random_numbers_start_from_zero():
    """The library's default everywhere: what is not asked to vary does not, and two calls agree."""
    seeds = {}
    for module in pkgutil.walk_packages(numepi.analysis.__path__, "numepi.analysis."):
        for name, function in inspect.getmembers(importlib.import_module(module.name), inspect.isfunction):
            parameter = inspect.signature(function).parameters.get("rng")
            own = function.__module__ == module.name and parameter is not None
            if own and parameter.default is not parameter.empty:
                seeds[f"{module.name}.{name}"] = parameter.default
    assert len(seeds) >= 8 and set(map(repr, seeds.values())) == {"0"}, seeds
