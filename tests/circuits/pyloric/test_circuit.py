"""The pyloric network: golden states and features, the network in plain NumPy, early ends, the property."""

import json

import numpy as np
import pytest

import numepi as ne
from numepi import storage
from numepi.archive import plain
from numepi.circuits.pyloric.bursts import EXTRA_FEATURES, FEATURES
from numepi.circuits.pyloric.constants import PyloricPhysiology
from tests.circuits.pyloric import reference

EVERYTHING = FEATURES + EXTRA_FEATURES
CELLS = {"PM": "AB", "LP": "LP", "PY": "PY"}
GOLDEN_NAMES = {
    "cycle_period:Circuit": "period", "pyloric_like:Circuit": "pyloric", "starts_to_starts:AB/PD-LP": "delay_AB_LP",
    "ends_to_starts:AB/PD-LP": "gap_AB_LP", "ends_to_starts:LP-PY": "gap_LP_PY",
    "phase_gaps:AB/PD-LP": "phase_gap_AB_LP", "phase_gaps:LP-PY": "phase_gap_LP_PY",
    "start_phases:LP": "phase_LP", "start_phases:PY": "phase_PY",
} | {
    f"{theirs}:{cell}": f"{ours}_{CELLS[cell]}"
    for theirs, ours in {
        "burst_durations": "duration", "duty_cycles": "duty", "num_bursts": "bursts", "num_spikes": "spikes"
    }.items() for cell in CELLS
}  # fmt: skip


@pytest.fixture(scope="module")
def currents():
    """The golden noise: (samples, 3), microampere."""
    return np.random.RandomState(5340).normal(scale=0.001, size=(3, 440_000)).T


def given(currents, n):
    return {"noise": np.broadcast_to(currents, (n, *currents.shape))}


def test_states_of_the_golden_runs(golden, currents):
    cases = golden("pyloric")
    circuit = ne.circuits.Pyloric(duration=0.301)
    path = circuit.simulate(cases["parameters"], noise=given(currents[: circuit.steps], 5))
    assert path.values.shape == (5, 12_040, 46) and path.names[0] == "V_AB" and path.names[-1] == "s_PY_LP_fast"
    found, states, early = path.values[:, cases["steps"]], cases["states"], cases["steps"] <= 3000
    error = np.abs(found - states) / np.maximum(1e-6, np.abs(states))
    assert error[:, early].max() < 1e-9 and error.max() < 1e-6
    np.testing.assert_array_equal(circuit.support.lower, cases["lower"])
    np.testing.assert_allclose(circuit.support.upper, cases["upper"], rtol=1e-15)


def test_features_of_the_golden_runs(golden, currents):
    cases = golden("pyloric")
    circuit = ne.circuits.Pyloric(features=EVERYTHING)
    f = dict(zip(EVERYTHING, circuit.statistics(cases["feature_parameters"], noise=given(currents[1:], 8)).T))
    rows = [0, 1, 3, 4, 5, 7]  # the others are chaotic: they compare arithmetic to its last digits
    for theirs, expected in zip(cases["feature_names"], cases["features"].T):
        if theirs == "starts_to_starts:LP-PY":
            ours = f["delay_AB_PY"] - f["delay_AB_LP"]
        else:
            ours = f[GOLDEN_NAMES[theirs]]
        if theirs.startswith("num_spikes"):  # ours are of potentials that were not smoothed
            assert np.all((ours >= expected) & (ours <= expected + 8))
        elif theirs.startswith("num_bursts") or "pyloric" in theirs:
            np.testing.assert_array_equal(ours[rows], expected[rows])
        else:
            np.testing.assert_allclose(ours[rows], expected[rows], rtol=5e-3, err_msg=theirs)


def test_the_network_in_plain_numpy(golden, rng):
    z = golden("pyloric")["parameters"][2]
    circuit = ne.circuits.Pyloric(duration=0.301)
    noise = rng.normal(scale=0.001, size=(1, circuit.steps, 3))
    path = circuit.simulate(z[None], noise={"noise": noise}, every=50)
    expected = reference.potentials(z, noise[0, :3000])[::50]
    np.testing.assert_allclose(path.values[0, :61][:, [0, 13, 26]], expected, rtol=1e-9)
    np.testing.assert_allclose(path.time[1], 50 * 0.025e-3)


def test_features_from_stored_potentials(golden):
    z = golden("pyloric")["feature_parameters"][[0, 3, 2]]
    z = np.vstack([z, z[:1]])
    z[3, :8] = [0, 0, 0, 0, 0, 25, 0, 0.01]  # AB is silent
    circuit = ne.circuits.Pyloric(duration=3.5, features=EVERYTHING, give_up=3.5)
    f = circuit.statistics(z, rng=3)
    path = circuit.simulate(z, rng=3)
    expected = [reference.features(values[40_000:, [0, 13, 26]]) for values in path.values]
    assert np.isfinite(expected[0]).all() and np.isnan(expected[3][0])
    np.testing.assert_allclose(f, expected, rtol=1e-9)


