"""What tells one function from another, and where that cannot be told."""

import functools
import json
import logging
from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

import numepi as ne
from numepi.circuits import LDS, V1
from numepi.circuits.v1.equations import V1_SIMULATOR
from numepi.identity import CANNOT_TELL, circuit_class, described, differences, identity


def scale(z, factor=2.0):
    return factor * z


def made(factor, table=None):
    """A closure."""

    def inner(z):
        return factor * z + (0 if table is None else table.sum())

    return inner


def recursive():
    def fall(n):
        return n if n < 1 else fall(n - 1)

    return fall


class Callable:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, z):
        return self.factor * z

    def method(self, z):
        return z


class Slots:
    __slots__ = ("__factor",)

    def __init__(self, factor):
        self.__factor = factor

    def __call__(self, z):
        return z


def same(a, b, **how):
    a, b = (json.loads(json.dumps(identity(f, **how))) for f in (a, b))
    return not differences(a, b, "there")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda z: 2 * z, lambda z: 3 * z),
        (lambda z: z.sum(), lambda z: z.max()),
        (made(1.0), made(2.0)),
        (made(1.0, np.arange(3)), made(1.0, np.arange(3) + 1)),
        (functools.partial(scale, factor=1.0), functools.partial(scale, factor=2.0)),
        (functools.partial(scale, factor=1.0), scale),
        (Callable(1.0), Callable(2.0)),
        (Callable(1.0).method, Callable(2.0).method),
        (functools.partial(Callable(1.0), 3), functools.partial(Callable(1.5), 3)),
        (np.sin, np.cos),
        (scale, made),
        (lambda z, factor=1: z, lambda z, factor=2: z),
        (lambda z, *, factor=1: z, lambda z, *, factor=2: z),
        (lambda z: [x for x in z if x > 1], lambda z: [x for x in z if x > 2]),
    ],
)
def test_functions_that_differ_are_told_apart(one, other):
    assert not same(one, other)
    assert same(one, one)


def _class_closing_over(factor):
    class Scale:
        def __call__(self, z):
            return factor * z

    return Scale


def _class_with(value):
    class Scale:
        table = value

        def __call__(self, z, power=value):
            return self.table * z

    return Scale


def _heir_of(base):
    class Heir(base):
        pass

    return Heir


def _of_global(factor):
    """What a module that holds ``FACTOR`` and a helper defines."""
    module = {"__name__": "experiment"}
    exec(
        f"FACTOR = {factor}\nCALLS = 0\n"
        f"def helper(z): return {factor} * z\n"
        "def reads(z): return FACTOR * z\n"
        "def calls(z): return helper(z)\n"
        "def nested(z): return [FACTOR * x for x in z]\n"
        "def counts(z):\n    global CALLS\n    CALLS += 1\n    return z\n",
        module,
    )
    return module


class Described:
    description = "a scale"

    def __init__(self, factor):
        self.factor = factor


class Table(dict):
    def __call__(self, z):
        return self["factor"] * z


_ELSEWHERE = {
    "a method's closure": lambda v: _class_closing_over(v)(),
    "a bound method's closure": lambda v: _class_closing_over(v)().__call__,
    "an inherited method's closure": lambda v: _heir_of(_class_closing_over(v))(),
    "a class": lambda v: functools.partial(map, _class_closing_over(v)),
    "an array of a class": lambda v: _class_with(np.array([v]))(),
    "a table of a class": lambda v: _class_with({"factor": v})().__call__,
    "slots": Slots,
    "slots of a base": lambda v: made(1.0, CubicSpline([0.0, 1.0, 2.0], [0.0, v, 1.0])),
    "a mask": lambda v: made(1.0, np.ma.masked_equal([1.0, 2.0, 3.0], v)),
    "a callable dict": lambda v: Table(factor=v),
    "a Moment's function": lambda v: made(1.0, ne.Moment("m", made(v), 0.0)),
    "an object with a description": lambda v: made(1.0, Described(v)),
    "a support": lambda v: made(1.0, ne.Support([0.0], [v])),
    "a global": lambda v: _of_global(v)["reads"],
    "a global in an inner function": lambda v: _of_global(v)["nested"],
    "a helper beside it": lambda v: _of_global(v)["calls"],
}


@pytest.mark.parametrize("make", _ELSEWHERE.values(), ids=_ELSEWHERE)
def test_what_a_function_takes_from_elsewhere_tells_it_apart(make):
    assert same(make(2.0), make(2.0))
    assert not same(make(2.0), make(3.0))


def test_what_a_function_assigns_is_no_part_of_it():
    one, other = _of_global(2.0), _of_global(2.0)
    one["counts"](1.0)
    assert same(one["counts"], other["counts"])


def test_where_messages_go_is_no_part_of_a_function():
    logger = logging.getLogger("numepi.tests.identity")
    before = identity(made(1.0, logger))
    handler = logging.NullHandler()
    logger.addHandler(handler)
    assert not differences(before, identity(made(1.0, logger)), "there")
    logger.removeHandler(handler)


