"""Primary visual cortex: golden cases, plain NumPy reference, streams, one-pass statistic, steady states."""

import os
import subprocess
import sys

import numpy as np
import pytest

import numepi as ne
from numepi.kernels.random import normals4, philox4x32, uniform
from numepi.random_streams import stream_key
from tests.circuits.v1 import reference as reference_v1


def draw(rng, n, trials, steps=200):
    noise = {"x0": rng.uniform(10, 25, (n, trials, 4)), "noise": rng.standard_normal((n, trials, steps, 4))}
    return rng.uniform(0, 0.5, (n, 4)), noise


def given(case):
    return {name: case[name] for name in ne.circuits.V1.noise_names}


@pytest.mark.parametrize("name, contrast", [("v1", 0.0), ("v1_contrast", 0.3)])
def test_golden_cases(name, contrast, golden):
    case = golden(name)
    f, jacobian = ne.circuits.V1(contrast=contrast).statistics_and_jacobian(case["z"], noise=given(case))
    np.testing.assert_allclose(f, case["f"], rtol=1e-9, atol=1e-9)
    largest = np.abs(case["J"]).max(axis=2, keepdims=True)
    assert np.all(np.abs(jacobian - case["J"]) <= np.where(largest < 1e-3, 1e-9, 1e-6 * largest))


def test_golden_trajectory(golden):
    case = golden("v1_trajectory")
    path = ne.circuits.V1().simulate(case["z"], noise=given(case))
    np.testing.assert_allclose(path.values, case["x"], rtol=0, atol=1e-9)
    np.testing.assert_allclose(path.time, np.arange(201) * 5e-4, atol=1e-15)


@pytest.mark.parametrize("contrast, steps", [(0.0, 200), (0.1, 170), (0.2, 260)])
def test_against_plain_numpy(contrast, steps, rng):
    z, noise = draw(rng, 12, 3, steps)
    z *= 0.5  # away from the rows whose rates escape
    circuit = ne.circuits.V1(contrast=contrast, steps=steps)
    f, jacobian = circuit.statistics_and_jacobian(z, noise=noise)
    path = circuit.simulate(z, noise=noise).values
    for i in range(len(z)):
        arguments = z[i], noise["x0"][i], noise["noise"][i], contrast
        np.testing.assert_allclose(f[i], reference_v1.statistics(*arguments), rtol=1e-9)
        exact = reference_v1.jacobian(*arguments)
        np.testing.assert_allclose(jacobian[i], exact, atol=1e-6 * np.abs(exact).max())
        np.testing.assert_allclose(path[i], reference_v1.simulate(*arguments), rtol=1e-9, atol=1e-9)


def test_internal_noise_has_the_documented_counters(rng):
    z = rng.uniform(0, 0.3, (3, 4))
    circuit = ne.circuits.V1(trials=2)
    k0, k1 = stream_key(5)
    like = np.float64(0)
    x0, noise = np.empty((3, 2, 4)), np.empty((3, 2, 200, 4))
    for i in range(3):
        for trial in range(2):
            x0[i, trial] = [10 + 15 * uniform(np.uint64(w), like) for w in philox4x32(40 + i, trial, 0, 0, k0, k1)]
            for t in range(200):
                noise[i, trial, t] = normals4(40 + i, trial, t + 1, 0, k0, k1, like)
    same = circuit.statistics(z, noise={"x0": x0, "noise": noise})
    np.testing.assert_allclose(circuit.statistics(z, rng=5, first_index=40), same, rtol=1e-9)


def test_initial_rates_fill_their_range():
    first = ne.circuits.V1(trials=500).simulate(np.full((2, 4), 0.1)).values[:, :, 0]
    assert first.min() > 10 and first.max() < 25
    # mean of 4000 uniforms: 5 standard errors, false alarm below 1e-6
    assert abs(first.mean() - 17.5) < 5 * 15 / np.sqrt(12 * first.size)


def test_jacobian_is_the_derivative_at_fixed_noise(rng):
    check = ne.check_jacobian(ne.circuits.V1(trials=6), rng.uniform(0.05, 0.3, (6, 4)), rng=3)
    assert check.ok, str(check)