def test_hopeless_runs_end_early_and_leave_the_others_alone(golden, on_any_threads):
    bursts = golden("pyloric")["feature_parameters"][0]
    circuit, patient = (ne.circuits.Pyloric(duration=2.6, features=EVERYTHING, give_up=t) for t in (2.2, 2.6))
    box = circuit.support.lower + circuit.support.width * np.random.default_rng(2).random((20, 31))
    z = np.vstack([box, bursts])
    whole = patient.statistics(z, rng=1)
    (f,) = on_any_threads(lambda: (circuit.statistics(z, rng=1),))
    ended = np.isnan(f[:, 15])
    assert 3 < ended.sum() < 20 and not ended[-1]
    np.testing.assert_array_equal(f[~ended], whole[~ended])
    assert np.isnan(f[ended]).all()
    assert np.all((whole[ended, 15:18] <= 2).any(axis=1))  # a cell is silent or tonic until 2.2 s: no rhythm by 2.6 s
    period, for_period = (
        ne.circuits.Pyloric(duration=2.6, features=("period", "bursts_AB"), give_up=t).statistics(z, rng=1)
        for t in (2.6, 2.2)
    )
    kept = ~np.isnan(for_period[:, 1])  # the period asks for AB alone: other cells end no run
    np.testing.assert_array_equal(for_period[kept], period[kept])
    assert np.all(kept[~ended]) and kept.sum() > (~ended).sum()
    np.testing.assert_array_equal(circuit.statistics(z[-1:], rng=1, first_index=20), f[-1:])


def test_the_property_and_what_is_refused():
    circuit = ne.circuits.Pyloric(features="A")
    assert circuit.statistic_names == ("period", "duty_AB", "duty_LP", "duty_PY", "phase_LP", "phase_PY")
    prop = circuit.emergent_property()
    np.testing.assert_allclose(prop.mean, [1509, 0.385, 0.264, 0.348, 0.533, 0.758])
    np.testing.assert_allclose(prop.variance, np.square([279, 0.040, 0.059, 0.054, 0.054, 0.060]))
    assert ne.circuits.Pyloric().statistic_names == FEATURES and len(FEATURES) == 15
    assert ne.circuits.Pyloric().steps == 439_999 and len(circuit.parameter_names) == 31
    z = np.zeros((1, 31))
    assert np.isnan(ne.circuits.Pyloric(duration=0.01).statistics(z)).all()
    for wrong, message in [
        (lambda: ne.circuits.Pyloric(features=("bursts_AB",)).emergent_property(), "bursts_AB were not measured"),
        (lambda: ne.circuits.Pyloric(features="B"), "features = 'B': choose 'A', or names among period, "),
        (lambda: ne.circuits.Pyloric(features=()), "features has 0 entries: give one or more"),
        (lambda: ne.circuits.Pyloric(physiology=PyloricPhysiology(capacitance=0.0)), "physiology.capacitance = 0.0: "),
        (lambda: ne.circuits.Pyloric(physiology=PyloricPhysiology(e_k=np.nan)), "physiology.e_k = nan: give a"),
        (lambda: ne.circuits.Pyloric(duration=0.0), "duration = 0.0"),
        (lambda: ne.circuits.Pyloric(duration=2e-5), "duration = 2e-05 s is less than two samples of dt = 0.025 ms"),
        (lambda: circuit.statistics(z, noise={"noise": np.zeros((1, 5, 3))}), r"expected \(1, 439999, 3\)"),
        (lambda: circuit.statistics(z, precision="float32"), "use 'float64'"),
        (lambda: circuit.statistics(z, device="cuda"), "use 'cpu'"),
    ]:
        with pytest.raises(ValueError, match=message):
            wrong()
    for wrong, message in [
        (lambda: circuit.statistics_and_jacobian(z), "statistics only"),
        (lambda: ne.circuits.Pyloric(features=3), "features = 3: give a sequence of names"),
        (lambda: ne.circuits.Pyloric(physiology=3), "physiology = 3: give a PyloricPhysiology, whose names are capac"),
        (lambda: ne.circuits.Pyloric(physiology={"e_k": -75.0}), "give a PyloricPhysiology"),
    ]:
        with pytest.raises(TypeError, match=message):
            wrong()


def test_stored_settings_make_the_same_circuit():
    circuit = ne.circuits.Pyloric(duration=2.0, features="A", physiology=PyloricPhysiology(e_k=-75.0))
    stored = json.loads(json.dumps(plain(circuit.settings)))
    metadata = {
        "circuit_class": "numepi.circuits.pyloric.circuit.Pyloric",
        "configuration": {"circuit_settings": stored},
    }
    again = storage._circuit(metadata)
    assert again.settings == circuit.settings and again.statistic_names == circuit.statistic_names


def test_result_of_a_fit_is_saved_and_loaded(tmp_path):
    circuit = ne.circuits.Pyloric(duration=2.6, features=("spikes_AB", "bursts_AB"), give_up=2.6)
    prop = ne.EmergentProperty(mean=[60.0, None], variance=[900.0, None])
    tiny = {
        "surrogate_first_steps": 50, "surrogate_steps": 50, "fit_steps": 10, "landing_steps": 10, "pool_size": 200,
        "most_repeated": 0, "check_size": 200, "score_draws": 500,
    }  # fmt: skip
    result = ne.infer(circuit, prop, rng=0, max_simulations=100, progress=False, **tiny)
    assert np.isfinite(result.statistic_mean).all() and result.n_simulations <= 100
    result.save(tmp_path / "pyloric.npz")
    again = ne.load(tmp_path / "pyloric.npz")
    assert again.circuit.settings == circuit.settings and again.statistic_names == circuit.statistic_names
    np.testing.assert_array_equal(again.distribution.sample(5, rng=1), result.distribution.sample(5, rng=1))
    np.testing.assert_array_equal(again.simulations_table().statistics, result.simulations_table().statistics)
    z = again.sample(2, rng=2)
    np.testing.assert_array_equal(again.circuit.statistics(z, rng=3), circuit.statistics(z, rng=3))
