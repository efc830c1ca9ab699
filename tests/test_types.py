"""Types on the public names: complete, and resolvable; that they are right is for mypy to say."""

import ast
import inspect
from pathlib import Path

import pytest

import numepi
from docs import names


def public():
    """Every public function and method, with its qualified name."""
    found = {}
    for module_name, name, value in names.public():
        if inspect.isfunction(value):
            found[f"{module_name}.{name}"] = value
        elif inspect.isclass(value) and value.__module__.startswith("numepi."):
            for member, function in vars(value).items():
                function = getattr(function, "fget", None) or getattr(function, "__func__", function)
                own = inspect.isfunction(function) and function.__module__ == value.__module__
                if own and not member.startswith("_"):
                    found[f"{module_name}.{name}.{member}"] = function
    return found


PUBLIC = public()


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_argument_and_answer_has_a_type(name):
    signature = inspect.signature(PUBLIC[name])
    bare = [
        parameter.name
        for parameter in signature.parameters.values()
        if parameter.annotation is parameter.empty and parameter.name not in ("self", "cls")
    ]
    assert not bare, f"arguments without a type: {bare}"
    assert signature.return_annotation is not signature.empty, "no type of what it returns"


@pytest.mark.parametrize("package", [numepi, numepi.circuits])
def test_names_that_are_loaded_at_first_use_are_told_to_type_checkers(package):
    lazy = set(package._NAMES) | set(package._MODULES) if package is numepi else set(package._MODULES)
    assert set(package.__all__) == lazy
    body = ast.parse(Path(package.__file__).read_text()).body
    (guarded,) = (node for node in body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    told = {alias.name for statement in guarded.body for alias in statement.names}
    assert told == lazy


def test_the_package_says_that_it_is_typed():
    assert Path(numepi.__file__).with_name("py.typed").exists()