def test_same_bits_for_any_threads_batch_and_process(rng, on_any_threads):
    circuit = ne.circuits.V1(trials=9)
    z = rng.uniform(0, 0.4, (23, 4))
    together = on_any_threads(lambda: circuit.statistics_and_jacobian(z, rng=1, first_index=100))
    alone = circuit.statistics_and_jacobian(z[17:18], rng=1, first_index=117)
    for a, b in zip(together, alone):
        np.testing.assert_array_equal(a[17:18], b)
    code = (
        "import sys, numpy as np, numepi as ne; z = np.frombuffer(bytes.fromhex(sys.argv[1])).reshape(-1, 4)\n"
        "f, jacobian = ne.circuits.V1(trials=9).statistics_and_jacobian(z, rng=1, first_index=100)\n"
        "print((f.tobytes() + jacobian.tobytes()).hex())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, z.tobytes().hex()],
        env=os.environ | {"NUMBA_NUM_THREADS": "1"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert other.stdout.strip() == (together[0].tobytes() + together[1].tobytes()).hex()


def test_float32_is_close(rng):
    circuit = ne.circuits.V1(trials=20)
    z = rng.uniform(0.05, 0.3, (20, 4))
    f, jacobian = circuit.statistics_and_jacobian(z)
    f32, jacobian32 = circuit.statistics_and_jacobian(z, precision="float32")
    np.testing.assert_allclose(f32, f, rtol=1e-4)
    np.testing.assert_allclose(jacobian32, jacobian, atol=1e-3 * np.abs(jacobian).max())


def test_a_tiny_deviation_keeps_its_digits(rng):
    # s_E near 1e-9 on rates near 19 Hz: sums of squares would cancel, deviations from the running mean do not
    z, noise = draw(rng, 4, 1, 400)
    f = ne.circuits.V1(steps=400, observe_from=0.19).statistics(1e-9 * z, noise=noise)
    for i in range(4):
        path = reference_v1.simulate(1e-9 * z[i], noise["x0"][i], noise["noise"][i])[0, 380:, 0]
        assert 0 < path.std() < 1e-6
        np.testing.assert_allclose(f[i, 0], path.std(), rtol=1e-4)


def test_a_noise_free_circuit_at_rest_has_finite_derivatives():
    rest = ne.circuits.V1().steady_state()
    noise = {"x0": np.tile(rest, (1, 1, 1)), "noise": np.zeros((1, 1, 3000, 4))}
    f, jacobian = ne.circuits.V1(steps=3000, observe_from=1.4).statistics_and_jacobian(np.zeros((1, 4)), noise=noise)
    assert 0 <= f[0, 0] < 1e-10 and np.isfinite(jacobian).all()


def test_a_row_that_escapes_is_nan_alone(rng):
    z, noise = draw(rng, 6, 3)
    z *= 0.4
    circuit = ne.circuits.V1()
    healthy = circuit.statistics_and_jacobian(z, noise=noise)
    assert np.isfinite(healthy[0]).all()
    noise["noise"][2, 1, 20, 0] = 1e200  # the supralinear rates overflow
    f, jacobian = circuit.statistics_and_jacobian(z, noise=noise)
    assert np.isnan(f[2]).all() and np.isnan(jacobian[2]).all()
    others = np.arange(6) != 2
    np.testing.assert_array_equal(f[others], healthy[0][others])
    np.testing.assert_array_equal(jacobian[others], healthy[1][others])


def test_steady_state_is_a_fixed_point_that_simulations_reach():
    circuit = ne.circuits.V1(contrast=0.1, trials=1, steps=400)
    rest = circuit.steady_state()
    drive = np.array(circuit.weights) @ rest + circuit.inputs
    np.testing.assert_allclose(np.maximum(drive, 0) ** 2, rest, rtol=1e-10)
    last = circuit.simulate(np.zeros((1, 4))).values[0, 0, -1]
    np.testing.assert_allclose(last, rest, rtol=1e-6)
    several = circuit.steady_state(np.stack([circuit.inputs, circuit.inputs + 0.1]))
    np.testing.assert_allclose(several[0], rest)
    runaway = ne.circuits.V1(weights=0.2 * np.eye(4))  # no inhibition: x = (0.2 x + h)^2 has no root
    assert np.isnan(runaway.steady_state()).all()


def test_parvalbumin_alone_responds_paradoxically():
    response = ne.circuits.V1().input_responses()
    assert response.shape == (4, 4)
    assert (np.diag(response) < 0).tolist() == [False, True, False, False]
    circuit = ne.circuits.V1()
    step = circuit.input_step([0, 0.02, 0, 0], duration=0.2)
    np.testing.assert_allclose(step.values[0, 0], circuit.steady_state())
    np.testing.assert_allclose(step.values[0, -1] - step.values[0, 0], response[:, 1], atol=1e-6)
    assert step.values[0, 1, 1] > step.values[0, 0, 1]  # it rises at first


def test_problem_and_settings():
    circuit = ne.circuits.V1()
    assert list(circuit.emergent_property(mean=10.0).mean) == [10.0]
    assert list(circuit.emergent_property().variance) == [1.0]
    settings = circuit.paper_settings()
    assert settings["flow"].dim == 4 and settings["penalty"] == 0.1
    assert ne.circuits.V1(**circuit.settings).settings == circuit.settings


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"contrast": -0.1}, "contrast = -0.1"),
        ({"trials": 0}, "trials = 0"),
        ({"steps": 150}, "steps = 150 of 0.0005 s leave 1 samples"),
        ({"weights": np.ones((3, 3))}, "weights has shape"),
        ({"start_range": (25, 10)}, "start_range = "),
        ({"dt": 0}, "dt = 0"),
    ],
)
def test_bad_constants_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        ne.circuits.V1(**arguments)


def test_bad_noise_is_refused(rng):
    z, noise = draw(rng, 2, 3)
    with pytest.raises(ValueError, match=r"noise\['noise'\] has shape \(2, 3, 200, 4\): expected \(2, 3, 180, 4\)"):
        ne.circuits.V1(steps=180).statistics(z, noise=noise)
    noise["x0"] = noise["x0"][..., :2]
    with pytest.raises(ValueError, match=r"noise\['x0'\] has shape \(2, 3, 2\)"):
        ne.circuits.V1().statistics(z, noise=noise)
    with pytest.raises(ValueError, match=r"inputs has shape \(3,\)"):
        ne.circuits.V1().steady_state(np.ones(3))
