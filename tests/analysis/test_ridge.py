"""The exact ridge: statistics at their targets, least movement, and what cannot be reached."""

import numpy as np
import pytest

import numepi as ne
from numepi.analysis import ridge_path

FREE = ne.EmergentProperty(mean=[None], functions=[ne.Moment("g", lambda f: f[:, 0] ** 2, 1.0)])


def circuit(function):
    return ne.circuits.FunctionCircuit(
        function, ne.Support([-3.0] * 3, [3.0] * 3), parameter_names=["a", "b", "c"], statistic_names=["f"]
    )


def radius(z):
    return z[:, 1:2] ** 2 + z[:, 2:] ** 2 - z[:, :1]


def test_a_circle_that_grows_is_followed_along_its_radius():
    values = np.linspace(0.5, 2.0, 31)
    path = ridge_path(circuit(radius), "a", values, [0.5, 0.3, 0.4], [0.0])
    expected = np.sqrt(values)[:, None] * [0.6, 0.8]
    np.testing.assert_allclose(path.z[:, 1:], expected, atol=1e-3)
    assert path.on_target.all() and path.parameter == "a"
    np.testing.assert_allclose(path.statistics, 0, atol=1e-4)
    np.testing.assert_array_equal(path.z[:, 0], values)


def test_what_no_free_parameter_changes_stays():
    path = ridge_path(circuit(lambda z: z[:, :1] + z[:, 1:2] ** 3), 0, [0.0, 1.0], [0.0, 1.2, -0.7], [2.0])
    np.testing.assert_allclose(path.z[:, 1], [2 ** (1 / 3), 1.0], atol=1e-3)
    np.testing.assert_array_equal(path.z[:, 2], -0.7)


def test_where_the_target_is_out_of_reach_the_path_says_so_and_comes_nearest():
    path = ridge_path(circuit(radius), "a", [1.0, -0.5], [1.0, 0.6, 0.8], [0.0])
    assert path.on_target.tolist() == [True, False]
    assert path.statistics[1, 0] == pytest.approx(0.5, abs=1e-3)  # b = c = 0
    # and on a bound of the support
    path = ridge_path(circuit(lambda z: z[:, :1] + z[:, 1:2]), "a", [0.0], [0.0, 0.0, 0.0], [4.0])
    assert not path.on_target[0] and path.z[0, 1] == pytest.approx(3.0, abs=1e-4)


def test_a_fold_in_which_the_search_ends_is_left_from_another_start():
    # (8b)^3 - 8b has a greatest value of 0.385 at 8b = -0.577, short of the target, which is met at 8b = 1.222
    fold = circuit(lambda z: (8 * z[:, 1:2]) ** 3 - 8 * z[:, 1:2] + 0.0 * z[:, 2:])
    path = ridge_path(fold, "a", [0.2], [0.2, -0.1, 0.0], [0.6])
    assert path.on_target.all() and 8 * path.z[0, 1] == pytest.approx(1.222, abs=2e-3)


def test_a_plateau_is_no_end_of_the_path():
    # flat below b = 0: no derivative says where the target is, from b = -0.01 a scattered start finds it, from -2 none
    plateau = circuit(lambda z: np.maximum(z[:, 1:2], 0.0) * np.array([[2.0]]))
    path = ridge_path(plateau, "a", [0.2], [0.2, -0.01, 0.0], [1.0])
    assert path.on_target.all() and path.z[0, 1] == pytest.approx(0.5, abs=1e-3)
    lost = ridge_path(plateau, "a", [0.2], [0.2, -2.0, 0.0], [1.0])
    assert not lost.on_target.any() and lost.statistics[0, 0] == 0.0


def test_a_noisy_circuit_is_followed_on_its_own_noise():
    sc = ne.circuits.SC(trials=300)
    path = ridge_path(sc, "sW", [0.0, -0.25], [0.0, -3.5, -1.13, -1.19], sc.emergent_property(), rng=3)
    assert path.on_target.all()
    np.testing.assert_array_equal(sc.statistics(path.z[1:], rng=3)[0], path.statistics[1])
    np.testing.assert_allclose(path.statistics, 0.75, atol=1e-3)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"values": []}, "give one or more inside the support"),
        ({"values": [4.0]}, "give one or more inside the support"),
        ({"start": np.zeros((2, 3))}, "give one point"),
        ({"start": [0, 0, 5]}, "give one point"),
        ({"target": [0.0, 1.0]}, "target has shape"),
        (
            {"target": ne.EmergentProperty(mean=[None], functions=[ne.Moment("g", lambda f: f[:, 0] ** 2, 1.0)])},
            "leaves the mean of f free",
        ),
        ({"parameter": "x"}, "'x' is unknown: choose from a, b, c"),
        ({"draws": 0}, "draws = 0"),
        ({"tolerance": 0}, "tolerance = 0"),
    ],
)
def test_bad_arguments_are_named(changed, message):
    arguments = {"parameter": "a", "values": [0.5], "start": [0.5, 0.5, 0.5], "target": [0.0]} | changed
    with pytest.raises(ValueError, match=message):
        ridge_path(circuit(radius), **arguments)
