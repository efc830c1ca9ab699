"""The rank-2 network: golden cases, a full-matrix reference, degenerate eigenvalues, streams, activity."""

import numpy as np
import pytest

import numepi as ne
from numepi.kernels.random import normals4
from numepi.random_streams import stream_key
from tests.circuits import reference_rnn


def draw(rng, n, n_neurons):
    return rng.uniform(-1, 1, (n, 4 * n_neurons)), rng.standard_normal((n, 2, n_neurons, 2))


@pytest.mark.parametrize("n_neurons", [2, 10, 50])
def test_golden_cases(n_neurons, golden):
    case = golden(f"rnn_n{n_neurons}")
    circuit = ne.circuits.RankTwoRNN(n_neurons)
    f, jacobian = circuit.statistics_and_jacobian(case["z"], noise={"noise": case["noise"]})
    np.testing.assert_allclose(f, case["f"], rtol=0, atol=1e-9)
    bound = 1e-6 * np.maximum(np.abs(case["J"]).max(axis=2, keepdims=True), 1e-3)
    assert np.all(np.abs(jacobian - case["J"]) <= bound)


@pytest.mark.parametrize("n_neurons", [2, 3, 4, 5, 8, 61])
def test_statistics_are_those_of_the_full_matrix(n_neurons, rng):
    z, chi = draw(rng, 40, n_neurons)
    f = ne.circuits.RankTwoRNN(n_neurons, g=0.3).statistics(z, noise={"noise": chi})
    np.testing.assert_allclose(f, reference_rnn.statistics(z, chi, 0.3), atol=1e-11 * n_neurons)


def test_the_eigenvalues_of_w_beyond_its_two_factors_are_zero_and_left_out():
    # V = -U: A = -U^T U is negative definite, as W is but for a zero that the statistic does not see
    factors = np.array([[1.0, 0.2, -0.3], [0.1, 0.9, 0.4]])
    z = np.concatenate([factors, -factors]).reshape(1, -1)
    connectivity = factors.T @ -factors
    eigenvalues = np.sort(np.linalg.eigvals(connectivity).real)
    assert eigenvalues[2] == pytest.approx(0, abs=1e-12) and eigenvalues[1] < -0.5
    found = ne.circuits.RankTwoRNN(3, g=0.0).statistics(z)[0, 0]
    assert found == pytest.approx(eigenvalues[1], rel=1e-12)


@pytest.mark.parametrize("n_neurons", [2, 3, 4, 5, 20])
def test_jacobian_against_differences_of_the_full_matrix(n_neurons, rng):
    z, chi = draw(rng, 20, n_neurons)
    jacobian = ne.circuits.RankTwoRNN(n_neurons, g=0.1).statistics_and_jacobian(z, noise={"noise": chi})[1]
    # where roots meet differences fail: leave those few out
    gap = np.array(
        [abs(np.subtract(*np.linalg.eigvals(reference_rnn.connectivity(*row, 0.1)[1]))) for row in zip(z, chi)]
    )
    keep = gap > 0.1
    assert keep.sum() >= 15
    for d in range(4 * n_neurons):
        h = np.zeros(4 * n_neurons)
        h[d] = 1e-4
        (a, b), (c, e) = (
            [reference_rnn.statistics(z + sign * step * h, chi, 0.1) for sign in (1, -1)] for step in (1, 2)
        )
        difference = (8 * (a - b) - (c - e)) / (12 * h[d])
        np.testing.assert_allclose(jacobian[keep, :, d], difference[keep], atol=1e-6 * n_neurons)


def test_both_real_and_complex_pairs_were_covered(rng):
    z, chi = draw(rng, 20, 10)
    reduced = [reference_rnn.connectivity(*row, 0.1)[1] for row in zip(z, chi)]
    complex_pairs = sum(np.any(np.imag(np.linalg.eigvals(a)) != 0) for a in reduced)
    assert 3 < complex_pairs < 17


@pytest.mark.parametrize("n_neurons", [2, 4, 6])
@pytest.mark.parametrize("case", ["zero", "repeated", "symmetric", "parallel", "one neuron"])
def test_degenerate_connectivity_is_finite(n_neurons, case, rng):
    u1, u2, v1, v2 = z = rng.uniform(-1, 1, (4, n_neurons))
    if case == "zero":
        z[:] = 0
    elif case == "repeated":  # V^T U = 2 I, without rounding
        z[:], u1[0], u2[1], v1[0], v2[1] = 0, 1, 1, 2, 2
    elif case == "symmetric":  # the Gram matrix has rank 2
        v1[:], v2[:] = u1, u2
    elif case == "parallel":
        u2[:], v1[:], v2[:] = u1, 2 * u1, -u1
    else:
        z[:, 1:] = 0
    circuit = ne.circuits.RankTwoRNN(n_neurons, g=0.0)
    chi = np.zeros((1, 2, n_neurons, 2))
    f, jacobian = circuit.statistics_and_jacobian(z.reshape(1, -1), noise={"noise": chi})
    np.testing.assert_allclose(f, reference_rnn.statistics(z.reshape(1, -1), chi, 0.0), atol=1e-7)
    assert np.isfinite(jacobian).all()
    if case == "repeated":  # the trace's part alone
        np.testing.assert_allclose(jacobian[0, 0].reshape(4, -1), np.stack([v1, v2, u1, u2]) / 2, atol=1e-7)
    if case == "zero":
        assert not jacobian.any()