def test_nan_is_the_same_nan():
    assert same(made(float("nan")), made(float("nan")))


def test_installed_functions_are_known_by_name_where_a_module_has_them():
    module = {"__name__": "experiment"}
    exec(
        "from scipy.interpolate import krogh_interpolate as interpolate\ndef f(z): return interpolate(z, z, z)", module
    )
    assert identity(module["f"])["globals"]["interpolate"] == "scipy.interpolate._polyint:krogh_interpolate"


def test_circuits_of_a_class_made_for_a_value_differ():
    def made_for(factor):
        class Scaled(LDS):
            def scaled(self, z):
                return factor * z

        return Scaled()

    assert differences(circuit_class(made_for(2.0)), circuit_class(made_for(3.0)), "there")
    assert not differences(circuit_class(made_for(2.0)), circuit_class(made_for(2.0)), "there")


def test_equal_functions_are_the_same_wherever_they_are_made():
    assert same(made(1.0, np.arange(3)), made(1.0, np.arange(3))) and same(Callable(1.0), Callable(1.0))
    assert same(functools.partial(scale, factor=1.0), functools.partial(scale, factor=1.0))
    assert same(recursive(), recursive())
    assert same(functools.lru_cache(scale), functools.lru_cache(scale))

    def documented(z):
        """One text."""
        return z

    def again(z):
        """Another text."""
        return z

    assert identity(documented)["code"] == identity(again)["code"]


@pytest.mark.parametrize("value", [np.random.default_rng(0), object(), open, iter([1])])
def test_what_cannot_be_told_is_said(value, tmp_path):
    if value is open:
        value = open(tmp_path / "file", "w")  # noqa: SIM115
        value.close()
    found = differences(identity(made(value)), identity(made(value)), "in the checkpoint")
    assert len(found) == 1 and CANNOT_TELL in found[0] and "version=" in found[0] and "closure.factor" in found[0]
    assert same(made(value), made(3), version="4")  # the user's word


def test_a_version_stands_in_for_the_code_and_not_for_the_name():
    assert not differences(identity(scale, "1"), identity(scale, "1"), "there")
    assert differences(identity(scale, "1"), identity(scale, "2"), "there")
    assert differences(identity(scale, "1"), identity(made, "1"), "there")


def test_code_of_another_python_and_scripts_own_modules_are_not_compared():
    a = {"name": "__main__:f", "code": "cpython-3.11:1"}
    assert not differences(a, {"name": "model:f", "code": "cpython-3.12:2"}, "there")
    assert differences(a, {"name": "model:f", "code": "cpython-3.11:2"}, "there") == [
        "code is 'cpython-3.11:2' here and 'cpython-3.11:1' there"
    ]
    assert differences(a, {"name": "model:g", "code": "cpython-3.11:1"}, "there")


def test_differences_are_named_where_they_are():
    stored = {"a": {"b": [1, {"c": 2}], "s": [1, 2]}, "d": 1}
    assert differences(stored, {"a": {"b": [1, {"c": 3}], "s": [1, 3]}}, "there") == [
        "a.b[1].c is 3 here and 2 there",
        "a.s is [1, 3] here and [1, 2] there",
        "d is 'absent' here and 1 there",
    ]


class Mine(LDS):
    def statistics(self, *arguments, **keywords):
        return super().statistics(*arguments, **keywords)


def test_classes_of_circuits():
    assert circuit_class(LDS()) == circuit_class(LDS(tau=2.0)) == {"name": "numepi.circuits.lds:LDS"}
    assert "code" in circuit_class(Mine())


SIMULATOR = V1_SIMULATOR


class Compiled(V1):
    """A user's circuit on a simulator that keeps its kernels once they are compiled."""

    def _job(self, noise):
        return replace(super()._job(noise), simulator=SIMULATOR)


@pytest.mark.parametrize("first_used", ["before it is stored", "before it is loaded"])
def test_a_circuit_is_the_same_before_and_after_its_first_use(first_used, monkeypatch):
    monkeypatch.setitem(globals(), "SIMULATOR", replace(V1_SIMULATOR))
    unused = json.loads(json.dumps(circuit_class(Compiled())))
    Compiled(trials=1).statistics_and_jacobian(V1().support.lower[None])
    assert "_kernel_with_tangents" in vars(SIMULATOR)
    used = json.loads(json.dumps(circuit_class(Compiled())))
    stored, wanted = (used, unused) if first_used == "before it is stored" else (unused, used)
    assert differences(stored, wanted, "in the file") == []


def test_a_difference_is_one_line_that_a_person_reads():
    (sentence,) = differences({"a": {"x": 1}}, {"a": {"x": list("abc" * 2000)}}, "in the file")
    assert sentence.endswith("and 1 in the file") and "..." in sentence and len(sentence) < 300


def test_described_is_json_and_has_functions_by_identity():
    value = described({"f": scale, "x": np.arange(2), "lds": [LDS().support]})
    assert json.loads(json.dumps(value)) == value and value["f"]["code"] == identity(scale)["code"]
