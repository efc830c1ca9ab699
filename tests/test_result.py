"""Results: save, load, tables."""

import dataclasses

import numpy as np
import pytest

import numepi as ne


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


def test_corrected_samples_that_rest_on_few_proposals_are_warned_of(result):
    narrow = dataclasses.replace(result.certificate, multipliers=(0.0, 0.0, -50.0, 0.0), replicates=1)
    with pytest.warns(UserWarning, match="of the proposals"):
        dataclasses.replace(result, certificate=narrow).sample(10, corrected=True)
    flat = dataclasses.replace(result.certificate, multipliers=(0.0,) * 4, replicates=1)  # p* is the start itself
    assert dataclasses.replace(result, certificate=flat).sample(10, corrected=True).shape == (10, 4)


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
