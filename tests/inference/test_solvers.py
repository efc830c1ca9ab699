"""Solvers by name or by their settings."""

import inspect
from dataclasses import fields

import numpy as np
import pytest

import numepi as ne
from numepi.inference.solvers import SOLVERS, chosen

NAMED = {"dual": ne.settings.Dual, "particles": ne.settings.Particles}
NAMED["augmented-lagrangian"] = ne.settings.AugmentedLagrangian


@pytest.mark.parametrize("name", SOLVERS)
def test_settings_are_public_and_name_their_solver(name):
    settings = NAMED[name]()
    assert set(NAMED) == set(SOLVERS) and len(NAMED) == len(ne.settings.__all__)
    assert chosen(settings, {}) == (name, settings) == chosen(name, {})
    # what an editor completes
    assert list(inspect.signature(NAMED[name]).parameters) == [f.name for f in fields(SOLVERS[name].settings_type)]


def test_settings_are_given_once():
    assert chosen("dual", {"kl": 0.02}) == chosen(ne.settings.Dual(kl=0.02), {})
    with pytest.raises(TypeError, match=r"settings \['kl'\] beside an object of settings: put them in it"):
        chosen(ne.settings.Dual(), {"kl": 0.02})
    with pytest.raises(ValueError, match="kl = -1"):
        ne.settings.Dual(kl=-1)


def test_an_object_of_settings_makes_the_same_run():
    lds = ne.circuits.LDS()
    prop = lds.emergent_property()
    given = {"initial": "uniform", "epochs": 1, "iterations_per_epoch": 3}
    how = {"rng": 3, "progress": False}
    one = ne.infer(lds, prop, solver="augmented-lagrangian", **given, **how)
    other = ne.infer(lds, prop, solver=ne.settings.AugmentedLagrangian(**given), **how)
    assert one.configuration == other.configuration and other.configuration["solver"] == "augmented-lagrangian"
    np.testing.assert_array_equal(one.distribution.theta, other.distribution.theta)
