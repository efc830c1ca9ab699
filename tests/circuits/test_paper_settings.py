"""The paper's settings: Algorithm 1 in full, valid, with what numepi does otherwise by itself switched off."""

import pytest

import numepi as ne
from numepi.inference.augmented_lagrangian.solver import Settings


@pytest.mark.parametrize("name", ["LDS", "STG", "RankTwoRNN", "V1", "SC"])
def test_paper_settings_are_algorithm_one_with_raw_constraints_and_a_constant_rate(name):
    circuit = getattr(ne.circuits, name)()
    settings = circuit.paper_settings()
    assert settings.pop("flow").dim == circuit.support.dim
    algorithm = Settings(**settings)
    assert algorithm.scaled is False and algorithm.both_pairings is False
    assert algorithm.learning_rate_decay == 1.0 and algorithm.learning_rate == 1e-3
