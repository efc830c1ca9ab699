"""A class that does not make a circuit is refused when a circuit is made of it, in a line that names what and where."""

import dataclasses
import inspect
from typing import NamedTuple

import numpy as np
import pytest

import numepi as ne
from numepi.circuits.sc.equations import SC_SIMULATOR
from numepi.circuits.v1.equations import V1_SIMULATOR
from numepi.kernels.compile import block_function
from numepi.simulation.lanes import Job, Observation
from numepi.simulation.rows import RowJob, RowStatistics

SQUARE = ne.Support([0.0, 0.0], [1.0, 1.0])


class Rate(NamedTuple):
    rate: float


@block_function
def nothing(z):
    return ()


@block_function
def first(z, c, index, key, noise, work, f, jacobian):
    f[0] = c.rate * z[0]


class Row(ne.circuits.Circuit):
    """A circuit in closed form."""

    name = "row"
    parameter_names = ("a", "b")
    statistic_names = ("f",)
    support = SQUARE
    n_statistics = 1

    def __init__(self, rate=1.0):
        self.rate = rate

    def _job(self, noise):
        return RowJob(RowStatistics("row", self.n_statistics, first, nothing), Rate(self.rate))


class Plain(ne.circuits.Circuit):
    """Without a constructor."""

    name, parameter_names, statistic_names, support = "plain", ("a", "b"), ("f",), SQUARE

    def _evaluate(self, z, key, first_index, noise, with_jacobian):
        return z[:, :1], np.tile([[[1.0, 0.0]]], (len(z), 1, 1)) if with_jacobian else None


class Taller(Row):
    """A constructor above another: checked when both are through."""

    def __init__(self, height=2.0):
        super().__init__(rate=height)
        self.height = height


class V1Values(ne.circuits.V1):
    """Without derivatives."""

    def _job(self, noise):
        job = super()._job(noise)
        update = job.simulator.observation.update
        bare = {"tangent": None, "statistic_tangent": None, "observation": Observation(2, update)}
        return dataclasses.replace(job, simulator=dataclasses.replace(job.simulator, name="v1_values", **bare))


def test_classes_that_make_circuits():
    assert Row(2.0).settings == {"rate": 2.0} and repr(Row()) == "Row()"
    assert Plain().settings == {} and repr(Plain()) == "Plain()"
    assert str(inspect.signature(Row)) == "(rate=1.0)" and str(inspect.signature(Plain)) == "()"
    assert repr(Taller(3.0)) == "Taller(height=3.0)"
    np.testing.assert_array_equal(Taller(3.0).statistics([[0.5, 0.1]]), [[1.5]])


def test_a_simulator_without_tangents_makes_a_circuit_of_values(rng):
    whole, circuit = (
        ne.circuits.V1(trials=3, observe_from=0.0, steps=20),
        V1Values(trials=3, observe_from=0.0, steps=20),
    )
    assert whole.differentiable and not circuit.differentiable
    z = rng.uniform(circuit.support.lower, circuit.support.upper, (4, 4))
    np.testing.assert_array_equal(circuit.statistics(z, rng=3), whole.statistics(z, rng=3))
    with pytest.raises(TypeError, match=r"V1Values\(.* has statistics only \(differentiable=False\)"):
        circuit.statistics_and_jacobian(z)
    with pytest.raises(ValueError, match="needs gradients"):
        ne.infer(circuit, circuit.emergent_property(), solver="augmented-lagrangian")


def changed(**attributes):
    return type("Changed", (Row,), attributes)


def forgets(self, rate, tau=3.0):
    self.rate = rate


def takes_anything(self, **keywords):
    self.rate = 1.0


