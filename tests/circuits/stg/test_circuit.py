"""The stomatogastric circuit: golden cases, plain NumPy, differences under common random numbers, streams, failures."""

import os
import subprocess
import sys

import numpy as np
import pytest

import numepi as ne
from numepi.circuits.stg.constants import STGPhysiology
from numepi.kernels.random import normals4
from numepi.random_streams import stream_key
from tests.circuits.stg import reference as reference_stg


@pytest.fixture(scope="module")
def stg():
    return ne.circuits.STG()


def draw(rng, n, steps=300):
    return rng.uniform([4, 0.01], [8, 4], (n, 2)), rng.standard_normal((n, steps, 5))


def test_golden_cases(stg, golden):
    case = golden("stg")
    f, jacobian = stg.statistics_and_jacobian(case["z"], noise={"noise": case["noise"]})
    np.testing.assert_allclose(f, case["f"], rtol=0, atol=1e-9)
    bound = 1e-6 * np.maximum(np.abs(case["J"]).max(axis=2, keepdims=True), 1e-3)
    assert np.all(np.abs(jacobian - case["J"]) <= bound)


def test_golden_trajectories(golden):
    case = golden("stg_trajectory")
    path = ne.circuits.STG(steps=40).simulate(case["z"], noise={"noise": case["noise"]})
    np.testing.assert_allclose(path.values, case["v"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(path.time, np.arange(41) * 0.025)
    assert path.names[2] == "V_hub (V)"


@pytest.mark.parametrize("options", [
    {},
    {"steps": 201},  # an even number of samples
    {"dt": 0.02, "steps": 260, "noise": 5e-12, "softmax_slope": 30.0},
])  # fmt: skip
def test_statistics_and_jacobian_are_those_of_plain_numpy(options, rng):
    circuit = ne.circuits.STG(**options)
    z, noise = draw(rng, 5, circuit.steps)
    arguments = z, noise, circuit.dt, circuit.noise, circuit.softmax_slope
    f, jacobian = circuit.statistics_and_jacobian(z, noise={"noise": noise})
    expected = reference_stg.jacobian(*arguments)
    np.testing.assert_allclose(f, reference_stg.statistics(*arguments), rtol=0, atol=1e-11)
    np.testing.assert_allclose(jacobian, expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())
    np.testing.assert_array_equal(circuit.statistics(z, noise={"noise": noise}), f)


def test_jacobian_against_differences_with_internal_noise(stg, rng):
    check = ne.check_jacobian(stg, draw(rng, 20)[0], rng=2, step=1e-5, tolerance=1e-4)
    assert check.ok and check.skipped == 0


def test_internal_noise_is_two_blocks_of_four_normals_a_step(stg, rng):
    z = draw(rng, 2)[0]
    key = stream_key(5)
    noise = np.array([
        [[*normals4(3 + i, 0, t, 0, *key, 1.0), normals4(3 + i, 0, t, 1, *key, 1.0)[0]] for t in range(1, 301)]
        for i in range(2)
    ])  # fmt: skip
    given = stg.statistics(z, noise={"noise": noise})
    np.testing.assert_allclose(stg.statistics(z, rng=5, first_index=3), given, atol=1e-12)


def test_same_bits_for_any_threads_and_batch(stg, rng, on_any_threads):
    z = draw(rng, 37)[0]
    together = on_any_threads(lambda: stg.statistics_and_jacobian(z, rng=1))
    alone = stg.statistics_and_jacobian(z[20:21], rng=1, first_index=20)
    for a, b in zip(together, alone):
        np.testing.assert_array_equal(a[20:21], b)
    assert np.all(stg.statistics(z, rng=2) != together[0])


def test_same_bits_in_another_process(stg, rng):
    z = draw(rng, 3)[0]
    code = (
        "import numpy as np, numepi as ne\n"
        f"f = ne.circuits.STG().statistics(np.array({z.tolist()!r}), rng=9)\n"
        "print(*(x.hex() for x in f[:, 0].tolist()))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"NUMBA_NUM_THREADS": "1"},
    )
    assert answer.stdout.split() == [x.hex() for x in stg.statistics(z, rng=9)[:, 0].tolist()]


@pytest.mark.slow
def test_float32_is_close(stg, rng):
    z = draw(rng, 1600, 1)[0]
    single, jacobian_single = stg.statistics_and_jacobian(z, rng=6, precision="float32")
    f, jacobian = stg.statistics_and_jacobian(z, rng=6)
    lost = np.abs(single - f)
    # near a bifurcation 300 steps amplify a rounding ten thousand times: of 32,000 rows 0.3 % lost more than 1e-4 Hz
    # (the property's standard deviation is 0.025 Hz), 0.04 % more than 1e-3, and 0.2 % a fifth of their Jacobian
    assert np.median(lost) < 1e-6 and np.mean(lost > 1e-4) < 0.01 and np.mean(lost > 1e-3) < 2e-3
    far = np.abs(jacobian_single - jacobian) > 0.02 + 0.2 * np.abs(jacobian)
    assert np.mean(far.any(axis=(1, 2))) < 0.005
    assert np.median(np.abs(jacobian_single / jacobian - 1)) < 1e-3


@pytest.mark.parametrize("bad", [[1e9, 1.0], [5.0, 1e300], [-1e30, 1.0]])
def test_runaway_potentials_spoil_their_own_row_alone(stg, bad, rng):
    z = draw(rng, 5)[0]
    good = stg.statistics_and_jacobian(z, rng=1)
    z[2] = bad
    f, jacobian = stg.statistics_and_jacobian(z, rng=1)
    assert np.isnan(f[2]).all() and np.isnan(jacobian[2]).all()
    for i in (0, 1, 3, 4):
        np.testing.assert_array_equal(f[i], good[0][i])
        np.testing.assert_array_equal(jacobian[i], good[1][i])


def test_silent_hub_has_the_documented_value(rng):
    # strong leak pins every potential below zero
    quiet = ne.circuits.STG(physiology=STGPhysiology(g_ca_fast=0.0, g_ca_hub=0.0, g_ca_slow=0.0, g_leak=1e-8))
    f, jacobian = quiet.statistics_and_jacobian(draw(rng, 2)[0])
    np.testing.assert_allclose(f, 0.5, atol=1e-14)
    np.testing.assert_array_equal(jacobian, 0)


def test_fast_and_slow_pairs_fire_as_in_the_paper_and_the_hub_between(stg):
    # 0.68 Hz and 0.35 Hz, told apart where the coupling is weakest; counts over 50 s: 0.02 Hz each
    v = ne.circuits.STG(steps=2000).simulate([[4.0, 0.01]]).values[0]
    fast, _, _, slow, _ = ((v[:-1] < 0) & (v[1:] >= 0)).sum(axis=0) / 50
    assert fast == pytest.approx(0.68, abs=0.05) and slow == pytest.approx(0.35, abs=0.05)
    # near the paper's mode
    f = stg.statistics(np.tile([[6.4, 1.4]], (30, 1)), rng=0)
    assert slow < 0.5 < f.mean() < 0.6 < fast


@pytest.mark.parametrize("arguments, message", [
    ({"steps": 39}, "at least 40"),
    ({"steps": 0}, "steps = 0"),
    ({"dt": -1}, "dt = -1"),
    ({"noise": -1e-12}, "noise = "),
    ({"softmax_slope": 0}, "softmax_slope = 0"),
])  # fmt: skip
def test_bad_constants_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ne.circuits.STG(**arguments)


def test_noise_of_the_wrong_shape_is_refused(stg, rng):
    z, noise = draw(rng, 2)
    with pytest.raises(ValueError, match=r"expected \(2, 300, 5\)"):
        stg.statistics(z, noise={"noise": noise[:, :200]})


def test_property_and_settings(stg):
    np.testing.assert_allclose(stg.emergent_property().mean, [0.55])
    settings = stg.paper_settings()
    assert settings["flow"].dim == 2 and settings["batch_size"] == 400
    assert repr(stg) == "STG()" and repr(ne.circuits.STG(steps=40)) == "STG(steps=40)"
