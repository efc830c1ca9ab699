"""Solvers by name or by their settings."""

import inspect
from dataclasses import fields

import numpy as np
import pytest

import numepi as ne
from numepi.inference.solvers import SOLVERS, automatic, chosen
from numepi.report.code import code

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


def test_a_setting_of_another_solver_names_it():
    # nobody had named a solver: it was said only what the dual solver takes
    circuit = ne.circuits.LDS()
    with pytest.raises(TypeError, match=r"settings \['particles'\] are not of solver 'dual': give solver='particles'"):
        ne.infer(circuit, circuit.emergent_property(), particles=30)
    with pytest.raises(TypeError, match=r"unknown settings \['particles'\] for solver 'dual'"):  # none takes both
        chosen("dual", {"particles": 30, "kl": 0.02})


def test_a_solver_that_is_unknown_may_be_left_to_the_problem():
    circuit = ne.circuits.LDS()
    with pytest.raises(ValueError, match="solver = 'particle': choose from 'auto', 'dual', 'particles'"):
        ne.infer(circuit, circuit.emergent_property(), solver="particle")


def test_the_least_moves_are_no_more_than_the_most():
    # they were cut to the most without a word
    with pytest.raises(ValueError, match=r"moves = 6, most_moves = 5: .* give most_moves=6 or more"):
        ne.settings.Particles(moves=6)
    assert ne.settings.Particles(moves=6, most_moves=6).sampler.moves == 6


def test_an_object_of_settings_makes_the_same_run():
    lds = ne.circuits.LDS()
    prop = lds.emergent_property()
    given = {"initial": "uniform", "epochs": 1, "iterations_per_epoch": 3}
    how = {"rng": 3, "progress": False}
    one = ne.infer(lds, prop, solver="augmented-lagrangian", **given, **how)
    other = ne.infer(lds, prop, solver=ne.settings.AugmentedLagrangian(**given), **how)
    assert one.configuration == other.configuration and other.configuration["solver"] == "augmented-lagrangian"
    np.testing.assert_array_equal(one.distribution.theta, other.distribution.theta)


@pytest.mark.parametrize(
    "changed, wanted",
    [
        ({}, "particles"),
        ({"support": ne.Support([0.0] * 99, [1.0] * 99)}, "dual"),
        ({"support": ne.Support([0.0] * 100, [np.inf] * 100)}, "dual"),
        ({"support": ne.Support([0.0] * 100, [np.inf] * 100), "proper": True}, "particles"),
        ({"with_gradient": False}, "dual"),
        ({"rows": 999_999}, "dual"),
        ({"rows": 1_000_000}, "particles"),
        ({"keywords": {"kl": 0.02}}, "dual"),
        ({"keywords": {"particles": 200, "learning_rate": 1e-3}}, "particles"),
        ({"earlier": True}, "dual"),
    ],
)
def test_particles_lead_in_many_dimensions_where_they_can(changed, wanted):
    box = ne.Support([0.0] * 100, [1.0] * 100)
    given = {"support": box, "proper": False, "with_gradient": True, "keywords": {}, "rows": None, "earlier": False}
    assert automatic(**given | changed) == wanted


def test_a_run_without_a_solver_takes_particles_in_many_dimensions(tmp_path):
    # 100 neurons: the dual solver ended at the prior
    circuit = ne.circuits.RankTwoRNN(n_neurons=25)
    result = ne.infer(circuit, circuit.emergent_property(), progress=False, max_time=1e-3)
    assert result.configuration["solver"] == "particles" and 'solver="particles"' in code(result)
    rows = {"max_simulations": 1500, "checkpoint": tmp_path / "run.npz"}
    small = ne.infer(circuit, circuit.emergent_property(), progress=False, max_time=1e-3, **rows)
    assert small.configuration["solver"] == "dual" and 'solver="dual"' in code(small)
    # with a larger budget the same run goes on, by the solver that it had
    rows |= {"max_simulations": 2_000_000, "resume": True}
    more = ne.infer(circuit, circuit.emergent_property(), progress=False, max_time=1e-3, **rows)
    assert more.configuration["solver"] == "dual"
    seeds = ne.infer(
        circuit, circuit.emergent_property(), progress=False, max_time=1e-3, n_seeds=2, max_simulations=10**6
    )
    assert seeds.configuration["solver"] == "dual"
