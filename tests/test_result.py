"""Results: save, load, tables."""

import dataclasses

import numpy as np
import pytest

import numepi as ne
from numepi.identity import described


@pytest.fixture(scope="module")
def result():
    lds = ne.circuits.LDS()
    moment = ne.Moment("product", lambda f: f[:, 0] * f[:, 1], 0.0, jacobian=lambda f: f[:, ::-1])
    prop = ne.EmergentProperty(mean=[0.0, 2 * np.pi], variance=[0.0625, None], functions=[moment])
    return ne.infer(
        lds, prop, solver="augmented-lagrangian", initial="uniform", progress=False, epochs=1, iterations_per_epoch=3,
        batch_size=20, test_batch_size=20, n_tests=5,
    )  # fmt: skip


def test_save_and_load_keep_everything(result, tmp_path):
    path = tmp_path / "r.npz"
    result.save(path)
    again = ne.load(path, functions=result.property.functions)
    for name in vars(result):
        a, b = getattr(result, name), getattr(again, name)
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
        elif name == "history":
            assert a.keys() == b.keys()
            for key in a:
                np.testing.assert_array_equal(a[key], b[key])
        elif name == "circuit":
            assert repr(a) == repr(b)
        elif name != "distribution":
            assert a == b, name
    np.testing.assert_array_equal(result.sample(10, rng=3), again.sample(10, rng=3))
    z = result.sample(5)
    np.testing.assert_array_equal(result.distribution.log_prob(z), again.distribution.log_prob(z))


def test_user_functions_must_be_given_again(result, tmp_path):
    result.save(tmp_path / "r.npz")
    with pytest.raises(ValueError, match="product"):
        ne.load(tmp_path / "r.npz")


def test_the_table_names_every_constraint(result):
    text = result.summary()
    for name in ("mean re_lambda1", "mean im_lambda1", "variance re_lambda1", "product", "entropy"):
        assert name in text
    tolerances = {line.split()[-1] for line in text.splitlines()[1 : 1 + len(result.constraint_names)]}
    assert tolerances == {"target", "spread"}, "the table says where tolerances come from"
    assert result.status in repr(result) and result.message in text


def test_statistics_are_scored_on_fresh_draws(result):
    z = result.sample(20_000, rng=11)
    f = ne.circuits.LDS().statistics(z)
    # two independent estimates of the same means: 5 standard errors, false alarm below 1e-6
    assert np.all(np.abs(f.mean(0) - result.statistic_mean) < 5 * np.sqrt(2) * f.std(0) / np.sqrt(len(f)))


