"""The superior colliculus: golden cases, plain NumPy reference, streams, silencing, connectivity modes."""

import os
import subprocess
import sys

import numpy as np
import pytest

import numepi as ne
from numepi.circuits.sc import connectivity as sc_connectivity
from numepi.kernels.random import normals4
from numepi.random_streams import stream_key
from tests.circuits.sc import reference as reference_sc


def draw(rng, n, trials):
    noise = {
        "x0_noise": rng.standard_normal((n, 2, trials, 4)),
        "noise": rng.standard_normal((n, 2, trials, 75, 4)),
    }
    return rng.uniform(-5, 5, (n, 4)), noise


def given(case):
    return {name: case[name] for name in ne.circuits.SC.noise_names}


@pytest.mark.parametrize("name, silencing", [("sc", 0.0), ("sc_silenced", 0.675)])
def test_golden_cases(name, silencing, golden):
    case = golden(name)
    circuit = ne.circuits.SC(decision_slope=10.0, silencing=silencing)
    f, jacobian = circuit.statistics_and_jacobian(case["z"], noise=given(case))
    np.testing.assert_allclose(f, case["f"], rtol=0, atol=1e-9)
    largest = np.abs(case["J"]).max(axis=2, keepdims=True)
    assert np.all(np.abs(jacobian - case["J"]) <= np.where(largest < 1e-3, 1e-9, 1e-6 * largest))


def test_golden_trajectory(golden):
    case = golden("sc_trajectory")
    path = ne.circuits.SC().simulate(case["z"], noise=given(case))
    np.testing.assert_allclose(path.values, case["x"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(path.time, np.arange(75) * 0.024, atol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"silencing": 0.4, "window": "choice"},
        {"silencing": 0.85, "window": "delay", "stimulus": "right"},
        {"silencing": 0.2, "window": "total"},
        {"stimulus": "right"},
    ],
)
def test_against_plain_numpy(options, rng):
    z, noise = draw(rng, 12, 3)
    circuit = ne.circuits.SC(decision_slope=20.0, **options)
    f, jacobian = circuit.statistics_and_jacobian(z, noise=noise)
    path = circuit.simulate(z, noise=noise).values
    for i in range(len(z)):
        arguments = z[i], noise["x0_noise"][i], noise["noise"][i]
        np.testing.assert_allclose(f[i], reference_sc.statistics(*arguments, slope=20.0, **options), atol=1e-9)
        exact = reference_sc.jacobian(*arguments, slope=20.0, **options)
        bound = 1e-6 * np.maximum(np.abs(exact).max(axis=1, keepdims=True), 1e-3)
        assert np.all(np.abs(jacobian[i] - exact) <= bound)
        np.testing.assert_allclose(path[i], reference_sc.simulate(*arguments, **options), atol=1e-9)


def test_internal_noise_has_the_documented_counters(rng):
    z = rng.uniform(-5, 5, (3, 4))
    circuit = ne.circuits.SC(trials=2)
    k0, k1 = stream_key(5)
    like = np.float64(0)
    x0_noise, noise = np.empty((3, 2, 2, 4)), np.zeros((3, 2, 2, 75, 4))
    for i in range(3):
        for task in range(2):
            for trial in range(2):
                x0_noise[i, task, trial] = normals4(40 + i, 2 * trial + task, 0, 0, k0, k1, like)
                for t in range(1, 75):
                    noise[i, task, trial, t] = normals4(40 + i, 2 * trial + task, t, 0, k0, k1, like)
    same = circuit.statistics(z, noise={"x0_noise": x0_noise, "noise": noise})
    np.testing.assert_allclose(circuit.statistics(z, rng=5, first_index=40), same, atol=1e-12)
    path = circuit.simulate(z, rng=5).values
    assert path.shape == (3, 2, 2, 75, 4)
    assert not np.array_equal(path[:, 0], path[:, 1]) and not np.array_equal(path[:, :, 0], path[:, :, 1])


def test_jacobian_is_the_derivative_at_fixed_noise(rng):
    check = ne.check_jacobian(ne.circuits.SC(trials=8, decision_slope=10.0), rng.uniform(-5, 5, (6, 4)), rng=3)
    assert check.ok, str(check)


