"""V1, SC and STG written as a user writes them: the hand-written circuits' values, derivatives and noise."""

import os
import subprocess
import sys

import numpy as np
import pytest

import numepi as ne
from benchmarks.dynamics_models.sc import sc
from benchmarks.dynamics_models.stg import stg
from benchmarks.dynamics_models.v1 import v1

# (as a user writes it, hand-written, share of the box where no row is close to a bifurcation)
CASES = {
    "v1": (v1(10), ne.circuits.V1(trials=10), (0.0, 0.2)),
    "sc": (sc(10), ne.circuits.SC(trials=10), (0.3, 0.7)),
    "stg": (stg(), ne.circuits.STG(), (0.4, 0.6)),
}
BOUNDS = {"float64": (1e-9, 1e-6), "float32": (1e-4, 1e-3)}


@pytest.fixture(params=CASES)
def case(request, rng):
    traced, hand, (low, high) = CASES[request.param]
    share = rng.uniform(low, high, (12, hand.support.dim))
    return traced, hand, hand.support.lower + share * hand.support.width


@pytest.mark.parametrize("precision", BOUNDS)
@pytest.mark.parametrize("name", CASES)
def test_the_same_on_the_whole_box(name, precision, rng):
    # single precision amplifies a rounding 10^4 times where the STG bifurcates: both must round alike
    traced, hand, _ = CASES[name]
    z = hand.support.lower + rng.random((1600, hand.support.dim)) * hand.support.width
    (f, jacobian), (f_traced, jacobian_traced) = (
        c.statistics_and_jacobian(z, rng=1, precision=precision) for c in (hand, traced)
    )
    value, derivative = BOUNDS[precision]
    assert relative(f_traced, f) < value and relative(jacobian_traced, jacobian) < derivative
    if precision == "float32" and name != "v1":  # whose rates no rounding moves far
        np.testing.assert_array_equal(f_traced, f)


def test_same_bits_compiled_here_and_from_the_cache(tmp_path):
    # a function outside its kernel is optimised apart from the kernel's copy of it, and only the latter is cached
    code = (
        "import numpy as np\n"
        "from benchmarks.dynamics_models.sc import sc\n"
        "z = np.random.default_rng(0).uniform(-2, 2, (16, 4))\n"
        "print(sc(2).statistics_and_jacobian(z)[1].tobytes().hex())"
    )
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "NUMBA_NUM_THREADS": "1"}
    compiled, cached = (
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment).stdout
        for _ in range(2)
    )
    assert compiled == cached


@pytest.mark.parametrize("function, x, exact", [
    (lambda u: 0.5 * np.tanh(u) + 0.5, -10.0, 1 / (1 + np.exp(20.0))),
    (lambda u: np.arctanh(2 * u - 1), 1e-10, 0.5 * np.log(1e-10)),
])  # fmt: skip
def test_what_is_close_to_a_limit_keeps_its_digits(function, x, exact):
    circuit = ne.Dynamics(
        step=lambda s, z, t, xi: {"v": z.u}, states={"v": 0.0}, parameters={"u": (-20.0, 20.0)},
        statistics={"f": ne.observe.final(lambda s, z, t: function(s.v))}, dt=1.0, duration=1.0,
    )  # fmt: skip
    assert circuit.statistics([[x]], precision="float32")[0, 0] == pytest.approx(exact, rel=1e-5)


def relative(value, reference):
    return np.abs(value - reference).max() / np.abs(reference).max()


def test_same_names_bounds_values_derivatives_and_noise(case):
    traced, hand, z = case
    assert traced.statistic_names == {"p_pro": ("p_pro", "p_anti")}.get(hand.statistic_names[0], hand.statistic_names)
    np.testing.assert_array_equal(traced.support.lower, hand.support.lower)
    f, jacobian = hand.statistics_and_jacobian(z, rng=4, first_index=7)
    f_traced, jacobian_traced = traced.statistics_and_jacobian(z, rng=4, first_index=7)
    assert relative(f_traced, f) < 1e-9 and relative(jacobian_traced, jacobian) < 1e-6
    np.testing.assert_allclose(traced.statistics(z, rng=4, first_index=7), f, rtol=1e-9)


def test_single_precision(case):
    traced, hand, z = case
    f, jacobian = hand.statistics_and_jacobian(z, rng=4)
    single, jacobian_single = traced.statistics_and_jacobian(z, rng=4, precision="float32")
    assert relative(single, f) < 1e-4 and relative(jacobian_single, jacobian) < 1e-3


def test_trajectories_are_those_of_v1(rng):
    z = rng.uniform(0, 0.1, (2, 4))
    path, hand = CASES["v1"][0].simulate(z, rng=2), CASES["v1"][1].simulate(z, rng=2)
    assert path.names[:4] == ("r[0]", "r[1]", "r[2]", "r[3]") and path.values.shape == (2, 10, 201, 8)
    np.testing.assert_allclose(path.values[..., :4], hand.values, rtol=1e-9)
    thin = CASES["v1"][0].simulate(z, rng=2, every=20)
    np.testing.assert_array_equal(thin.values, path.values[:, :, ::20])
    np.testing.assert_allclose(thin.time, hand.time[::20], atol=1e-15)


@pytest.mark.parametrize("name", ["v1", "sc"])
def test_given_noise_and_the_reference_in_numpy(name, rng):
    traced, _, (low, high) = CASES[name]
    z = traced.support.lower + rng.uniform(low, high, (2, 4)) * traced.support.width
    tasks = (2,) if name == "sc" else ()
    steps = traced.model.steps
    noise = {
        "initial": rng.uniform(0.1, 0.9, (2, *tasks, 3, 4)),
        "noise": rng.standard_normal((2, *tasks, 3, steps, 4)),
    }
    f = traced.statistics(z, noise=noise)
    single = [
        traced.statistics(z, noise={k: v.take([trial], axis=1 + len(tasks)) for k, v in noise.items()})
        for trial in range(3)
    ]
    np.testing.assert_allclose(np.mean(single, axis=0), f, rtol=1e-12)
    noise["noise"] = noise["noise"][..., :-1, :]
    with pytest.raises(ValueError, match=r"noise\['noise'\] has shape .*: expected \(n, (2, )?trials, \d+, 4\)"):
        traced.statistics(z, noise=noise)
    np.testing.assert_allclose(traced.reference(z[:1], rng=3), traced.statistics(z[:1], rng=3), rtol=1e-11)


def test_same_bits_for_any_batch_and_neighbours(rng):
    traced, z = CASES["v1"][0], rng.uniform(0, 0.1, (7, 4))
    together = traced.statistics_and_jacobian(z, rng=1, first_index=20)
    alone = traced.statistics_and_jacobian(z[4:5], rng=1, first_index=24)
    for whole, one in zip(together, alone):
        np.testing.assert_array_equal(whole[4:5], one)


def test_a_row_that_escapes_is_nan_alone(rng):
    traced, z = CASES["v1"][0], rng.uniform(0, 0.1, (3, 4))
    healthy, _ = traced.statistics_and_jacobian(z, rng=1)
    z[1] = 1e200
    f, jacobian = traced.statistics_and_jacobian(z, rng=1)
    assert np.isnan(f[1]).all() and np.isnan(jacobian[1]).all()
    np.testing.assert_array_equal(f[[0, 2]], healthy[[0, 2]])