def test_unwritable_and_foreign_files_are_refused(result, tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        result.save(tmp_path / "no" / "r.npz")
    np.savez(tmp_path / "f.npz", x=1)
    with pytest.raises(ValueError, match="not a numepi result"):
        ne.load(tmp_path / "f.npz")


def test_another_circuit_or_a_missing_prior_is_refused(result, tmp_path):
    result.save(tmp_path / "r.npz")
    with pytest.raises(ValueError, match="circuit has parameter_names"):
        ne.load(tmp_path / "r.npz", functions=result.property.functions, circuit=ne.circuits.STG())
    without = dataclasses.replace(result, configuration=result.configuration | {"prior": "Normal"})
    with pytest.raises(ValueError, match="load the result with prior="):
        without.sample(3, corrected=True)


def test_settings_that_differ_are_refused_by_name(result, tmp_path):
    path, functions = tmp_path / "r.npz", result.property.functions
    result.save(path)
    with pytest.raises(ValueError, match=r"circuit_settings\.tau is 5\.0 here and 1\.0 in the file"):
        ne.load(path, functions=functions, circuit=ne.circuits.LDS(tau=5.0))
    ne.load(path, functions=functions, circuit=ne.circuits.LDS())
    other = dataclasses.replace(functions[0], function=lambda f: f[:, 0] - f[:, 1])
    with pytest.raises(ValueError, match=r"functions\.product\.function\.code is "):
        ne.load(path, functions=[other])

    class Mine(ne.circuits.LDS):
        pass

    with pytest.raises(ValueError, match=r"circuit_class\..*name is '.*Mine' here"):
        ne.load(path, functions=functions, circuit=Mine())
    with pytest.raises(ValueError, match=r"prior is .* here and None in the file"):
        ne.load(path, functions=functions, prior=ne.priors.normal([0.0] * 4, [1.0] * 4))


def test_what_cannot_be_told_from_another_is_warned_of(failing, tmp_path):
    generator = np.random.default_rng(0)
    circuit = ne.circuits.FunctionCircuit(
        lambda z: z[:, 1:] + 0 * generator.random(), failing.circuit.support, statistic_names=("y",)
    )
    dataclasses.replace(
        failing,
        circuit=circuit,
        configuration=failing.configuration | {"circuit_settings": described(circuit.settings)},
    ).save(tmp_path / "r.npz")
    with pytest.warns(UserWarning, match=r"generator holds a Generator, which cannot be told"):
        ne.load(tmp_path / "r.npz", circuit=circuit)


def test_corrected_samples_that_rest_on_few_proposals_are_warned_of(result):
    narrow = dataclasses.replace(result.certificate, multipliers=(0.0, 0.0, -50.0, 0.0), replicates=1)
    with pytest.warns(UserWarning, match="of the proposals"):
        dataclasses.replace(result, certificate=narrow).sample(10, corrected=True)
    flat = dataclasses.replace(result.certificate, multipliers=(0.0,) * 4, replicates=1)  # p* is the start itself
    assert dataclasses.replace(result, certificate=flat).sample(10, corrected=True).shape == (10, 4)


@pytest.fixture(scope="module")
def failing():
    """An untrained result, three eighths of whose draws fail."""
    square = ne.Support([0.0, 0.0], [1.0, 1.0])
    circuit = ne.circuits.FunctionCircuit(
        lambda z: np.where(z[:, :1] < 0.375, np.nan, z[:, 1:]), square, statistic_names=("y",), differentiable=False
    )
    return ne.infer(
        circuit, ne.EmergentProperty(mean=[0.5]), progress=False, max_time=1e-9, flow=ne.RealNVP(square, stages=2)
    )


def test_nothing_simulated_is_no_success(failing):
    assert failing.simulation_counts["fit"] == 0 and not failing.success and failing.status == "budget"
    assert abs(failing.constraint[0] - 0.5) < failing.constraint_tolerance[0]  # met, before any work


def test_the_entropy_is_that_of_the_draws_that_work(failing):
    # by quadrature log(5 / 8); four standard errors of 20,000 draws, false alarm 6e-5
    assert failing.entropy == pytest.approx(np.log(0.625), abs=4 * np.sqrt(0.6 / 20_000))
    assert failing.entropy <= failing.certificate.entropy_bound + 4 * failing.certificate.entropy_bound_stderr
    low, high = failing.failing_interval
    assert low < failing.failing_share < high and failing.failing_share == pytest.approx(0.375, abs=0.014)
    assert f"failing draws {failing.failing_share:.2%} (95 % interval {low:.2%} to" in failing.summary()
    assert "(of the draws that work)" in failing.summary()


def test_only_draws_that_work(failing):
    with pytest.warns(UserWarning, match=r"3\d% of these draws.*valid_only=True"):
        z = failing.sample(1000, rng=3)
    assert 0.3 < np.mean(z[:, 0] < 0.375) < 0.45
    z = failing.sample(1000, rng=3, valid_only=True)
    assert z.shape == (1000, 2) and np.all(z[:, 0] >= 0.375)
    np.testing.assert_array_equal(z, failing.sample(1000, rng=3, valid_only=True))
    assert failing.sample(0, valid_only=True).shape == (0, 2)
    with pytest.raises(ValueError, match=r"load the result with circuit="):
        dataclasses.replace(failing, circuit=None).sample(3, valid_only=True)
    dead = ne.circuits.FunctionCircuit(
        lambda z: np.nan * z[:, :1], failing.circuit.support, statistic_names=("y",), differentiable=False
    )
    with pytest.raises(ValueError, match="valid_only = True, but 0 of"):
        dataclasses.replace(failing, circuit=dead).sample(3, valid_only=True)


def test_flags_are_true_or_false(result):
    for argument in ("corrected", "valid_only"):
        with pytest.raises(TypeError, match=f"{argument} = 'no': give True or False"):
            result.sample(3, **{argument: "no"})


def test_corrected_samples_are_a_count(result):
    for n in (True, 1000.5, "3", -1):
        with pytest.raises((TypeError, ValueError), match=r"n = .*: give a whole number"):
            result.sample_corrected(n)


def test_an_entropy_above_the_bound_is_explained(result):
    said = "the bound is that of distributions with exactly these targets"
    bound = {"entropy_bound": result.entropy - 1.0, "entropy_bound_stderr": 0.01, "kl_stderr": 0.01, "optimal": True}
    bound |= {"round_trip": 0.0, "kl": 1.0, "score_kl": 1.0, "score_kl_stderr": 0.01, "ess": 9000.0}
    above = dataclasses.replace(result, certificate=dataclasses.replace(result.certificate, **bound))
    assert said in above.summary()
    for change in ({"entropy_bound": result.entropy + 1.0}, {"optimal": False}):
        certificate = dataclasses.replace(above.certificate, **change)
        assert said not in dataclasses.replace(above, certificate=certificate).summary()


def test_a_prior_is_refused_where_there_was_none(result, tmp_path):
    result.save(tmp_path / "r.npz")
    with pytest.raises(ValueError, match=r"prior is .* here and None in the file"):
        ne.load(tmp_path / "r.npz", functions=result.property.functions, prior=np.random.default_rng(0))


def test_numbers_that_mean_nothing_are_not_printed(result):
    collapsed = dataclasses.replace(result, certificate=dataclasses.replace(result.certificate, round_trip=2e6))
    assert "entropy unknown: the flow is not invertible" in collapsed.summary() and "entropy unknown" in repr(collapsed)
    assert f"{result.entropy:.3f}" not in collapsed.summary() + repr(collapsed)


def test_a_users_circuit_is_not_taken_for_numepis_of_the_same_name(result, tmp_path):
    class Mine(ne.circuits.LDS):
        pass

    dataclasses.replace(result, circuit=Mine()).save(tmp_path / "r.npz")
    assert ne.load(tmp_path / "r.npz", functions=result.property.functions).circuit is None


class Shifted:
    """A family of a user's own: RealNVP on a support, under another name."""

    def __init__(self, support, stages):
        self._inner = ne.RealNVP(support, stages=stages, hidden=(5,))
        self.stages = stages

    def __getattr__(self, name):
        return getattr(self._inner, name)

    @property
    def description(self):
        return {"family": "Shifted", "support": self.support.description, "stages": self.stages}


def test_a_family_of_ones_own_is_given_to_infer_and_to_load(tmp_path):
    lds, path = ne.circuits.LDS(), tmp_path / "own.npz"
    result = ne.infer(
        lds, lds.emergent_property(), solver="augmented-lagrangian", flow=Shifted(lds.support, 2), initial="uniform",
        progress=False, epochs=1, iterations_per_epoch=2, batch_size=20, test_batch_size=20, n_tests=5,
    )  # fmt: skip
    result.save(path)
    with pytest.raises(ValueError, match=r"flow family 'Shifted' is unknown.*flow="):
        ne.load(path)
    with pytest.raises(ValueError, match=r"'stages': 3.*give that one"):
        ne.load(path, flow=Shifted(lds.support, 3))
    again = ne.load(path, flow=Shifted(lds.support, 2))
    np.testing.assert_array_equal(result.sample(5), again.sample(5))


def test_what_is_no_flow_is_refused():
    lds = ne.circuits.LDS()
    with pytest.raises(TypeError, match=r"flow is a str: give a flow such as"):
        ne.infer(lds, lds.emergent_property(), flow="RealNVP")