def test_internal_noise_is_four_normals_per_neuron(rng):
    z = draw(rng, 3, 5)[0]
    key = stream_key(8)
    chi = np.array([[normals4(7 + i, 0, 0, j, *key, 1.0) for j in range(5)] for i in range(3)])
    chi = np.stack([chi[..., :2], chi[..., 2:]], axis=1)
    circuit = ne.circuits.RankTwoRNN(5, g=0.5)
    given = circuit.statistics(z, noise={"noise": chi})
    np.testing.assert_allclose(circuit.statistics(z, rng=8, first_index=7), given, atol=1e-13)


def test_same_bits_for_any_threads_and_batch(rng, on_any_threads):
    z = draw(rng, 9, 30)[0]
    circuit = ne.circuits.RankTwoRNN(30)
    together = on_any_threads(lambda: circuit.statistics_and_jacobian(z, rng=3))
    alone = circuit.statistics_and_jacobian(z[4:5], rng=3, first_index=4)
    for a, b in zip(together, alone):
        np.testing.assert_array_equal(a[4:5], b)
    np.testing.assert_array_equal(circuit.statistics(z, rng=3), together[0])
    assert np.all(circuit.statistics(z, rng=4) != together[0])


def test_float32_is_close(rng):
    z = draw(rng, 30, 30)[0]
    circuit = ne.circuits.RankTwoRNN(30)
    single, double = circuit.statistics(z, precision="float32"), circuit.statistics(z)
    np.testing.assert_allclose(
        single, double, rtol=1e-3, atol=1e-3
    )  # a square root near zero doubles the error's digits
    np.testing.assert_allclose(single[:, 1], double[:, 1], rtol=2e-6)


def test_overflow_spoils_its_own_row_alone(rng):
    z = draw(rng, 3, 10)[0]
    circuit = ne.circuits.RankTwoRNN(10)
    good = circuit.statistics_and_jacobian(z)
    z[1] *= 1e200
    f, jacobian = circuit.statistics_and_jacobian(z)
    assert not np.isfinite(f[1]).any()
    for i in (0, 2):
        np.testing.assert_array_equal(f[i], good[0][i])
        np.testing.assert_array_equal(jacobian[i], good[1][i])


def test_activity_solves_the_dynamics_and_starts_at_the_most_amplified_state(rng):
    z, chi = draw(rng, 4, 7)
    circuit = ne.circuits.RankTwoRNN(7, g=0.1)
    path = circuit.simulate(z, noise={"noise": chi})
    assert path.values.shape == (4, 201, 7) and path.names == tuple(f"x{j}" for j in range(1, 8))
    norm = np.linalg.norm(path.values, axis=2)
    np.testing.assert_allclose(norm[:, 0], 1)
    dt = path.time[1]
    for i in range(4):
        w = reference_rnn.connectivity(z[i], chi[i], 0.1)[0]
        derivative = (-path.values[i] + path.values[i] @ w.T) / circuit.tau
        x = path.values[i]
        fourth_order = (8 * (x[3:-1] - x[1:-3]) - (x[4:] - x[:-4])) / (12 * dt)
        np.testing.assert_allclose(fourth_order, derivative[2:-2], atol=1e-4 * np.abs(derivative).max())
        growth = x[0] @ derivative[0] * circuit.tau
        assert growth == pytest.approx(circuit.statistics(z, noise={"noise": chi})[i, 1] - 1)


@pytest.mark.parametrize("arguments, message", [
    ({"n_neurons": 1}, "n_neurons = 1"),
    ({"n_neurons": 2.5}, "n_neurons = 2.5"),
    ({"g": -1}, "g = -1"),
    ({"tau": 0}, "tau = 0"),
])  # fmt: skip
def test_bad_constants_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ne.circuits.RankTwoRNN(**arguments)


def test_noise_of_the_wrong_shape_is_refused(rng):
    z, chi = draw(rng, 2, 5)
    with pytest.raises(ValueError, match=r"expected \(2, 2, 5, 2\)"):
        ne.circuits.RankTwoRNN(5).statistics(z, noise={"noise": chi[:, :, :4]})


def test_names_and_property():
    circuit = ne.circuits.RankTwoRNN(3)
    assert circuit.parameter_names[:4] == ("U1_1", "U1_2", "U1_3", "U2_1") and len(circuit.parameter_names) == 12
    prop = circuit.emergent_property()
    np.testing.assert_allclose(prop.mean, [0.5, 1.5])
    assert circuit.paper_settings()["flow"].dim == 12


@pytest.mark.parametrize("n_neurons", [2, 5])
def test_sign_symmetries_leave_the_statistics_alone(n_neurons, rng):
    circuit = ne.circuits.RankTwoRNN(n_neurons, g=0.0)
    z = rng.uniform(-1, 1, (50, 4 * n_neurons))
    f = circuit.statistics(z)
    assert len(circuit.sign_symmetries) == n_neurons + 2
    for together in circuit.sign_symmetries:
        image = z.copy()
        image[:, together] *= -1
        np.testing.assert_allclose(circuit.statistics(image), f, rtol=1e-12, atol=1e-13)
    image[:, 0] *= -1  # one parameter alone is none
    assert np.abs(circuit.statistics(image) - f).max() > 0.1
