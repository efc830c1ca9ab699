"""Results as xarray trees."""

import dataclasses
import json
import sys

import numpy as np
import pytest

import numepi as ne


@pytest.fixture(scope="module")
def result():
    lds = ne.circuits.LDS()
    prop = ne.EmergentProperty(mean=[5.0, 3.0], variance=[25.0, None])
    return ne.infer(
        lds, prop, solver="augmented-lagrangian", initial="uniform", progress=False, epochs=1, iterations_per_epoch=3,
        batch_size=20, test_batch_size=20, n_tests=5,
    )  # fmt: skip


def test_the_remedy_is_named_without_xarray(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ImportError, match=r"numepi\[arviz\]"):
        ne.to_datatree(result)


def test_samples_statistics_constraints_and_history(result):
    pytest.importorskip("xarray")
    tree = ne.to_datatree(result, n=50, rng=4)
    z = tree["posterior/z"]
    assert z.dims == ("chain", "draw", "parameter") and z.shape == (1, 50, 4)
    np.testing.assert_array_equal(tree["sample_stats/lp"][0], result.distribution.log_prob(z[0].values))
    f = tree["posterior_predictive/f"].sel(chain=0)
    np.testing.assert_array_equal(f, result.circuit.statistics(z[0].values))  # the LDS has no noise
    im = f.sel(statistic="im_lambda1")
    assert (im >= 0).all()
    assert float(tree["constraints/target"].sel(constraint="variance re_lambda1")) == 25.0
    np.testing.assert_array_equal(tree["constraints/achieved"], result.constraint)
    for name, values in result.history.items():
        np.testing.assert_array_equal(tree[f"history/{name}"], values)
    assert tree.attrs["status"] == result.status and tree.attrs["entropy"] == result.entropy
    assert json.loads(tree.attrs["configuration"])["circuit"] == "lds"


def test_a_loaded_result_of_a_users_circuit_has_no_statistics(result):
    pytest.importorskip("xarray")
    tree = ne.to_datatree(dataclasses.replace(result, circuit=None), n=5)
    assert "posterior_predictive" not in tree.children and tree["posterior/z"].shape == (1, 5, 4)


def test_arviz_reads_the_tree(result):
    arviz = pytest.importorskip("arviz", minversion="1.0")
    summary = arviz.summary(ne.to_datatree(result, n=200))
    assert len(summary) == 4