def test_same_bits_for_any_threads_batch_and_process(rng, on_any_threads):
    circuit = ne.circuits.SC(trials=9)
    z = rng.uniform(-5, 5, (23, 4))
    together = on_any_threads(lambda: circuit.statistics_and_jacobian(z, rng=1, first_index=100))
    alone = circuit.statistics_and_jacobian(z[17:18], rng=1, first_index=117)
    for a, b in zip(together, alone):
        np.testing.assert_array_equal(a[17:18], b)
    code = (
        "import sys, numpy as np, numepi as ne; z = np.frombuffer(bytes.fromhex(sys.argv[1])).reshape(-1, 4)\n"
        "f, jacobian = ne.circuits.SC(trials=9).statistics_and_jacobian(z, rng=1, first_index=100)\n"
        "print((f.tobytes() + jacobian.tobytes()).hex())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, z.tobytes().hex()],
        env=os.environ | {"NUMBA_NUM_THREADS": "1"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert other.stdout.strip() == (together[0].tobytes() + together[1].tobytes()).hex()


def test_value_alone_equals_value_with_jacobian(rng):
    circuit = ne.circuits.SC(trials=5)
    z = rng.uniform(-5, 5, (10, 4))
    np.testing.assert_allclose(circuit.statistics(z), circuit.statistics_and_jacobian(z)[0], atol=1e-12)


def test_float32_is_close(rng):
    circuit = ne.circuits.SC(trials=50, decision_slope=10.0)
    z = rng.uniform(-2, 2, (20, 4))
    f, jacobian = circuit.statistics_and_jacobian(z)
    f32, jacobian32 = circuit.statistics_and_jacobian(z, precision="float32")
    np.testing.assert_allclose(f32, f, atol=1e-4)
    np.testing.assert_allclose(jacobian32, jacobian, atol=1e-3 * np.abs(jacobian).max())


def test_a_diverging_trial_is_nan_in_its_own_row_alone(rng):
    z, noise = draw(rng, 6, 3)
    circuit = ne.circuits.SC()
    healthy = circuit.statistics_and_jacobian(z, noise=noise)
    noise["noise"][2, 1, 1, 30] = np.nan
    f, jacobian = circuit.statistics_and_jacobian(z, noise=noise)
    assert np.isnan(f[2, 1]) and np.isnan(jacobian[2, 1]).all()
    others = np.arange(6) != 2
    np.testing.assert_array_equal(f[others], healthy[0][others])
    np.testing.assert_array_equal(jacobian[others], healthy[1][others])
    np.testing.assert_array_equal(f[2, 0], healthy[0][2, 0])


def test_mirrored_stimulus_mirrors_the_circuit(rng):
    z, noise = draw(rng, 8, 4)
    f = ne.circuits.SC().statistics(z, noise=noise)
    mirrored = {name: value[..., [2, 3, 0, 1]] for name, value in noise.items()}
    np.testing.assert_allclose(ne.circuits.SC(stimulus="right").statistics(z, noise=mirrored), f, atol=1e-12)


def test_silencing_the_delay_raises_anti_errors_alone():
    # The mean of the distribution of both tasks at 75 %: a connectivity that performs them.
    z = np.array([[-0.54, -3.73, -1.53, -1.79]]) + np.random.default_rng(2).normal(0, 0.1, (20, 4))
    control = ne.circuits.SC().statistics(z).mean(axis=0)
    silenced = ne.circuits.SC(silencing=0.85).statistics(z).mean(axis=0)
    assert abs(silenced[0] - control[0]) < 0.02 and silenced[1] < control[1] - 0.1


def test_time_windows_follow_the_step(rng):
    circuit = ne.circuits.SC(dt=0.012, silencing=0.5, trials=2)
    schedule = circuit._schedule()
    assert len(circuit.time) == 150
    assert np.flatnonzero(schedule[:, 6] < 1).tolist() == list(range(67, 100))  # 0.8 < t < 1.2
    assert np.flatnonzero(schedule[:, 4] > 0).tolist() == list(range(101))  # t <= 1.2
    assert np.isfinite(circuit.statistics(rng.uniform(-5, 5, (2, 4)))).all()


def test_connectivity_modes(rng):
    z = rng.uniform(-5, 5, (50, 4))
    np.testing.assert_array_equal(sc_connectivity.matrix(z[0]), reference_sc.weights(z[0]))
    values = sc_connectivity.eigenvalues(z)
    for column, mode in enumerate(sc_connectivity.EIGENMODES.T):
        np.testing.assert_allclose(mode @ mode, 1)
        np.testing.assert_allclose(sc_connectivity.matrix(z) @ mode, values[:, column, None] * mode, atol=1e-13)
    np.testing.assert_allclose(sc_connectivity.weights(values), z, atol=1e-14)
    task = sc_connectivity.EIGENMODES[:, sc_connectivity.EIGENMODE_NAMES.index("task")]
    np.testing.assert_array_equal(task, [0.5, -0.5, 0.5, -0.5])  # Pro against Anti


def test_problem_and_settings():
    circuit = ne.circuits.SC()
    constraints = circuit.emergent_property()
    assert list(constraints.mean) == [0.75, 0.75]
    settings = circuit.paper_settings()
    assert settings["flow"].dim == 4 and settings["penalty"] == 100 and settings["test_batch_size"] == 25


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"window": "late"}, "window = 'late': choose from 'delay', 'choice', 'total'"),
        ({"stimulus": "up"}, "stimulus = 'up'"),
        ({"trials": 0}, "trials = 0"),
        ({"trials": 2.5}, "trials = 2.5"),
        ({"silencing": 1.5}, "silencing = 1.5"),
        ({"decision_slope": np.nan}, "decision_slope = nan"),
        ({"tau": -1}, "tau = -1"),
    ],
)
def test_bad_constants_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ne.circuits.SC(**arguments)


def test_bad_noise_is_refused(rng):
    z, noise = draw(rng, 2, 3)
    noise["noise"] = noise["noise"][:, :, :, 1:]
    with pytest.raises(ValueError, match=r"noise\['noise'\] has shape \(2, 2, 3, 74, 4\): expected \(2, 2, 3, 75, 4\)"):
        ne.circuits.SC().statistics(z, noise=noise)
    noise["x0_noise"] = noise["x0_noise"][..., :2]
    with pytest.raises(ValueError, match=r"noise\['x0_noise'\] has shape \(2, 2, 3, 2\)"):
        ne.circuits.SC().statistics(z, noise=noise)
