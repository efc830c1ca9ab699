"""Statistics along directions."""

import numpy as np
import pytest

import numepi as ne
from numepi.analysis import perturb


def test_statistics_are_those_of_the_displaced_points(rng):
    circuit = ne.circuits.LDS()
    z = rng.uniform(-3, 3, (2, 4))
    own = rng.normal(size=(2, 4))
    deltas = [-1.0, 0.0, 0.5]
    found = perturb(circuit, z, {"trace": [2, 0, 0, 2], "own": own}, deltas)
    assert found.statistics.shape == (2, 2, 3, 2) and found.names == ("trace", "own")
    trace = np.array([1, 0, 0, 1]) / np.sqrt(2)
    np.testing.assert_allclose(found.z[1, 0, 2], z[1] + 0.5 * trace)
    np.testing.assert_allclose(found.z[0, 1, 0], z[0] - own[0] / np.linalg.norm(own[0]))
    np.testing.assert_array_equal(found.along("own")[0], circuit.statistics(found.z[0, 1]))
    assert found.inside.all()


def test_points_outside_of_the_support_are_marked():
    found = perturb(ne.circuits.LDS(), [9.0, 0, 0, 0], {"a11": [1, 0, 0, 0]}, [0.0, 2.0])
    np.testing.assert_array_equal(found.inside[0, 0], [True, False])


def test_trials_are_the_circuits_own_or_draws_to_average():
    sc = ne.circuits.SC(trials=3)
    z = np.array([-0.5, -3.6, -1.5, -1.7])
    found = perturb(sc, z, {"x": np.eye(4)[0]}, [0.0], trials=7, rng=2)
    expected = ne.circuits.SC(trials=7).statistics(z[None], rng=2)
    np.testing.assert_allclose(found.statistics[0, 0, 0], expected[0])
    noisy = ne.circuits.FunctionCircuit(
        lambda z, rng: z[:, :1] + rng.normal(size=(len(z), 1)), ne.Support([-1.0, -1], [1.0, 1]), ("a", "b"), ("f",)
    )
    means = perturb(noisy, np.zeros(2), {"a": [1, 0]}, np.zeros(50), trials=100).statistics.ravel()
    # s.d. 0.1 of a mean of 100: 50 of them at a fixed seed leave [0.06, 0.14] less than once in 10,000 seeds
    assert 0.06 < means.std() < 0.14
    with pytest.raises(ValueError, match="trials = 0"):
        perturb(sc, z, {"x": np.eye(4)[0]}, [0.0], trials=0)


def test_a_direction_points_somewhere():
    with pytest.raises(ValueError, match="length zero"):
        perturb(ne.circuits.LDS(), np.zeros(4), {"none": np.zeros(4)}, [1.0])