@pytest.mark.parametrize(
    ("attributes", "error", "message"),
    [
        ({"name": None}, TypeError, "Changed has no name"),
        ({"parameter_names": "ab"}, TypeError, r"Changed\.parameter_names = 'ab': expected .* written \('ab',\)"),
        ({"parameter_names": 2}, TypeError, r"Changed\.parameter_names = 2: expected a tuple of strings"),
        ({"parameter_names": ("a", 2)}, TypeError, r"parameter_names = \('a', 2\): expected a tuple of strings"),
        ({"statistic_names": ()}, TypeError, r"statistic_names = \(\)"),
        ({"parameter_names": ("a", "a")}, ValueError, "names must differ"),
        ({"support": None}, ValueError, r"2 parameters \(a, b\) and no support"),
        ({"parameter_names": ("a", "b", "c")}, ValueError, r"3 parameters \(a, b, c\) and the support Support"),
        ({"parameter_vectors": 3}, ValueError, r"Changed\.parameter_vectors = 3: choose a divisor of the 2 parameters"),
        ({"parameter_vectors": "two"}, TypeError, r"Changed\.parameter_vectors = 'two': give a whole number"),
        ({"sign_symmetries": ((0, 2),)}, ValueError, r"sign_symmetries\[0\]\[1\] = 2 is out of range: .* 0 to 1"),
        ({"sign_symmetries": (("a",),)}, ValueError, r"sign_symmetries\[0\]\[0\] = 'a' is unknown: .* 0, 1"),
        ({"sign_symmetries": (0, 1)}, TypeError, r"sign_symmetries\[0\] = 0: give sets of indices of the 2 parameters"),
        ({"sign_symmetries": ((0,), "b")}, TypeError, r"sign_symmetries\[1\] = 'b': give sets of indices"),
        ({"sign_symmetries": 3}, TypeError, r"Changed\.sign_symmetries = 3: give sets of indices of the 2 parameters"),
        ({"sign_symmetries": None}, TypeError, r"Changed\.sign_symmetries = None: give sets of indices"),
        ({"sign_symmetries": ((0.0,),)}, TypeError, r"sign_symmetries\[0\]\[0\] = 0\.0: .* not a float"),
        ({"sign_symmetries": ((True,),)}, TypeError, r"sign_symmetries\[0\]\[0\] = True: .* not a bool"),
        ({"sign_symmetries": ((0, 0),)}, ValueError, r"sign_symmetries\[0\] = \(0, 0\) has 0 twice"),
        ({"sign_symmetries": ((),)}, ValueError, r"Changed\.sign_symmetries\[0\] is empty: give one or more of 0, 1"),
        ({"n_statistics": 2}, ValueError, r"names 1 statistics \(f\), its simulator has 2"),
        ({"__init__": forgets}, TypeError, r"Changed does not keep its argument 'tau': set self\.tau"),
        ({"__init__": takes_anything}, TypeError, r"takes \*\*keywords: name each argument"),
        ({"_job": lambda self, noise: None}, TypeError, r"Changed\._job\(None\) returned None: .* a .*lanes\.Job"),
        ({"_job": ne.circuits.Circuit._job}, TypeError, r"Changed must define _job\(noise\), or _evaluate"),
    ],
)
def test_classes_that_do_not(attributes, error, message):
    with pytest.raises(error, match=message) as caught:
        changed(**attributes)(2.0) if "takes" not in message else changed(**attributes)()
    assert len(str(caught.value).splitlines()) == 1


class OneTooMany(ne.circuits.SC):
    """A simulator of four parameters under five names."""

    parameter_names = ("sW", "vW", "dW", "hW", "unused")
    support = ne.Support([-5.0] * 5, [5.0] * 5)


def test_a_simulator_with_another_number_of_parameters_than_names_is_refused():
    with pytest.raises(ValueError, match=r"names 5 parameters \(sW, vW, dW, hW, unused\), its simulator has 4"):
        OneTooMany()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"constants": 0.5}, TypeError, "job of simulator 'v1': constants is a float: expected a NamedTuple"),
        ({"constants": (0.5,)}, TypeError, "constants is a tuple: expected a NamedTuple"),
        ({"constants": Rate(None)}, TypeError, "job of simulator 'v1': constants.rate = None: expected a number"),
        ({"trials": 0}, ValueError, "trials = 0: give a whole number"),
        ({"trials": 2.0}, ValueError, "trials = 2.0"),
        ({"drive": np.zeros(5)}, ValueError, r"drive has shape \(5,\): expected \(steps \+ 1, n_drive\) = .* 0\)"),
        ({"drive": np.empty((1, 0))}, ValueError, "drive has 1 rows: give one for the initial state and one for each"),
        ({"observe_from": 5}, ValueError, "observe_from = 5, but there are 4 steps"),
        ({"observe_from": -1}, ValueError, "observe_from = -1"),
        ({"simulator": SC_SIMULATOR}, ValueError, r"job of simulator 'sc': drive has shape \(5, 0\)"),
        ({"simulator": "v1"}, TypeError, "simulator is a str: expected a Simulator"),
    ],
)
def test_jobs_whose_parts_do_not_fit_are_refused(changes, error, message):
    job = Job(V1_SIMULATOR, 3, np.empty((5, 0)), Rate(0.5))
    with pytest.raises(error, match=message):
        dataclasses.replace(job, **changes)


def test_constants_of_rows_are_a_named_tuple():
    with pytest.raises(TypeError, match="job of 'row': constants is a float: expected a NamedTuple"):
        RowJob(RowStatistics("row", 1, first, nothing), 0.5)
